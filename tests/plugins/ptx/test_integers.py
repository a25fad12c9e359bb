"""Integer instructions, run on the machine and held against Python's whole numbers."""

from collections.abc import Callable

import numpy as np
import pytest

from tests.plugins.ptx.single import run

WIDTHS = (16, 32, 64)
Number = Callable[..., int]


def draw(width: int, seed: int, count: int = 512) -> np.ndarray:
    """Any bits, small numbers and the ends."""
    generator = np.random.default_rng(seed)
    bits = generator.integers(0, 1 << width, count, dtype=np.uint64) >> generator.integers(0, width, count).astype(
        np.uint64
    )
    ends = [0, 1, (1 << width) - 1, 1 << (width - 1), (1 << (width - 1)) - 1]
    bits[: 3 * len(ends)] = np.roll(np.array(ends * 3, np.uint64), seed)
    return bits.astype(f"uint{width}")


def signed(value: int, width: int) -> int:
    return value - (1 << width) if value >> (width - 1) else value


def wrong(opcode: str, truth: Number, operands: list[np.ndarray], out: int = 0, *constants: str) -> list[list[int]]:
    """Operands for which the instruction does not give, modulo its width, what whole numbers give."""
    kind = opcode.rpartition(".")[2]
    width = out or int(kind[1:])
    got = run(opcode, operands, width, *constants)
    found = []
    for *values, result in zip(*(bits.tolist() for bits in operands), got.tolist(), strict=True):
        if kind[0] == "s":
            values = [signed(value, 8 * bits.itemsize) for value, bits in zip(values, operands, strict=True)]
        if result != truth(*values) & ((1 << width) - 1):
            found.append(values)
    return found


def quotient(a: int, b: int) -> int:
    return 0 if b == 0 else abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("sign", "us")
def test_arithmetic_is_that_of_whole_numbers(width: int, sign: str) -> None:
    kind = f"{sign}{width}"
    a, b, c = (draw(width, seed) for seed in range(3))
    assert not wrong(f"add.{kind}", lambda a, b: a + b, [a, b])
    assert not wrong(f"sub.{kind}", lambda a, b: a - b, [a, b])
    assert not wrong(f"mul.lo.{kind}", lambda a, b: a * b, [a, b])
    assert not wrong(f"mul.hi.{kind}", lambda a, b: (a * b) >> width, [a, b])
    assert not wrong(f"mad.lo.{kind}", lambda a, b, c: a * b + c, [a, b, c])
    assert not wrong(f"mad.hi.{kind}", lambda a, b, c: ((a * b) >> width) + c, [a, b, c])
    assert not wrong(f"min.{kind}", min, [a, b])
    assert not wrong(f"max.{kind}", max, [a, b])
    assert not wrong(f"sad.{kind}", lambda a, b, c: c + abs(a - b), [a, b, c])
    assert not wrong(f"neg.{kind}", lambda a: -a, [a])
    assert not wrong(f"not.{kind}", lambda a: ~a, [a])
    divisor = np.where(b == 0, b.dtype.type(3), b)
    assert not wrong(f"div.{kind}", quotient, [a, divisor])
    assert not wrong(f"rem.{kind}", lambda a, b: a - quotient(a, b) * b, [a, divisor])
    if sign == "s":
        assert not wrong(f"abs.{kind}", abs, [a])
    if width < 64:
        assert not wrong(f"mul.wide.{kind}", lambda a, b: a * b, [a, b], 2 * width)


def test_sums_of_32_signed_bits_saturate() -> None:
    a, b = draw(32, 1), draw(32, 2)

    def clamped(value: int) -> int:
        return max(-(2**31), min(2**31 - 1, value))

    assert not wrong("add.sat.s32", lambda a, b: clamped(a + b), [a, b])
    assert not wrong("sub.sat.s32", lambda a, b: clamped(a - b), [a, b])
    assert not wrong("mad.hi.sat.s32", lambda a, b, c: clamped(((a * b) >> 32) + c), [a, b, draw(32, 3)])


@pytest.mark.parametrize("sign", "us")
def test_multiplication_of_24_bits(sign: str) -> None:
    kind = f"{sign}32"
    a, b, c = (draw(32, seed) for seed in range(3))

    def cut(value: int) -> int:
        return signed(value & 0xFFFFFF, 24) if sign == "s" else value & 0xFFFFFF

    assert not wrong(f"mul24.lo.{kind}", lambda a, b: cut(a) * cut(b), [a, b])
    assert not wrong(f"mul24.hi.{kind}", lambda a, b: (cut(a) * cut(b)) >> 16, [a, b])
    assert not wrong(f"mad24.lo.{kind}", lambda a, b, c: cut(a) * cut(b) + c, [a, b, c])


