/* What accesses to all kinds of memory share. Each is done in two passes: one that only looks, and declines where
   anything is wrong or unusual, so that numpy finds it unchanged and says what it is; and one that does it. */

typedef struct {
    const u8 *data;
    s64 outer, inner; /* steps, in elements, from one program to the next, and from one thread to the next */
    s64 width;
} Register;

typedef struct {
    s64 programs, threads;
    Register address, mask; /* a mask without data means all */
    s64 size, count;        /* bytes of a value, and how many lie beside each other */
    s64 granule;            /* bytes of a cell of the shadows */
    s64 step;
    const s64 *tags; /* of each program: what is the same in the tags of all its threads */
} Access;

enum { WARP_SIZE = 32 };

static int access_fits(const Access *a)
{
    if (a->programs < 1 || a->threads < 1 || a->threads > 1024 || a->programs > (1 << 30))
        return 0;
    if ((a->address.width != 4 && a->address.width != 8) || a->count < 1 || a->count > 8)
        return 0;
    if (a->granule < 1 || a->granule > 8 || (a->granule & (a->granule - 1)))
        return 0;
    return a->size == 1 || a->size == 2 || a->size == 4 || a->size == 8;
}

static int acts(const Access *a, s64 row, s64 lane)
{
    return !a->mask.data || a->mask.data[row * a->mask.outer + lane * a->mask.inner];
}

static u64 address_of(const Access *a, s64 row, s64 lane)
{
    s64 at = row * a->address.outer + lane * a->address.inner;
    return a->address.width == 4 ? ((const u32 *)a->address.data)[at] : ((const u64 *)a->address.data)[at];
}

static void take(u8 *to, const u8 *from, s64 size)
{
    switch (size) {
    case 1: *to = *from; break;
    case 2: memcpy(to, from, 2); break;
    case 4: memcpy(to, from, 4); break;
    default: memcpy(to, from, 8);
    }
}

static int same(const u8 *one, const u8 *other, s64 size)
{
    switch (size) {
    case 1: return *one == *other;
    case 2: return !memcmp(one, other, 2);
    case 4: return !memcmp(one, other, 4);
    default: return !memcmp(one, other, 8);
    }
}

/* Whether a store changes any of the values of a thread. */
static int changes(const Access *a, const u8 *cells, const u8 *const *values, s64 at)
{
    for (s64 element = 0; element < a->count; element++)
        if (!same(cells + element * a->size, values[element] + at * a->size, a->size))
            return 1;
    return 0;
}

/* Whether all marks of written bytes are set. */
static int written(const u8 *marks, s64 count)
{
    for (s64 at = 0; at < count; at++)
        if (marks[at] != 1)
            return 0;
    return 1;
}

/* The address of the first thread that acts; 0 if none does. */
int kb_first(const Access *a, u64 *found)
{
    if (!access_fits(a))
        return MALFORMED;
    for (s64 row = 0; row < a->programs; row++)
        for (s64 lane = 0; lane < a->threads; lane++)
            if (acts(a, row, lane)) {
                *found = address_of(a, row, lane);
                return DONE;
            }
    return UNSURE;
}
