"""Datasets for reports: a plain one with verdicts, and one whose every text attacks the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets

from kbtools.lineage import Lineage, StageRecord
from kbtools.report import page
from tests.rows import evals_row, made_of

NAMES = ("Gelu", "Swish", "Softmax", "Conv", "Mish")
REWARDS = (0.0, 0.5, 0.91, 1.25, 2.0)
ANSWER = "<think>\nlong thoughts\n</think>\n<answer>\n```python\nimport triton  # row {n}\n```\n</answer>"


def judged(rows: int = 120) -> datasets.Dataset:
    """Rows of the evals layout with a judge's columns; every seventh has no reward."""
    found = [_judged_row(n) for n in range(rows)]
    return made_of(found)


def _judged_row(n: int) -> dict[str, Any]:
    reward = None if n % 7 == 6 else REWARDS[n % 5]
    row = evals_row(n, NAMES[n % 5], reward, content=ANSWER.format(n=n))
    verdict = {"difficulty": ("low", "medium", "high")[n % 3], "style": float(n % 11), "evaluation_raw": f"reasons {n}"}
    return {**row, **verdict}


def analysed(folder: Path) -> tuple[datasets.Dataset, Lineage]:
    """Judged rows that went through `lengths` and `agreement`, with their lineage; some failed on the way."""
    import kbtools as kb

    rows = judged().add_column("gold_difficulty", [("low", "medium", "high")[n * n % 3] for n in range(120)])
    template = folder / "template.jinja"
    template.write_text("{% for m in messages %}{{ m.content }}{% endfor %}")
    tokenizer = words_tokenizer(folder / "tokenizer.json")
    lengths = kb.Lengths(tokenizer=str(tokenizer), chat_template=str(template), fast=False)
    agreement = kb.Agreement(between=("difficulty", "gold_difficulty"), by="task", resamples=20)
    done = kb.apply(rows, lengths, agreement)
    return done, kb.lineage.of(done)


def words_tokenizer(file: Path) -> Path:
    """A tokenizer for which every word is a token."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(file))
    return file


ATTACKS = (
    "</script><script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "\"><svg onload=document.title='owned'>",
    "<!-- <script>",
    "{{ 7 * 7 }} ${7 * 7} javascript:alert(1)",
    "\u202egnp.exe\u2066 \u200b\ufeff right to left and hidden",
    "line one\x00\x1b[31m\r\nline two",
    "]]>&lt;b&gt;&amp;",
)


def hostile() -> datasets.Dataset:
    """Every name, id, label and text is an attack; one row has a line of 300,000 characters."""
    return datasets.Dataset.from_list([_hostile_row(n, attack) for n, attack in enumerate(ATTACKS)])


def _hostile_row(n: int, attack: str) -> dict[str, Any]:
    long = "x = '" + "A" * 300_000 + "'" if n == 0 else ""
    return {
        "id": f"{n}{attack}".replace("\n", ""),
        "module_name": attack.replace("\n", ""),
        "python_code": f"# {attack}\n{long}\nclass A: '{attack}'",
        "triton_code": f"'''{attack}",
        "completion": [{"role": attack, "content": attack}, {"role": "assistant", "content": attack * 2}],
        "prompt": attack,
        "evaluation_raw": attack,
        "difficulty": attack.replace("\n", "") if n % 2 else "low",
        "<img src=x onerror=alert(1)>": attack.replace("\n", ""),
        "reward": float(n),
        "nested": {"</title><script>": [attack], "deep": {"<b>": attack}},
        "\u202ename": n,
    }


def hostile_lineage() -> Lineage:
    """A lineage whose every text is an attack."""
    bad = ATTACKS[0]
    record = StageRecord(
        stage=bad,
        distribution=bad,
        version=bad,
        rows_in=10,
        rows_out=8,
        dropped={bad: 2},
        failed={bad: 1},
        notes=(bad,),
    )
    return Lineage(stages=({"stage": bad, bad: bad},), records=(record,), versions={bad: bad})


def report_file(data: Any, folder: Path, lineage: Lineage | None = None, title: str = "Test") -> Path:
    """The report of a dataset as a file."""
    target = folder / "report.html"
    page.write(page.make(data, lineage or Lineage(), page.ReportOptions(title, {}, resamples=20)), target)
    return target