@pytest.mark.parametrize("width", WIDTHS)
def test_shifts_clamp_and_searches_count(width: int) -> None:
    a, amount = draw(width, 1), draw(32, 5) % np.uint32(80)
    assert not wrong(f"shr.u{width}", lambda a, n: a >> n, [a, amount])
    assert not wrong(f"shr.s{width}", lambda a, n: a >> n, [a, amount])
    assert not wrong(f"shl.b{width}", lambda a, n: a << n, [a, amount])
    assert not wrong(f"cnot.b{width}", lambda a: a == 0, [a])
    if width > 16:
        assert not wrong(f"popc.b{width}", lambda a: a.bit_count(), [a], 32)
        assert not wrong(f"clz.b{width}", lambda a: width - a.bit_length(), [a], 32)
        assert not wrong(f"brev.b{width}", lambda a: int(f"{a:0{width}b}"[::-1], 2), [a])
        assert not wrong(f"bfind.u{width}", lambda a: a.bit_length() - 1, [a], 32)
        assert not wrong(f"bfind.s{width}", lambda a: (a if a >= 0 else ~a).bit_length() - 1, [a], 32)
        assert not wrong(f"bfind.shiftamt.u{width}", lambda a: width - a.bit_length() if a else -1, [a], 32)


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

    assert not wrong(f"bfe.u{width}", lambda a, s, n: extract(a, s, n, False), [a, start, length])
    assert not wrong(f"bfe.s{width}", lambda a, s, n: extract(a & ((1 << width) - 1), s, n, True), [a, start, length])
    assert not wrong(f"bfi.b{width}", insert, [a, b, start, length])


PLACES = {
    "f4e": lambda i, n: n + i,
    "b4e": lambda i, n: (n - i) % 8,
    "rc8": lambda i, n: n,
    "ecl": max,
    "ecr": min,
    "rc16": lambda i, n: 2 * (n & 1) + (i & 1),
}
"""Which of eight bytes each mode of `prmt` puts at place i."""


def test_permutations_and_tables_choose_what_the_manual_says() -> None:
    a, b, selector = (draw(32, seed) for seed in (1, 2, 3))

    def permute(a: int, b: int, s: int) -> int:
        both, result = a | b << 32, 0
        for i in range(4):
            n = s >> (4 * i) & 15
            byte = both >> (8 * (n & 7)) & 255
            result |= ((255 if byte >> 7 else 0) if n & 8 else byte) << (8 * i)
        return result

    assert not wrong("prmt.b32", permute, [a, b, selector])
    for mode, place in PLACES.items():
        got = run(f"prmt.b32.{mode}", [a, b, selector], 32).tolist()
        numbers = zip(a.tolist(), b.tolist(), selector.tolist(), strict=True)
        assert got == [
            sum(((x | y << 32) >> (8 * place(i, n & 3)) & 255) << (8 * i) for i in range(4)) for x, y, n in numbers
        ]
    for table in (0x80, 0xE8, 0x96, 0x1F):
        got = run("lop3.b32", [a, b, selector], 32, str(table)).tolist()
        assert got == [
            sum((table >> ((x >> i & 1) * 4 + (y >> i & 1) * 2 + (z >> i & 1)) & 1) << i for i in range(32))
            for x, y, z in zip(a.tolist(), b.tolist(), selector.tolist(), strict=True)
        ]


def test_funnel_shifts_take_32_of_64_bits() -> None:
    low, high, amount = draw(32, 1), draw(32, 2), draw(32, 3) % np.uint32(70)
    for mode, limit in (("wrap", lambda n: n & 31), ("clamp", lambda n: min(n, 32))):
        assert not wrong(
            f"shf.l.{mode}.b32", lambda a, b, n, f=limit: ((b << 32 | a) << f(n)) >> 32, [low, high, amount]
        )
        assert not wrong(f"shf.r.{mode}.b32", lambda a, b, n, f=limit: (b << 32 | a) >> f(n), [low, high, amount])


def test_masks_of_bits() -> None:
    start, length = draw(32, 1) % np.uint32(70), draw(32, 2) % np.uint32(70)
    assert not wrong("bmsk.clamp.b32", lambda a, n: ((1 << min(n, 32)) - 1) << a, [start, length])


def test_dot_products_of_bytes() -> None:
    a, b, c = (draw(32, seed) for seed in (1, 2, 3))
    byte = lambda v, i, sign: signed(v >> (8 * i) & 255, 8) if sign else v >> (8 * i) & 255  # noqa: E731 - one line of the test
    for left in ("s32", "u32"):
        for right in ("s32", "u32"):
            got = run(f"dp4a.{left}.{right}", [a, b, c], 32).tolist()
            expected = [
                (z + sum(byte(x, i, left == "s32") * byte(y, i, right == "s32") for i in range(4))) % 2**32
                for x, y, z in zip(a.tolist(), b.tolist(), c.tolist(), strict=True)
            ]
            assert got == expected
