/* mma of 16 by 8 by `depth` into f32: the exact sum of products and accumulator, rounded once to nearest.
   A float64 sum decides wherever its error cannot change the rounding; else the terms are added as whole numbers. */

enum { BF16, F16, TF32, FP8 };
enum { MOST_DEPTH = 32 };

static float narrowed(s128 sum, int scale)
{
    int negative = sum < 0, length = 0, precision, shift;
    u128 size = negative ? -(u128)sum : (u128)sum, rest, half;
    u32 kept;
    if (!size)
        return 0.0f;
    length = size >> 64 ? 128 - __builtin_clzll((u64)(size >> 64)) : 64 - __builtin_clzll((u64)size);
    precision = length - 1 + scale < -126 ? length - 1 + scale + 150 : 24;
    if (precision < 0)
        return negative ? -0.0f : 0.0f;
    shift = length - precision;
    if (shift <= 0)
        return ldexpf((negative ? -1.0f : 1.0f) * (float)(u32)size, scale);
    kept = (u32)(size >> shift);
    rest = size & (((u128)1 << shift) - 1);
    half = (u128)1 << (shift - 1);
    kept += rest > half || (rest == half && (kept & 1));
    return ldexpf((negative ? -1.0f : 1.0f) * (float)kept, scale + shift);
}

/* The sum of finite numbers, exactly, rounded to float32; 0 where they lie too far apart for 128 bits. */
static int exactly(const double *terms, int count, float *result)
{
    int low = 1 << 20, top = -(1 << 20), place;
    s128 sum = 0;
    for (int at = 0; at < count; at++) {
        u64 bits = Q(terms[at]) & 0x7fffffffffffffffull, field = bits >> 52;
        u64 digits = (bits & 0xfffffffffffffull) | (u64)(field > 0) << 52;
        if (!digits)
            continue;
        place = (int)(field ? field : 1) - 1075;
        low = place + __builtin_ctzll(digits) < low ? place + __builtin_ctzll(digits) : low;
        top = place + 53 > top ? place + 53 : top;
    }
    if (top - low > 120)
        return 0;
    for (int at = 0; at < count; at++) {
        u64 bits = Q(terms[at]), field = bits >> 52 & 2047;
        s128 digits = (s128)((bits & 0xfffffffffffffull) | (u64)(field > 0) << 52);
        if (!digits)
            continue;
        place = (int)(field ? field : 1) - 1075 - low;
        digits = place < 0 ? digits >> -place : digits << place;
        sum += bits >> 63 ? -digits : digits;
    }
    *result = sum ? narrowed(sum, low) : 0.0f;
    return 1;
}


INLINED double element(u32 word, int at, int kind, const double *table)
{
    switch (kind) {
    case BF16: return F(word >> 16 * at << 16);
    case F16: return half_value((u16)(word >> 16 * at));
    case TF32: return F(word & 0xffffe000u);
    default: return table[word >> 8 * at & 255];
    }
}

typedef double Eight __attribute__((vector_size(64)));
typedef s64 Patterns __attribute__((vector_size(64)));
typedef float Floats __attribute__((vector_size(32)));

INLINED Eight magnitude(Eight values) { return (Eight)((Patterns)values & 0x7fffffffffffffffll); }

typedef struct {
    double left[16][MOST_DEPTH], right[MOST_DEPTH][8], old[16][8];
} Fragments;

INLINED void gather_fragments(Fragments *f, const u32 *const *a, const u32 *const *b, const u32 *const *c, s64 tile_at,
                              int depth, int kind, const double *left_table, const double *right_table)
{
    int each = kind == TF32 ? 1 : kind == FP8 ? 4 : 2;
    for (int lane = 0; lane < LANES; lane++) {
        int row = lane / 4, column = lane % 4;
        s64 at = tile_at * LANES + lane;
        for (int r = 0; r < depth / (2 * each); r++)
            for (int e = 0; e < each; e++)
                f->left[row + 8 * (r & 1)][(r >> 1) * 4 * each + column * each + e] =
                    element(a[r][at], e, kind, left_table);
        for (int r = 0; r < depth / (4 * each); r++)
            for (int e = 0; e < each; e++)
                f->right[r * 4 * each + column * each + e][row] = element(b[r][at], e, kind, right_table);
        for (int r = 0; r < 4; r++)
            f->old[row + 8 * (r >> 1)][2 * column + (r & 1)] = F(c[r][at]);
    }
}

/* One element where the float64 sum may be wrong: it is right if no addition lost anything. */
static int doubtful(const Fragments *f, int row, int n, int depth, float *result)
{
    double terms[MOST_DEPTH + 1], sum = 0, lost = 0;
    for (int k = 0; k <= depth; k++) {
        double term = k < depth ? f->left[row][k] * f->right[k][n] : f->old[row][n], total = sum + term;
        double other = total - sum;
        lost += fabs((sum - (total - other)) + (term - other));
        terms[k] = term;
        sum = total;
    }
    if (lost == 0) {
        *result = (float)sum;
        return 1;
    }
    return exactly(terms, depth + 1, result);
}

INLINED int product_row(const Fragments *f, int row, int depth, float *result)
{
    Eight near = {0}, size = {0}, old, slack;
    Floats below, above, whole;
    memcpy(&old, f->old[row], sizeof old);
    for (int k = 0; k < depth; k++) {
        Eight right, term;
        memcpy(&right, f->right[k], sizeof right);
        term = right * f->left[row][k];
        near += term;
        size += magnitude(term);
    }
    near += old;
    slack = (size + magnitude(old)) * ((depth + 2) * 0x1p-52);
    whole = __builtin_convertvector(near, Floats);
    below = __builtin_convertvector(near - slack, Floats);
    above = __builtin_convertvector(near + slack, Floats);
    memcpy(result, &whole, sizeof whole);
    for (int n = 0; n < 8; n++)
        if (B(below[n]) != B(above[n]) && !isnan(near[n]) && !isinf(near[n]) && !doubtful(f, row, n, depth, result + n))
            return 0;
    return 1;
}

typedef struct {
    const u32 *const *a, *const *b, *const *c;
    u32 *const *d;
    s64 warps;
    int depth;
    const double *left_table, *right_table;
} Product;

INLINED int products(const Product *p, int kind)
{
    Fragments f;
    for (s64 at = 0; at < p->warps; at++) {
        gather_fragments(&f, p->a, p->b, p->c, at, p->depth, kind, p->left_table, p->right_table);
        for (int row = 0; row < 16; row++) {
            float result[8];
            if (!product_row(&f, row, p->depth, result))
                return UNSURE;
            for (int n = 0; n < 8; n++)
                p->d[2 * (row >> 3) + (n & 1)][at * LANES + (row & 7) * 4 + n / 2] = canon32(B(result[n]));
        }
    }
    return DONE;
}

/* Registers are arrays of 32 values for each warp; tables have the values of the patterns of 8 bits. */
int kb_mma(const u32 *const *a, const u32 *const *b, const u32 *const *c, u32 *const *d, s64 warps, int depth, int kind,
           const double *left_table, const double *right_table)
{
    Product p = {a, b, c, d, warps, depth, left_table, right_table};
    if (depth < 4 || depth > MOST_DEPTH)
        return MALFORMED;
    switch (kind) {
    case BF16: return products(&p, BF16);
    case F16: return products(&p, F16);
    case TF32: return products(&p, TF32);
    case FP8: return products(&p, FP8);
    default: return MALFORMED;
    }
}
