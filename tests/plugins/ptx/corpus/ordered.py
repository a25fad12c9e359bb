"""Kernels whose programs wait for each other, as people write them; with WRONG a nearby mistake, one number each."""

import triton
import triton.language as tl

FENCE: tl.constexpr = tl.constexpr("fence.acq_rel.gpu; mov.u32 $0, 0;")


@triton.jit
def fence():
    tl.inline_asm_elementwise(FENCE, "=r,r", [tl.program_id(0)], dtype=tl.int32, is_pure=False, pack=1)


@triton.jit
def last_arriver(x, out, parts, count, N: tl.constexpr, B: tl.constexpr, WRONG: tl.constexpr):
    """The last program adds up what the others have stored."""
    pid = tl.program_id(0)
    part = tl.sum(tl.load(x + pid * B + tl.arange(0, B)), 0)
    if WRONG == 2:
        before = tl.atomic_add(count, 1)
        tl.store(parts + pid, part)
    else:
        tl.store(parts + pid, part)
        if WRONG == 3:
            before = tl.atomic_add(count, 1, sem="relaxed")
        elif WRONG == 4:
            before = tl.atomic_add(count, 1, scope="cta")
        elif WRONG == 5:
            before = tl.atomic_add(count, 1, sem="acquire")
        elif WRONG == 6:
            before = tl.atomic_add(count, 1, sem="release")
        else:
            before = tl.atomic_add(count, 1)
    if before == N - (2 if WRONG == 1 else 1):
        tl.store(out, tl.sum(tl.load(parts + tl.arange(0, N)), 0))
        tl.store(count, 0)


@triton.jit
def reset_counter(x, out, parts, count, N: tl.constexpr, B: tl.constexpr, WRONG: tl.constexpr):
    """The same on several rows, and the one who resets the counter is the last one, or the first."""
    row, pid = tl.program_id(1), tl.program_id(0)
    tl.store(parts + row * N + pid, tl.sum(tl.load(x + pid * B + tl.arange(0, B)), 0) * (row + 1))
    before = tl.atomic_add(count + row, 1)
    if (WRONG == 1) & (pid == 0):
        tl.store(count + row, 0)
    if before == N - 1:
        tl.store(out + row, tl.sum(tl.load(parts + row * N + tl.arange(0, N)), 0))
        if WRONG == 0:
            tl.store(count + row, 0)


@triton.jit
def spin_lock(x, out, parts, count, N: tl.constexpr, B: tl.constexpr, WRONG: tl.constexpr):
    """Each program adds its block to the total within a lock."""
    at = tl.arange(0, B)
    v = tl.load(x + tl.program_id(0) * B + at)
    if WRONG == 1:
        while tl.atomic_cas(count, 0, 1, sem="relaxed") == 1:
            pass
    else:
        while tl.atomic_cas(count, 0, 1) == 1:
            pass
    total = tl.load(out + at)
    if WRONG == 2:
        tl.atomic_xchg(count, 0)
        tl.store(out + at, total + v)
    else:
        tl.store(out + at, total + v)
        tl.debug_barrier()
        if WRONG == 3:
            tl.atomic_xchg(count, 0, sem="relaxed")
        elif WRONG == 4:
            tl.store(count, 0)
        else:
            tl.atomic_xchg(count, 0)


@triton.jit
def first_fills(x, out, parts, count, N: tl.constexpr, B: tl.constexpr, WRONG: tl.constexpr):
    """A lock, and a second flag beside it that only the holder touches: layer norm's backward."""
    at = tl.arange(0, B)
    v = tl.load(x + tl.program_id(0) * B + at)
    if WRONG == 1:
        seen = tl.load(count + 1)
    while tl.atomic_cas(count, 0, 1) == 1:
        pass
    if WRONG == 0:
        seen = tl.load(count + 1)
    if seen == 0:
        tl.atomic_xchg(count + 1, 1)
    else:
        v += tl.load(out + at)
    tl.store(out + at, v)
    tl.debug_barrier()
    tl.atomic_xchg(count, 0)


@triton.jit
def stream_k(x, out, parts, count, N: tl.constexpr, B: tl.constexpr, WRONG: tl.constexpr):
    """Program 0 waits for the parts of all others."""
    pid = tl.program_id(0)
    at = tl.arange(0, B)
    v = tl.load(x + pid * B + at)
    if pid > 0:
        tl.store(parts + pid * B + at, v)
        tl.debug_barrier()
        tl.atomic_xchg(count + pid, 1)
    else:
        for other in range(1, N):
            if WRONG == 1:
                while tl.load(count + other, volatile=True) != 1:
                    pass
            elif WRONG == 2:
                if other < N - 1:
                    while tl.atomic_cas(count + other, 1, 1) != 1:
                        pass
            else:
                while tl.atomic_cas(count + other, 1, 1) != 1:
                    pass
            v += tl.load(parts + other * B + at)
        tl.store(out + at, v)


