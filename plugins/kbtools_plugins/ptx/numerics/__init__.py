"""IEEE arithmetic on raw bits, as the PTX manual says it: what one instruction gives for the bits it gets.

Everything is chosen once from names (`arithmetic("add", "f32", Modifiers(rounding="rz"))`), when a kernel is decoded;
what comes back maps raw bits to raw bits, broadcasts, and never writes into its operands. What PTX does not have, or
what is not here, raises `Unsupported`. Registers, memory and control flow are not here. A NaN that comes out is the
canonical one of its format.

    arithmetic(operation, kind, modifiers, seed)    floats and packed floats; with a seed `.approx` results are moved
                                                    within what the manual permits, the same way for the same operands
    comparison(operator, kind, ftz)                 floats
    conversion(target, source, modifiers)           floats and integers of all widths
    integer(operation, kind)                        integers, e.g. integer("mul.hi", "s32")
    matrix_product(a, b, accumulator, saturate)     whole tiles of mma
    permitted_error(operation, kind, modifiers)     how far a device's result may be from the one given here, or None
"""

from kbtools_plugins.ptx.numerics.approximate import permitted_error
from kbtools_plugins.ptx.numerics.arithmetic import arithmetic
from kbtools_plugins.ptx.numerics.comparison import comparison
from kbtools_plugins.ptx.numerics.conversion import conversion
from kbtools_plugins.ptx.numerics.integers import integer
from kbtools_plugins.ptx.numerics.matrix import matrix_product
from kbtools_plugins.ptx.numerics.modifiers import Modifiers
from kbtools_plugins.ptx.numerics.permitted import Permitted

__all__ = [
    "Modifiers",
    "Permitted",
    "arithmetic",
    "comparison",
    "conversion",
    "integer",
    "matrix_product",
    "permitted_error",
]
