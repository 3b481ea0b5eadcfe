//! What stands where an image would, were it one: a cross in a frame, unlike any image.

use image::Rgb;

const PAPER: Rgb<u8> = Rgb([236; 3]);
/// The palette's vermillion.
const CROSS: Rgb<u8> = Rgb([213, 94, 0]);

/// Whether a pixel of a cell, `[width, height]`, is of its frame or one of its diagonals.
fn is_line([x, y]: [usize; 2], [width, height]: [usize; 2]) -> bool {
    let thick = (width.min(height) / 32).max(1);
    let near_edge = |at: usize, side: usize| at < thick || at + thick >= side;
    let share = |at: usize, side: usize| at as f64 / (side.max(2) - 1) as f64;
    let (across, down) = (share(x, width), share(y, height));
    let breadth = thick as f64 / width.min(height).max(1) as f64;
    near_edge(x, width)
        || near_edge(y, height)
        || (across - down).abs() < breadth
        || (across + down - 1.0).abs() < breadth
}

/// The colour of a pixel at `[x, y]` of a cell, `[width, height]`.
pub(super) fn color(at: [usize; 2], size: [usize; 2]) -> Rgb<u8> {
    if is_line(at, size) { CROSS } else { PAPER }
}

/// The same as a shade of grey.
pub(super) fn shade(at: [usize; 2], size: [usize; 2]) -> u8 {
    if is_line(at, size) { 40 } else { PAPER.0[0] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_and_diagonals_are_lines_and_the_rest_is_paper() {
        let size = [64, 96];
        for at in [[0, 50], [63, 50], [30, 0], [30, 95], [32, 48], [16, 24], [48, 24]] {
            assert_eq!(color(at, size), CROSS, "{at:?}");
        }
        for at in [[32, 20], [10, 48], [54, 48], [32, 80]] {
            assert_eq!((color(at, size), shade(at, size)), (PAPER, 236), "{at:?}");
        }
    }
}
