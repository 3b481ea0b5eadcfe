//! The logit on the CPU.

use super::LogitKernel;
use crate::Result;
use crate::backend::{Buffer, Cpu, Element};

impl<E: Element> LogitKernel<E> for Cpu {
    fn logit(&self, alpha: f64, x: &mut Buffer<E, Self>, ladj: &mut Buffer<f64, Self>) -> Result<()> {
        let dims = (x.len() / ladj.len().max(1)).max(1);
        for (x, ladj) in x.chunks_exact_mut(dims).zip(ladj.iter_mut()) {
            for x in x {
                let p = 0.5 * alpha + (1.0 - alpha) * (x.as_f64() + 0.5);
                let (of_p, of_rest) = (p.ln(), (1.0 - p).ln());
                *x = E::of(of_p - of_rest);
                *ladj += (1.0 - alpha).ln() - of_p - of_rest;
            }
        }
        Ok(())
    }

    fn logit_inverse(&self, alpha: f64, y: &mut Buffer<E, Self>) -> Result<()> {
        for y in y.iter_mut() {
            *y = E::of((sigmoid(y.as_f64()) - 0.5 * alpha) / (1.0 - alpha) - 0.5);
        }
        Ok(())
    }

    fn logit_gradient(
        &self,
        alpha: f64,
        y: &Buffer<E, Self>,
        g: &mut Buffer<E, Self>,
        g_ladj: &Buffer<f64, Self>,
    ) -> Result<()> {
        let dims = (y.len() / g_ladj.len().max(1)).max(1);
        for ((y, g), g_ladj) in y.chunks_exact(dims).zip(g.chunks_exact_mut(dims)).zip(g_ladj.iter()) {
            for (y, g) in y.iter().zip(g) {
                let (p, rest) = (sigmoid(y.as_f64()), sigmoid(-y.as_f64()));
                *g = E::of((1.0 - alpha) / (p * rest) * (g.as_f64() + g_ladj * (p - rest)));
            }
        }
        Ok(())
    }
}

fn sigmoid(v: f64) -> f64 {
    let e = (-v.abs()).exp();
    if v >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) }
}
