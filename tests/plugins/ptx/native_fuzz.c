
/* Random bytecode over arrays of random sizes, and random accesses to random memory: what fits is done, what does not is
   refused, and nothing is read or written elsewhere, as the sanitizers see. Appended to the machine's own text. */
#include <stdio.h>

static u64 state = 88172645463325252ull;
static u64 random_bits(void) { state ^= state << 13; state ^= state >> 7; return state ^= state << 17; }
static s64 below(s64 most) { return (s64)(random_bits() % (u64)most); }
static int seldom(void) { return below(40) == 0; }

static u8 *filled(s64 bytes)
{
    u8 *made = malloc((size_t)(bytes ? bytes : 1));
    for (s64 at = 0; at < bytes; at++)
        made[at] = below(3) ? (u8)random_bits() & 1 : (u8)random_bits();
    return made;
}

static int bytecode(void)
{
    enum { N = 8, STEPS = 6 };
    Operand operands[N];
    Step steps[STEPS];
    s64 outer = 1 + below(4), inner = 1 + below(600), widths[] = {1, 2, 4, 8};
    for (int at = 0; at < N; at++) {
        Operand *o = operands + at;
        s64 across = below(2), along = below(2);
        o->role = at < 4 ? GIVEN : at < 6 ? BETWEEN : WANTED;
        o->width = at < 4 ? widths[at] : widths[below(4)];
        if (o->role == WANTED)
            across = along = 1;
        o->inner = along;
        o->outer = across ? (along ? inner : 1) : 0;
        o->bytes = ((outer - 1) * o->outer + (inner - 1) * o->inner + 1) * o->width;
        o->data = o->role == BETWEEN ? NULL : filled(o->bytes);
        if (seldom()) o->width = below(10);
        if (seldom()) o->outer = below(700) - 20;
        if (seldom()) o->inner = below(4) - 1;
        if (seldom()) o->role = below(5) - 1;
        if (seldom()) o->bytes -= below(10);
    }
    for (int at = 0; at < STEPS; at++) {
        Step *s = steps + at;
        s->code = (s32)below(CODES);
        s->result = 4 + (s32)below(4);
        for (int tries = 0; tries < 200 && operands[s->result].width != SHAPES[s->code][0]; tries++)
            s->code = (s32)below(CODES);
        for (int source = 0; source < 4; source++) {
            s->sources[source] = 0;
            for (int tries = 0; tries < 20 && operands[s->sources[source]].width != SHAPES[s->code][source + 1]; tries++)
                s->sources[source] = (s32)below(4);
        }
        if (seldom()) s->code = (s32)below(2 * CODES) - 10;
        if (seldom()) s->sources[below(4)] = (s32)below(20) - 5;
        if (seldom()) s->result = (s32)below(20) - 5;
    }
    /* bools stay 0 or 1 only in what the machine makes; any byte must do no harm */
    int result = kb_run(steps, 1 + below(STEPS), operands, N - below(2), outer, inner);
    for (int at = 0; at < N; at++)
        if (operands[at].data)
            free(operands[at].data);
    return result;
}

static int an_access(void)
{
    s64 programs = 1 + below(3), threads = 1 + below(100), sizes[] = {1, 2, 4, 8};
    s64 size = sizes[below(4)], count = sizes[below(4)], granule = sizes[below(4)], bytes = 16 * below(40);
    u64 base = (u64)1 << 44;
    int wide = below(2), elsewhere = below(2);
    s64 *addresses = malloc((size_t)(8 * programs * threads)), cells = programs * bytes / granule + 1;
    u32 *narrow = malloc((size_t)(4 * programs * threads));
    u8 *mask = filled(programs * threads), *data = filled(programs * bytes), *marks = malloc((size_t)(programs * bytes + 1));
    s64 *writes = calloc((size_t)cells, 8), *reads = calloc((size_t)cells, 8), *pending = calloc((size_t)cells, 8);
    s64 rows[3] = {1 << 27, 1 << 27, 1 << 27}, zeros[3] = {0, 0, 0};
    u8 *values[8];
    Access a = {programs, threads, {0}, {0}, size, count, granule, below(1000), rows};
    Shared s = {data, bytes, programs * bytes, writes, reads, below(2) ? pending : NULL, cells, NULL, zeros, zeros, zeros,
                below(2), below(2)};
    Storage b = {data, programs * bytes, base, below(2) ? writes : NULL, below(2) ? reads : NULL, cells, marks, zeros};
    memset(marks, 1, (size_t)(programs * bytes + 1));
    for (s64 at = 0; at < cells; at++)
        writes[at] = below(2) ? (s64)random_bits() : rows[0] | 1 << 20 | 7;
    for (s64 at = 0; at < programs * threads; at++) {
        u64 place = (u64)(below(2) ? at % threads * size * count : below(bytes + 1) / (size * count) * size * count);
        if (below(2000) == 0) place = random_bits();
        addresses[at] = (s64)(place + (elsewhere ? base : 0));
        narrow[at] = (u32)place;
    }
    a.address = wide ? (Register){(u8 *)addresses, threads, 1, 8} : (Register){(u8 *)narrow, threads, 1, 4};
    if (below(2)) a.mask = (Register){mask, threads, 1, 1};
    if (seldom()) a.size = below(20);
    if (seldom()) a.count = below(20);
    if (seldom()) a.granule = below(20) - 1;
    for (int at = 0; at < 8; at++)
        values[at] = filled(programs * threads * 8);
    int result;
    switch (below(4)) {
    case 0: result = kb_shared_load(&a, &s, values); break;
    case 1: result = kb_shared_store(&a, &s, (const u8 *const *)values, (int)below(2)); break;
    case 2: result = kb_global_load(&a, &b, values); break;
    default: result = kb_global_store(&a, &b, (const u8 *const *)values);
    }
    for (int at = 0; at < 8; at++)
        free(values[at]);
    free(addresses), free(narrow), free(mask), free(data), free(marks), free(writes), free(reads), free(pending);
    return result;
}

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? atol(argv[1]) : 1000, done = 0, refused = 0, accesses = 0;
    for (long at = 0; at < rounds; at++) {
        int result = bytecode();
        done += result == DONE || result == UNSURE;
        refused += result == MALFORMED;
        accesses += an_access() == DONE;
    }
    printf("%ld %ld %ld\n", done, refused, accesses);
    return 0;
}
