//! The kernels' text: C that is also CUDA C++, so that a C compiler can make the same kernels for the host and tests can
//! try them where there is no card.

/// All kernels, after what they share. `REAL` and `REAL_IS_FLOAT` or `REAL_IS_DOUBLE` are to be defined before it.
pub const SOURCE: &str = concat!(
    include_str!("../kernels/prelude.cu"),
    include_str!("../kernels/memory/memory.cu"),
    include_str!("../kernels/channel/channel.cu"),
    include_str!("../kernels/squeeze/squeeze.cu"),
    include_str!("../kernels/resize/resize.cu"),
    include_str!("../kernels/convolution/convolution.cu"),
    include_str!("../kernels/coupling/coupling.cu"),
    include_str!("../kernels/checkerboard/checkerboard.cu"),
    include_str!("../kernels/transforms/form.cu"),
    include_str!("../kernels/transforms/spline.cu"),
    include_str!("../kernels/transforms/mixture_logistic.cu"),
    include_str!("../kernels/transforms/transforms.cu"),
    include_str!("../kernels/density/density.cu"),
    include_str!("../kernels/matrix/matrix.cu"),
    include_str!("../kernels/optimizer/optimizer.cu"),
    include_str!("../kernels/pixel/pixel.cu"),
    include_str!("../kernels/activation/activation.cu"),
    include_str!("../kernels/hadamard/hadamard.cu"),
    include_str!("../kernels/logit/logit.cu"),
    include_str!("../kernels/gating/gating.cu"),
    include_str!("../kernels/normalisation/normalisation.cu"),
    include_str!("../kernels/attention/attention.cu"),
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

    /// libnvrtc has no headers of C, whose macros the emulator's compiler does have.
    #[test]
    fn every_macro_that_kernels_use_is_defined_in_their_text() {
        let given = ["REAL", "REAL_IS_FLOAT", "REAL_IS_DOUBLE", "EMULATED"];
        let defined: Vec<_> = SOURCE
            .lines()
            .filter_map(|line| line.trim_start().strip_prefix("#define "))
            .filter_map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next())
            .chain(given)
            .collect();
        let code = SOURCE.lines().map(|line| line.split("//").next().unwrap());
        let words = code.flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_'));
        let is_macro = |word: &&str| {
            word.len() > 1
                && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
                && word.chars().any(|c| c.is_ascii_uppercase())
        };
        for word in words.filter(is_macro) {
            assert!(defined.contains(&word), "{word} is defined nowhere in the kernels' text");
        }
    }
}
