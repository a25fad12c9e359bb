"""The hits of a whole dataset: which row holds which problem, and the figures and pairs that people read."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import BaseModel, JsonValue

import kbtools as kb
from kbtools.data.table import batches, field_of, row_name, rows_text, tables
from kbtools.figures import CodeExcerpt, CodePair
from kbtools.wording import counted
from kbtools_plugins.leaks.contamination import codes, computing, tracing
from kbtools_plugins.leaks.contamination.matching import Hit, Index, Kind, Sighting
from kbtools_plugins.leaks.contamination.sources import EvaluationSet
from kbtools_plugins.leaks.contamination.tracing import Ran
from kbtools_plugins.leaks.distinct import digest_of

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset

_PAIRS, _PROBLEMS, _NAMED = 8, 20, 3
_ROWS = 500
_RUNS: dict[Kind, Callable[[Sequence[str], Mapping[bytes, str], int], Ran]] = {
    "trace": tracing.compare,
    "computation": computing.compare,
}
_WHY_SILENT: dict[Kind, str] = {
    "trace": "could not be run on tensors without data, so they have no trace",
    "computation": "could not be run, or gave results that hang on chance, so they were not compared by computation",
}


@dataclass(frozen=True)
class RowHit(Hit):
    """A hit and the code of the row that it is of."""

    role: str
    code: bytes
    """Digest of the code."""


class HitFigures(BaseModel):
    """What facts hold of hits."""

    hits: dict[str, dict[str, int]]
    problems: dict[str, int] = {}
    left: int = 0
    """Rows that hold a problem and were not dropped."""

    def table(self) -> kb.Table:
        """Hits by set and kind."""
        rows = [(name, kind, f"{count:,}") for name, counts in self.hits.items() for kind, count in counts.items()]
        return kb.Table("rows that hold a problem", ("evaluation set", "how", "rows"), tuple(rows))

    def section(self) -> kb.figures.Section:
        """What a report shows: the hits, and which problems they are."""
        found = tuple((name, f"{count:,}") for name, count in self.problems.items())
        problems = kb.Table("problems that most rows hold", ("problem", "rows"), found)
        tables = (self.table(), problems) if found else (self.table(),)
        wrong = (f"{rows_text(self.left)} that may hold a problem of an evaluation set",) if self.left else ()
        return kb.figures.Section("Contamination", tables=tables, problems=wrong)


@dataclass(frozen=True)
class Hits:
    """The surest hit of each row that has one."""

    sets: Sequence[EvaluationSet]
    places: Mapping[str, str]
    index: Index
    by_row: Mapping[int, RowHit]
    unparsed: int
    """Different codes of rows that do not parse."""
    ran: Mapping[Kind, Ran] = field(default_factory=dict)
    """What was found by running codes."""

    @classmethod
    def of(
        cls, sets: Sequence[EvaluationSet], ds: Dataset, places: Mapping[str, str], kinds: Sequence[Kind],
        runs: Sequence[Kind], workers: int,
    ) -> Hits:  # fmt: skip
        """Look at every code, then give each row the surest of its hits; `runs` are kinds for which codes are run."""
        index = Index([problem for one in sets for problem in one.problems])
        seen: dict[bytes, Sighting] = {}
        unparsed = 0
        found: list[tuple[int, str, bytes]] = []
        references: dict[bytes, str] = {}
        for row, role, text in _codes(batches(ds, list(places.values()), rows=_ROWS), places):
            digest = digest_of(text)
            if digest not in seen:
                code = codes.read_code(text)
                seen[digest] = index.look(code)
                unparsed += not code.parsed
            if runs and role == "reference_code":
                references[digest] = text
            found.append((row, role, digest))
        verdicts = {digest: index.verdict(sighting) for digest, sighting in seen.items()}
        ran = {kind: _run(kind, index, references, verdicts, workers) for kind in runs}
        return cls(sets, places, index, _surest(found, verdicts, kinds), unparsed, ran)

    def certain(self) -> list[int]:
        """Rows that hold a problem, and are not only similar to one."""
        return sorted(row for row, hit in self.by_row.items() if hit.certain)

    def title(self, hit: Hit) -> str:
        """Set and name of the problem."""
        return self.index.problems[hit.problem].title

    def digest(self) -> str:
        """Stands for everything that was found."""
        found = [[row, self.title(hit), hit.kind, hit.score, hit.role] for row, hit in sorted(self.by_row.items())]
        return hashlib.sha256(json.dumps(found).encode()).hexdigest()

    def facts(self, ds: Dataset, columns: dict[str, str]) -> dict[str, JsonValue]:
        """Figures for the record: by set and kind, by problem, and pairs to look at."""
        problems = Counter(self.title(hit) for hit in self.by_row.values())
        return {
            "against": {one.name: {"problems": len(one.problems), "pinned": one.pinned} for one in self.sets},
            "hits": {name: dict(counts) for name, counts in self._counts().items()},
            "problems": dict(problems.most_common(_PROBLEMS)),
            "unparsed": self.unparsed,
            "code_pairs": [pair.model_dump(mode="json") for pair in self._pairs(ds, columns)],
        }

    def table(self) -> kb.Table:
        """Hits by set and kind."""
        return HitFigures(hits={name: dict(counts) for name, counts in self._counts().items()}).table()

    def notes(self) -> Iterator[str]:
        """What could not be compared as code."""
        if self.unparsed:
            yield f"codes of rows that do not parse and are compared by their words and signs: {self.unparsed}."
        yield from self._silent()
        broken = [
            problem.title for problem, code in zip(self.index.problems, self.index.read, strict=True) if not code.parsed
        ]
        if broken:
            named = ", ".join(broken[:_NAMED])
            yield f"problems that do not parse and are found only by their words and signs: {len(broken)} ({named})."

    def _silent(self) -> Iterator[str]:
        """What could not be run."""
        for kind, ran in self.ran.items():
            if ran.silent_problems or ran.silent_codes:
                yield (
                    f"{_WHY_SILENT[kind]}: {counted(ran.silent_problems, 'problem')}, "
                    f"{counted(ran.silent_codes, 'code')} of rows."
                )

    def _counts(self) -> dict[str, Counter[str]]:
        counts: dict[str, Counter[str]] = {one.name: Counter() for one in self.sets}
        for hit in self.by_row.values():
            counts[self.index.problems[hit.problem].source][hit.kind] += 1
        return counts

    def _pairs(self, ds: Dataset, columns: dict[str, str]) -> Iterator[CodePair]:
        """Of different problems the least sure hits, each beside the problem."""
        doubtful = sorted(self.by_row.items(), key=lambda item: item[1].order, reverse=True)
        first = {hit.problem: (row, hit) for row, hit in reversed(doubtful)}
        ordered = sorted(first.values(), key=lambda item: item[1].order, reverse=True)
        for row, hit in ordered[:_PAIRS]:
            problem = self.index.problems[hit.problem]
            name = f"{row_name(ds, row, columns)}, {hit.role}"
            left = CodeExcerpt.of(name, self._text(ds, row, hit))
            yield CodePair(left=left, right=CodeExcerpt.of(problem.title, problem.code), kind=hit.kind, score=hit.score)

    def _text(self, ds: Dataset, row: int, hit: RowHit) -> str:
        found = _codes(tables(ds.select([row]), list(self.places.values()), 1), self.places)
        return next(text for _, _, text in found if digest_of(text) == hit.code)


def _run(
    kind: Kind, index: Index, references: Mapping[bytes, str], verdicts: dict[bytes, Hit | None], workers: int
) -> Ran:
    """Run the reference codes that have no certain hit yet, and add what is found to the verdicts."""
    open_ones = {
        digest: text for digest, text in references.items() if (hit := verdicts[digest]) is None or not hit.certain
    }
    found = _RUNS[kind]([problem.code for problem in index.problems], open_ones, workers)
    verdicts.update({digest: Hit(number, kind, 1.0) for digest, number in found.found.items()})
    return found


def _codes(found: Iterator[pa.Table], places: Mapping[str, str]) -> Iterator[tuple[int, str, str]]:
    """(row, role, text) of every code of every row."""
    before = 0
    for table in found:
        for role, path in places.items():
            for place, cell in enumerate(field_of(table, path).to_pylist()):
                yield from ((before + place, role, text) for text in codes.blocks(role, cell) if text.strip())
        before += table.num_rows


def _surest(
    found: Sequence[tuple[int, str, bytes]], verdicts: Mapping[bytes, Hit | None], kinds: Sequence[Kind]
) -> dict[int, RowHit]:
    best: dict[int, RowHit] = {}
    for row, role, digest in found:
        hit = verdicts[digest]
        if hit and hit.kind in kinds and (row not in best or hit.order < best[row].order):
            best[row] = RowHit(hit.problem, hit.kind, hit.score, role, digest)
    return best
