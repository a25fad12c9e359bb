"""Every stage and judge that is installed with kbtools: its row in the lineage table and its part of the card.

The names come from the registry, so that a stage without a case here fails.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import datasets
import pytest

import kbtools as kb
from kbtools import lineage, pipeline
from kbtools.card import Card, document
from kbtools.card.facts import gather
from kbtools.card.metadata import SplitSize
from kbtools.data.labels import LabelQuestion, keys, opened
from kbtools.plugins import registry
from tests import chat
from tests.rows import KERNELBOOK

MODULE = "import torch\n\nclass Net(torch.nn.Module):\n    def forward(self, x):\n        return x * 2\n"
Data = datasets.Dataset


def rollouts(rows: int = 12) -> Data:
    """The first rows of the embedded sample."""
    return kb.load("sample", limit=rows)


def modules() -> Data:
    """A row in the layout of KernelBook."""
    row = {"uuid": 7, "entry_point": "Net", "python_code": MODULE, "triton_code": "t", "module_name": "Net"}
    return Data.from_list([row, {**row, "uuid": 8}], features=KERNELBOOK)


def rated() -> Data:
    """Rollouts that two raters have labelled."""
    labels = {"a": ["low", "high", "medium"] * 4, "b": ["low", "high", "low"] * 4}
    return rollouts().add_column("a", labels["a"]).add_column("b", labels["b"])


def labelled() -> Data:
    """Rollouts whose labels are in a file beside them."""
    question = LabelQuestion(column="difficulty", values=("low", "high"), shown=("info.python_code",))
    with opened(Path("mine.labels.jsonl"), question) as file:
        file.add(keys(rollouts(), question.shown)[0], "row 0", "low")
    return rollouts()


def raw_rollouts() -> Data:
    """Rows as vf-eval writes them."""
    message = {"role": "assistant", "reasoning_content": "hm"}
    row = {
        "example_id": 3,
        "prompt": [{"role": "user", "content": "Write NetNew."}],
        "completion": [{"role": "assistant", "content": "<answer>x</answer>"}],
        "answer": "t",
        "task": "kernelbook",
        "info": {"module_name": "Net", "python_code": MODULE, "triton_code": "t"},
        "reward": 1.5,
        "error": None,
        "generation_ms": 1.0,
        "scoring_ms": 1.0,
        "total_ms": 2.0,
        "speedup_reward": 1.5,
        "num_turns": 1.0,
        "trajectory": [{"response": {"choices": [{"message": message}]}}],
    }
    Path("results.jsonl").write_text(json.dumps(row) + "\n")
    return kb.load("results.jsonl")


@dataclass(frozen=True)
class Case:
    """Rows for a stage, and how it is configured; `reply` is what the model answers."""

    rows: Callable[[], Data]
    fields: dict[str, Any] = field(default_factory=dict)
    reply: str = ""


VERDICT = json.dumps({"difficulty_reason": "short", "difficulty": "low"})
CASES = {
    "add-labels": Case(labelled, {"labels": "mine.labels.jsonl"}),
    "agreement": Case(rated, {"between": ("a", "b"), "resamples": 30}),
    "compare": Case(rated, {"first": "a", "second": "b"}, json.dumps({"reason": "r", "better": "equal"})),
    "convert-rollouts": Case(raw_rollouts),
    "correlate": Case(rated, {"between": ("a", "b"), "resamples": 30}),
    "decontaminate": Case(rollouts, {"against": ("sample",), "level": "exact", "action": "mark"}),
    "dedup": Case(rollouts, {"key": ("module_name",), "by": "reward"}),
    "explode-turns": Case(rollouts),
    "filter": Case(lambda: rollouts(80), {"where": "reward > 0.85"}),
    "generate-prompts": Case(modules, reply="Write a Triton kernel for class NetNew."),
    "near-dedup": Case(rollouts, {"threshold": 0.6}),
    "lengths": Case(rollouts, {"tokenizer": "tokenizer", "fast": False}),
    "pass-rate": Case(rollouts),
    "sample": Case(rollouts, {"first": 4}),
    "select": Case(rollouts),
    "split": Case(rollouts, {"validation": 0.25}),
    "stats": Case(lambda: rated().select_columns(["reward", "a"])),
    "strip-reasoning": Case(rollouts),
    "synthesize": Case(modules, reply="<answer>\nx = 1\n</answer>"),
    "to-messages": Case(rollouts),
    "to-preferences": Case(lambda: rollouts(80)),
    "to-prompt-completion": Case(rollouts),
    "to-repair": Case(lambda: rollouts(80)),
    "to-tasks": Case(rollouts),
    "verify": Case(lambda: rollouts(2), {"workers": 1, "store": "verdicts.sqlite"}),
    "judge static": Case(rollouts),
    "judge model": Case(rollouts, reply=VERDICT),
    "judge panel": Case(rollouts, reply=VERDICT),
}


def names() -> list[str]:
    """The stages and judges of kbtools itself that make rows; a push makes none and is told of by its output."""
    known = registry()
    own = next(plugin for plugin in known.plugins if plugin.origin.distribution == "kbtools")
    stages = [offer.get() for offer in own.stages]
    names = sorted(cls.name for cls in stages if cls.makes_rows and not cls.chooses_by)
    return names + [f"judge {judge.name}" for judge in own.judges]


def made(name: str, case: Case, model: str) -> pipeline.ChainResult:
    """The run of one stage over its rows."""
    stage, _, judge = name.partition(" ")
    fields = {**case.fields, **({"judge": judge} if judge else {})}
    if case.reply:
        models = {"models": (f"{model}-a", f"{model}-b")}
        fields |= models if judge == "panel" else {"model": model}
    return pipeline.run(case.rows(), [pipeline.make(stage, fields, where=name)])


def stable(found: lineage.Lineage) -> lineage.Lineage:
    """The lineage without what changes from run to run: ports, versions, times."""
    text = re.sub(r"http://127\.0\.0\.1:\d+", "http://server", found.embedded())
    same = lineage.Lineage.model_validate_json(text)
    records = tuple(record.model_copy(update={"version": "1"}) for record in same.records)
    return same.model_copy(update={"records": records, "versions": {"kbtools": "1"}})


def card_of(data: Data | datasets.DatasetDict, how: lineage.Lineage) -> str:
    """How the rows were made, as the card says it."""
    splits = dict(data) if isinstance(data, dict) else {"train": data}
    card = Card(
        repo="me/x",
        config="default",
        facts=gather(splits, ()),
        lineage=how,
        files={name: [] for name in splits},
        sizes={name: SplitSize(1, 1, 1) for name in splits},
        lineage_file="kbtools-lineage.json",
        license="mit",
    )
    text = document.section(card)
    return text[text.index("### How they were made") : text.index("### Licence")]


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n == "verify" else n for n in names()])
def test_stage_has_its_row(name, model_server, cli, tmp_path, file_regression):
    """What it was told, rows in and out, why rows were left out, prompts, model, and what it reported."""
    assert name in CASES, f"give the stage {name!r} a case in {Path(__file__).name}"
    chat.folder(tmp_path / "tokenizer")
    _, model = model_server(reply=lambda body: CASES[name].reply)
    done = made(name, CASES[name], model)
    how = stable(lineage.of(done.dataset))
    path = tmp_path / "lineage.json"
    path.write_text(how.model_dump_json())
    shown = cli("lineage", path)
    assert shown.code == 0, shown.err
    assert [record.stage for record in how.records] == [name.split()[0]]
    table = shown.out[shown.out.index("┏") :]
    file_regression.check(f"{table}\n{card_of(done.dataset, how)}", extension=".md", basename=name.replace(" ", "-"))


def test_no_case_is_left_over():
    """A stage that was renamed or removed takes its case with it."""
    assert sorted(CASES) == sorted(names())
