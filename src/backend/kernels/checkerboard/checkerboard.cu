// The pixels of one colour of a checkerboard: [h, w, c] <-> [h, w/2, c]. n elements of the smaller.

// Where element i of the smaller stands in the larger.
DEVICE Index on_board(Index i, Index height, Index width, Index channels, Index parity) {
    Index pixel = i / channels, row = pixel / (width / 2);
    return (2 * pixel + (row % height + parity) % 2) * channels + i % channels;
}

KERNEL take_pixels(const REAL *x, REAL *taken, Index height, Index width, Index channels, Index parity, Index n) {
    EACH(i, n) {
        taken[i] = x[on_board(i, height, width, channels, parity)];
    }
}

KERNEL put_pixels(REAL *y, const REAL *pixels, Index height, Index width, Index channels, Index parity, Index n) {
    EACH(i, n) {
        y[on_board(i, height, width, channels, parity)] = pixels[i];
    }
}
