//! Checkerboards on the CPU.

use super::CheckerboardKernel;
use crate::Result;
use crate::backend::kernels::MemoryKernel;
use crate::backend::{Buffer, Cpu, Element, ImageShape};

impl<E: Element> CheckerboardKernel<E> for Cpu {
    fn take_pixels(&self, x: &Buffer<E, Self>, shape: ImageShape, parity: usize) -> Result<Buffer<E, Self>> {
        let mut taken = MemoryKernel::<E>::zeros(self, x.len() / 2)?;
        let c = shape.channels;
        for (pixel, taken) in taken.chunks_exact_mut(c).enumerate() {
            taken.copy_from_slice(&x[place_of(pixel, shape, parity) * c..][..c]);
        }
        Ok(taken)
    }

    fn put_pixels(
        &self,
        y: &mut Buffer<E, Self>,
        shape: ImageShape,
        parity: usize,
        pixels: &Buffer<E, Self>,
    ) -> Result<()> {
        let c = shape.channels;
        for (pixel, put) in pixels.chunks_exact(c).enumerate() {
            y[place_of(pixel, shape, parity) * c..][..c].copy_from_slice(put);
        }
        Ok(())
    }
}

/// Where the pixel of this number among those of one colour stands among all: rows go on from image to image, so the row
/// that decides is the one within its image.
fn place_of(pixel: usize, shape: ImageShape, parity: usize) -> usize {
    let half = shape.width / 2;
    let row = pixel / half;
    2 * pixel + (row % shape.height + parity) % 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_colours_are_all_pixels_of_every_image_once() {
        let (device, shape) = (Cpu::default(), ImageShape::new(3, 4, 2));
        let x = device.upload(&(0..2 * shape.dims()).map(|i| i as f32).collect::<Vec<_>>()).unwrap();
        let mut y = device.upload(&vec![-1.0_f32; x.len()]).unwrap();
        for parity in [0, 1] {
            let taken = device.take_pixels(&x, shape, parity).unwrap();
            for pixel in taken.chunks_exact(2) {
                let place = pixel[0] as usize / 2;
                let (row, column) = (place / 4 % 3, place % 4);
                assert_eq!((row + column) % 2, parity);
            }
            device.put_pixels(&mut y, shape, parity, &taken).unwrap();
        }
        assert_eq!(y.to_vec(), x.to_vec());
    }
}
