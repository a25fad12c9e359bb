"""Parts of an opcode between its name and its types: rounding, flushing, clamping."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kbtools_plugins.ptx.numerics.modifiers import Modifiers

if TYPE_CHECKING:
    from kbtools_plugins.ptx.decode.builder import Builder

ROUNDING = {"rn", "rz", "rm", "rp", "rna", "rni", "rzi", "rmi", "rpi"}
SWITCHES = {
    "ftz": "ftz",
    "sat": "saturate",
    "satfinite": "satfinite",
    "relu": "relu",
    "NaN": "nan",
    "approx": "approximate",
    "full": "full",
    "xorsign": "xorsign",
}
WITHOUT_MEANING = {"noftz", "abs"}
"""`abs` stands behind `xorsign` only."""


def modifiers(builder: Builder, parts: tuple[str, ...]) -> Modifiers:
    """The modifiers in these parts; Unsupported for a part that is none."""
    found: dict[str, bool] = {}
    rounding = ""
    for part in parts:
        if part in ROUNDING and not rounding:
            rounding = part
        elif part in SWITCHES and SWITCHES[part] not in found:
            found[SWITCHES[part]] = True
        elif part not in WITHOUT_MEANING:
            raise builder.unsupported()
    return Modifiers(rounding=rounding, **found)
