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
    if (s->races && (!s->reads || !s->committed || !s->completed || !s->visible))
        return MALFORMED;
    return s->size < total || total % a->granule || s->size % a->granule ? UNSURE : DONE;
}

INLINED int clashes(s64 found, s64 own)
{
    s64 warp = found >> SHARED_WARP & SEVERAL;
    return (found >> SHARED_EPOCH == own >> SHARED_EPOCH) & (warp != 0) & (warp != (own >> SHARED_WARP & SEVERAL));
}

static s64 shared_tag(const Access *a, const Warp *w)
{
    return a->tags[w->row] | (w->lane / LANES + 1) << SHARED_WARP | a->step;
}

/* Whether an async copy into a cell is not complete, or not yet seen by this warp. */
INLINED int awaited(const Shared *s, const Warp *w, s64 cell, s64 own)
{
    int mine = (s->writes[cell] >> SHARED_WARP & SEVERAL) == (own >> SHARED_WARP & SEVERAL);
    return s->pending[cell] > (mine ? s->completed[w->row] : s->visible[w->row]);
}

/* What of a program's memory is looked at: each warp's places count from the start of all. */
INLINED int look_shared(const Access *a, const Shared *s, Warp *w, s64 row, s64 lane)
{
    if (!look(a, w, row, lane, 0, s->size))
        return 0;
    for (s64 at = 0; at < w->n; at++)
        w->at[at] += row * s->size;
    return 1;
}

static int bad_to_read(const Access *a, const Shared *s, const Warp *w, s64 from, s64 bytes, s64 own)
{
    int bad = 0;
    if (s->track)
        CELLS(cell, from, bytes) bad |= s->writes[cell] == 0;
    if (s->races)
        CELLS(cell, from, bytes) bad |= clashes(s->writes[cell], own);
    if (s->races && s->pending)
        CELLS(cell, from, bytes) bad |= awaited(s, w, cell, own);
    return bad;
}

static int may_read(const Access *a, const Shared *s, const Warp *w)
{
    s64 total = a->size * a->count, own = shared_tag(a, w);
    int bad = 0;
    if (w->straight)
        bad = bad_to_read(a, s, w, w->at[0], w->n * total, own);
    else
        OTHERS(at) bad |= bad_to_read(a, s, w, w->at[at], total, own);
    return !bad && (!s->track || !s->dirty || written(a, w, s->dirty));
}

INLINED void note(const Access *a, const Shared *s, s64 from, s64 bytes, s64 own)
{
    CELLS(cell, from, bytes)
        s->reads[cell] = clashes(s->reads[cell], own) ? own | (s64)SEVERAL << SHARED_WARP : own;
}

static void note_readers(const Access *a, const Shared *s, const Warp *w)
{
    s64 total = a->size * a->count, own = shared_tag(a, w);
    if (w->straight)
        note(a, s, w->at[0], w->n * total, own);
    else
        OTHERS(at) note(a, s, w->at[at], total, own);
}

int kb_shared_load(const Access *a, const Shared *s, u8 *const *values)
{
    Warp w;
    int fits = shared_fits(a, s), active = 0;
    if (fits != DONE)
        return fits;
    WARPS(row, lane) {
        if (!look_shared(a, s, &w, row, lane) || ((s->races || s->track) && !may_read(a, s, &w)))
            return UNSURE;
        for (s64 at = 0; at < w.n && !active; at++)
            active = w.here[at];
    }
    if (!active)
        return UNSURE;
    WARPS(row, lane) {
        look_shared(a, s, &w, row, lane);
        if (s->races)
            note_readers(a, s, &w);
        fetch(a, &w, s->data, values);
    }
    return DONE;
}

static int bad_to_write(const Access *a, const Shared *s, const Warp *w, s64 from, s64 bytes, s64 own, int changed)
{
    int bad = 0;
    if (s->pending)
        CELLS(cell, from, bytes) bad |= awaited(s, w, cell, own);
    if (changed)
        CELLS(cell, from, bytes) bad |= clashes(s->writes[cell], own) | clashes(s->reads[cell], own);
    return bad;
}

static int may_write(const Access *a, const Shared *s, const Warp *w, const u8 *const *values)
{
    s64 total = a->size * a->count, own = shared_tag(a, w);
    if (w->straight && !bad_to_write(a, s, w, w->at[0], w->n * total, own, 1))
        return 1;
    for (s64 at = 0; at < w->n; at++)
        if (w->here[at] && bad_to_write(a, s, w, w->at[at], total, own, changes(a, w, at, s->data, values)))
            return 0;
    return 1;
}

INLINED void tag_cells(const Access *a, const Shared *s, s64 row, s64 from, s64 bytes, s64 own, int copying)
{
    CELLS(cell, from, bytes) s->writes[cell] = own;
    if (copying && s->races)
        CELLS(cell, from, bytes) s->pending[cell] = s->committed[row] + 1;
}

static void write_shared(const Access *a, const Shared *s, const Warp *w, const u8 *const *values, int copying)
{
    s64 total = a->size * a->count, own = shared_tag(a, w);
    if (w->straight && (s->races || s->track))
        tag_cells(a, s, w->row, w->at[0], w->n * total, own, copying);
    else if (s->races || s->track)
        OTHERS(at) tag_cells(a, s, w->row, w->at[at], total, own, copying);
    store(a, w, s->data, values);
}

int kb_shared_store(const Access *a, const Shared *s, const u8 *const *values, int copying)
{
    Warp w;
    int fits = shared_fits(a, s);
    if (fits != DONE)
        return fits;
    if (copying && s->races && !s->pending)
        return MALFORMED;
    WARPS(row, lane)
        if (!look_shared(a, s, &w, row, lane) || (s->races && !may_write(a, s, &w, values)))
            return UNSURE;
    WARPS(row, lane) {
        look_shared(a, s, &w, row, lane);
        write_shared(a, s, &w, values, copying);
    }
    return DONE;
}
