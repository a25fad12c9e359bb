"""The stage `verify`: the bridge between the columns of a dataset and `pool.verify_all`."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import BaseModel

import kbtools as kb
from kbtools.data import texts
from kbtools.data.new_columns import with_columns
from kbtools.data.table import batches, field_of, on_counts, on_rows, rows_text
from kbtools.data.tasks import defined
from kbtools_plugins.verify.check_options import CheckOptions
from kbtools_plugins.verify.checked import require_machine, verdicts
from kbtools_plugins.verify.reward import check_formula, reward_of

if TYPE_CHECKING:
    from datasets import Dataset, Features
    from pydantic import JsonValue

    from kbtools_plugins.verify.pool import Pair
    from kbtools_plugins.verify.verdict import Verification

_COLUMNS: dict[str, str] = {
    "verdict": "string",
    "tier": "string",
    "max_error": "float64",
    "error": "string",
    "kernels": "string",
    "resources": "string",
    "shape_general": "bool",
    "layout_general": "bool",
    "sizes": "string",
    "torch_share": "float64",
    "untested_share": "float64",
    "in_place": "bool",
    "speedup": "float64",
    **{f"{what}_ms{end}": "float64" for what in ("ref", "kernel") for end in ("", "_low", "_high")},
    "notes": "string",
    "fingerprint": "string",
    "reward": "float64",
}
_BARS = 12
"""Verdicts that a report draws."""


class _VerdictFigures(BaseModel):
    """What facts hold of a check."""

    verdicts: dict[str, int]

    def section(self) -> kb.figures.Section:
        """What a report shows of it."""
        rows = sum(self.verdicts.values())
        most = dict(sorted(self.verdicts.items(), key=lambda item: -item[1])[:_BARS])
        names, counts = tuple(most), tuple(most.values())
        other = len(self.verdicts) - len(most)
        bars = kb.figures.Bars("verdicts", names, counts, rows, 0, other, rows - sum(counts)) if most else None
        at_fault = sum(count for name, count in self.verdicts.items() if name.startswith("reference_"))
        wrong = (f"{rows_text(at_fault)} whose reference fails or is not fit for a check",) if at_fault else ()
        return kb.figures.Section("Verification", charts=(bars,) if bars else (), problems=wrong)


class Verify(CheckOptions, kb.Stage):
    """Check Triton kernels against their references and reward those that are right."""

    name: ClassVar[str] = "verify"
    suffix: ClassVar[str] = "verified"
    scope: ClassVar[kb.stage.Scope] = "row"
    placement: ClassVar[kb.stage.Placement] = "driver"

    strict_fp32: bool = False
    """Refuse what tf32 is too inexact for, though Triton's `tl.dot` computes so by default."""
    strict_fallback: bool = False
    """Leave nothing to torch: even putting partial sums together is a fallback."""
    strict_mutation: bool = False
    """Hold a candidate to updating those inputs in place that its reference updates."""
    candidate: Literal["auto", "completion", "triton_code"] = "auto"
    """Which role holds the candidate; auto takes the completion where there is one."""

    def preflight(self, before: Mapping[str, object]) -> tuple[str, ...]:
        """MissingExtra without torch and triton, ConfigError where a GPU is demanded that is not there."""
        require_machine(self.settings())
        return ()

    def output_features(self, features: Features) -> Features:
        """The input's features and the verdict's columns, which must not be there yet but for `reward`."""
        from datasets import Features as Declared
        from datasets import Value

        schema = kb.Schema(features, self.columns)
        schema.require(schema.find("reference_code"), "text")
        schema.require(schema.find(self._candidate(schema)), "messages")
        if self.reward:
            check_formula(self.reward)
        taken = [name for name in _COLUMNS if name in features and name != "reward"]
        if taken:
            raise kb.errors.SchemaError(
                f"verify would overwrite the columns {', '.join(taken)}; rename or drop them first."
            )
        return Declared({**features, **{name: Value(dtype) for name, dtype in _COLUMNS.items()}})

    @classmethod
    def figures(cls, facts: Mapping[str, JsonValue]) -> kb.figures.Section:
        """How often each verdict was given, and how many references are themselves at fault."""
        return _VerdictFigures.model_validate(facts).section()

    def transform(self, ds: Dataset) -> kb.Result:
        """Check every row's pair and add the verdicts."""
        import pyarrow as pa

        features = self.output_features(ds.features)
        rows = self._rows(ds)
        verdicts = iter(self._verdicts([pair for pair in rows if pair]))
        records = [self._record(next(verdicts)) if pair else _missing() for pair in rows]
        columns = {name: pa.array([record[name] for record in records], features[name].pa_type) for name in _COLUMNS}
        result = with_columns(ds, columns, features, self.fingerprint(ds, _digest(records)))
        counts = dict(Counter(str(record["verdict"]) for record in records).most_common())
        table = kb.Table("verdicts", ("verdict", "rows"), tuple((kind, f"{rows:,}") for kind, rows in counts.items()))
        return kb.Result(result, facts={"verdicts": {**counts}, "passed": counts.get("pass", 0)}, tables=(table,))

    def _candidate(self, schema: kb.Schema) -> str:
        if self.candidate != "auto":
            return self.candidate
        return "completion" if schema.has("completion") else "triton_code"

    def _rows(self, ds: Dataset) -> list[Pair | None]:
        from kbtools_plugins.verify.pool import Pair

        schema = kb.Schema(ds.features, self.columns)
        reference, candidate = schema.find("reference_code"), schema.find(self._candidate(schema))
        entry = next((schema.find(role) for role in ("entry_point", "module_name") if schema.has(role)), None)
        found: list[Pair | None] = []
        silent = on_rows.set(lambda rows: None)
        try:
            for table in batches(ds, [reference, candidate, *([entry] if entry else [])]):
                names = field_of(table, entry).to_pylist() if entry else [None] * table.num_rows
                for code, kernel, name in zip(
                    texts.of_column(table, reference), texts.of_column(table, candidate), names, strict=True
                ):
                    found.append(Pair(code, kernel, defined(code, name)) if code and kernel else None)
        finally:
            on_rows.reset(silent)
        return found

    def _verdicts(self, pairs: list[Pair]) -> list[Verification]:
        one_done, tell, counts = on_rows.get(), on_counts.get(), Counter[str]()

        def report(verdict: Verification) -> None:
            counts[verdict.verdict] += 1
            tell(dict(counts.most_common()))
            one_done(1)

        return verdicts(pairs, self.settings(), self.workers, self.store, report)

    def _record(self, verdict: Verification) -> dict[str, object]:
        values = verdict.model_dump(mode="json")
        reward = reward_of(self.reward, verdict) if self.reward else verdict.reward
        return {
            "verdict": verdict.verdict,
            "tier": verdict.tier,
            "max_error": verdict.max_error,
            "error": verdict.error,
            "kernels": json.dumps(values["kernels"], sort_keys=True),
            "resources": json.dumps(values["resources"]),
            "shape_general": verdict.shape_general,
            "layout_general": verdict.layout_general,
            "sizes": verdict.sizes,
            "torch_share": verdict.torch_share,
            "untested_share": verdict.untested_share,
            "in_place": verdict.in_place,
            "speedup": verdict.speedup,
            **_interval("ref_ms", verdict.ref_ms),
            **_interval("kernel_ms", verdict.kernel_ms),
            "notes": "\n".join(verdict.notes),
            "fingerprint": json.dumps(values["fingerprint"], sort_keys=True),
            "reward": reward,
        }


def _interval(name: str, found: tuple[float, float, float] | None) -> dict[str, float | None]:
    median, low, high = found or (None, None, None)
    return {name: median, f"{name}_low": low, f"{name}_high": high}


def _digest(records: list[dict[str, object]]) -> str:
    return hashlib.sha256(json.dumps(records).encode()).hexdigest()


def _missing() -> dict[str, object]:
    empty: dict[str, object] = dict.fromkeys(_COLUMNS)
    return empty | {
        "verdict": "unsupported:no_code",
        "tier": "static",
        "error": "the row has no reference or no candidate",
        "reward": 0.0,
    }
