"""The page: template, style, script, figures and packed rows put together into one file that needs no other.

The content security policy names the digests of the style and of the one script, so that nothing else on the page can
run or load, whatever a dataset holds; every text passes through escaping, and `text.visible`.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FunctionLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from kbtools.data.io import own_files
from kbtools.data.io import save as saving
from kbtools.data.table import rows_text
from kbtools.lineage import Lineage
from kbtools.report import code_pairs, headline, stage_figures, summary, svg
from kbtools.report.charts import Drawing, Funnel
from kbtools.report.columns import Column, Labels, label_column, missing, small_columns
from kbtools.report.packing import Packed, SpecialColumns, pack, place
from kbtools.report.text import number
from kbtools.wording import visible

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

SCRIPTS = ("dom.js", "rows.js", "filters.js", "highlight.js", "marks.js", "table.js", "detail.js", "page.js")
MOST_BYTES = 50_000_000
"""Size above which a report says that it is large."""
_SPLIT = "split"
_TABLE_COLUMNS = 8
"""Columns that the table of rows shows at first."""


@dataclass(frozen=True)
class ReportOptions:
    """How a report is made."""

    title: str
    columns: Mapping[str, str]
    """Columns of the roles that the layout does not say."""
    resamples: int = 200
    """Bootstrap samples for the intervals of what is measured now."""


@dataclass(frozen=True)
class Report:
    """Everything that the page says."""

    options: ReportOptions
    lineage: Lineage
    splits: Mapping[str, Dataset]
    columns: Sequence[Column]
    places: SpecialColumns
    key: str
    """Column that names the rows: the row's id where every row has its own."""
    packed: Packed
    findings: Sequence[stage_figures.StageSection]
    """What stages found, a section each."""

    @property
    def rows(self) -> int:
        """Rows of all splits."""
        return sum(ds.num_rows for ds in self.splits.values())

    def charts(self) -> dict[str, list[Drawing]]:
        """The figures by section."""
        funnel = summary.funnel(self.lineage)
        return {
            "pipeline": [funnel] if funnel else [],
            "distributions": [*summary.distributions(self.columns, self.packed.tally, self.key)],
            **{found.slug: [*found.section.charts] for found in self.findings if found.section},
        }

    def seen(self) -> headline.Seen:
        """What the headline is made of: repeats and faults are looked for here."""
        return headline.Seen(
            self.splits,
            self.lineage,
            self.columns,
            self.places,
            self.key,
            self.packed.tally,
            self.findings,
            summary.shared_values(self.splits, self.places),
            summary.faults(self.splits, self.places, self.packed.tally),
            summary.recorded_faults(self.lineage),
        )


def make(data: Dataset | DatasetDict, lineage: Lineage, options: ReportOptions) -> Report:
    """Look at the rows and pack them."""
    splits: Mapping[str, Dataset] = data if isinstance(data, dict) else {"": data}
    first = next(iter(splits.values()))
    places = SpecialColumns.of(first.features, options.columns)
    columns = _columns(splits, places)
    key = _key(first, columns, options.columns)
    shown = [found.path for found in columns if found.distinct > 1 and found.path != key][:_TABLE_COLUMNS]
    return Report(
        options,
        lineage,
        splits,
        columns,
        places,
        key,
        pack(list(splits.values()), columns, shown, places, key),
        _findings(data, lineage, columns, options),
    )


def _columns(splits: Mapping[str, Dataset], places: SpecialColumns) -> list[Column]:
    """The small columns over all splits, and the split's name where there are several."""
    import datasets

    parts = list(splits.values())
    together = parts[0] if len(parts) == 1 else datasets.concatenate_datasets(parts)
    found = small_columns(together)
    if len(parts) == 1 or _SPLIT in together.features:
        return _ordered(found, places)
    names = [name for name, ds in splits.items() for _ in range(ds.num_rows)]
    return _ordered([label_column(_SPLIT, names), *found], places)


def _ordered(columns: Sequence[Column], places: SpecialColumns) -> list[Column]:
    """The columns as people read them: which module, which split, then what is looked at first."""
    front = [path for path in (places.module, _SPLIT) if path]
    return sorted(
        summary.ranked(columns), key=lambda found: front.index(found.path) if found.path in front else len(front)
    )


def _key(ds: Dataset, columns: Sequence[Column], overrides: Mapping[str, str]) -> str:
    from kbtools.data.columns import Schema

    path = place(Schema(ds.features, overrides), "row_id")
    unique = [
        found.path
        for found in columns
        if found.path == path and not missing(found) and found.distinct == len(_values(found))
    ]
    return unique[0] if unique else ""


def _values(found: Column) -> Any:
    return found.codes if isinstance(found, Labels) else found.values


def _findings(
    data: Dataset | DatasetDict, lineage: Lineage, columns: Sequence[Column], options: ReportOptions
) -> list[stage_figures.StageSection]:
    """What the pipeline measured; correlations, and agreement where columns hold verdicts, are measured now if not."""
    known = {found.stage: found for found in stage_figures.recorded(lineage, data if isinstance(data, dict) else ())}
    common = {"plots": None, "resamples": options.resamples, "columns": dict(options.columns)}
    first = [known.pop("correlate", None) or stage_figures.measured(data, "correlate", **common)]
    between = stage_figures.verdict_columns(columns)
    if "agreement" in known:
        first.append(known.pop("agreement"))
    elif between:
        first.append(stage_figures.measured(data, "agreement", between=between, **common))
    return [*first, *known.values()]


# ---- HTML -----------------------------------------------------------------------------------------------------------


def write(report: Report, path: Path) -> None:
    """Write the page; the file is replaced in one step."""
    style, script = Markup(asset("style.css")), Markup("\n".join(asset(name) for name in SCRIPTS))  # our own files
    charts = report.charts()
    seen = report.seen()
    pieces = _environment().get_template("page.html.j2").generate(
        report=report,
        charts=charts,
        stages=summary.stages(report.lineage),
        paths={found.path for found in report.columns},
        uniform=summary.uniform(report.columns),
        seen=seen,
        headline=headline.of(seen),
        alike=list(code_pairs.recorded(report.lineage)),
        mark=own_files.mark(),
        style=style,
        script=script,
        policy=policy(style, script),
    )  # fmt: skip
    saving.write_text(path, "".join(pieces))


def too_large(report: Report, size: int) -> str | None:
    """What to tell people about a file of so many bytes that mail and viewers refuse; None below 50 MB."""
    if size <= MOST_BYTES:
        return None
    fitting = int(report.rows * MOST_BYTES / size / len(report.splits) * 0.95)
    return (
        f"the report holds all {rows_text(report.rows)} and has {size / 1e6:,.0f} MB: browsers open it, but mail and "
        f"viewers often stop at {MOST_BYTES / 1e6:.0f} MB. About {rows_text(fitting)} of each split would fit "
        f"(--limit {fitting}); long rows are mostly reasoning, which `kbtools apply strip-reasoning` takes out."
    )


def policy(style: str, script: str) -> str:
    """The content security policy: this style and this script, nothing from anywhere, no text ever made markup."""
    return (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def asset(name: str, package: str = "kbtools.report") -> str:
    """A file of a page's own, as the package ships it."""
    return (resources.files(package) / "assets" / name).read_text(encoding="utf-8")


def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(asset),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        finalize=lambda value: visible(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "rows": rows_text,
        "draw": _drawn,
        "caption": svg.caption,
        "number": number,
        "base64": Markup,
    }
    return environment


def _drawn(chart: Drawing) -> Markup:
    return Markup("") if isinstance(chart, Funnel) else svg.draw(chart)
