"""Constants of registers."""

import numpy as np

from kbtools_plugins.ptx.bits import UNSIGNED, WIDTHS, constant


def test_a_constant_is_cut_to_its_register():
    """Negative numbers are two's complement, and the shape is that of a uniform register."""
    assert constant(-1, 32).tolist() == [[0xFFFFFFFF]]
    assert constant(1 << 70 | 5, 64).tolist() == [[5]]
    assert constant(3, 16).dtype == np.uint16


def test_every_type_that_fits_a_register_has_an_array_type():
    """b128 is held in two registers."""
    assert {width for kind, width in WIDTHS.items() if kind != "b128"} == set(UNSIGNED)
