// Space to channels and back: [h, w, c] <-> [h/2, w/2, 4c]. `width` and `channels` are the large picture's; n elements.

// Where an element of the large picture stands in the squeezed one.
DEVICE Index squeezed(Index i, Index width, Index channels) {
    Index channel = i % channels, column = i / channels % width, row = i / channels / width;
    Index pixel = row / 2 * (width / 2) + column / 2;
    return pixel * 4 * channels + channel * 4 + row % 2 * 2 + column % 2;
}

KERNEL squeeze(const REAL *x, REAL *y, Index width, Index channels, Index n) {
    EACH(i, n) {
        y[squeezed(i, width, channels)] = x[i];
    }
}

KERNEL unsqueeze(const REAL *y, REAL *x, Index width, Index channels, Index n) {
    EACH(i, n) {
        x[i] = y[squeezed(i, width, channels)];
    }
}
