"""Integer instructions, held against Python's whole numbers."""

from collections.abc import Callable

import numpy as np
import pytest

from kbtools_plugins.ptx.numerics import integer

WIDTHS = (16, 32, 64)
Number = Callable[..., int]


def draw(width: int, seed: int, count: int = 600) -> np.ndarray:
    """Any bits, small numbers and the ends."""
    generator = np.random.default_rng(seed)
    bits = generator.integers(0, 1 << width, count, dtype=np.uint64) >> generator.integers(0, width, count).astype(
        np.uint64
    )
    ends = [0, 1, (1 << width) - 1, 1 << (width - 1), (1 << (width - 1)) - 1]
    bits[: 3 * len(ends)] = np.roll(ends * 3, seed)
    return bits.astype(f"uint{width}")[None, :]


def signed(value: int, width: int) -> int:
    return value - (1 << width) if value >> (width - 1) else value


def same(operation: str, kind: str, truth: Number, operands: list[np.ndarray], out: int = 0) -> None:
    """The instruction gives, modulo its width, what whole numbers give."""
    width = int(kind[1:])
    got = integer(operation, kind)(*operands)
    assert got.dtype == np.dtype(f"uint{out or width}")
    for *values, result in zip(*(bits[0].tolist() for bits in operands), got[0].tolist(), strict=True):
        if kind[0] == "s":
            values = [signed(value, 8 * bits.itemsize) for value, bits in zip(values, operands, strict=True)]
        assert result == truth(*values) & ((1 << (out or width)) - 1), (operation, kind, values)


def quotient(a: int, b: int) -> int:
    return 0 if b == 0 else abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("sign", "us")
def test_arithmetic_is_that_of_whole_numbers(width: int, sign: str) -> None:
    kind = f"{sign}{width}"
    a, b, c = (draw(width, seed) for seed in range(3))
    same("add", kind, lambda a, b: a + b, [a, b])
    same("sub", kind, lambda a, b: a - b, [a, b])
    same("mul.lo", kind, lambda a, b: a * b, [a, b])
    same("mul.hi", kind, lambda a, b: (a * b) >> width, [a, b])
    same("mad.lo", kind, lambda a, b, c: a * b + c, [a, b, c])
    same("mad.hi", kind, lambda a, b, c: ((a * b) >> width) + c, [a, b, c])
    same("min", kind, min, [a, b])
    same("max", kind, max, [a, b])
    same("sad", kind, lambda a, b, c: c + abs(a - b), [a, b, c])
    same("neg", kind, lambda a: -a, [a])
    same("not", kind, lambda a: ~a, [a])
    divisor = np.where(b == 0, b.dtype.type(3), b)
    same("div", kind, quotient, [a, divisor])
    same("rem", kind, lambda a, b: a - quotient(a, b) * b, [a, divisor])
    if sign == "s":
        same("abs", kind, abs, [a])
    if width < 64:
        same("mul.wide", kind, lambda a, b: a * b, [a, b], 2 * width)


@pytest.mark.parametrize("sign", "us")
def test_multiplication_of_24_bits_and_saturation(sign: str) -> None:
    kind = f"{sign}32"
    a, b, c = (draw(32, seed) for seed in range(3))
    cut = (lambda v: signed(v & 0xFFFFFF, 24)) if sign == "s" else (lambda v: v & 0xFFFFFF)
    same("mul24.lo", kind, lambda a, b: cut(a) * cut(b), [a, b])
    same("mul24.hi", kind, lambda a, b: (cut(a) * cut(b)) >> 16, [a, b])
    same("mad24.lo", kind, lambda a, b, c: cut(a) * cut(b) + c, [a, b, c])
    if sign == "s":
        clamp = lambda v: max(-(2**31), min(2**31 - 1, v))  # noqa: E731 - one line of the test
        same("add.sat", kind, lambda a, b: clamp(a + b), [a, b])
        same("sub.sat", kind, lambda a, b: clamp(a - b), [a, b])
        same("mad.hi.sat", kind, lambda a, b, c: clamp(((a * b) >> 32) + c), [a, b, c])


@pytest.mark.parametrize("width", WIDTHS)
def test_shifts_clamp_and_searches_count(width: int) -> None:
    a, amount = draw(width, 1), draw(32, 5) % np.uint32(80)
    for sign in "us":
        values = a[0].tolist()
        got = integer("shr", f"{sign}{width}")(a, amount)[0].tolist()
        for value, shift, result in zip(values, amount[0].tolist(), got, strict=True):
            number = signed(value, width) if sign == "s" else value
            assert result == (number >> shift) & ((1 << width) - 1)
    same("shl", f"b{width}", lambda a, n: a << n, [a, amount])
    same("popc", f"b{width}", lambda a: a.bit_count(), [a], 32)
    same("cnot", f"b{width}", lambda a: a == 0, [a])
    if width > 16:
        same("clz", f"b{width}", lambda a: width - a.bit_length(), [a], 32)
        same("brev", f"b{width}", lambda a: int(f"{a:0{width}b}"[::-1], 2), [a])
        same("bfind", f"u{width}", lambda a: a.bit_length() - 1, [a], 32)
        same("bfind", f"s{width}", lambda a: (a if a >= 0 else ~a).bit_length() - 1, [a], 32)
        same("bfind.shiftamt", f"u{width}", lambda a: width - a.bit_length() if a else -1, [a], 32)


