"""A million operands per instruction and type through the PTX machine: wrong bits, or the largest error permitted.

    python benchmarks/ptx_exactness.py [--count 1000000] [--only REGEX]   # rows not measured again are kept

Each instruction runs in a kernel of its own, so that parsing and decoding are tried, too; tiles of mma go to the
arithmetic directly. Truth is in ptx_truth.py. One half of the operands are any bits and special numbers, the other half
numbers near 1 whose results are often ties.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import machine
import ptx_truth as truth

from kbtools_plugins.ptx.bits import WIDTHS
from kbtools_plugins.ptx.numerics import Modifiers, matrix_product, permitted_error
from kbtools_plugins.ptx.numerics.formats import FORMATS, widen
from tests.plugins.ptx.exact import near_bits, random_bits, rounded
from tests.plugins.ptx.single import THREADS, run

Array = np.ndarray[Any, Any]
ARITY = {"add": 2, "sub": 2, "mul": 2, "fma": 3, "div": 2, "rcp": 1, "sqrt": 1}
FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "ex2.approx": np.exp2,
    "lg2.approx": np.log2,
    "sin.approx": np.sin,
    "cos.approx": np.cos,
    "tanh.approx": np.tanh,
    "rsqrt.approx": lambda values: 1 / np.sqrt(values),
    "rcp.approx": lambda values: 1 / values,
    "sqrt.approx": np.sqrt,
}


@dataclass(frozen=True)
class Row:
    """One instruction. `error` and `permitted` are in units in the last place; wrong bits are counted beside."""

    instruction: str
    operands: int
    wrong: int
    error: float | None = None
    permitted: str = ""


def draw(kind: str, count: int, seed: int) -> Array:
    """Operands of a type, a multiple of what the kernel takes."""
    count = max(THREADS, count // THREADS * THREADS)
    if kind not in FORMATS:
        return integers(int(kind[1:]), count, seed)
    half = count // 2
    return np.concatenate([random_bits(kind, half, seed), near_bits(kind, count - half, seed)], 1).ravel()


def integers(width: int, count: int, seed: int) -> Array:
    """Any bits, short numbers, and the ends."""
    generator = np.random.default_rng(seed)
    bits = generator.integers(0, 1 << 64, count, dtype=np.uint64) >> np.uint64(64 - width)
    bits >>= generator.integers(0, width, count).astype(np.uint64)
    ends = np.array([0, 1, (1 << width) - 1, 1 << (width - 1), (1 << (width - 1)) - 1], np.uint64)
    return np.where(generator.random(count) < 0.05, ends[generator.integers(0, 5, count)], bits).astype(f"uint{width}")


def differ(got: Array, expected: Array) -> int:
    """How many values differ; signs of zeros count, NaN equals NaN."""
    got, expected = got.astype(np.float64), expected.astype(np.float64)
    same = (got == expected) & (np.signbit(got) == np.signbit(expected)) | (np.isnan(got) & np.isnan(expected))
    return int((~same).sum())


def arithmetic(count: int) -> Iterator[tuple[str, Callable[[], Row]]]:
    """add, sub, mul, fma, div, rcp, sqrt in f32 and f64 in all directions, in f16 and bf16 to nearest."""
    for kind in ("f32", "f64"):
        for name, arity in ARITY.items():
            for direction in truth.DIRECTIONS:
                opcode = f"{name}.{direction}.{kind}"
                yield opcode, lambda o=opcode, n=name, k=kind, d=direction, a=arity: by_c_library(o, n, k, d, a, count)
    for kind in ("f16", "bf16"):
        for name in ("add", "sub", "mul"):
            # PTX of sm_80 has these for f16 alone; Triton writes them as fma for bf16
            opcode = f"{name}.{kind}"
            yield opcode, lambda o=opcode, n=name, k=kind: by_torch(o, n, k, count)
        yield f"fma.rn.{kind}", lambda k=kind: by_fractions(f"fma.rn.{k}", k, count)


def by_c_library(opcode: str, name: str, kind: str, direction: str, arity: int, count: int) -> Row:
    operands = [draw(kind, count, seed) for seed in range(arity)]
    got = run(opcode, operands, WIDTHS[kind])
    expected = truth.operation(name, kind, direction, operands)
    return Row(opcode, got.size, differ(widen(got, kind), expected))


def by_torch(opcode: str, name: str, kind: str, count: int) -> Row:
    operands = [draw(kind, count, seed) for seed in range(2)]
    return Row(
        opcode, operands[0].size, differ(widen(run(opcode, operands, 16), kind), truth.half(name, kind, operands))
    )


def by_fractions(opcode: str, kind: str, count: int) -> Row:
    """fma; operands that are not finite, and results that are zero, are compared with float64."""
    operands = [draw(kind, count, seed) for seed in range(3)]
    got = widen(run(opcode, operands, WIDTHS[kind]), kind)
    a, b, c = (widen(bits, kind) for bits in operands)
    with np.errstate(all="ignore"):
        expected = a * b + c
    for at in np.nonzero(np.isfinite(expected) & (expected != 0))[0]:
        exact = Fraction(a[at]) * Fraction(b[at]) + Fraction(c[at])
        expected[at] = rounded(exact, FORMATS[kind], "rn")
    return Row(opcode, got.size, differ(got, expected))


def conversions(count: int) -> Iterator[tuple[str, Callable[[], Row]]]:
    """cvt between floats, from and to integers."""
    for kind in ("f16", "bf16", "e4m3", "e5m2"):
        yield f"cvt.rn.{kind}.f32", lambda k=kind: narrowing(k, count)
    for direction in ("rz", "rm", "rp"):
        yield f"cvt.{direction}.f16.f32", lambda d=direction: narrowing_elsewhere("f16", d, count)
    yield "cvt.rz.bf16.f32", lambda: narrowing_elsewhere("bf16", "rz", count)
    yield "cvt.rna.tf32.f32", lambda: narrowing_elsewhere("tf32", "rna", count)
    for source, target in (("f64", "f32"), ("s32", "f32"), ("s64", "f32"), ("s64", "f64")):
        for direction in truth.DIRECTIONS:
            opcode = f"cvt.{direction}.{target}.{source}"
            yield opcode, lambda o=opcode, s=source, t=target, d=direction: converting(o, s, t, d, count)
    for source in ("f32", "f64"):
        for target in ("s32", "u32", "s64", "u64", "s16", "u16"):
            for direction in ("rni", "rzi", "rmi", "rpi"):
                opcode = f"cvt.{direction}.{target}.{source}"
                yield opcode, lambda o=opcode, s=source, t=target, d=direction: to_whole(o, s, t, d, count)


def narrowing(kind: str, count: int) -> Row:
    bits = draw("f32", count, 1)
    expected = truth.narrowed(kind, bits.view(np.float32))
    if kind[0] != "e":
        got = widen(run(f"cvt.rn.{kind}.f32", [bits], 16), kind)
        return Row(f"cvt.rn.{kind}.f32", bits.size, differ(got, expected))
    opcode = f"cvt.rn.satfinite.{kind}x2.f32"
    pairs = run(opcode, [bits, bits[::-1].copy()], 16)
    low, high = (widen(part.astype(np.uint8), kind) for part in (pairs, pairs >> 8))
    return Row(opcode, bits.size, differ(high, expected) + differ(low[::-1], expected))


def narrowing_elsewhere(kind: str, direction: str, count: int) -> Row:
    bits = draw("f32", count, 1)
    opcode = f"cvt.{direction}.{kind}.f32"
    got = widen(run(opcode, [bits], WIDTHS[kind]), kind)
    return Row(opcode, got.size, differ(got, truth.directed(kind, direction, bits)))


def converting(opcode: str, source: str, target: str, direction: str, count: int) -> Row:
    bits = draw(source, count, 1)
    got = widen(run(opcode, [bits], WIDTHS[target]), target)
    return Row(opcode, bits.size, differ(got, truth.conversion(source, target, direction, bits)))


def to_whole(opcode: str, source: str, target: str, direction: str, count: int) -> Row:
    """Python's whole numbers, clamped; NaN is 0, or the sign alone from f64 and to 64 bits."""
    bits, width, signed = draw(source, count, 1), WIDTHS[target], target[0] == "s"
    low, high = (-(1 << (width - 1)), (1 << (width - 1)) - 1) if signed else (0, (1 << width) - 1)
    whole = {"rni": round, "rzi": math.trunc, "rmi": math.floor, "rpi": math.ceil}[direction]
    nan = 1 << (width - 1) if source == "f64" or width == 64 else 0
    wrong = 0
    for value, result in zip(widen(bits, source).tolist(), run(opcode, [bits], width).tolist(), strict=True):
        if math.isfinite(value):
            expected = min(max(whole(value), low), high) & ((1 << width) - 1)
        else:
            expected = nan if math.isnan(value) else (high if value > 0 else low) & ((1 << width) - 1)
        wrong += expected != result
    return Row(opcode, bits.size, wrong)