@triton.jit
def turns(x, out, parts, count, N: tl.constexpr, B: tl.constexpr, WRONG: tl.constexpr):
    """Programs add to the total one after another, in the order of their numbers."""
    pid = tl.program_id(0)
    at = tl.arange(0, B)
    v = tl.load(x + pid * B + at)
    while tl.atomic_add(count, 0) < pid - (1 if WRONG == 1 else 0):
        pass
    tl.store(out + at, tl.load(out + at) + v)
    tl.atomic_add(count, 1)


@triton.jit
def look_back(x, out, parts, count, N: tl.constexpr, B: tl.constexpr, WRONG: tl.constexpr):
    """A scan in one pass: each program publishes its sum, then looks back until it finds a whole prefix."""
    pid = tl.program_id(0)
    at = tl.arange(0, B)
    v = tl.load(x + pid * B + at)
    own = tl.sum(v, 0)
    if WRONG == 2:
        tl.atomic_xchg(count + pid, 1, sem="release")
        tl.store(parts + 2 * pid, own)
    else:
        tl.store(parts + 2 * pid, own)
        tl.debug_barrier()
        tl.atomic_xchg(count + pid, 1, sem="relaxed" if WRONG == 1 else "release")
    before = 0.0
    other = pid - 1
    while other >= 0:
        flag = 0
        while flag == 0:
            flag = tl.atomic_add(count + other, 0, sem="acquire")
        before += tl.load(parts + 2 * other + flag - 1)
        other = tl.where(flag == 2, -1, other - 1)
    tl.store(parts + 2 * pid + 1, before + own)
    tl.debug_barrier()
    tl.atomic_xchg(count + pid, 2, sem="release")
    tl.store(out + pid * B + at, before + tl.cumsum(v, 0))


@triton.jit
def packed_look_back(x, out, parts, count, N: tl.constexpr, B: tl.constexpr, WRONG: tl.constexpr):
    """The same with value and flag in one word, for which relaxed operations do."""
    pid = tl.program_id(0)
    at = tl.arange(0, B)
    v = tl.load(x + pid * B + at).to(tl.int32)
    own = tl.sum(v, 0)
    before = 0
    if pid > 0:
        word = 0
        while word == 0:
            if WRONG == 1:
                word = tl.load(count + pid - 1, volatile=True)
            else:
                word = tl.atomic_add(count + pid - 1, 0, sem="relaxed")
        before = word - 1
    if WRONG == 1:
        tl.store(count + pid, before + own + 1)
    else:
        tl.atomic_xchg(count + pid, before + own + 1, sem="relaxed")
    tl.store(out + pid * B + at, (before + tl.cumsum(v, 0)).to(tl.float32))


@triton.jit
def grid_barrier(x, out, parts, count, N: tl.constexpr, B: tl.constexpr, WRONG: tl.constexpr):
    """All wait for all, then each one reads the neighbour's block; twice, and the second time it overwrites."""
    pid = tl.program_id(0)
    at = tl.arange(0, B)
    tl.store(parts + pid * B + at, tl.load(x + pid * B + at))
    tl.atomic_add(count, 1)
    while tl.atomic_add(count, 0) < N - (1 if WRONG == 1 else 0):
        pass
    v = tl.load(parts + ((pid + 1) % N) * B + at)
    if WRONG != 2:
        tl.atomic_add(count + 1, 1)
        while tl.atomic_add(count + 1, 0) < N:
            pass
    tl.store(parts + pid * B + at, v)
    tl.store(out + pid * B + at, v)


@triton.jit
def master(x, out, parts, count, N: tl.constexpr, B: tl.constexpr, WRONG: tl.constexpr):
    """Everybody tells program 0, which tells everybody: what orders them is in two steps."""
    pid = tl.program_id(0)
    at = tl.arange(0, B)
    tl.store(parts + pid * B + at, tl.load(x + pid * B + at))
    tl.atomic_add(count, 1, sem="release")
    if pid == 0:
        while tl.atomic_add(count, 0, sem="relaxed" if WRONG == 1 else "acquire") < N:
            pass
        tl.atomic_xchg(count + 1, 1, sem="relaxed" if WRONG == 2 else "release")
    while tl.atomic_add(count + 1, 0, sem="acquire") == 0:
        pass
    tl.store(out + pid * B + at, tl.load(parts + ((pid + 1) % N) * B + at))


