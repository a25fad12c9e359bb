"""What must be equal wherever rows are worked on: Python, the packages that shape a result, and the plugins."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from kbtools.errors import ConfigError

_PACKAGES = ("kbtools", "datasets", "numpy", "polars", "pyarrow", "pydantic")


class Versions(BaseModel):
    """The versions of one Python environment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str
    python: str
    packages: dict[str, str]
    plugins: dict[str, str]
    """Distributions that have an entry point of the group `kbtools`."""

    def items(self) -> Mapping[str, str]:
        """Everything that is compared, by what people call it."""
        plugins = {f"plugin {name}": version for name, version in self.plugins.items()}
        return {"Python": self.python, **self.packages, **plugins}


def here() -> Versions:
    """The versions of this process; nothing is imported to find them."""
    plugins = [entry.dist for entry in importlib.metadata.entry_points(group="kbtools") if entry.dist]
    return Versions(
        host=platform.node(),
        python=platform.python_version(),
        packages={name: importlib.metadata.version(name) for name in _PACKAGES},
        plugins={dist.name: dist.version for dist in plugins},
    )


def refuse_difference(mine: Versions, theirs: Versions, where: str) -> None:
    """ConfigError that names everything that is not the same there: the rows would depend on who worked on them."""
    ours, others = mine.items(), theirs.items()
    names = [name for name in {**ours, **others} if ours.get(name) != others.get(name)]
    if names:
        both = "; ".join(f"{name} {_said(ours.get(name))} here, {_said(others.get(name))} there" for name in names)
        raise ConfigError(f"{where} has other versions than the driver on {mine.host}: {both}. Install the same.")


def _said(version: str | None) -> str:
    return "not installed" if version is None else version
