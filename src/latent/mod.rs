//! What a trained flow is used for, in latent space: pictures to latents and back, lines between pictures, directions
//! that change them, and samples that show what each latent holds.
//!
//! [`Points`] are latents on the host, a row an image, that arithmetic is done with. [`encode`] and [`decode`] go between
//! them and pictures, and [`LatentFile`] keeps them on disk.
//!
//! **Classes.** Under a class-conditional flow the last latent is standardised by its class's own mean and deviation.
//! Both ways use the same class, so any class gives the picture back; and since the map is affine, a straight line
//! between two pictures that are standardised under one class is the same under any, and so is a picture moved along a
//! direction. The numbers of the direction are not: they count deviations of the class, which is class 0 here.

mod classes;
mod code;
mod direction;
mod file;
mod interpolate;
mod listed;
mod pictures;
mod points;
mod reconstruct;
mod samples;

pub use classes::classes_of;
pub use code::{Decoded, decode, decode_given, decode_vectors, encode};
pub use direction::{Attribute, Direction, strip};
pub use file::{About, Content, LatentFile};
pub use interpolate::{Interpolation, frames, grid, line};
pub use pictures::Pictures;
pub use points::Points;
pub use reconstruct::Reconstruction;
pub use samples::{Classes, Drawing, Request, contexts_for, decode_rows, sample_sheet};
