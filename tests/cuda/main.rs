//! All of CUDA: on this machine's card, or on an emulator of one.
#![cfg(feature = "cuda")]

mod device;
mod emulator;
mod flows;
mod kernels;
mod laws;
mod program;
mod self_test;
