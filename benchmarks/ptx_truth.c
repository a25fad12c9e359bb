/* What the processor and the C library give for arithmetic in one rounding direction: truth for ptx_exactness.py.
   Built with -frounding-math, so that nothing is computed before the direction is set. */
#include <fenv.h>
#include <math.h>
#include <stdint.h>

static const int directions[] = {FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD};

#define OPERATIONS(NAME, TYPE, FMA, SQRT)                                                                       \
    void NAME(int what, int way, long n, const TYPE *a, const TYPE *b, const TYPE *c, TYPE *d) {                \
        fesetround(directions[way]);                                                                            \
        for (long i = 0; i < n; i++) {                                                                          \
            volatile TYPE x = a[i], y = b[i], z = c[i], r = 0;                                                  \
            switch (what) {                                                                                     \
            case 0: r = x + y; break;                                                                           \
            case 1: r = x - y; break;                                                                           \
            case 2: r = x * y; break;                                                                           \
            case 3: r = FMA(x, y, z); break;                                                                    \
            case 4: r = x / y; break;                                                                           \
            case 5: r = 1 / x; break;                                                                           \
            case 6: r = SQRT(x); break;                                                                         \
            }                                                                                                   \
            d[i] = r;                                                                                           \
        }                                                                                                       \
        fesetround(FE_TONEAREST);                                                                               \
    }

OPERATIONS(single_operation, float, fmaf, sqrtf)
OPERATIONS(double_operation, double, fma, sqrt)

#define CONVERSION(NAME, FROM, TO)                                                                              \
    void NAME(int way, long n, const FROM *a, TO *d) {                                                          \
        fesetround(directions[way]);                                                                            \
        for (long i = 0; i < n; i++) {                                                                          \
            volatile FROM x = a[i];                                                                             \
            d[i] = (TO)x;                                                                                       \
        }                                                                                                       \
        fesetround(FE_TONEAREST);                                                                               \
    }

CONVERSION(f64_to_f32, double, float)
CONVERSION(s32_to_f32, int32_t, float)
CONVERSION(s64_to_f32, int64_t, float)
CONVERSION(s64_to_f64, int64_t, double)
