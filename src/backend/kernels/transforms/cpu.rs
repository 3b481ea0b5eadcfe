//! Element-wise transforms on the CPU.

use super::{Transform, TransformKernel, of_elements};
use crate::Result;
use crate::backend::{Buffer, Cpu, Element};

impl<E: Element> TransformKernel<E> for Cpu {
    fn transform(
        &self,
        transform: Transform,
        x: &mut Buffer<E, Self>,
        h: &Buffer<E, Self>,
        ladj: &mut Buffer<f64, Self>,
    ) -> Result<()> {
        let (map, n) = (transform.element_wise(), (x.len() / ladj.len().max(1)).max(1));
        of_elements(h, map.numbers(), |i, h| {
            let (y, log_slope) = map.forward(x[i].as_f64(), h);
            x[i] = E::of(y);
            ladj[i / n] += log_slope;
        });
        Ok(())
    }

    fn untransform(&self, transform: Transform, y: &mut Buffer<E, Self>, h: &Buffer<E, Self>) -> Result<()> {
        let map = transform.element_wise();
        of_elements(h, map.numbers(), |i, h| y[i] = E::of(map.inverse(y[i].as_f64(), h)));
        Ok(())
    }

    fn transform_gradient(
        &self,
        transform: Transform,
        x: &Buffer<E, Self>,
        g: &mut Buffer<E, Self>,
        g_ladj: &Buffer<f64, Self>,
        h: &Buffer<E, Self>,
        d_h: &mut Buffer<E, Self>,
    ) -> Result<()> {
        let (map, n) = (transform.element_wise(), (x.len() / g_ladj.len().max(1)).max(1));
        let numbers = map.numbers();
        let mut wide = vec![0.0; numbers];
        of_elements(h, numbers, |i, h| {
            wide.fill(0.0);
            g[i] = E::of(map.pull_back(x[i].as_f64(), h, g[i].as_f64(), g_ladj[i / n], &mut wide));
            let d_h = &mut d_h[i * numbers..(i + 1) * numbers];
            d_h.iter_mut().zip(&wide).for_each(|(d_h, wide)| *d_h += E::of(*wide));
        });
        Ok(())
    }
}
