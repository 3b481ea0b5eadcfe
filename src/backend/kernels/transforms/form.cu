// Element-wise transforms: what they share. Everything is computed in double, whatever REAL is.

// As in Rust, field by field.
typedef struct {
    double bound;
    // Bins or components; numbers of an element; elements of an image.
    Index count, numbers, elements;
    // 0 spline, 1 mixture of logistics
    int kind;
} Transform;

// An element, and ln of the slope there.
typedef struct {
    double y, log_slope;
} Mapped;
