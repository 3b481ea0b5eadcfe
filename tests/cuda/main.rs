//! Everything of CUDA, on an emulator that stands for the GPU.
#![cfg(feature = "cuda")]

mod emulator;
mod self_test;
