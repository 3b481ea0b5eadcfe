// 3x3 convolutions' neighbours. Every element of the result gathers what it needs, so no two threads write one place.

// Where `tap` looks from `row`; with `away` -1, from where it looks at `row`. False outside the picture.
DEVICE int neighbour(Index row, Index tap, int away, Index height, Index width, Index *to) {
    int down = ((int)(tap / 3) - 1) * away, right = ((int)(tap % 3) - 1) * away;
    int line = (int)(row / width % height) + down, column = (int)(row % width) + right;
    *to = row + down * (int)width + right;
    return line >= 0 && line < (int)height && column >= 0 && column < (int)width;
}

// u [rows, 9, channels + edge]; n elements of u.
KERNEL unfold(const REAL *x, REAL *u, Index height, Index width, Index channels, Index edge, Index n) {
    EACH(i, n) {
        Index block = channels + edge, channel = i % block, from;
        int inside = neighbour(i / block / 9, i / block % 9, 1, height, width, &from);
        if (channel == channels) {
            u[i] = inside ? 0 : 1;
        } else {
            u[i] = inside ? x[from * channels + channel] : 0;
        }
    }
}

// x [rows, channels] from u [rows, 9, channels + edge]; n elements of x.
KERNEL fold(const REAL *u, REAL *x, Index height, Index width, Index channels, Index edge, Index n) {
    EACH(i, n) {
        Index row = i / channels, from;
        REAL sum = 0;
        for (Index tap = 0; tap < 9; tap++) {
            if (neighbour(row, tap, -1, height, width, &from)) {
                sum += u[(from * 9 + tap) * (channels + edge) + i % channels];
            }
        }
        x[i] = sum;
    }
}

// y [rows, channels] from taps [rows, 9, channels]; n elements of y. What looks outside adds edge[offset + ..], if there
// is an edge.
KERNEL sum_taps(const REAL *taps, const REAL *edge, Index offset, REAL *y, Index height, Index width, Index channels,
                Index n) {
    EACH(i, n) {
        Index row = i / channels, channel = i % channels, from;
        REAL sum = 0;
        for (Index tap = 0; tap < 9; tap++) {
            if (neighbour(row, tap, 1, height, width, &from)) {
                sum += taps[(from * 9 + tap) * channels + channel];
            } else if (edge) {
                sum += edge[offset + tap * channels + channel];
            }
        }
        y[i] = sum;
    }
}

// taps [rows, 9, channels] from g [rows, channels]; n elements of taps.
KERNEL spread_taps(const REAL *g, REAL *taps, Index height, Index width, Index channels, Index n) {
    EACH(i, n) {
        Index from;
        int inside = neighbour(i / channels / 9, i / channels % 9, -1, height, width, &from);
        taps[i] = inside ? g[from * channels + i % channels] : 0;
    }
}

// What reaches the edge's weights: parts [strips, 9, channels], each of the rows strip, strip + strips, ...
KERNEL spread_to_edge(const REAL *g, REAL *parts, Index height, Index width, Index channels, Index rows, Index strips) {
    EACH(t, strips * 9 * channels) {
        Index channel = t % channels, tap = t / channels % 9, to;
        REAL sum = 0;
        for (Index row = t / channels / 9; row < rows; row += strips) {
            if (!neighbour(row, tap, 1, height, width, &to)) {
                sum += g[row * channels + channel];
            }
        }
        parts[t] = sum;
    }
}
