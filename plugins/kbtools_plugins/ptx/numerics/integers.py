"""Integer instructions: `integer("mul.hi", "s32")` maps unsigned arrays of the type's width to the result's raw bits.

Names are PTX's, with what changes the operation in the name: `mul.lo`, `mad.wide`, `add.sat`, `bfind.shiftamt`,
`shf.l.wrap`, `prmt.f4e`, `bmsk.clamp`. Carries (`add.cc`) are not values and belong to the machine.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from kbtools_plugins.ptx.bits import SIGNED, WIDTHS, Bits
from kbtools_plugins.ptx.faults import Unsupported
from kbtools_plugins.ptx.numerics import bitfields, products

Operation = Callable[..., Bits]

_SIGNLESS: dict[str, Operation] = {
    "add": np.add,
    "sub": np.subtract,
    "mul.lo": np.multiply,
    "mad.lo": lambda a, b, c: a * b + c,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "not": np.invert,
    "neg": lambda a: np.subtract(a.dtype.type(0), a),
    "cnot": lambda a: (a == 0).astype(a.dtype),
    "popc": lambda a: np.bitwise_count(a).astype(np.uint32),
    "clz": bitfields.leading_zeros,
    "brev": bitfields.reverse,
    "shl": bitfields.shift_left,
    "bfi": bitfields.insert,
    "lop3": bitfields.lookup,
    "prmt": bitfields.permute,
    **{f"prmt.{mode}": partial(bitfields.permute, mode=mode) for mode in bitfields.PERMUTATIONS},
    **{
        f"shf.{way}.{mode}": partial(bitfields.funnel, left=way == "l", wrap=mode == "wrap")
        for way in "lr"
        for mode in ("wrap", "clamp")
    },
    "bmsk.clamp": bitfields.mask,
    "bmsk.wrap": partial(bitfields.mask, wrap=True),
}
"""What does not ask whether the type is signed."""

_SIGNED_OR_NOT: dict[str, Callable[[bool], Operation]] = {
    "mul.hi": lambda signed: partial(products.high, signed=signed),
    "mad.hi": lambda signed: lambda a, b, c: products.high(a, b, signed=signed) + c,
    "mul.wide": lambda signed: partial(products.wide, signed=signed),
    "mad.wide": lambda signed: lambda a, b, c: products.wide(a, b, signed=signed) + c,
    "mul24.lo": lambda signed: partial(products.narrow, signed=signed, high=False),
    "mul24.hi": lambda signed: partial(products.narrow, signed=signed, high=True),
    "mad24.lo": lambda signed: lambda a, b, c: products.narrow(a, b, signed=signed, high=False) + c,
    "mad24.hi": lambda signed: lambda a, b, c: products.narrow(a, b, signed=signed, high=True) + c,
    "div": lambda signed: partial(products.divide, signed=signed),
    "rem": lambda signed: partial(products.remainder, signed=signed),
    "min": lambda signed: lambda a, b: np.minimum(*_as(signed, a, b)).view(a.dtype),
    "max": lambda signed: lambda a, b: np.maximum(*_as(signed, a, b)).view(a.dtype),
    "sad": lambda signed: lambda a, b, c: _difference(signed, a, b) + c,
    "shr": lambda signed: partial(bitfields.shift_right, signed=signed),
    "bfe": lambda signed: partial(bitfields.extract, signed=signed),
    "bfind": lambda signed: partial(bitfields.find, signed=signed, amount=False),
    "bfind.shiftamt": lambda signed: partial(bitfields.find, signed=signed, amount=True),
    "szext.clamp": lambda signed: partial(bitfields.extend, signed=signed, wrap=False),
    "szext.wrap": lambda signed: partial(bitfields.extend, signed=signed, wrap=True),
}

_S32_ONLY: dict[str, Operation] = {
    "add.sat": lambda a, b: _clamped(_wide(a) + _wide(b)),
    "sub.sat": lambda a, b: _clamped(_wide(a) - _wide(b)),
    "mad.hi.sat": lambda a, b, c: _clamped(((_wide(a) * _wide(b)) >> np.int64(32)) + _wide(c)),
}


def integer(operation: str, kind: str) -> Operation:
    """What an integer instruction does; `kind` is "u8" to "u64", "s8" to "s64", "b8" to "b64", "u16x2" or "s16x2"."""
    if kind in ("u16x2", "s16x2"):
        return _halves(integer(operation, kind[:3]))
    if kind not in WIDTHS or kind[0] not in "usb" or kind == "b128":
        raise Unsupported(f"ptx:{operation}.{kind}")
    if operation in _SIGNLESS:
        return _SIGNLESS[operation]
    if operation in _SIGNED_OR_NOT:
        return _SIGNED_OR_NOT[operation](kind[0] == "s")
    if kind == "s32" and operation in _S32_ONLY:
        return _S32_ONLY[operation]
    if kind[0] == "s" and operation == "abs":
        return lambda a: np.abs(_as(True, a)[0]).view(a.dtype)
    if operation.partition(".")[0] in ("dp4a", "dp2a"):
        return products.dot(operation, kind)
    raise Unsupported(f"ptx:{operation}.{kind}")


def _as(signed: bool, *operands: Bits) -> tuple[Bits, ...]:
    if not signed:
        return operands
    return tuple(bits.view(SIGNED[8 * bits.itemsize]) for bits in operands)


def _wide(bits: Bits) -> Bits:
    return bits.view(np.int32).astype(np.int64)


def _clamped(values: Bits) -> Bits:
    return np.clip(values, -(2**31), 2**31 - 1).astype(np.int32).view(np.uint32)


def _difference(signed: bool, left: Bits, right: Bits) -> Bits:
    larger = np.greater(*_as(signed, left, right))
    return np.where(larger, left - right, right - left)


def _halves(operation: Operation) -> Operation:
    def both(*operands: Bits) -> Bits:
        low = operation(*(bits.astype(np.uint16) for bits in operands))
        high = operation(*((bits >> np.uint32(16)).astype(np.uint16) for bits in operands))
        return low.astype(np.uint32) | (high.astype(np.uint32) << np.uint32(16))

    return both
