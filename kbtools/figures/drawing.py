"""How figures look, once for all that draw: a colour-blind safe palette, sizes that a paper can take, PNG and SVG.

Figures are made without pyplot, so nothing global is touched; equal figures give equal SVG files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kbtools.data.io import own_files
from kbtools.errors import ConfigError, MissingExtra, reason

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, VERMILION, SKY, PURPLE, GREY = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#56B4E9",
    "#CC79A7",
    "#5A5A5A",
)
"""The colours of Okabe and Ito, which people with any kind of colour vision can tell apart."""
PALETTE = (BLUE, ORANGE, GREEN, VERMILION, SKY, PURPLE, GREY)

_STYLE: dict[Any, object] = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "svg.hashsalt": "kbtools",
}


@contextmanager
def figure(width: float, height: float) -> Iterator[Figure]:
    """A figure of so many inches in the common style; MissingExtra without matplotlib."""
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtra("analysis", "drawing plots") from None
    with matplotlib.rc_context(_STYLE):
        yield Figure(figsize=(width, height), layout="constrained")


def replaced(folder: str | Path, name: str, mark: str, endings: Sequence[str] = ("png", "svg")) -> list[str]:
    """What drawing NAME into a folder will replace, in words; UsageError for files that were not made of the same."""
    paths = [Path(folder).expanduser() / f"{name}.{ending}" for ending in endings]
    return [line for path in paths for line in own_files.check(path, mark, "give another folder with --plots")]


def save(drawn: Figure, folder: str | Path, name: str) -> list[str]:
    """Write NAME.png and NAME.svg into a folder; returns the files. ConfigError, and neither file, where that fails."""
    png, svg = (Path(folder).expanduser() / f"{name}.{ending}" for ending in ("png", "svg"))
    mark = own_files.mark()
    replaced(folder, name, mark)
    try:
        png.parent.mkdir(parents=True, exist_ok=True)
        drawn.savefig(png, metadata={"Source": mark})
        drawn.set_layout_engine(None)  # all has its place now, for which the second file would look anew
        drawn.savefig(svg, metadata={"Date": None, "Source": mark})
    except OSError as error:
        for half in (png, svg):
            if half.is_file():
                half.unlink()
        raise ConfigError(f"the plot {name} could not be written into {folder} ({reason(error)}).") from error
    return [str(png), str(svg)]
