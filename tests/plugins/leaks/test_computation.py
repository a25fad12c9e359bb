"""Modules that compute the same are found by running them, in whatever way they are written; others are left alone."""

from __future__ import annotations

import json

import datasets
import pytest

import kbtools as kb
from kbtools.errors import UsageError
from kbtools_plugins.leaks.computation.probes import Probe
from kbtools_plugins.leaks.computation.proposals import MOST, Proposals
from kbtools_plugins.verify.protocol.computation import Print, ProbeReply
from tests.plugins.leaks.variants import VARIANTS, tasks

MODULE = """
import torch
import torch.nn as nn
import torch.nn.functional as F
{before}
class {name}(nn.Module):
    def __init__(self{takes}):
        super().__init__()
        {built}

    def forward(self, x):
        {body}

def get_inputs():
    return [torch.rand({shape})]

def get_init_inputs():
    return {init}
"""


def module(body: str, built: str = "pass", shape: str = "4, 4", name: str = "M", **more: str) -> str:
    fields = {"before": "", "takes": "", "init": "[]", **more}
    return MODULE.format(body=body, built=built, shape=shape, name=name, **fields)


TWO = "self.{a} = nn.Linear(6, 6)\n        self.{b} = nn.Linear(6, 6)"
SAME = {
    "softmax by hand, on other shapes": (
        module("return torch.softmax(x, -1)"),
        module("e = (x - x.amax(-1, keepdim=True)).exp()\n        return e / e.sum(-1, keepdim=True)", shape="16, 64"),
    ),
    "einsum": (
        module("return x @ x.transpose(-1, -2)", shape="2, 3, 5"),
        module('return torch.einsum("bij,bkj->bik", x, x)', shape="2, 3, 5"),
    ),
    "layers of the same shape, built in another order under other names": (
        module("return self.a(torch.tanh(self.b(x)))", TWO.format(a="a", b="b"), "3, 6"),
        module("return self.q(torch.tanh(self.p(x)))", TWO.format(a="p", b="q"), "3, 6"),
    ),
    "a sum whose sides are exchanged": (
        module("return torch.relu(self.a(x)) + torch.tanh(self.b(x))", TWO.format(a="a", b="b"), "3, 6"),
        module("return torch.tanh(self.p(x)) + torch.relu(self.q(x))", TWO.format(a="p", b="q"), "3, 6"),
    ),
    "parameters in place of a layer": (
        module("return F.silu(self.layer(x))", "self.layer = nn.Linear(6, 5)", "3, 6"),
        module(
            "y = x @ self.w.t() + self.b\n        return y * torch.sigmoid(y)",
            "self.w = nn.Parameter(torch.zeros(5, 6))\n        self.b = nn.Parameter(torch.ones(5))",
            "3, 6",
        ),
    ),
    "other sizes of the layers": (
        module("return x.tanh() + self.l(x).relu()", "self.l = nn.Linear(n, n)", "3, 6", takes=", n", init="[6]"),
        module("return F.relu(self.l(x)) + x.tanh()", "self.l = nn.Linear(k, k)", "3, 9", takes=", k", init="[9]"),
    ),
    "a layer norm by hand": (
        module("return self.n(x)", "self.n = nn.LayerNorm(8)", "3, 8"),
        module(
            "c = x - x.mean(-1, keepdim=True)\n"
            "        return c * torch.rsqrt((c * c).mean(-1, keepdim=True) + 1e-5) * self.g + self.h",
            "self.g = nn.Parameter(torch.ones(8))\n        self.h = nn.Parameter(torch.zeros(8))",
            "3, 8",
        ),
    ),
}
OTHER = {
    "equal on positive inputs": (module("return torch.relu(x)"), module("return x.abs()")),
    "equal between 0 and 1": (module("return x.clamp(0, 1)"), module("return x * 1")),
    "equal where a logarithm is": (module("return x.sqrt()"), module("return x.abs().sqrt()")),
    "another constant": (module("return x * 2 + 1"), module("return x * 2 + 1.01")),
    "a constant in a buffer": (
        module("return x * self.s", 'self.register_buffer("s", torch.tensor([2.0, 3, 4, 5]))'),
        module("return x * self.s", 'self.register_buffer("s", torch.tensor([2.0, 3, 4, 6]))'),
    ),
    "another operator between layers": (
        module("return torch.sin(self.a(x)) - torch.tanh(self.b(x))", TWO.format(a="a", b="b"), "3, 6"),
        module("return torch.sin(self.a(x)) * torch.tanh(self.b(x))", TWO.format(a="a", b="b"), "3, 6"),
    ),
    "another dimension of a square": (module("return x.cumsum(0)"), module("return x.cumsum(1)")),
    "another epsilon": (
        module("return x / (x.norm(dim=-1, keepdim=True) + 1e-6)"),
        module("return x / (x.norm(dim=-1, keepdim=True) + 1e-1)"),
    ),
    "nothing of the inputs": (
        module("return torch.zeros_like(x)"),
        module("return torch.zeros_like(x) * 2 * x.shape[0]"),
    ),
    "chance": (module("return x + torch.rand_like(x)"), module("return torch.rand_like(x) + x")),
}
ODD = {
    "no module": "def f(x):\n    return x\n",
    "no inputs": "import torch\nclass M(torch.nn.Module):\n    def forward(self, x):\n        return x * 3\n",
    "an error": module("raise RuntimeError(x)"),
    "the end of the process": module("import os; os._exit(0)"),
    "no Python": "this is not python (",
    "too large": module("return x + 3.5", shape="70000, 5000"),
}


