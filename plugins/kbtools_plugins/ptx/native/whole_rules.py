"""Rules of whole numbers, bits, predicates and choices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from kbtools_plugins.ptx import numerics
from kbtools_plugins.ptx.bits import SIGNED, UNSIGNED, Bits

from .rule import Function, Rule

Row = tuple[str, Rule]

PLAIN = {
    "add": ("k=kk", "a + b"),
    "sub": ("k=kk", "a - b"),
    "mul.lo": ("k=kk", "(P)a * b"),
    "mad.lo": ("k=kkk", "(P)a * b + c"),
    "and": ("k=kk", "a & b"),
    "or": ("k=kk", "a | b"),
    "xor": ("k=kk", "a ^ b"),
    "not": ("k=k", "~a"),
    "neg": ("k=k", "0 - (P)a"),
    "cnot": ("k=k", "a == 0"),
    "shl": ("k=k4", "b < W ? (P)a << b : 0"),
    "brev": ("k=k", "turned(a, W)"),
    "popc": ("4=k", "__builtin_popcountll(a)"),
    "clz": ("4=k", "a ? __builtin_clzll(a) - (64 - W) : W"),
    "bfi": ("k=kk44", "put(a, b, c, d, W)"),
    "lop3": ("k=kkkk", "table3(a, b, c, d)"),
    "prmt": ("k=kkk", "picked(a, b, c)"),
    "shf.l.wrap": ("k=kk4", "((u64)b << 32 | a) << (c & 31) >> 32"),
    "shf.r.wrap": ("k=kk4", "((u64)b << 32 | a) >> (c & 31)"),
    "shf.l.clamp": ("k=kk4", "((u64)b << 32 | a) << (c < 32 ? c : 32) >> 32"),
    "shf.r.clamp": ("k=kk4", "((u64)b << 32 | a) >> (c < 32 ? c : 32)"),
}
"""What does not ask whether the type is signed: result and sources as in `instructions.integers`, and C.

