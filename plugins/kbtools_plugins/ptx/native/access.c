/* What accesses to all kinds of memory share. Each is done in two passes: one that only looks, and declines where
   anything is wrong or unusual, so that numpy finds it unchanged and says what it is; and one that does it. Threads are
   looked at warp by warp: those of a warp have the same tag. */

#define INLINED static inline __attribute__((always_inline))

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

enum { LANES = 32 };
#define WARPS(row, lane) for (s64 row = 0; row < a->programs; row++) for (s64 lane = 0; lane < a->threads; lane += LANES)

typedef struct {
    s64 row, lane, n;
    int all, straight; /* whether all threads act, and each lies behind the one before it */
    s64 at[LANES];     /* where each begins; 0 where it does not act */
    u8 here[LANES];
} Warp;

static int access_fits(const Access *a)
{
    if (a->programs < 1 || a->threads < 1 || a->threads > 1024 || a->programs > (1 << 30))
        return 0;
    if ((a->address.width != 4 && a->address.width != 8) || a->count < 1 || a->count > 8 || (a->count & (a->count - 1)))
        return 0;
    if (a->granule < 1 || a->granule > 8 || (a->granule & (a->granule - 1)))
        return 0;
    return a->size == 1 || a->size == 2 || a->size == 4 || a->size == 8;
}

/* `n` is a constant for whole warps, so that their loops have no ends to look for. */
INLINED int look_at(const Access *a, Warp *w, u64 base, s64 bytes, s64 n)
{
    s64 total = a->size * a->count, acting = 0, inner = a->address.inner, mask_inner = a->mask.inner;
    s64 from = w->row * a->address.outer + w->lane * inner;
    u64 most = 0, bits = 0, bent = 0;
    const u32 *narrow = (const u32 *)a->address.data + from;
    const u64 *wide = (const u64 *)a->address.data + from;
    if (a->address.width == 4)
        for (s64 at = 0; at < n; at++)
            w->at[at] = narrow[at * inner];
    else if (inner == 1)
        for (s64 at = 0; at < n; at++)
            w->at[at] = (s64)(wide[at] - base);
    else
        for (s64 at = 0; at < n; at++)
            w->at[at] = (s64)(wide[at * inner] - base);
    if (a->mask.data) {
        const u8 *mask = a->mask.data + w->row * a->mask.outer + w->lane * mask_inner;
        for (s64 at = 0; at < n; at++)
            w->here[at] = mask[at * mask_inner];
        for (s64 at = 0; at < n; at++) {
            w->at[at] &= -(s64)w->here[at];
            acting += w->here[at];
        }
    } else {
        memset(w->here, 1, (size_t)n);
        acting = n;
    }
    for (s64 at = 0; at < n; at++) {
        most = most > (u64)w->at[at] ? most : (u64)w->at[at];
        bits |= (u64)w->at[at];
        bent |= (u64)(w->at[at] - w->at[0] - at * total);
    }
    w->all = acting == n;
    w->straight = w->all && !bent;
    return most <= (u64)(bytes - total) && !(bits & (u64)(total - 1));
}

/* The warp that begins at `lane`, in a memory of so many bytes from `base` on; 0 if a thread goes elsewhere. Addresses
   of 32 bits begin at 0. */
INLINED int look(const Access *a, Warp *w, s64 row, s64 lane, u64 base, s64 bytes)
{
    w->row = row, w->lane = lane, w->n = a->threads - lane < LANES ? a->threads - lane : LANES;
    return w->n == LANES ? look_at(a, w, base, bytes, LANES) : look_at(a, w, base, bytes, w->n);
}

/* Cells of the shadows that a thread touches, or all threads of a straight warp. */
#define CELLS(cell, from, bytes) for (s64 cell = (from) / a->granule; cell < ((from) + (bytes)) / a->granule; cell++)
/* The threads that act, but for one that goes where the one before it went: they have the same tag. */
#define OTHERS(at) for (s64 at = 0; at < w->n; at++) if (w->here[at] && (at == 0 || w->at[at] != w->at[at - 1] || !w->here[at - 1]))

INLINED void fetch_as(const Warp *w, const u8 *data, u8 *to, s64 size)
{
    if (w->n == LANES)
        for (s64 at = 0; at < LANES; at++)
            memcpy(to + at * size, data + w->at[at], (size_t)size);
    else for (s64 at = 0; at < w->n; at++)
        memcpy(to + at * size, data + w->at[at], (size_t)size);
}

