/* Global memory: accesses that all go to one buffer, with the tags of tags.py. Those of a launch whose programs may be
   in an order by strong operations are left to numpy. */

typedef struct {
    u8 *data;
    s64 bytes;
    u64 base;           /* the made-up address of its first byte */
    s64 *writes, *reads; /* none where nobody looks for races */
    s64 cells;
    u8 *initialised;    /* none where all of it is, or nobody asks */
    const s64 *since;   /* clock of each program's last barrier */
} Storage;

enum { CLOCK = 14, GLOBAL_WARP = 32, PROGRAM = 37, LAST_CLOCK = (1 << 18) - 1, TORN = 4 };
static const s64 MANY = (s64)1 << 62, REPLICATED = (s64)1 << 61;

static int storage_fits(const Access *a, const Storage *b)
{
    s64 total = a->size * a->count;
    if (!access_fits(a) || b->bytes < 0 || (!b->data && b->bytes) || (b->writes && !b->since))
        return MALFORMED;
    if (b->writes && b->cells < (b->bytes + a->granule - 1) / a->granule)
        return MALFORMED;
    return b->bytes < total || total % a->granule ? UNSURE : DONE;
}

static s64 global_tag(const Access *a, s64 row, s64 lane)
{
    return a->tags[row] | lane / WARP_SIZE << GLOBAL_WARP | a->step;
}

static s64 global_place(const Access *a, const Storage *b, s64 row, s64 lane)
{
    u64 offset = address_of(a, row, lane) - b->base, total = (u64)(a->size * a->count);
    return offset > (u64)b->bytes - total || offset & (total - 1) ? -1 : (s64)offset;
}

/* Whether somebody has been at a cell who is in no order with this thread. */
static int races(s64 found, s64 own, s64 since)
{
    s64 bare = found & ~(MANY | REPLICATED);
    if (!found)
        return 0;
    if (bare >> PROGRAM != own >> PROGRAM || found & MANY)
        return 1;
    return (bare >> CLOCK & LAST_CLOCK) >= since && since < LAST_CLOCK && bare >> GLOBAL_WARP != own >> GLOBAL_WARP &&
           !(found & REPLICATED);
}

static void note_global_reader(const Storage *b, s64 cell, s64 own)
{
    s64 found = b->reads[cell], bare = found & ~(MANY | REPLICATED), flags = found & (MANY | REPLICATED);
    if (found && bare >> PROGRAM != own >> PROGRAM)
        flags |= MANY;
    else if (found && bare >> CLOCK != own >> CLOCK)
        flags |= REPLICATED;
    b->reads[cell] = own | flags;
}

static int may_load(const Access *a, const Storage *b, s64 row, s64 lane)
{
    s64 place = global_place(a, b, row, lane), total = a->size * a->count, own = global_tag(a, row, lane);
    if (place < 0 || (b->initialised && !written(b->initialised + place, total)))
        return 0;
    if (b->writes)
        for (s64 cell = place / a->granule; cell < (place + total) / a->granule; cell++)
            if (races(b->writes[cell], own, b->since[row]))
                return 0;
    return 1;
}

int kb_global_load(const Access *a, const Storage *b, u8 *const *values)
{
    int fits = storage_fits(a, b);
    s64 total = a->size * a->count, active = 0;
    if (fits != DONE)
        return fits;
    for (s64 row = 0; row < a->programs; row++)
        for (s64 lane = 0; lane < a->threads; lane++)
            if (acts(a, row, lane)) {
                if (!may_load(a, b, row, lane))
                    return UNSURE;
                active++;
            }
    if (!active)
        return UNSURE;
    for (s64 row = 0; row < a->programs; row++)
        for (s64 lane = 0; lane < a->threads; lane++) {
            int here = acts(a, row, lane);
            s64 place = here ? global_place(a, b, row, lane) : 0;
            if (here && b->reads)
                for (s64 cell = place / a->granule; cell < (place + total) / a->granule; cell++)
                    note_global_reader(b, cell, global_tag(a, row, lane));
            for (s64 element = 0; element < a->count; element++)
                take(values[element] + (row * a->threads + lane) * a->size, b->data + place + element * a->size,
                     a->size);
        }
    return DONE;
}

static int may_store(const Access *a, const Storage *b, s64 row, s64 lane, const u8 *const *values)
{
    s64 place = global_place(a, b, row, lane), total = a->size * a->count, own = global_tag(a, row, lane);
    if (place < 0)
        return 0;
    if (!b->writes || !changes(a, b->data + place, values, row * a->threads + lane))
        return 1;
    for (s64 cell = place / a->granule; cell < (place + total) / a->granule; cell++)
        if (races(b->writes[cell], own, b->since[row]) || (b->reads && races(b->reads[cell], own, b->since[row])))
            return 0;
    return 1;
}

static void write_global(const Access *a, const Storage *b, s64 row, s64 lane, const u8 *const *values)
{
    s64 place = global_place(a, b, row, lane), total = a->size * a->count, own = global_tag(a, row, lane);
    if (b->writes)
        for (s64 cell = place / a->granule; cell < (place + total) / a->granule; cell++)
            b->writes[cell] = own;
    if (b->initialised)
        memset(b->initialised + place, 1, (size_t)total);
    for (s64 element = 0; element < a->count; element++)
        take(b->data + place + element * a->size, values[element] + (row * a->threads + lane) * a->size, a->size);
}

/* TORN where two threads wrote something else to one place. */
int kb_global_store(const Access *a, const Storage *b, const u8 *const *values)
{
    int fits = storage_fits(a, b);
    if (fits != DONE)
        return fits;
    for (s64 row = 0; row < a->programs; row++)
        for (s64 lane = 0; lane < a->threads; lane++)
            if (acts(a, row, lane) && !may_store(a, b, row, lane, values))
                return UNSURE;
    for (s64 row = 0; row < a->programs; row++)
        for (s64 lane = 0; lane < a->threads; lane++)
            if (acts(a, row, lane))
                write_global(a, b, row, lane, values);
    if (b->writes)
        for (s64 row = 0; row < a->programs; row++)
            for (s64 lane = 0; lane < a->threads; lane++)
                if (acts(a, row, lane) &&
                    changes(a, b->data + global_place(a, b, row, lane), values, row * a->threads + lane))
                    return TORN;
    return DONE;
}
