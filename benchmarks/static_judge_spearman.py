"""How well the difficulty of the judge `static` agrees with human labels, on rows it was not tuned on.

The 166 rows of TritonBench-T are ordered by sha256 of a fixed salt and the file name; the levels in
`kbtools_plugins.static.difficulty` were tuned on the first 83, the other 83 are the held half. Run it with
`PYTHONPATH=.:plugins python benchmarks/static_judge_spearman.py [DATA_DIR]` (needs scipy); the data are read
from ../shared/data by default. The table is printed and written to benchmarks/results/.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from kbtools_plugins.static import CodeFacts, read_code, score

sys.path.insert(0, str(Path(__file__).parent))
from machine import write

ROOT = Path(__file__).parents[1]
SALT = "kbtools-static-judge"
RESAMPLES = 10_000
SEED = 42
METHOD = (
    "Spearman rank correlation of a score with the human label `difficulty` (1 to 5). "
    f"Halves: rows ordered by sha256('{SALT}:' + file); tuned on the first half, the second half is held. "
    f"Interval: percentile bootstrap over rows, {RESAMPLES} resamples, seed {SEED}. "
    "Rows whose code cannot be read have no score: they are counted as unread and left out, for the "
    "baselines too. `reference` is the column torch_code as it stands; `reference, statements separated` breaks the "
    "line where two statements stand on one. The answers of the two models come from the column predict. "
    "Baselines on the same text: its length in characters, and the number of torch operations in it. "
    "With two texts the judge takes the harder; `reference +` uses the separated reference."
)

Scorer = Callable[[dict[str, str]], float | None]


@dataclass(frozen=True)
class Line:
    """One line of the table: what was scored, on which half, and how it agrees with the labels."""

    what: str
    scorer: str
    half: str
    rows: int
    unreadable: int
    spearman: float
    low: float
    high: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="?", type=Path, default=ROOT.parent / "shared" / "data")
    rows = read_rows(parser.parse_args().data)
    lines = [
        measure(what, scorer, half, rows[half], judge)
        for half in ("tuned", "held")
        for what, scorer, judge in scorers()
    ]
    print(METHOD, end="\n\n")
    print_table(lines)
    write("static_judge_spearman", {"method": METHOD, "lines": [asdict(line) for line in lines]})


def read_rows(data: Path) -> dict[str, list[dict[str, str]]]:
    """The two halves; each row with its label and the texts that are scored."""
    names = ("tritonbench_t", "tritonbench_t_deepseek_r1", "tritonbench_t_gpt4o")
    tasks, deepseek, gpt4o = (
        [json.loads(line) for line in (data / f"{name}.jsonl").read_text().splitlines()] for name in names
    )
    rows = [
        {
            "file": task["file"],
            "label": task["difficulty"],
            "reference": task["torch_code"],
            "reference, statements separated": separated(task["torch_code"]),
            "deepseek_r1 answer": first["predict"],
            "gpt4o answer": second["predict"],
        }
        for task, first, second in zip(tasks, deepseek, gpt4o, strict=True)
    ]
    rows.sort(key=lambda row: hashlib.sha256(f"{SALT}:{row['file']}".encode()).hexdigest())
    half = len(rows) // 2
    return {"tuned": rows[:half], "held": rows[half:]}


def separated(code: str) -> str:
    """`f(x) y = g(x)` on two lines: many references were written as running text."""
    joined = re.sub(r"\n\s*,", ", ", code)
    return re.sub(r"\)\s+(?=\w+ = |torch\.)", ")\n", joined)


def scorers() -> list[tuple[str, str, Scorer]]:
    """(text, name of the score, score); the baselines follow the judge on each text."""
    snippet = "reference, statements separated"
    answers = ("deepseek_r1 answer", "gpt4o answer")
    table: list[tuple[str, str, Scorer]] = []
    for text in ("reference", snippet, *answers):
        table.append((text, "static", judged(None, text) if text in answers else judged(text, None)))
        table.append((text, "length", lambda row, text=text: length(row[text])))
        table.append((text, "torch ops", lambda row, text=text: torch_calls(row[text])))
    table += [(f"reference + {text}", "static", judged(snippet, text)) for text in answers]
    return table


def judged(reference: str | None, answer: str | None) -> Scorer:
    """The judge on the named texts of a row."""
    return lambda row: score(reference and row[reference], answer and row[answer]).difficulty_score


def length(code: str) -> float | None:
    return float(len(code)) if isinstance(read_code(code), CodeFacts) else None


def torch_calls(code: str) -> float | None:
    facts = read_code(code)
    return float(len(facts.ops)) if isinstance(facts, CodeFacts) else None


def measure(what: str, scorer: str, half: str, rows: list[dict[str, str]], judge: Scorer) -> Line:
    scores = [judge(row) for row in rows]
    pairs = np.array(
        [(value, float(row["label"])) for value, row in zip(scores, rows, strict=True) if value is not None]
    )
    rng = np.random.default_rng(SEED)
    draws = (pairs[rng.integers(0, len(pairs), len(pairs))] for _ in range(RESAMPLES))
    low, high = np.percentile([rank_correlation(draw) for draw in draws], [2.5, 97.5])
    figures = [round(float(figure), 3) for figure in (rank_correlation(pairs), low, high)]
    return Line(what, scorer, half, len(pairs), len(rows) - len(pairs), *figures)


def rank_correlation(pairs: np.ndarray) -> float:
    return float(spearmanr(pairs[:, 0], pairs[:, 1]).statistic)


def print_table(lines: list[Line]) -> None:
    print(f"{'half':6} {'scored text':42} {'score':12} {'rows':>5} {'unread':>6} {'Spearman':>9}  95% interval")
    for line in lines:
        counts = f"{line.rows:5} {line.unreadable:6}"
        interval = f"[{line.low:.3f}, {line.high:.3f}]"
        print(f"{line.half:6} {line.what:42} {line.scorer:12} {counts} {line.spearman:9.3f}  {interval}")


if __name__ == "__main__":
    main()
