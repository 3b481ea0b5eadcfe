// Grey levels to numbers and back, and random latents. Random words are the host's: see src/noise.rs for their layout.

typedef struct {
    unsigned key0, key1;
    unsigned long long step;
} Noise;

// Philox4x32-10 (Salmon et al. 2011): the word of element e of an image.
DEVICE void philox(Noise noise, unsigned long long image, unsigned block, unsigned words[4]) {
    unsigned c0 = block, c1 = (unsigned)image, c2 = (unsigned)noise.step;
    unsigned c3 = ((unsigned)(image >> 32) & 0xffffu) | ((unsigned)(noise.step >> 32) << 16);
    unsigned k0 = noise.key0, k1 = noise.key1;
    for (int round = 0; round < 10; round++) {
        unsigned long long p0 = 0xd2511f53ull * c0, p1 = 0xcd9e8d57ull * c2;
        c0 = (unsigned)(p1 >> 32) ^ c1 ^ k0;
        c1 = (unsigned)p1;
        c2 = (unsigned)(p0 >> 32) ^ c3 ^ k1;
        c3 = (unsigned)p0;
        k0 += 0x9e3779b9u;
        k1 += 0xbb67ae85u;
    }
    words[0] = c0;
    words[1] = c1;
    words[2] = c2;
    words[3] = c3;
}

// Without noise, every level stands in the middle of its bin.
KERNEL dequantize(const unsigned char *levels, const unsigned long long *numbers, Noise noise, int noisy, double bins,
                  REAL *x, Index dims, Index n) {
    EACH(i, n) {
        double u = 0.5;
        if (noisy) {
            unsigned words[4];
            philox(noise, numbers[i / dims], i % dims / 4, words);
            u = ((words[i % dims % 4] >> 8) + 0.5) / 16777216.0;
        }
        x[i] = (REAL)((levels[i] + u) / bins - 0.5);
    }
}

// `lost` is zero before. Threads that find an image lost write the same, in whatever order.
KERNEL quantize(const REAL *x, double bins, unsigned char *levels, unsigned char *lost, Index dims, Index n) {
    EACH(i, n) {
        // Neither is what is not a number or infinite.
        if (!(x[i] - x[i] == 0)) {
            lost[i / dims] = 1;
        }
        double level = floor(((double)x[i] + 0.5) * bins);
        // In this order, for what is not a number to become 0.
        level = level > 0 ? level : 0;
        levels[i] = (unsigned char)(level < bins - 1 ? level : bins - 1);
    }
}

// Two words make two normals, by Box and Muller.
KERNEL normals(const unsigned long long *numbers, Noise noise, double factor, REAL *x, Index dims, Index n) {
    EACH(i, n) {
        unsigned words[4];
        Index element = i % dims, pair = element % 4 / 2 * 2;
        philox(noise, numbers[i / dims], element / 4, words);
        double radius = sqrt(-2.0 * log((words[pair] + 0.5) / 4294967296.0));
        double angle = 6.283185307179586 * ((words[pair + 1] + 0.5) / 4294967296.0);
        x[i] = (REAL)(factor * (radius * (element % 2 ? sin(angle) : cos(angle))));
    }
}
