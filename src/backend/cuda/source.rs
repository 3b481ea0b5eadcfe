//! The kernels' text: C that is also CUDA C++, so that a C compiler can make the same kernels for the host and tests can
//! try them where there is no card.

/// All kernels, after what they share. `REAL` and `REAL_IS_FLOAT` or `REAL_IS_DOUBLE` are to be defined before it.
pub const SOURCE: &str = concat!(
    include_str!("../kernels/prelude.cu"),
    include_str!("../kernels/memory.cu"),
    include_str!("../kernels/channel.cu"),
    include_str!("../kernels/squeeze.cu"),
    include_str!("../kernels/relu.cu"),
    include_str!("../kernels/resize.cu"),
    include_str!("../kernels/convolution.cu"),
    include_str!("../kernels/coupling.cu"),
    include_str!("../kernels/checkerboard.cu"),
    include_str!("../kernels/transforms/form.cu"),
    include_str!("../kernels/transforms/spline.cu"),
    include_str!("../kernels/transforms/mixture_logistic.cu"),
    include_str!("../kernels/transforms/transforms.cu"),
    include_str!("../kernels/density.cu"),
    include_str!("../kernels/matrix.cu"),
    include_str!("../kernels/optimizer.cu"),
    include_str!("../kernels/pixel.cu"),
);

/// The names of the kernels in [`SOURCE`].
pub fn names() -> impl Iterator<Item = &'static str> {
    let signature = |line: &'static str| line.strip_prefix("KERNEL ").or(line.strip_prefix("BARRIER_KERNEL "));
    SOURCE.lines().filter_map(signature).filter_map(|line| line.split('(').next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kernel_has_one_name() {
        let mut all: Vec<_> = names().collect();
        assert!(all.contains(&"couple_gradient") && all.contains(&"sum_of_squares"));
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