@triton.jit
def histogram_then_sum(x, out, parts, count, N: tl.constexpr, B: tl.constexpr, WRONG: tl.constexpr):
    """All count with relaxed atomics; the last one reads the bins."""
    v = tl.load(x + tl.program_id(0) * B + tl.arange(0, B))
    tl.atomic_add(parts + (v.to(tl.int32) % N), 1.0, sem="relaxed")
    tl.atomic_max(parts + N, tl.max(v, 0), sem="relaxed")
    if WRONG == 1:
        found = tl.load(parts + tl.arange(0, N))
    before = tl.atomic_add(count, 1)
    if before == N - (2 if WRONG == 2 else 1):
        if WRONG != 1:
            found = tl.load(parts + tl.arange(0, N))
        tl.store(out, tl.sum(found, 0) + tl.load(parts + N))


@triton.jit
def split_k(x, out, parts, count, N: tl.constexpr, B: tl.constexpr, WRONG: tl.constexpr):
    """All add to the output, and the last one scales it in place."""
    at = tl.arange(0, B)
    tl.atomic_add(out + at, tl.load(x + tl.program_id(0) * B + at), sem="relaxed")
    if WRONG == 2:
        tl.store(out + at, tl.load(out + at) * 2.0)
    before = tl.atomic_add(count, 1, sem="relaxed" if WRONG == 1 else "acq_rel")
    if (WRONG != 2) & (before == N - 1):
        tl.store(out + at, tl.load(out + at) * 2.0)


@triton.jit
def chain(x, out, parts, count, N: tl.constexpr, B: tl.constexpr, WRONG: tl.constexpr):
    """Each program hands on to the next; the last one reads what the first has stored."""
    pid = tl.program_id(0)
    at = tl.arange(0, B)
    tl.store(parts + pid * B + at, tl.load(x + pid * B + at))
    if pid > 0:
        while tl.atomic_add(count + pid - 1, 0, sem="acquire") == 0:
            pass
    if (WRONG == 1) & (pid == 1):
        tl.atomic_xchg(count + 1, 1, sem="relaxed")
    else:
        tl.atomic_xchg(count + pid, 1, sem="release")
    if pid == N - 1:
        tl.store(out + at, tl.load(parts + at))


@triton.jit
def fenced(x, out, parts, count, N: tl.constexpr, B: tl.constexpr, WRONG: tl.constexpr):
    """Relaxed operations between fences, as CUDA's __threadfence() has it."""
    pid = tl.program_id(0)
    at = tl.arange(0, B)
    tl.store(parts + pid * B + at, tl.load(x + pid * B + at))
    if WRONG != 1:
        fence()
    tl.debug_barrier()
    before = tl.atomic_add(count, 1, sem="relaxed")
    if before == N - 1:
        if WRONG != 2:
            fence()
        tl.debug_barrier()
        total = tl.zeros((B,), tl.float32)
        for other in range(N):
            total += tl.load(parts + other * B + at)
        tl.store(out + at, total)


@triton.jit
def volatile_spin(x, out, parts, count, N: tl.constexpr, B: tl.constexpr, WRONG: tl.constexpr):
    """A flag that is watched by volatile loads, with a fence behind them."""
    pid = tl.program_id(0)
    at = tl.arange(0, B)
    tl.store(parts + pid * B + at, tl.load(x + pid * B + at))
    tl.debug_barrier()
    tl.atomic_xchg(count + pid, 1)
    other = (pid + 1) % N
    if WRONG == 1:
        while tl.load(count + other) == 0:
            tl.debug_barrier()
    else:
        while tl.load(count + other, volatile=True) == 0:
            pass
    if WRONG != 2:
        fence()
    tl.debug_barrier()
    tl.store(out + pid * B + at, tl.load(parts + other * B + at))


@triton.jit
def tickets(x, out, parts, count, N: tl.constexpr, B: tl.constexpr, WRONG: tl.constexpr):
    """Programs draw a block each, and store where nobody else does; or where another one may."""
    ticket = tl.atomic_add(count, 1, sem="relaxed")
    at = tl.arange(0, B)
    v = tl.load(x + ticket * B + at)
    place = ticket // 2 if WRONG == 1 else ticket
    tl.store(out + place * B + at, v * 2.0)