@pytest.mark.slow
def test_rows_that_compute_the_same_are_found_however_they_are_written():
    """One of each pair goes, both of the others stay, what cannot be run is kept and counted, and it says how."""
    pairs = [*SAME.values(), *OTHER.values()]
    codes = [code for pair in pairs for code in pair] + [*ODD.values(), pairs[0][0] + "\n# again"]
    ids = list(range(len(codes)))
    ds = datasets.Dataset.from_dict({"id": ids, "python_code": codes, "reward": [1.0 - 0.001 * one for one in ids]})
    result = kb.NearDedup(on="computation", action="mark").run(ds)
    kept = result.dataset["near_kept"][:]
    clusters = result.dataset["near_cluster"][:]
    names = [*SAME, *OTHER]
    assert [name for place, name in enumerate(names) if not kept[2 * place + 1]] == list(SAME)
    assert [name for at, name in enumerate(names) if clusters[2 * at] == clusters[2 * at + 1]] == list(SAME)
    assert all(kept[0 : 2 * len(pairs) : 2])
    assert kept[2 * len(pairs) :] == [True] * len(ODD) + [False]
    found_by = result.facts["found_by"]
    assert found_by["equal code"] == 1
    assert sum(found_by.values()) == len(SAME) + 1
    assert found_by["computation alone"] >= len(SAME) - 2
    assert result.facts["not_run"] == len(ODD) + 2  # and chance, twice
    assert any("could not be run" in note for note in result.notes)
    assert kb.NearDedup(on="computation").run(ds.shuffle(seed=1)).dataset.sort("id")["id"][:] == [
        one for one in ids if kept[one]
    ]


@pytest.mark.slow
def test_problems_are_found_by_what_they_compute(tmp_path):
    """Only what neither text nor trace finds is `computation`, and another operator is another computation."""
    runnable = tasks(3, seed=4, runnable=True)
    path = tmp_path / "bench.jsonl"
    problems = [pair[0] for pair in SAME.values()] + [task.code() for task in runnable]
    path.write_text("".join(json.dumps({"code": code}) + "\n" for code in problems))
    others = [pair[1] for pair in OTHER.values()]
    texts = [pair[1] for pair in SAME.values()] + others + [VARIANTS["combined"](runnable[0].code())]
    ds = datasets.Dataset.from_dict({"python_code": texts})
    rows = kb.Decontaminate(against=(f"{path}:code",), level="computation", action="mark").run(ds).dataset
    assert rows["contaminated_by"][:] == [f"bench:{at}" for at in range(len(SAME))] + [None] * len(others) + [
        f"bench:{len(SAME)}"
    ]
    kinds = rows["contamination_kind"][: len(SAME)]
    assert set(kinds) <= {"operators", "trace", "computation"}
    assert kinds.count("computation") >= len(SAME) - 2
    alone = kb.Decontaminate(against=(f"{path}:code",), trace=True, action="mark").run(ds).dataset
    assert alone["contamination_kind"][: len(SAME)].count(None) == kinds.count("computation")


def probe(size: float, *, on: str = "one", operators: tuple[str, ...] = ("add",), form: str = "f") -> Probe:
    seen = ProbeReply(form=form, operators=list(operators), prints=[Print(on=on, size=size, projection=size)])
    return Probe("", "", seen)


def test_modules_are_proposed_by_their_results_or_their_operators_and_never_all():
    """By nearly equal results on equal inputs; by operators only where no inputs were equal; and only so many."""
    proposals = Proposals()
    known = [probe(1.0), probe(2.0), probe(1.0, form="g"), probe(5.0, on="other"), probe(7.0, operators=("mul",))]
    for number, one in enumerate(known):
        proposals.add(number, one)
    assert proposals.of(probe(1.0005, operators=("mul", "sub"))) == [0]
    assert proposals.of(probe(1.5)) == [3]
    assert proposals.of(probe(2.0, form="h")) == []
    for number in range(100):
        proposals.add(100 + number, probe(1.0))
    assert len(proposals.of(probe(1.0))) == MOST


def test_what_only_texts_have_is_no_option_of_a_computation():
    """An option without effect would be believed."""
    with pytest.raises(UsageError, match="normalise"):
        kb.NearDedup(on="computation", normalise="raw")
