"""Pairs of codes that stages found alike, on the page."""

from __future__ import annotations

import json

import datasets

import kbtools as kb
from kbtools import lineage as lineages
from kbtools.lineage import Lineage
from kbtools.report import code_pairs
from tests.report.material import report_file

CODE = "import torch\nclass A(torch.nn.Module):\n    def forward(self, x):\n        x = x * {n}\n        return x + 1\n"


def test_pairs_of_a_stage_are_on_the_page_side_by_side(tmp_path):
    """Both codes, where they are, how alike they are; their text is never markup."""
    rows = {"python_code": [CODE.format(n=1), CODE.format(n=1) + "# </code><b>", CODE.format(n=2)], "reward": [3, 2, 1]}
    out = kb.apply(datasets.Dataset.from_dict(rows), kb.NearDedup(threshold=0.5))
    how = lineages.of(out)
    found = list(code_pairs.recorded(how))
    assert [(one.position, one.stage, len(one.pairs)) for one in found] == [(1, "near-dedup", 2)]
    text = report_file(out, tmp_path, how).read_text(encoding="utf-8")
    assert "By stage 1 (" in text
    assert "row 1</bdi> and <bdi>row 0" in text
    assert "# &lt;/code&gt;&lt;b&gt;" in text


def test_facts_of_another_form_are_left_out():
    """A stage of somebody else may call anything by that name."""
    out = kb.apply(datasets.Dataset.from_dict({"python_code": [CODE], "reward": [1]}), kb.NearDedup())
    how = lineages.of(out)
    (record,) = how.records
    odd = how.model_copy(update={"records": (record.model_copy(update={"facts": {"code_pairs": "many"}}),)})
    assert not list(code_pairs.recorded(odd))
    assert not list(code_pairs.recorded(Lineage(records=())))


def test_leaks_are_on_the_page_with_figures_and_pairs(tmp_path):
    """Near-duplicates, problems of an evaluation set beside the rows that hold them, and what a split leaves."""
    code = CODE.replace("return x + 1", "return torch.tanh(x).sum(0) + 1")
    bench = tmp_path / "bench.jsonl"
    bench.write_text(json.dumps({"name": "Tanh", "code": code.format(n=7).replace("class A", "class B")}) + "\n")
    rows = {
        "module_name": [f"m{n}" for n in range(12)],
        "python_code": [CODE.format(n=n // 2) for n in range(11)] + [code.format(n=7)],
        "reward": [n / 20 for n in range(12)],
    }
    out = kb.apply(
        datasets.Dataset.from_dict(rows),
        kb.NearDedup(action="mark"),
        kb.Decontaminate(against=(f"{bench}:code",), action="mark"),
        kb.Split(validation=0.3),
    )
    text = report_file(out, tmp_path, lineages.of(out)).read_text(encoding="utf-8")
    assert "5 rows nearly the same as a better one, 7 different codes." in text
    assert "bench:Tanh" in text
    assert "class B(torch.nn.Module)" in text
    assert "Use near-dedup --action mark before" in text
    assert text.index("Contamination") < text.index("By stage 2 (")