def whole_numbers(count: int) -> Iterator[tuple[str, Callable[[], Row]]]:
    """Integer arithmetic against Python's."""
    for kind in ("s16", "u16", "s32", "u32", "s64", "u64"):
        width = int(kind[1:])
        rules: dict[str, tuple[int, Callable[..., Any]]] = {
            "add": (2, lambda a, b: a + b),
            "mul.lo": (2, lambda a, b: a * b),
            "mul.hi": (2, lambda a, b, w=width: (a * b) >> w),
            "mad.lo": (3, lambda a, b, c: a * b + c),
            "div": (2, lambda a, b: (abs(a) // abs(b)) * (1 if (a < 0) == (b < 0) else -1) if b else -1),
            "rem": (2, lambda a, b: abs(a) % abs(b) * (1 if a >= 0 else -1) if b else -1),
            "max": (2, max),
            "min": (2, min),
        }
        for name, (arity, rule) in rules.items():
            opcode = f"{name}.{kind}"
            yield opcode, lambda o=opcode, k=kind, a=arity, r=rule: by_whole_numbers(o, k, a, r, count)


def by_whole_numbers(opcode: str, kind: str, arity: int, rule: Callable[..., int], count: int) -> Row:
    width, operands = int(kind[1:]), [draw(kind, count, seed) for seed in range(arity)]
    values = [(bits.view(f"int{width}") if kind[0] == "s" else bits).tolist() for bits in operands]
    got, most = run(opcode, operands, width).tolist(), (1 << width) - 1
    wrong = sum((rule(*given) & most) != result for *given, result in zip(*values, got, strict=True))
    return Row(opcode, len(got), wrong)


def functions(count: int) -> Iterator[tuple[str, Callable[[], Row]]]:
    """What a device approximates, against 64 bits of longdouble."""
    for name in FUNCTIONS:
        yield f"{name}.f32", lambda n=name: approximated(n, count)


def approximated(name: str, count: int) -> Row:
    bits = draw("f32", count, 1)
    with np.errstate(all="ignore"):
        exact = FUNCTIONS[name](bits.view(np.float32).astype(np.longdouble))
        expected = exact.astype(np.float32)
    got = widen(run(f"{name}.f32", [bits], 32), "f32")
    finite = np.isfinite(exact) & np.isfinite(got)
    unit = np.ldexp(1.0, np.maximum(np.frexp(exact[finite].astype(np.float64))[1] - 1, -126) - 23)
    error = float(np.max(np.abs(got[finite] - exact[finite]) / unit))
    bound = permitted_error(name.partition(".")[0], "f32", Modifiers(approximate=True))
    return Row(f"{name}.f32", bits.size, differ(got, expected), round(error, 3), permitted=str(bound))


def tiles(count: int) -> Iterator[tuple[str, Callable[[], Row]]]:
    """mma of each type: the exact sum, rounded once."""
    for kind, depth in (("f16", 16), ("bf16", 16), ("tf32", 8), ("e4m3", 32), ("e5m2", 32)):
        opcode = f"mma.m16n8k{depth}.f32.{kind}.{kind}.f32"
        yield opcode, lambda o=opcode, k=kind, d=depth: multiplied(o, k, d, count)


def multiplied(opcode: str, kind: str, depth: int, count: int) -> Row:
    many = max(1, count // (16 * depth))
    generator = np.random.default_rng(0)
    a, b = (normal(kind, generator, many * rows * depth).reshape(many, -1) for rows in (16, 8))
    a, b = a.reshape(many, 16, depth), b.reshape(many, depth, 8)
    c = normal("f32", generator, many * 128).reshape(many, 16, 8)
    got = widen(matrix_product(kind, kind, "f32")(a, b, c), "f32")
    terms = widen(a, kind)[:, :, None, :] * widen(b, kind).transpose(0, 2, 1)[:, None, :, :]
    terms = np.concatenate([terms, widen(c, "f32")[..., None]], 3).reshape(-1, depth + 1)
    sums = np.array([math.fsum(row) for row in terms.tolist()])
    return Row(opcode, many * depth * 16, differ(got.ravel(), sums.astype(np.float32)))


def normal(kind: str, generator: np.random.Generator, count: int) -> Array:
    from kbtools_plugins.ptx.numerics.formats import narrow

    return narrow(generator.standard_normal(count), FORMATS[kind], "rn")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--only", default="", help="a regular expression for opcodes")
    asked = parser.parse_args()
    rows, start = [], time.time()
    for part in (arithmetic, conversions, whole_numbers, functions, tiles):
        for opcode, measure in part(asked.count):
            if re.search(asked.only, opcode):
                rows.append(measure())
                row = rows[-1]
                print(
                    f"{row.instruction:40} {row.operands:9} {row.wrong:6} {row.error or '':>8} {row.permitted}",
                    flush=True,
                )
    print(f"{len(rows)} instructions, {sum(row.wrong for row in rows)} wrong, {time.time() - start:.0f} s")
    machine.write("ptx_exactness", {"rows": [asdict(row) for row in merged(rows)]})


def merged(rows: list[Row]) -> list[Row]:
    """The rows of this run, and of earlier ones those that were not measured again."""
    path = machine.RESULTS / "ptx_exactness.json"
    earlier = json.loads(path.read_text())["rows"] if path.exists() else []
    return list(
        {**{row["instruction"]: Row(**row) for row in earlier}, **{row.instruction: row for row in rows}}.values()
    )


if __name__ == "__main__":
    main()
