"""Stages that misbehave in workers: installed by putting a folder on PYTHONPATH, see tests/engines/conftest.py."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import ClassVar

from datasets import Dataset

import kbtools as kb
from kbtools.data.table import map_batches, row_name


class Step(kb.Stage):
    """Row by row, with a line in a file for each part of the rows."""

    name: ClassVar[str] = "step"
    scope: ClassVar[kb.stage.Scope] = "row"

    log: str
    """File that gets the lines."""

    def transform(self, ds: Dataset) -> kb.Result:
        """The rows as they are."""
        with Path(self.log).open("a") as log:
            log.write(f"{os.getpid()} {ds.num_rows} {ds[0]['n'] if ds.num_rows else None}\n")
        self.act(ds)
        return kb.Result(map_batches(ds, lambda table: table, features=ds.features, fingerprint=self.fingerprint(ds)))

    def act(self, ds: Dataset) -> None:
        """Nothing."""


class Slow(Step):
    """Takes a while over every part, and prints."""

    name: ClassVar[str] = "slow"

    seconds: float = 0.5
    """How long."""

    def act(self, ds: Dataset) -> None:
        """Print and wait."""
        sys.stdout.write("what a stage prints is not an answer\n")
        sys.stdout.flush()
        time.sleep(self.seconds)


class Deadly(Step):
    """Kills its process over the part with one row."""

    name: ClassVar[str] = "deadly"

    row: int
    """The row."""
    times: int = 1
    """How often."""

    def act(self, ds: Dataset) -> None:
        """SIGKILL."""
        deaths = Path(f"{self.log}.deaths")
        before = int(deaths.read_text()) if deaths.exists() else 0
        if self.row in ds["n"] and before < self.times:
            deaths.write_text(str(before + 1))
            os.kill(os.getpid(), signal.SIGKILL)


class Picky(Step):
    """Fails over rows, the later ones sooner."""

    name: ClassVar[str] = "picky"

    rows: tuple[int, ...]
    """The rows."""

    def act(self, ds: Dataset) -> None:
        """Name the row that it does not like."""
        for row in self.rows:
            if row in ds["n"]:
                time.sleep(1.0 / (1 + row))
                raise kb.errors.RowError(f"does not like {row_name(ds, list(ds['n']).index(row))}")


class Broken(Step):
    """Has a defect."""

    name: ClassVar[str] = "broken"

    def act(self, ds: Dataset) -> None:
        """Divide by zero."""
        _ = 1 / 0


class Telling(Step):
    """Gives a fact and does not say how facts of parts are joined."""

    name: ClassVar[str] = "telling"

    def transform(self, ds: Dataset) -> kb.Result:
        """The rows as they are."""
        return kb.Result(ds, facts={"rows": ds.num_rows})


@kb.hookimpl
def register_stages() -> list[type[kb.Stage]]:
    """All of them."""
    return [Step, Slow, Deadly, Picky, Broken, Telling]