/* What a warp reads, also where it does not act. */
INLINED void fetch(const Access *a, const Warp *w, const u8 *data, u8 *const *values)
{
    s64 first = (w->row * a->threads + w->lane) * a->size;
    for (s64 element = 0; element < a->count; element++) {
        const u8 *from = data + element * a->size;
        u8 *to = values[element] + first;
        if (w->straight && a->count == 1)
            memcpy(to, from + w->at[0], (size_t)(w->n * a->size));
        else if (a->size == 4)
            fetch_as(w, from, to, 4);
        else if (a->size == 2)
            fetch_as(w, from, to, 2);
        else if (a->size == 8)
            fetch_as(w, from, to, 8);
        else
            fetch_as(w, from, to, 1);
    }
}

INLINED void put_as(const Warp *w, u8 *data, const u8 *from, s64 size)
{
    if (w->all)
        for (s64 at = 0; at < w->n; at++)
            memcpy(data + w->at[at], from + at * size, (size_t)size);
    else for (s64 at = 0; at < w->n; at++)
        if (w->here[at])
            memcpy(data + w->at[at], from + at * size, (size_t)size);
}

INLINED void store(const Access *a, const Warp *w, u8 *data, const u8 *const *values)
{
    s64 first = (w->row * a->threads + w->lane) * a->size;
    for (s64 element = 0; element < a->count; element++) {
        u8 *to = data + element * a->size;
        const u8 *from = values[element] + first;
        if (w->straight && a->count == 1)
            memcpy(to + w->at[0], from, (size_t)(w->n * a->size));
        else if (a->size == 4)
            put_as(w, to, from, 4);
        else if (a->size == 2)
            put_as(w, to, from, 2);
        else if (a->size == 8)
            put_as(w, to, from, 8);
        else
            put_as(w, to, from, 1);
    }
}

/* Whether a store of one thread changes any of its values. */
static int changes(const Access *a, const Warp *w, s64 at, const u8 *data, const u8 *const *values)
{
    s64 first = (w->row * a->threads + w->lane + at) * a->size;
    for (s64 element = 0; element < a->count; element++)
        if (memcmp(data + w->at[at] + element * a->size, values[element] + first, (size_t)a->size))
            return 1;
    return 0;
}

INLINED int kept_as(const Warp *w, const u8 *data, const u8 *values, s64 size)
{
    int other = 0;
    for (s64 at = 0; at < w->n; at++)
        other |= w->here[at] && memcmp(data + w->at[at], values + at * size, (size_t)size);
    return !other;
}

/* Whether each thread of a warp finds what it has stored. */
INLINED int kept(const Access *a, const Warp *w, const u8 *data, const u8 *const *values)
{
    s64 first = (w->row * a->threads + w->lane) * a->size;
    int all = 1;
    for (s64 element = 0; element < a->count; element++) {
        const u8 *from = values[element] + first, *at = data + element * a->size;
        if (w->straight && a->count == 1)
            all &= !memcmp(at + w->at[0], from, (size_t)(w->n * a->size));
        else if (a->size == 4)
            all &= kept_as(w, at, from, 4);
        else if (a->size == 2)
            all &= kept_as(w, at, from, 2);
        else if (a->size == 8)
            all &= kept_as(w, at, from, 8);
        else
            all &= kept_as(w, at, from, 1);
    }
    return all;
}

/* Whether all marks of written bytes are set where a warp acts. */
static int written(const Access *a, const Warp *w, const u8 *marks)
{
    s64 total = a->size * a->count;
    u8 all = 1;
    if (w->straight) {
        for (s64 at = 0; at < w->n * total; at++)
            all &= marks[w->at[0] + at];
        return all;
    }
    for (s64 at = 0; at < w->n; at++)
        for (s64 byte = 0; w->here[at] && byte < total; byte++)
            all &= marks[w->at[at] + byte];
    return all;
}

/* The address of the first thread that acts. */
int kb_first(const Access *a, u64 *found)
{
    Warp w;
    if (!access_fits(a))
        return MALFORMED;
    WARPS(row, lane) {
        look(a, &w, row, lane, 0, 1 << 30);
        for (s64 at = 0; at < w.n; at++)
            if (w.here[at]) {
                *found = (u64)w.at[at];
                return DONE;
            }
    }
    return UNSURE;
}
