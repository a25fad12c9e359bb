/* Shared memory, with the tags of warp_tags.py: epoch, warp and step of the last write, and of the last read. */

typedef struct {
    u8 *data;
    s64 size, bytes; /* of one program, and of all */
    s64 *writes, *reads, *pending;
    s64 cells;
    const u8 *dirty;
    const s64 *committed, *completed, *visible;
    s64 races, track;
} Shared;

enum { SHARED_WARP = 20, SHARED_EPOCH = 27, SEVERAL = 127 };

static int shared_fits(const Access *a, const Shared *s)
{
    s64 total = a->size * a->count;
    if (!access_fits(a) || s->size < 0 || s->bytes / a->programs < s->size || !s->data)
        return MALFORMED;
    if ((s->races || s->track) && (!s->writes || s->cells < a->programs * s->size / a->granule))
        return MALFORMED;
    if (s->races && !s->reads)
        return MALFORMED;
    return s->size < total || total % a->granule || s->size % a->granule ? UNSURE : DONE;
}

static int clashes(s64 found, s64 own)
{
    s64 warp = found >> SHARED_WARP & SEVERAL;
    return found >> SHARED_EPOCH == own >> SHARED_EPOCH && warp && warp != (own >> SHARED_WARP & SEVERAL);
}

/* Whether an async copy into a cell is not complete, or not yet seen by this warp. */
static int awaited(const Shared *s, s64 cell, s64 row, s64 own)
{
    if (!s->pending)
        return 0;
    int mine = (s->writes[cell] >> SHARED_WARP & SEVERAL) == (own >> SHARED_WARP & SEVERAL);
    return s->pending[cell] > (mine ? s->completed[row] : s->visible[row]);
}

static s64 shared_tag(const Access *a, s64 row, s64 lane)
{
    return a->tags[row] | (lane / WARP_SIZE + 1) << SHARED_WARP | a->step;
}

/* Where a thread's access begins in `data`; -1 if it is not one to be done here. */
static s64 shared_place(const Access *a, const Shared *s, s64 row, s64 lane)
{
    u64 address = address_of(a, row, lane), total = (u64)(a->size * a->count);
    if (address > (u64)s->size - total || address & (total - 1))
        return -1;
    return row * s->size + (s64)address;
}

static int may_read(const Access *a, const Shared *s, s64 row, s64 lane, s64 place)
{
    s64 total = a->size * a->count, own = shared_tag(a, row, lane);
    if (s->races || s->track)
        for (s64 cell = place / a->granule; cell < (place + total) / a->granule; cell++) {
            if (s->track && !s->writes[cell])
                return 0;
            if (s->races && (clashes(s->writes[cell], own) || awaited(s, cell, row, own)))
                return 0;
        }
    return !s->track || !s->dirty || written(s->dirty + place, total);
}

static void note_reader(const Access *a, const Shared *s, s64 row, s64 lane, s64 place)
{
    s64 total = a->size * a->count, own = shared_tag(a, row, lane);
    for (s64 cell = place / a->granule; cell < (place + total) / a->granule; cell++)
        s->reads[cell] = clashes(s->reads[cell], own) ? own | (s64)SEVERAL << SHARED_WARP : own;
}

int kb_shared_load(const Access *a, const Shared *s, u8 *const *values)
{
    int fits = shared_fits(a, s);
    s64 active = 0;
    if (fits != DONE)
        return fits;
    for (s64 row = 0; row < a->programs; row++)
        for (s64 lane = 0; lane < a->threads; lane++) {
            if (!acts(a, row, lane))
                continue;
            s64 place = shared_place(a, s, row, lane);
            if (place < 0 || !may_read(a, s, row, lane, place))
                return UNSURE;
            active++;
        }
    if (!active)
        return UNSURE;
    for (s64 row = 0; row < a->programs; row++)
        for (s64 lane = 0; lane < a->threads; lane++) {
            int here = acts(a, row, lane);
            s64 place = here ? shared_place(a, s, row, lane) : row * s->size;
            if (here && s->races)
                note_reader(a, s, row, lane, place);
            for (s64 element = 0; element < a->count; element++)
                take(values[element] + (row * a->threads + lane) * a->size, s->data + place + element * a->size,
                     a->size);
        }
    return DONE;
}

static int may_write(const Access *a, const Shared *s, s64 row, s64 lane, s64 place, int changed)
{
    s64 total = a->size * a->count, own = shared_tag(a, row, lane);
    if (s->races)
        for (s64 cell = place / a->granule; cell < (place + total) / a->granule; cell++) {
            if (awaited(s, cell, row, own))
                return 0;
            if (changed && (clashes(s->writes[cell], own) || clashes(s->reads[cell], own)))
                return 0;
        }
    return 1;
}

static void write_shared(const Access *a, const Shared *s, s64 row, s64 lane, const u8 *const *values, int copying)
{
    s64 place = shared_place(a, s, row, lane), total = a->size * a->count, own = shared_tag(a, row, lane);
    if (s->races || s->track)
        for (s64 cell = place / a->granule; cell < (place + total) / a->granule; cell++) {
            s->writes[cell] = own;
            if (copying && s->races)
                s->pending[cell] = s->committed[row] + 1;
        }
    for (s64 element = 0; element < a->count; element++)
        take(s->data + place + element * a->size, values[element] + (row * a->threads + lane) * a->size, a->size);
}

int kb_shared_store(const Access *a, const Shared *s, const u8 *const *values, int copying)
{
    int fits = shared_fits(a, s);
    if (fits != DONE)
        return fits;
    if (copying && s->races && !s->pending)
        return MALFORMED;
    for (s64 row = 0; row < a->programs; row++)
        for (s64 lane = 0; lane < a->threads; lane++) {
            if (!acts(a, row, lane))
                continue;
            s64 place = shared_place(a, s, row, lane);
            if (place < 0)
                return UNSURE;
            int changed = s->races && changes(a, s->data + place, values, row * a->threads + lane);
            if (!may_write(a, s, row, lane, place, changed))
                return UNSURE;
        }
    for (s64 row = 0; row < a->programs; row++)
        for (s64 lane = 0; lane < a->threads; lane++)
            if (acts(a, row, lane))
                write_shared(a, s, row, lane, values, copying);
    return DONE;
}
