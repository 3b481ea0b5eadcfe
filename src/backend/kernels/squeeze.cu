// Space to channels and back: [h, w, c] <-> [h/2, w/2, 4c]. `width` and `channels` are the large picture's; n elements.

// Where an element of the large picture stands in the squeezed one.
DEVICE index squeezed(index i, index width, index channels) {
    index channel = i % channels, column = i / channels % width, row = i / channels / width;
    index pixel = row / 2 * (width / 2) + column / 2;
    return pixel * 4 * channels + channel * 4 + row % 2 * 2 + column % 2;
}

KERNEL squeeze(const REAL *x, REAL *y, index width, index channels, index n) {
    EACH(i, n) {
        y[squeezed(i, width, channels)] = x[i];
    }
}

KERNEL unsqueeze(const REAL *y, REAL *x, index width, index channels, index n) {
    EACH(i, n) {
        x[i] = y[squeezed(i, width, channels)];
    }
}
