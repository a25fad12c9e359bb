"""What the analysis stages share: they look at all splits together and give the dataset back as it came."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import kbtools as kb
from kbtools.data.io import own_files
from kbtools.figures import drawing

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict


@dataclass(frozen=True)
class Findings:
    """What an analysis found: figures as data, the same as tables, and how to draw them."""

    figures: kb.figures.Facts
    tables: tuple[kb.Table, ...]
    draw: Callable[[str], list[str]]
    """Draws into a folder and returns the files."""
    notes: tuple[str, ...] = ()


class Analysis(kb.Stage):
    """A stage that finds figures and changes nothing."""

    scope: ClassVar[kb.stage.Scope] = "dataset"
    file: ClassVar[str]
    """Name of the plots and of the JSON beside them, without ending."""

    plots: str | None = None
    """Folder for plots as PNG and SVG, and for the figures as JSON; none when empty."""

    def only_reads(self) -> bool:
        """Always."""
        return True

    def preflight(self, before: Mapping[str, object]) -> tuple[str, ...]:
        """Plots of another dataset, and files of somebody else, are not replaced unasked."""
        mark = own_files.mark_of(kb.Recipe.model_validate(before).source)
        return tuple(drawing.replaced(self.plots, self.file, mark, ("png", "svg", "json"))) if self.plots else ()

    @abstractmethod
    def analyse(self, ds: Dataset) -> Findings:
        """What there is to find in one dataset."""

    def transform(self, ds: Dataset) -> kb.Result:
        """Analyse, draw if there is a folder for it, and give the dataset back."""
        found = self.analyse(ds)
        notes = found.notes
        if self.plots:
            notes = (*notes, f"wrote {', '.join(self._write(found, self.plots))}")
        facts = found.figures.model_dump(mode="json")
        return kb.Result(ds, notes=notes, facts=facts, tables=found.tables)

    def transform_splits(self, splits: DatasetDict) -> kb.Result:
        """Analyse all rows of all splits together."""
        import datasets

        together = datasets.concatenate_datasets(list(splits.values()))
        return replace(self.transform(together), dataset=splits)

    def _write(self, found: Findings, folder: str) -> list[str]:
        files = found.draw(folder)
        drawing.replaced(folder, self.file, own_files.mark(), ("json",))
        beside = Path(folder).expanduser() / f"{self.file}.json"
        figures = {"made_from": own_files.mark(), **found.figures.model_dump(mode="json")}
        beside.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        return [*files, str(beside)]
