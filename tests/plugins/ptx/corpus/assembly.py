"""Inline assembly of many kinds, one element a thread: bits, packed numbers, warps, memory with hints, predicates."""

from collections.abc import Callable

import torch

from tests.plugins.ptx.corpus.instructions import LANES, MASK, N, bits, each, floats, memory, unsigned, wide


def _bytes(number: int) -> list[int]:
    return [number >> 8 * place & 255 for place in range(4)]


def _small(number: int, width: int) -> int:
    """The lowest bits as a signed number."""
    low = number & ((1 << width) - 1)
    return low - (1 << width) if low >> (width - 1) else low


def _clamped(number: int, low: int, high: int) -> int:
    return min(max(number, low), high)


def _warp(values: torch.Tensor, function: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    """A function of each 32 values, for all of their lanes."""
    return torch.cat([function(part.long()).expand(32) for part in values.view(-1, 32)])


def _lane(offset: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """The value of another lane."""
    return lambda a, b: a[torch.arange(N) - LANES + offset(LANES)]


def _xor(values: torch.Tensor) -> torch.Tensor:
    result = 0
    for value in unsigned(values).tolist():
        result ^= value
    return torch.tensor([result])


def _ballot(values: torch.Tensor) -> torch.Tensor:
    return ((values > 0).long() << torch.arange(32)).sum()[None]


def _xorsign(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    largest = torch.fmax(a.abs(), b.abs())
    return torch.where(a.signbit() ^ b.signbit(), -largest, largest)


def _majority(a: int, b: int) -> int:
    return a & b | a & 0x0F0F0F0F | b & 0x0F0F0F0F


BITS = [
    bits("prmt", "prmt.b32 $0, $1, $2, 0x5410;", each(lambda a, b: a & 0xFFFF | b << 16)),
    bits(
        "prmt_sign",
        "prmt.b32 $0, $1, $2, 0xba98;",
        each(lambda a, b: sum(255 << 8 * place for place, one in enumerate(_bytes(a)) if one >> 7)),
    ),
    bits("prmt_f4e", "prmt.b32.f4e $0, $1, $2, 1;", each(lambda a, b: (b << 32 | a) >> 8)),
    bits("lop3", "lop3.b32 $0, $1, $2, 0x0F0F0F0F, 0xE8;", each(_majority)),
    bits("bfe_u", "bfe.u32 $0, $1, 5, 9;", each(lambda a, b: a >> 5 & 0x1FF)),
    bits("bfe_s", "bfe.s32 $0, $1, 28, 9;", each(lambda a, b: _small(a, 32) >> 28)),
    bits("bfi", "bfi.b32 $0, $1, $2, 4, 8;", each(lambda a, b: b & ~0xFF0 | (a & 0xFF) << 4)),
    bits("popc", "popc.b32 $0, $1;", each(lambda a, b: bin(a).count("1"))),
    bits("clz", "clz.b32 $0, $1;", each(lambda a, b: 32 - a.bit_length())),
    bits("brev", "brev.b32 $0, $1;", each(lambda a, b: int(f"{a:032b}"[::-1], 2))),
    bits("bfind", "bfind.u32 $0, $1;", each(lambda a, b: a.bit_length() - 1)),
    bits(
        "bfind_s",
        "bfind.s32 $0, $1;",
        each(lambda a, b: (a if _small(a, 32) >= 0 else a ^ MASK).bit_length() - 1),
    ),
    bits("mul_hi_u", "mul.hi.u32 $0, $1, $2;", each(lambda a, b: a * b >> 32)),
    bits("mul_hi_s", "mul.hi.s32 $0, $1, $2;", lambda a, b: a.long() * b.long() >> 32),
    bits("mul24", "mul24.lo.s32 $0, $1, $2;", each(lambda a, b: _small(a, 24) * _small(b, 24))),
    bits("sad", "sad.u32 $0, $1, $2, 7;", each(lambda a, b: abs(a - b) + 7)),
    bits("shf_l", "shf.l.wrap.b32 $0, $1, $2, 37;", each(lambda a, b: (b << 32 | a) << 5 >> 32)),
    bits("shf_r", "shf.r.clamp.b32 $0, $1, $2, 37;", each(lambda a, b: b)),
    bits(
        "dp4a",
        "dp4a.s32.u32 $0, $1, $2, 5;",
        each(lambda a, b: 5 + sum(_small(one, 8) * other for one, other in zip(_bytes(a), _bytes(b), strict=True))),
    ),
    bits(
        "dp2a",
        "dp2a.hi.s32.s32 $0, $1, $2, -1;",
        each(lambda a, b: _small(a, 16) * _small(_bytes(b)[2], 8) + _small(a >> 16, 16) * _small(_bytes(b)[3], 8) - 1),
    ),
    bits(
        "cvt_pack_u8",
        "cvt.pack.sat.u8.s32.b32 $0, $1, $2, 0x1234;",
        each(lambda a, b: 0x1234 << 16 | _clamped(_small(a, 32), 0, 255) << 8 | _clamped(_small(b, 32), 0, 255)),
    ),
    bits(
        "cvt_pack_s16",
        "cvt.pack.sat.s16.s32 $0, $1, $2;",
        each(
            lambda a, b: (
                (_clamped(_small(a, 32), -(2**15), 2**15 - 1) & 0xFFFF) << 16
                | _clamped(_small(b, 32), -(2**15), 2**15 - 1) & 0xFFFF
            )
        ),
    ),
    bits(
        "predicates",
        "{ .reg .pred p, q; setp.lt.s32 p|q, $1, $2; @p mov.b32 $0, $1; @q add.s32 $0, $2, 1; }",
        lambda a, b: torch.where(a < b, a, b + 1),
    ),
    bits(
        "setp_and",
        "{ .reg .pred p, r; setp.gt.s32 r, $1, 0; setp.lt.and.u32 p, $1, $2, r; selp.b32 $0, 1, -1, p; }",
        lambda a, b: torch.where((unsigned(a) < unsigned(b)) & (a > 0), 1, -1),
    ),
    bits("slct", "slct.s32.s32 $0, $1, $2, $2;", lambda a, b: torch.where(b >= 0, a, b)),
    bits(
        "carry",
        "{ .reg .b32 t; add.cc.u32 t, $1, $2; addc.u32 $0, 0, 0; }",
        each(lambda a, b: a + b >> 32),
    ),
    bits(
        "branch",
        "{ .reg .pred p; mov.b32 $0, $2; setp.gt.s32 p, $1, 0; @p bra L${:uid}; sub.s32 $0, 0, $2; L${:uid}: }",
        lambda a, b: torch.where(a > 0, b, -b.long()),
    ),
    bits("nanosleep", "nanosleep.u32 20; mov.b32 $0, $1;", lambda a, b: a),
    bits("laneid", "mov.u32 $0, %laneid;", lambda a, b: LANES),
    bits("lanemask", "mov.u32 $0, %lanemask_lt;", lambda a, b: (1 << LANES) - 1),
    wide("mad_wide_s", "{ mad.wide.s32 $0, $1, $2, -3; }", lambda a, b: a.long() * b.long() - 3),
    wide("mul_wide_u", "mul.wide.u32 $0, $1, $2;", lambda a, b: unsigned(a) * unsigned(b)),
    wide("pair", "mov.b64 $0, {$1, $2};", lambda a, b: unsigned(a) | b.long() << 32),
    wide("cvt_sx", "cvt.s64.s8 $0, $1;", lambda a, b: a.to(torch.int8).long()),
]
WARPS = [
    bits("shfl_bfly", "shfl.sync.bfly.b32 $0, $1, 5, 0x1f, -1;", _lane(lambda lane: lane ^ 5)),
    bits("shfl_up", "shfl.sync.up.b32 $0, $1, 3, 0, -1;", _lane(lambda lane: torch.where(lane < 3, lane, lane - 3))),
    bits(
        "shfl_down",
        "shfl.sync.down.b32 $0, $1, 3, 0x1f, -1;",
        _lane(lambda lane: torch.where(lane > 28, lane, lane + 3)),
    ),
    bits("shfl_idx_8", "shfl.sync.idx.b32 $0, $1, 2, 0x181f, -1;", _lane(lambda lane: lane // 8 * 8 + 2)),
    bits(
        "ballot",
        "{ .reg .pred p; setp.gt.s32 p, $1, 0; vote.sync.ballot.b32 $0, p, -1; }",
        lambda a, b: _warp(a, _ballot),
    ),
    bits(
        "any",
        "{ .reg .pred p, q; setp.eq.s32 p, $1, 255; vote.sync.any.pred q, p, -1; selp.b32 $0, 7, 9, q; }",
        lambda a, b: _warp(a, lambda part: torch.where((part == 255).any(), 7, 9)[None]),
    ),
    bits("redux_add", "redux.sync.add.s32 $0, $1, -1;", lambda a, b: _warp(a, lambda part: part.sum()[None])),
    bits("redux_xor", "redux.sync.xor.b32 $0, $1, -1;", lambda a, b: _warp(a, _xor)),
    bits("redux_min", "redux.sync.min.s32 $0, $1, -1;", lambda a, b: _warp(a, lambda part: part.min()[None])),
    bits(
        "match",
        "{ .reg .b32 t; and.b32 t, $1, 1; match.any.sync.b32 $0, t, -1; }",
        lambda a, b: torch.where(a & 1 == 1, _warp(a & 1, _ballot), _warp(1 - (a & 1), _ballot)),
    ),
    bits("activemask", "activemask.b32 $0;", lambda a, b: torch.full((N,), -1)),
]
FLOATS = [
    floats("min_nan", "min.NaN.f32 $0, $1, $2;", torch.minimum),
    floats("max_xorsign", "max.xorsign.abs.f32 $0, $1, $2;", _xorsign, target=89),
    floats("copysign", "copysign.f32 $0, $1, $2;", lambda a, b: b.copysign(a)),
    floats(
        "relu", "fma.rn.sat.f32 $0, $1, $2, 0f3F000000;", lambda a, b: (a * b + 0.5).nan_to_num(0).clamp(0, 1), 1e-7
    ),
    floats("ftz", "add.ftz.f32 $0, $1, 0f00000000;", lambda a, b: torch.where(a.abs() < 1e-38, 0.0, a)),
    floats("rni", "cvt.rni.f32.f32 $0, $1;", lambda a, b: a.round()),
    floats(
        "bf16x2",
        "{ .reg .b32 t; cvt.rn.bf16x2.f32 t, $1, $2; and.b32 $0, t, 0xFFFF0000; }",
        lambda a, b: a.bfloat16().float(),
    ),
    floats(
        "relu_f16x2",
        "{ .reg .b32 t; .reg .b16 l, h; cvt.rn.relu.f16x2.f32 t, $1, $2; mov.b32 {l, h}, t; cvt.f32.f16 $0, h; }",
        lambda a, b: a.half().float().relu(),
    ),
    floats("set", "set.gt.f32.f32 $0, $1, $2;", lambda a, b: (a > b).float()),
    floats(
        "testp",
        "{ .reg .pred p; testp.subnormal.f32 p, $1; selp.f32 $0, $1, 0f00000000, p; }",
        lambda a, b: torch.where((a != 0) & (a.abs() < 1e-38), a, 0.0),
    ),
]
MEMORY = [
    memory("ld_cg", "ld.global.cg.b32 $0, [$1];", lambda a: {"y": a["x"]}),
    memory("ld_hints", "ld.global.nc.L1::no_allocate.L2::128B.b32 $0, [$1];", lambda a: {"y": a["x"]}),
    memory("ld_volatile", "ld.volatile.global.b32 $0, [$1];", lambda a: {"y": a["x"]}),
    memory("ld_acquire", "ld.acquire.gpu.global.b32 $0, [$1];", lambda a: {"y": a["x"]}),
    memory("st_cs", "st.global.cs.b32 [$2], $3; mov.b32 $0, $3;", lambda a: {"out": a["y"]}),
    memory("st_release", "st.release.sys.global.b32 [$2], $3; mov.b32 $0, 1;", lambda a: {"out": a["y"]}),
    memory("generic", "ld.b32 $0, [$1];", lambda a: {"y": a["x"]}),
    memory("red", "red.global.add.u32 [$2], $3; mov.b32 $0, 0;", lambda a: {"out": a["out"] + a["y"]}),
    memory("atom_exch", "atom.global.exch.b32 $0, [$2], $3;", lambda a: {"out": a["y"], "y": a["out"]}),
    memory(
        "atom_inc",
        "atom.global.inc.u32 $0, [$2], $3;",
        lambda a: {"out": torch.where(a["out"] >= a["y"], 0, a["out"] + 1)},
    ),
    memory(
        "atom_dec",
        "atom.acq_rel.gpu.global.dec.u32 $0, [$2], $3;",
        lambda a: {"out": torch.where((a["out"] == 0) | (a["out"] > a["y"]), a["y"], a["out"] - 1)},
    ),
    memory(
        "atom_cas",
        "atom.global.cas.b32 $0, [$2], $3, 5;",
        lambda a: {"out": torch.where(a["out"] == a["y"], 5, a["out"]), "y": a["out"]},
    ),
    memory("prefetch", "prefetch.global.L2 [$1]; fence.acq_rel.gpu; mov.b32 $0, $3;", lambda a: {"y": a["y"]}),
    memory(
        "isspacep",
        "{ .reg .pred p; isspacep.global p, $1; selp.b32 $0, 1, 2, p; }",
        lambda a: {"y": torch.ones(N, dtype=torch.int32)},
    ),
]
CASES = BITS + WARPS + FLOATS + MEMORY