@pytest.mark.parametrize("width", [32, 64])
def test_fields_are_taken_and_put_as_the_manual_says_bit_by_bit(width: int) -> None:
    a, b = draw(width, 1), draw(width, 2)
    start, length = draw(32, 3) % np.uint32(80), draw(32, 4) % np.uint32(80)

    def extract(a: int, start: int, length: int, sign: bool) -> int:
        last = min(start + length - 1, width - 1)
        fill = (a >> last) & 1 if sign and length else 0
        bits = [(a >> (start + i)) & 1 if i < length and start + i < width else fill for i in range(width)]
        return sum(bit << i for i, bit in enumerate(bits))

    def insert(a: int, b: int, start: int, length: int) -> int:
        for i in range(length):
            if start + i < width:
                b = b & ~(1 << (start + i)) | ((a >> i) & 1) << (start + i)
        return b

    same("bfe", f"u{width}", lambda a, s, n: extract(a, s, n, False), [a, start, length])
    same("bfe", f"s{width}", lambda a, s, n: extract(a & ((1 << width) - 1), s, n, True), [a, start, length])
    same("bfi", f"b{width}", insert, [a, b, start, length])


def test_permutations_and_tables_choose_what_the_manual_says() -> None:
    a, b, selector = (draw(32, seed) for seed in (1, 2, 3))
    order = {
        "f4e": lambda i, n: n + i,
        "b4e": lambda i, n: (n - i) % 8,
        "rc8": lambda i, n: n,
        "ecl": max,
        "ecr": min,
        "rc16": lambda i, n: 2 * (n & 1) + (i & 1),
    }

    def permute(a: int, b: int, s: int) -> int:
        both, result = a | b << 32, 0
        for i in range(4):
            n = s >> (4 * i) & 15
            byte = both >> (8 * (n & 7)) & 255
            result |= ((255 if byte >> 7 else 0) if n & 8 else byte) << (8 * i)
        return result

    same("prmt", "b32", permute, [a, b, selector])
    for mode, place in order.items():
        same(
            f"prmt.{mode}",
            "b32",
            lambda a, b, s, place=place: sum(
                ((a | b << 32) >> (8 * place(i, s & 3)) & 255) << (8 * i) for i in range(4)
            ),
            [a, b, selector],
        )
    for table in (0x80, 0xE8, 0x96, 0x1F):
        got = integer("lop3", "b32")(a, b, selector, np.array([[table]], np.uint32))[0].tolist()
        assert got == [
            sum((table >> ((x >> i & 1) * 4 + (y >> i & 1) * 2 + (z >> i & 1)) & 1) << i for i in range(32))
            for x, y, z in zip(a[0].tolist(), b[0].tolist(), selector[0].tolist(), strict=True)
        ]


def test_funnel_shifts_and_masks() -> None:
    low, high, amount = draw(32, 1), draw(32, 2), draw(32, 3) % np.uint32(70)
    for mode, limit in (("wrap", lambda n: n & 31), ("clamp", lambda n: min(n, 32))):
        same(f"shf.l.{mode}", "b32", lambda a, b, n, f=limit: ((b << 32 | a) << f(n)) >> 32, [low, high, amount])
        same(f"shf.r.{mode}", "b32", lambda a, b, n, f=limit: (b << 32 | a) >> f(n), [low, high, amount])
    same("bmsk.clamp", "b32", lambda a, n: ((1 << min(n, 32)) - 1) << a, [amount, amount[:, ::-1].copy()])


def test_dot_products_of_bytes() -> None:
    a, b, c = (draw(32, seed) for seed in (1, 2, 3))
    byte = lambda v, i, sign: signed(v >> (8 * i) & 255, 8) if sign else v >> (8 * i) & 255  # noqa: E731 - one line of the test
    for left in ("s32", "u32"):
        for right in ("s32", "u32"):
            got = integer(f"dp4a.{left}", right)(a, b, c)[0].tolist()
            expected = [
                (z + sum(byte(x, i, left == "s32") * byte(y, i, right == "s32") for i in range(4))) % 2**32
                for x, y, z in zip(a[0].tolist(), b[0].tolist(), c[0].tolist(), strict=True)
            ]
            assert got == expected