U is the type, S the signed one, L one twice as wide (M signed), P one of at least 32 bits, W the width.
"""
UNSIGNED_ONLY = {
    "shr": ("k=k4", "b < W ? a >> b : 0"),
    "min": ("k=kk", "a < b ? a : b"),
    "max": ("k=kk", "a > b ? a : b"),
    "div": ("k=kk", "b ? a / b : ~(U)0"),
    "rem": ("k=kk", "b ? a % b : ~(U)0"),
    "mul.hi": ("k=kk", "((L)a * b) >> W"),
    "mad.hi": ("k=kkk", "(((L)a * b) >> W) + c"),
    "mul.wide": ("w=kk", "(L)a * b"),
    "mad.wide": ("w=kkw", "(L)a * b + c"),
    "sad": ("k=kkk", "(a > b ? a - b : b - a) + c"),
    "bfe": ("k=k44", "field(a, b, c, W, 0)"),
}
SIGNED_ONLY = {
    "shr": ("k=k4", "(S)a >> (b < W ? b : W - 1)"),
    "min": ("k=kk", "(S)a < (S)b ? a : b"),
    "max": ("k=kk", "(S)a > (S)b ? a : b"),
    "abs": ("k=k", "(S)a < 0 ? 0 - (P)a : a"),
    "div": ("k=kk", "b == 0 ? (P)(U)~(U)0 : (S)b == -1 ? 0 - (P)a : (P)((S)a / (S)b)"),
    "rem": ("k=kk", "b == 0 ? ~(U)0 : (S)b == -1 ? 0 : (U)((S)a % (S)b)"),
    "mul.hi": ("k=kk", "((M)(S)a * (S)b) >> W"),
    "mad.hi": ("k=kkk", "(U)(((M)(S)a * (S)b) >> W) + c"),
    "mul.wide": ("w=kk", "(M)(S)a * (S)b"),
    "mad.wide": ("w=kkw", "(L)((M)(S)a * (S)b) + c"),
    "sad": ("k=kkk", "((S)a > (S)b ? a - b : b - a) + c"),
    "bfe": ("k=k44", "field(a, b, c, W, 1)"),
}
ONLY_32 = ("shf.", "lop3", "prmt")
"""Operations on 32 bits."""
NOT_16 = ("popc", "clz", "brev", "bfe", "bfi")
NOT_64 = ("mul.wide", "mad.wide")


def rows() -> Iterator[Row]:
    """All of them."""
    for kinds, table in (("usb", PLAIN), ("ub", UNSIGNED_ONLY), ("s", SIGNED_ONLY)):
        for name, (form, c) in table.items():
            for width in widths(name):
                for letter in kinds:
                    yield f"{name}.{letter}{width}", rule(name, f"{letter}{width}", form, c)
    yield from comparisons()
    yield from predicates()
    yield from moves()


def widths(name: str) -> tuple[int, ...]:
    """Of the types that an operation has."""
    if name.startswith(ONLY_32):
        return (32,)
    if name in NOT_16:
        return (32, 64)
    return (16, 32) if name in NOT_64 else (16, 32, 64)


def rule(name: str, kind: str, form: str, c: str) -> Rule:
    """The row of one operation and type."""
    width = int(kind[1:])
    sizes = {"k": width, "w": 2 * width, "4": 32}
    result, _, sources = form.partition("=")
    return Rule(
        sizes[result],
        tuple(sizes[each] for each in sources),
        numerics.integer(name, kind),
        typed(c, width),
    )


def typed(c: str, width: int) -> str:
    """An expression with the types of one width."""
    wide = {8: 16, 16: 32, 32: 64, 64: 128}[width]
    plain = max(32, width)
    letters = {"U": f"u{width}", "S": f"s{width}", "L": f"u{wide}", "M": f"s{wide}", "P": f"u{plain}", "W": str(width)}
    return "".join(letters.get(each, each) if alone(c, at) else each for at, each in enumerate(c))


def alone(text: str, at: int) -> bool:
    """Whether a letter is a word of its own."""
    return not (text[at - 1 : at].isalnum() or text[at + 1 : at + 2].isalnum())


ORDERED: dict[str, tuple[Function, str]] = {
    "eq": (np.equal, "=="),
    "ne": (np.not_equal, "!="),
    "lt": (np.less, "<"),
    "le": (np.less_equal, "<="),
    "gt": (np.greater, ">"),
    "ge": (np.greater_equal, ">="),
}


def comparisons() -> Iterator[Row]:
    """setp, and selp, which chooses."""
    for width in (16, 32, 64):
        unsigned, signed = UNSIGNED[width], SIGNED[width]
        for name, (function, sign) in ORDERED.items():
            for letter in "ub":
                yield f"setp.{name}.{letter}{width}", Rule(1, (width, width), function, f"a {sign} b")
            yield (
                f"setp.{name}.s{width}",
                Rule(1, (width, width), as_signed(function, signed), f"(s{width})a {sign} (s{width})b"),
            )
        yield f"selp.{unsigned(0).dtype}", Rule(width, (width, width, 1), chosen, "c ? a : b")


def as_signed(function: Function, signed: type[np.signedinteger[Any]]) -> Function:
    """A comparison of signed numbers on raw bits."""
    return lambda a, b: function(a.view(signed), b.view(signed))


def chosen(yes: Bits, no: Bits, where: Bits) -> Bits:
    """selp."""
    return np.where(where, yes, no)


def predicates() -> Iterator[Row]:
    """Logic on predicates, which are 0 or 1."""
    yield "and.pred", Rule(1, (1, 1), np.logical_and, "a & b")
    yield "or.pred", Rule(1, (1, 1), np.logical_or, "a | b")
    yield "xor.pred", Rule(1, (1, 1), np.logical_xor, "a ^ b")
    yield "selp.bool", Rule(1, (1, 1, 1), chosen, "c ? a : b")
    yield "not.pred", Rule(1, (1,), np.logical_not, "!a")


def moves() -> Iterator[Row]:
    """Registers in other widths, and parts of them."""
    for have in (8, 16, 32, 64):
        for want in (8, 16, 32, 64):
            if have != want:
                yield f"resize.u{want}.u{have}", Rule(want, (have,), resized(have, want, False), "a")
            if have < want:
                yield f"resize.s{want}.s{have}", Rule(want, (have,), resized(have, want, True), f"(s{want})(s{have})a")
    for part in (8, 16, 32):
        yield f"upper.{2 * part}", Rule(part, (2 * part,), upper(part), f"a >> {part}")
        yield f"pack.{2 * part}", Rule(2 * part, (part, part), packed(part), f"(u{2 * part})b << {part} | a")


def resized(have: int, want: int, signed: bool) -> Function:
    """Cuts bits off or extends them."""
    if signed:
        narrow, wide, plain = SIGNED[have], SIGNED[want], UNSIGNED[want]
        return lambda value: value.view(narrow).astype(wide).view(plain)
    kind = UNSIGNED[want]
    return lambda value: value.astype(kind)


def upper(part: int) -> Function:
    """The upper half."""
    whole, narrow = UNSIGNED[2 * part], UNSIGNED[part]
    return lambda value: (value >> whole(part)).astype(narrow)


def packed(part: int) -> Function:
    """Two registers in one, the lower half first."""
    whole = UNSIGNED[2 * part]
    return lambda low, high: low.astype(whole) | high.astype(whole) << whole(part)
