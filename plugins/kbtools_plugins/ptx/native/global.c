/* Global memory: accesses that all go to one buffer, with the tags of tags.py. Those of a launch whose programs may be
   in an order by strong operations are left to numpy. */

typedef struct {
    u8 *data;
    s64 bytes;
    u64 base;            /* the made-up address of its first byte */
    s64 *writes, *reads; /* none where nobody looks for races */
    s64 cells;
    u8 *initialised;  /* none where all of it is, or nobody asks */
    const s64 *since; /* clock of each program's last barrier */
} Storage;

enum { CLOCK = 14, GLOBAL_WARP = 32, PROGRAM = 37, LAST_CLOCK = (1 << 18) - 1, TORN = 4 };
#define MANY ((s64)1 << 62)
#define REPLICATED ((s64)1 << 61)

static int storage_fits(const Access *a, const Storage *b)
{
    s64 total = a->size * a->count;
    if (!access_fits(a) || b->bytes < 0 || (!b->data && b->bytes) || (b->writes && (!b->since || !a->tags)))
        return MALFORMED;
    if (b->writes && b->cells < (b->bytes + a->granule - 1) / a->granule)
        return MALFORMED;
    return b->bytes < total || total % a->granule ? UNSURE : DONE;
}

static s64 global_tag(const Access *a, const Warp *w)
{
    return a->tags[w->row] | w->lane / LANES << GLOBAL_WARP | a->step;
}

/* Whether somebody has been at a cell who is in no order with this warp. */
INLINED int races(s64 found, s64 own, s64 since)
{
    s64 bare = found & ~(MANY | REPLICATED);
    int foreign = (bare >> PROGRAM != own >> PROGRAM) | ((found & MANY) != 0);
    int recent = ((bare >> CLOCK & LAST_CLOCK) >= since) & (since < LAST_CLOCK);
    return (found != 0) & (foreign | (recent & (bare >> GLOBAL_WARP != own >> GLOBAL_WARP) & !(found & REPLICATED)));
}

static int any_races(const Access *a, const s64 *shadow, s64 from, s64 bytes, s64 own, s64 since)
{
    int bad = 0;
    CELLS(cell, from, bytes) bad |= races(shadow[cell], own, since);
    return bad;
}

INLINED void note_global(const Access *a, const Storage *b, s64 from, s64 bytes, s64 own)
{
    CELLS(cell, from, bytes)
    {
        s64 found = b->reads[cell], bare = found & ~(MANY | REPLICATED), flags = found & (MANY | REPLICATED);
        int foreign = bare >> PROGRAM != own >> PROGRAM, other = !foreign & (bare >> CLOCK != own >> CLOCK);
        flags |= found && foreign ? MANY : found && other ? REPLICATED : 0;
        b->reads[cell] = own | flags;
    }
}

static int may_load(const Access *a, const Storage *b, const Warp *w)
{
    s64 total = a->size * a->count, own;
    int bad = 0;
    if (b->initialised && !written(a, w, b->initialised))
        return 0;
    if (!b->writes)
        return 1;
    own = global_tag(a, w);
    if (w->straight)
        return !any_races(a, b->writes, w->at[0], w->n * total, own, b->since[w->row]);
    OTHERS(at) bad |= any_races(a, b->writes, w->at[at], total, own, b->since[w->row]);
    return !bad;
}

static void note_global_readers(const Access *a, const Storage *b, const Warp *w)
{
    s64 total = a->size * a->count, own = global_tag(a, w);
    if (w->straight)
        note_global(a, b, w->at[0], w->n * total, own);
    else
        OTHERS(at) note_global(a, b, w->at[at], total, own);
}

int kb_global_load(const Access *a, const Storage *b, u8 *const *values)
{
    Warp w;
    int fits = storage_fits(a, b), active = 0;
    if (fits != DONE)
        return fits;
    WARPS(row, lane) {
        if (!look(a, &w, row, lane, b->base, b->bytes) || !may_load(a, b, &w))
            return UNSURE;
        for (s64 at = 0; at < w.n && !active; at++)
            active = w.here[at];
    }
    if (!active)
        return UNSURE;
    WARPS(row, lane) {
        look(a, &w, row, lane, b->base, b->bytes);
        if (b->writes && b->reads)
            note_global_readers(a, b, &w);
        fetch(a, &w, b->data, values);
    }
    return DONE;
}

static int may_store(const Access *a, const Storage *b, const Warp *w, const u8 *const *values)
{
    s64 total = a->size * a->count, own = global_tag(a, w), since = b->since[w->row];
    if (w->straight && !any_races(a, b->writes, w->at[0], w->n * total, own, since) &&
        !(b->reads && any_races(a, b->reads, w->at[0], w->n * total, own, since)))
        return 1;
    for (s64 at = 0; at < w->n; at++)
        if (w->here[at] && changes(a, w, at, b->data, values) &&
            (any_races(a, b->writes, w->at[at], total, own, since) ||
             (b->reads && any_races(a, b->reads, w->at[at], total, own, since))))
            return 0;
    return 1;
}

INLINED void tag_global(const Access *a, const Storage *b, s64 from, s64 bytes, s64 own)
{
    if (b->writes)
        CELLS(cell, from, bytes) b->writes[cell] = own;
    if (b->initialised)
        memset(b->initialised + from, 1, (size_t)bytes);
}

static void write_global(const Access *a, const Storage *b, const Warp *w, const u8 *const *values)
{
    s64 total = a->size * a->count, own = b->writes ? global_tag(a, w) : 0;
    if (w->straight)
        tag_global(a, b, w->at[0], w->n * total, own);
    else
        OTHERS(at) tag_global(a, b, w->at[at], total, own);
    store(a, w, b->data, values);
}

/* TORN where two threads wrote something else to one place. */
int kb_global_store(const Access *a, const Storage *b, const u8 *const *values)
{
    Warp w;
    int fits = storage_fits(a, b);
    if (fits != DONE)
        return fits;
    WARPS(row, lane)
        if (!look(a, &w, row, lane, b->base, b->bytes) || (b->writes && !may_store(a, b, &w, values)))
            return UNSURE;
    WARPS(row, lane) {
        look(a, &w, row, lane, b->base, b->bytes);
        write_global(a, b, &w, values);
    }
    if (!b->writes)
        return DONE;
    WARPS(row, lane) {
        look(a, &w, row, lane, b->base, b->bytes);
        if (!kept(a, &w, b->data, values))
            return TORN;
    }
    return DONE;
}
