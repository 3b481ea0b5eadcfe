// Pictures made larger by repeating pixels and smaller by summing blocks, along each axis by itself; times a factor.

KERNEL resize(const REAL *x, REAL *y, Index from_height, Index from_width, Index height, Index width, Index channels,
              double factor, Index n) {
    EACH(i, n) {
        Index channel = i % channels, column = i / channels % width, row = i / channels / width % height;
        Index image = i / channels / width / height;
        Index rows = height >= from_height ? 1 : from_height / height;
        Index columns = width >= from_width ? 1 : from_width / width;
        Index top = height >= from_height ? row / (height / from_height) : row * rows;
        Index left = width >= from_width ? column / (width / from_width) : column * columns;
        REAL sum = 0;
        for (Index r = top; r < top + rows; ++r) {
            for (Index c = left; c < left + columns; ++c) {
                sum += x[((image * from_height + r) * from_width + c) * channels + channel];
            }
        }
        y[i] = sum * (REAL)factor;
    }
}
