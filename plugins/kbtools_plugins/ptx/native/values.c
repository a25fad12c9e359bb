/* What the expressions of rules.py use: patterns of bits as numbers, and the helpers that do not fit into one line.
   Compiled without fast-math and without contraction: each operation here rounds once. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;
typedef __int128 s128;
typedef unsigned __int128 u128;

static inline float F(u32 bits) { float value; memcpy(&value, &bits, 4); return value; }
static inline u32 B(float value) { u32 bits; memcpy(&bits, &value, 4); return bits; }
static inline double D(u64 bits) { double value; memcpy(&value, &bits, 8); return value; }
static inline u64 Q(double value) { u64 bits; memcpy(&bits, &value, 8); return bits; }

/* The canonical NaN, subnormals as zeros, clamping to 0 and 1, negative numbers as 0. */
static inline u32 nan32(u32 a) { return (a & 0x7fffffffu) > 0x7f800000u; }
static inline u32 nan64(u64 a) { return (a & 0x7fffffffffffffffull) > 0x7ff0000000000000ull; }
static inline u32 canon32(u32 a) { return nan32(a) ? 0x7fffffffu : a; }
static inline u64 canon64(u64 a) { return nan64(a) ? 0x7ff8000000000000ull : a; }
static inline u32 flush32(u32 a) { return (a & 0x7fffffffu) < 0x00800000u ? a & 0x80000000u : a; }
static inline u32 sat32(u32 a)
{
    u32 low = nan32(a) || a >= 0x80000000u ? 0 : a;
    return low < 0x3f800000u ? low : 0x3f800000u;
}

/* -0 is less than +0; of a NaN and a number the number. */
static inline u32 max32(u32 a, u32 b)
{
    u32 some = F(a) == F(b) ? a & b : F(a) > F(b) ? a : b;
    return nan32(a) ? b : nan32(b) ? a : some;
}
static inline u32 min32(u32 a, u32 b)
{
    u32 some = F(a) == F(b) ? a | b : F(a) < F(b) ? a : b;
    return nan32(a) ? b : nan32(b) ? a : some;
}
static inline u64 max64(u64 a, u64 b)
{
    u64 some = D(a) == D(b) ? a & b : D(a) > D(b) ? a : b;
    return nan64(a) ? b : nan64(b) ? a : some;
}
static inline u64 min64(u64 a, u64 b)
{
    u64 some = D(a) == D(b) ? a | b : D(a) < D(b) ? a : b;
    return nan64(a) ? b : nan64(b) ? a : some;
}

/* div.approx multiplies by 1 / b, which is lost for the largest divisors. */
static inline u32 reciprocal32(u32 a, u32 b, u32 exact)
{
    u32 size = b & 0x7fffffffu, gone = (a & 0x7fffffffu) == 0x7f800000u ? 0x7fffffffu : (a ^ b) & 0x80000000u;
    return size > 0x7e800000u && size < 0x7f800000u && !nan32(a) ? gone : exact;
}

/* A float64 result that is sure to round to the same float32 as the exact one, or a doubt. */
static inline u32 near32(double near, int *doubt)
{
    u64 bits = Q(near);
    float below = (float)D(bits - 64), above = (float)D(bits + 64);
    if (near == 0 || isinf(near) || isnan(near))
        return canon32(B((float)near));
    *doubt |= B(below) != B(above);
    return canon32(B(below));
}

/* The pattern as a float32 with its exponent 112 too small, which a product with 2^112 puts right, subnormals too. */
static inline double half_value(u16 a)
{
    u32 size = (u32)(a & 0x7fff) << 13, special = size >= 0x0f800000u ? 0x7f800000u | size : 0;
    float value = special ? F(special) : F(size) * 0x1p112f;
    return a >> 15 ? -(double)value : (double)value;
}
static inline u32 wide16(u16 a) { return canon32(B((float)half_value(a))); }
static inline u16 half16(u32 a)
{
    u32 sign = a >> 16 & 0x8000u, size = a & 0x7fffffffu;
    if (size > 0x7f800000u)
        return 0x7fff;
    if (size >= 0x477ff000u)
        return (u16)(sign | 0x7c00u);
    if (size < 0x38800000u) /* adding 2^-1 / 2^-1 of the smallest number's place rounds to nearest, ties to even */
        return (u16)(sign | (B(F(size) + 0.5f) - 0x3f000000u));
    return (u16)(sign + ((size + 0xfffu + (size >> 13 & 1)) >> 13) - 0x1c000u);
}
static inline u16 brain16(u32 a) { return nan32(a) ? 0x7fff : (u16)((a + (a >> 16 & 1) + 0x7fffu) >> 16); }
static inline u32 tensor32(u32 a) { return nan32(a) ? 0x7fffffffu : (a + 0x1000u) & 0xffffe000u; }

static inline u64 ones(u32 count) { return count >= 64 ? ~0ull : (1ull << count) - 1; }
static inline u64 field(u64 a, u32 start, u32 length, u32 width, int with_sign)
{
    u32 at = start & 255, count = length & 255, last = at + count - 1, room;
    u64 all = ones(width), value = (at < width ? a >> at : 0) & (count >= width ? all : ones(count));
    if (!with_sign || count == 0)
        return value;
    last = last < width - 1 ? last : width - 1;
    room = width - (at < width ? at : width);
    room = count < room ? count : room;
    return (a >> last & 1 ? value | ~ones(room) : value) & all;
}
static inline u64 put(u64 a, u64 b, u32 start, u32 length, u32 width)
{
    u32 at = start & 255, count = length & 255;
    u64 all = ones(width), mask = at < width ? ((count >= width ? all : ones(count)) << at) & all : 0;
    return ((at < width ? a << at : 0) & mask) | (b & ~mask);
}
static inline u64 turned(u64 a, u32 width)
{
    a = (a >> 1 & 0x5555555555555555ull) | (a & 0x5555555555555555ull) << 1;
    a = (a >> 2 & 0x3333333333333333ull) | (a & 0x3333333333333333ull) << 2;
    a = (a >> 4 & 0x0f0f0f0f0f0f0f0full) | (a & 0x0f0f0f0f0f0f0f0full) << 4;
    return __builtin_bswap64(a) >> (64 - width);
}
static inline u32 table3(u32 a, u32 b, u32 c, u32 rows)
{
    u32 result = 0;
    for (int at = 0; at < 8; at++)
        result |= (0 - (rows >> at & 1)) & (at & 4 ? a : ~a) & (at & 2 ? b : ~b) & (at & 1 ? c : ~c);
    return result;
}
static inline u32 picked(u32 a, u32 b, u32 selector)
{
    u64 both = (u64)b << 32 | a;
    u32 result = 0;
    for (int at = 0; at < 4; at++) {
        u32 pick = selector >> 4 * at & 15, byte = both >> 8 * (pick & 7) & 255;
        result |= (pick < 8 ? byte : byte & 128 ? 255u : 0u) << 8 * at;
    }
    return result;
}
