"""Rules of floats: arithmetic, comparisons and conversions."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from kbtools_plugins.ptx import numerics
from kbtools_plugins.ptx.bits import WIDTHS
from kbtools_plugins.ptx.numerics.modifiers import Modifiers

from .rule import Rule

Row = tuple[str, Rule]

SINGLE = {
    "add": "B(F(a) + F(b))",
    "sub": "B(F(a) - F(b))",
    "mul": "B(F(a) * F(b))",
    "div": "B(F(a) / F(b))",
    "fma": "B(__builtin_fmaf(F(a), F(b), F(c)))",
    "rcp": "B(1.0f / F(a))",
    "sqrt": "B(__builtin_sqrtf(F(a)))",
}
"""Operations of IEEE 754 on f32, rounded to nearest."""
DOUBLE = {
    "add": "Q(D(a) + D(b))",
    "sub": "Q(D(a) - D(b))",
    "mul": "Q(D(a) * D(b))",
    "div": "Q(D(a) / D(b))",
    "fma": "Q(__builtin_fma(D(a), D(b), D(c)))",
    "sqrt": "Q(__builtin_sqrt(D(a)))",
}
FUNCTIONS = {
    "ex2": "exp2",
    "lg2": "log2",
    "sin": "sin",
    "cos": "cos",
    "tanh": "tanh",
    "rsqrt": "1.0 / sqrt",
}
"""`.approx` of f32, in float64, which is far more exact than the rounding needs."""
COMPARED = {
    "eq": "a == b",
    "ne": "a < b || a > b",
    "lt": "a < b",
    "le": "a <= b",
    "gt": "a > b",
    "ge": "a >= b",
    "num": "!(a != a || b != b)",
    "equ": "!(a < b || a > b)",
    "neu": "a != b",
    "ltu": "!(a >= b)",
    "leu": "!(a > b)",
    "gtu": "!(a <= b)",
    "geu": "!(a < b)",
    "nan": "a != a || b != b",
}
WHOLE = {"rni": "rint", "rzi": "trunc", "rmi": "floor", "rpi": "ceil"}


def key(name: str, kind: str, asked: Modifiers) -> str:
    """The name of the rule of an operation on floats."""
    flags = [flag for flag in ("ftz", "saturate", "satfinite", "relu", "nan", "approximate", "full", "xorsign")
             if getattr(asked, flag)]  # fmt: skip
    return ".".join((name, *filter(None, [asked.rounding]), *flags, kind))


def count(c: str) -> int:
    """How many operands an expression has."""
    return 1 + ("(b" in c) + ("(c)" in c)


def rows() -> Iterator[Row]:
    """All of them."""
    yield from singles()
    yield from approximations()
    yield from doubles()
    yield from signs()
    yield from compared()
    yield from conversions()


def row(name: str, kind: str, asked: Modifiers, sources: int, c: str) -> Row:
    """An operation whose operands are all of its type."""
    width = WIDTHS[kind]
    return key(name, kind, asked), Rule(width, (width,) * sources, numerics.arithmetic(name, kind, asked), c)


def finished(c: str, asked: Modifiers) -> str:
    """Flushed operands and result, the canonical NaN, clamped."""
    if asked.ftz:
        for letter in "abc":
            c = c.replace(f"F({letter})", f"F(flush32({letter}))")
        return f"sat32(flush32(canon32({c})))" if asked.saturate else f"flush32(canon32({c}))"
    return f"sat32(canon32({c}))" if asked.saturate else f"canon32({c})"


def singles() -> Iterator[Row]:
    """f32, to nearest."""
    for rounding, ftz, saturate in product(("", "rn"), (False, True), (False, True)):
        asked = Modifiers(rounding=rounding, ftz=ftz, saturate=saturate)
        for name, c in SINGLE.items():
            yield row(name, "f32", asked, count(c), finished(c, asked))
    for name, ftz in product(("min", "max"), (False, True)):
        flushed = "flush32({})" if ftz else "{}"
        c = f"canon32({name}32({flushed.format('a')}, {flushed.format('b')}))"
        yield row(name, "f32", Modifiers(ftz=ftz), 2, c)


def approximations() -> Iterator[Row]:
    """`.approx` and `.full` of f32, which are rounded correctly here."""
    for ftz in (False, True):
        asked = Modifiers(ftz=ftz, approximate=True)
        seen = "flush32(a)" if ftz else "a"
        for name, function in FUNCTIONS.items():
            c = f"near32({function}((double)F({seen})), doubt)"
            yield row(name, "f32", asked, 1, f"flush32({c})" if ftz else c)
        for name in ("rcp", "sqrt"):
            yield row(name, "f32", asked, 1, finished(SINGLE[name], asked))
        full = Modifiers(ftz=ftz, full=True)
        yield row("div", "f32", full, 2, finished(SINGLE["div"], full))
        flushed = "flush32({})" if ftz else "{}"
        a, b = flushed.format("a"), flushed.format("b")
        yield row("div", "f32", asked, 2, finished(f"reciprocal32({a}, {b}, B(F(a) / F(b)))", asked))


def doubles() -> Iterator[Row]:
    """f64, to nearest."""
    for rounding in ("", "rn"):
        for name, c in DOUBLE.items():
            yield row(name, "f64", Modifiers(rounding=rounding), count(c), f"canon64({c})")
    for name in ("min", "max"):
        yield row(name, "f64", Modifiers(), 2, f"canon64({name}64(a, b))")


def signs() -> Iterator[Row]:
    """neg and abs, which change a bit."""
    for kind in ("f16", "bf16", "f32", "f64"):
        top = f"((u{WIDTHS[kind]})1 << {WIDTHS[kind] - 1})"
        for name, c in (("neg", f"a ^ {top}"), ("abs", f"a & ({top} - 1)")):
            yield row(name, kind, Modifiers(), 1, c)
            if kind == "f32":
                yield row(name, kind, Modifiers(ftz=True), 1, f"flush32({c})")


def compared() -> Iterator[Row]:
    """setp of floats."""
    for name, c in COMPARED.items():
        for kind, value in (("f32", "F({})"), ("f64", "D({})")):
            for ftz in (False, True) if kind == "f32" else (False,):
                a, b = (value.format(f"flush32({each})" if ftz else each) for each in "ab")
                text = c.replace("a", "\0").replace("b", b).replace("\0", a)
                function = numerics.comparison(name, kind, ftz)
                yield f"setp.{name}{'.ftz' if ftz else ''}.{kind}", Rule(1, (WIDTHS[kind],) * 2, function, text)


def conversions() -> Iterator[Row]:
    """cvt."""
    plain, nearest = Modifiers(), Modifiers(rounding="rn")
    yield cvt("f32", "f16", plain, "wide16(a)")
    yield cvt("f32", "bf16", plain, "canon32((u32)a << 16)")
    yield cvt("f16", "f32", nearest, "half16(a)")
    yield cvt("bf16", "f32", nearest, "brain16(a)")
    yield cvt("tf32", "f32", Modifiers(rounding="rna"), "tensor32(a)")
    yield cvt("f64", "f32", plain, "canon64(Q((double)F(a)))")
    yield cvt("f32", "f64", nearest, "canon32(B((float)D(a)))")
    for target, function in (("f16", "half16"), ("bf16", "brain16")):
        yield cvt(f"{target}x2", "f32", nearest, f"(u32){function}(a) << 16 | {function}(b)", sources=2)
    for source, c in product(("s16", "u16", "s32", "u32", "s64", "u64"), (("f32", "B((float)"), ("f64", "Q((double)"))):
        yield cvt(c[0], source, nearest, f"{c[1]}({source})a)")
    for rounding, function in WHOLE.items():
        asked = Modifiers(rounding=rounding)
        yield cvt("f32", "f32", asked, f"canon32(B({function}f(F(a))))")
        for target in ("s32", "u32", "s64"):
            yield cvt(target, "f32", asked, clamped(target, f"{function}f(F(a))"))


def clamped(target: str, value: str) -> str:
    """A whole f32 as an integer; NaN is 0, or the pattern of the sign in 64 bits."""
    top, low = {"s32": ("0x1p31f", "-0x1p31f"), "u32": ("0x1p32f", "0.0f"), "s64": ("0x1p63f", "-0x1p63f")}[target]
    high = {"s32": "0x7fffffffu", "u32": "0xffffffffu", "s64": "0x7fffffffffffffffull"}[target]
    least = {"s32": "0x80000000u", "u32": "0", "s64": "0x8000000000000000ull"}[target]
    nan = least if target == "s64" else "0"
    width = f"u{target[1:]}"
    inside = f"({width})({target})({value} < {top} && {value} > {low} ? {value} : 0)"
    above = f"{value} >= {top} ? ({width}){high}"
    below = f"{value} <= {low} ? ({width}){least}"
    return f"nan32(a) ? ({width}){nan} : {above} : {below} : {inside}"


def cvt(target: str, source: str, asked: Modifiers, c: str, sources: int = 1) -> Row:
    """One conversion."""
    name = key(f"cvt.{target}", source, asked)
    return name, Rule(WIDTHS[target], (WIDTHS[source],) * sources, numerics.conversion(target, source, asked), c)
