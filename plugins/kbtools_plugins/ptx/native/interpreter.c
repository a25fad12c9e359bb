/* The interpreter of runs: each operation works on a tile of threads, so that what a run needs stays in the cache.
   Everything is checked before the first one runs. CASES and SHAPES come from the table (source.py). */

enum { DONE, UNSURE, NO_MEMORY, MALFORMED };
enum { GIVEN, WANTED, BETWEEN };
enum { TILE = 512, MOST_OPERANDS = 1 << 15, MOST_STEPS = 1 << 15 };

typedef struct {
    u8 *data;
    s64 bytes, outer, inner; /* steps, in elements, from one program to the next, and from one thread to the next */
    s64 width, role;         /* bytes of an element; where it comes from or goes to */
} Operand;

typedef struct {
    s32 code, result, sources[4];
} Step;

static const s8 SHAPES[][5] = {
/*SHAPES*/
};
enum { CODES = sizeof SHAPES / sizeof SHAPES[0] };

static int full(const Operand *o, s64 outer, s64 inner) { return o->inner == 1 && (o->outer == inner || outer == 1); }

static int operand_fits(const Operand *o, s64 outer, s64 inner)
{
    s64 elements;
    if (o->role < GIVEN || o->role > BETWEEN || (o->width != 1 && o->width != 2 && o->width != 4 && o->width != 8))
        return 0;
    if (o->role == BETWEEN)
        return 1;
    if ((o->inner != 0 && o->inner != 1) || (o->outer != 0 && o->outer != 1 && o->outer != inner))
        return 0;
    if (o->inner == 1 && o->outer == 1 && inner != 1 && outer != 1)
        return 0;
    if (o->role == WANTED && !full(o, outer, inner))
        return 0;
    elements = (outer - 1) * o->outer + (inner - 1) * o->inner + 1;
    return o->data && o->bytes / o->width >= elements && (uintptr_t)o->data % (uintptr_t)o->width == 0;
}

static int step_fits(const Step *step, const Operand *operands, s64 count, u8 *known)
{
    const s8 *shape;
    if (step->code < 0 || step->code >= CODES || step->result < 0 || step->result >= count)
        return 0;
    shape = SHAPES[step->code];
    for (int at = 0; at < 4; at++) {
        s32 source = step->sources[at];
        if (source < 0 || source >= count)
            return 0;
        if (shape[at + 1] && (source == step->result || !known[source] || operands[source].width != shape[at + 1]))
            return 0;
    }
    if (operands[step->result].width != shape[0] || operands[step->result].role == GIVEN)
        return 0;
    return known[step->result] = 1;
}

static int run_fits(const Step *steps, s64 n_steps, const Operand *operands, s64 count, s64 outer, s64 inner)
{
    u8 known[MOST_OPERANDS];
    if (n_steps < 0 || n_steps > MOST_STEPS || count < 0 || count > MOST_OPERANDS)
        return 0;
    if (outer < 1 || inner < 1 || outer > (1 << 30) || inner > (1 << 30) / outer)
        return 0;
    for (s64 at = 0; at < count; at++) {
        if (!operand_fits(operands + at, outer, inner))
            return 0;
        known[at] = operands[at].role == GIVEN;
    }
    for (s64 at = 0; at < n_steps; at++)
        if (!step_fits(steps + at, operands, count, known))
            return 0;
    for (s64 at = 0; at < count; at++)
        if (operands[at].role == WANTED && !known[at])
            return 0;
    return 1;
}

/* One operation on n elements; 1 if a result is not sure. */
static int operate(const Step *step, u8 *const *tiles, s64 n)
{
    int unsure = 0, *doubt = &unsure;
    void *result = tiles[step->result];
    const void *w = tiles[step->sources[0]], *x = tiles[step->sources[1]];
    const void *y = tiles[step->sources[2]], *z = tiles[step->sources[3]];
    switch (step->code) {
/*CASES*/
    }
    (void)doubt, (void)x, (void)y, (void)z;
    return unsure;
}

static void copy_element(u8 *to, const u8 *from, s64 width, s64 n)
{
    switch (width) {
    case 1: memset(to, *from, (size_t)n); break;
    case 2: for (s64 at = 0; at < n; at++) ((u16 *)to)[at] = *(const u16 *)from; break;
    case 4: for (s64 at = 0; at < n; at++) ((u32 *)to)[at] = *(const u32 *)from; break;
    default: for (s64 at = 0; at < n; at++) ((u64 *)to)[at] = *(const u64 *)from;
    }
}

/* What an operand is for `rows` programs from `row` and `n` threads from `lane`, element by element. */
static void spread(u8 *to, const Operand *o, s64 row, s64 rows, s64 lane, s64 n)
{
    for (s64 at = 0; at < rows; at++) {
        const u8 *from = o->data + ((row + at) * o->outer + lane * o->inner) * o->width;
        u8 *here = to + at * n * o->width;
        if (o->inner)
            memcpy(here, from, (size_t)(n * o->width));
        else
            copy_element(here, from, o->width, n);
    }
}

typedef struct {
    u8 **tiles;  /* of each operand, where its tile is */
    u8 *scratch; /* a tile for each operand, as far as it needs one */
} Places;

static int tile(const Step *steps, s64 n_steps, const Operand *operands, s64 count, Places p, s64 row, s64 rows,
                s64 lane, s64 n, s64 outer, s64 inner, int first)
{
    for (s64 at = 0; at < count; at++) {
        const Operand *o = operands + at;
        u8 *own = p.scratch + at * TILE * 8;
        if (o->role == BETWEEN)
            p.tiles[at] = own;
        else if (full(o, outer, inner))
            p.tiles[at] = o->data + (row * inner + lane) * o->width;
        else {
            p.tiles[at] = own;
            if (first || o->outer || (o->inner && n != inner))
                spread(own, o, row, rows, lane, n);
        }
    }
    for (s64 at = 0; at < n_steps; at++)
        if (operate(steps + at, p.tiles, rows * n))
            return UNSURE;
    return DONE;
}

/* Memory that a thread of this process keeps from run to run. */
static int places(Places *p, s64 count)
{
    static _Thread_local Places kept;
    static _Thread_local s64 kept_count;
    if (count + 1 > kept_count) {
        free(kept.tiles);
        free(kept.scratch);
        kept.tiles = calloc((size_t)count + 1, sizeof *kept.tiles);
        kept.scratch = aligned_alloc(64, (size_t)(count + 1) * TILE * 8);
        kept_count = kept.tiles && kept.scratch ? count + 1 : 0;
    }
    *p = kept;
    return kept_count > 0;
}

int kb_run(const Step *steps, s64 n_steps, const Operand *operands, s64 count, s64 outer, s64 inner)
{
    Places p;
    int result = DONE, first = 1;
    s64 rows_at_once = inner < TILE ? TILE / inner : 1;
    if (!run_fits(steps, n_steps, operands, count, outer, inner))
        return MALFORMED;
    if (!places(&p, count))
        result = NO_MEMORY;
    for (s64 row = 0; row < outer && result == DONE; row += rows_at_once) {
        s64 rows = outer - row < rows_at_once ? outer - row : rows_at_once;
        for (s64 lane = 0; lane < inner && result == DONE; lane += TILE) {
            s64 n = inner - lane < TILE ? inner - lane : TILE;
            result = tile(steps, n_steps, operands, count, p, row, rows, lane, n, outer, inner, first);
            first = 0;
        }
    }
    return result;
}
