"""The stage `decontaminate`: what is found of problems that others have rewritten, and what is left alone."""

from __future__ import annotations

import json
from functools import cache

import pytest

import kbtools as kb
from kbtools.errors import UsageError
from kbtools.testing import check_stage
from kbtools_plugins.leaks.contamination import codes, sources
from kbtools_plugins.leaks.contamination.matching import Index
from kbtools_plugins.leaks.contamination.operators import Signature
from kbtools_plugins.leaks.contamination.sources import BenchmarkProblem
from tests.plugins.leaks.variants import VARIANTS, constants_changed, one_operator_replaced, tasks
from tests.rows import made

TASKS = tasks(60)
FEW = TASKS[:10]
OTHERS = [task.code() for task in tasks(60, seed=9)]
KERNEL = """
import triton
import triton.language as tl

@triton.jit
def kernel(x_ptr, y_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + at, mask=at < n, other=0.0)
    tl.store(y_ptr + at, x * tl.sigmoid(1.702 * x) + tl.exp(-x) * 0.125, mask=at < n)
"""


@pytest.fixture
def problems(tmp_path):
    """An evaluation set in a file."""
    return written(tmp_path / "bench.jsonl", problem_rows(FEW))


def problem_rows(problems):
    return [{"name": task.name, "code": task.code()} for task in problems]


def written(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def rows_of(texts, **more):
    return made({"id": list(range(len(texts))), "python_code": texts, **more})


@cache
def of_all_tasks() -> Index:
    return Index([BenchmarkProblem("bench", task.name, task.code()) for task in TASKS])


def recall(variant, kinds) -> float:
    """Share of the problems of which a variant is found, as that very problem."""
    index = of_all_tasks()
    seen = [index.look(codes.read_code(variant(task))) for task in TASKS]
    hits = [index.verdict(one) for one in seen]
    return sum(hit is not None and hit.kind in kinds and hit.problem == place for place, hit in enumerate(hits)) / len(
        hits
    )


CERTAIN = ("exact", "operators", "contained")


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("renamed", 0.97),
        ("reformatted", 0.97),
        ("other shapes", 0.97),
        ("other harness", 0.97),
        ("combined", 0.97),
        ("reordered", 0.93),
        ("wrapped", 1.0),
    ],
)
def test_versions_of_a_problem_are_found_as_the_same_task(name, least):
    """Whatever is done to names, formatting, sizes, order and what is around it."""
    assert recall(lambda task: VARIANTS[name](task.code()), CERTAIN) >= least


def test_functional_rewrites_are_found_by_their_operators():
    """Layers as functions, functions as methods, parameters of its own: hardly a token in common."""
    assert recall(lambda task: task.functional(), CERTAIN) >= 0.85
    assert recall(lambda task: task.functional(), ("exact", "contained")) <= 0.1


def test_other_constants_are_the_same_task():
    """A number more or less makes no other problem of a sequence of operators."""
    assert recall(lambda task: constants_changed(task.code()), CERTAIN) >= 0.97


def test_one_operator_replaced_is_another_task():
    """Such codes are similar, and only `similar` says so."""
    negatives = [code for place, task in enumerate(TASKS) if (code := one_operator_replaced(task.code(), place))]
    index = of_all_tasks()
    hits = [index.verdict(seen) for seen in [index.look(codes.read_code(code)) for code in negatives]]
    assert len(negatives) > 50
    assert sum(hit is not None and hit.kind in CERTAIN for hit in hits) / len(negatives) <= 0.02
    assert sum(hit is not None and hit.kind == "similar" for hit in hits) / len(negatives) > 0.5


def test_rows_are_dropped_with_figures_and_pairs(problems):
    """Only rows that hold a problem go; the record says which set, how, which problems, and shows pairs."""
    ds = rows_of([VARIANTS["combined"](TASKS[3].code()), TASKS[4].functional(), *OTHERS[:10]])
    result = kb.Decontaminate(against=(str(problems),)).run(ds)
    assert result.dataset["id"][:] == list(range(2, 12))
    assert result.dropped[0].rows["id"][:] == [0, 1]
    facts = result.facts
    assert facts["hits"] == {"bench": {"exact": 1, "operators": 1}}
    assert facts["against"]["bench"]["problems"] == len(FEW)
    assert len(facts["against"]["bench"]["pinned"]) == 64
    assert facts["problems"] == {"bench:Problem3": 1, "bench:Problem4": 1}
    assert {pair["right"]["name"] for pair in facts["code_pairs"]} == {"bench:Problem3", "bench:Problem4"}
    assert all(pair["left"]["text"] in ds["python_code"][:2] for pair in facts["code_pairs"])


def test_levels_reach_further_one_by_one(tmp_path):
    """exact, then task, then similar, which is marked and kept."""
    problems = written(tmp_path / "bench.jsonl", problem_rows(TASKS))
    similar = one_operator_replaced(TASKS[0].code(), 0)
    ds = rows_of([TASKS[1].code(), TASKS[2].functional(), similar, OTHERS[0]])
    against = (str(problems),)
    assert kb.Decontaminate(against=against, level="exact").run(ds).dataset["id"][:] == [1, 2, 3]
    assert kb.Decontaminate(against=against).run(ds).dataset["id"][:] == [2, 3]
    kept = kb.Decontaminate(against=against, level="similar").run(ds).dataset
    assert kept["id"][:] == [2, 3]
    assert kept["contamination_kind"][:] == ["similar", None]


def test_marked_rows_say_by_what_how_and_where(problems):
    """All rows stay; reference code, prompt and completion are looked at separately."""
    code = TASKS[5].code()
    ds = rows_of(
        [OTHERS[0], OTHERS[1], code],
        prompt=[f"Optimise this:\n```python\n{code}\n```\nThanks.", "Write a kernel.", "Write one."],
        completion=[
            [{"role": "assistant", "content": "I cannot."}],
            [{"role": "assistant", "content": f"First:\n```python\n{TASKS[6].code()}\n```\nor\n```\nx = 1\n```\n"}],
            [{"role": "assistant", "content": "no code"}],
        ],
    )
    out = check_stage(kb.Decontaminate(against=(str(problems),), action="mark"), ds)
    assert out["contamination_where"][:] == ["prompt", "completion", "reference_code"]
    assert out["contaminated_by"][:] == ["bench:Problem5", "bench:Problem6", "bench:Problem5"]
    assert out["contamination_kind"][:] == ["exact"] * 3
    assert out["contamination_score"][:] == [1.0] * 3


def test_triton_kernels_are_compared_with_kernels(tmp_path):
    """A kernel with other names and another wrapper is the same kernel; its host code does not hide it."""
    source = written(tmp_path / "kernels.jsonl", [{"id": 7, "triton_code": KERNEL + "\ndef call(x):\n    return x\n"}])
    renamed = (
        KERNEL.replace("x_ptr", "source").replace("y_ptr", "target").replace("at", "offsets").replace("kernel", "k")
    )
    answer = renamed + "\nclass New(torch.nn.Module):\n    def forward(self, t):\n        return run(t)\n"
    ds = rows_of([OTHERS[0]], completion=[f"```python\n{answer}\n```"])
    out = kb.Decontaminate(against=(f"{source}:triton_code",), action="mark").run(ds).dataset
    assert out["contaminated_by"][:] == ["kernels:7"]
    assert out["contamination_where"][:] == ["completion"]


def test_fail_names_rows_and_problems(problems):
    """For a check in a pipeline that must stop."""
    stage = kb.Decontaminate(against=(str(problems),), action="fail")
    with pytest.raises(kb.errors.RowError, match=r"1 of 2 rows.*row 1 \(id 1\) holds bench:Problem2 \(exact\)"):
        stage.run(rows_of([OTHERS[0], TASKS[2].code()]))
    assert stage.run(rows_of(OTHERS[:2])).dataset.num_rows == 2


def test_few_operators_need_equal_constants_and_ranks():
    """ReLU is everybody's; only the same on inputs of the same rank is the same task."""
    relu = Signature(("relu",), (), (2,))
    assert relu.same_task(Signature(("relu",), (), (2,)))
    assert not relu.same_task(Signature(("relu",), (), (4,)))
    assert not relu.same_task(Signature(("relu",), ("0x2",), (2,)))
    assert not Signature(("relu",)).same_task(Signature(("relu",)))
    assert not Signature(()).same_task(Signature(()))
    assert Signature(("relu", "sum", "exp")).same_task(Signature(("relu", "sum", "exp"), ("0x1",), (3,)))


def test_code_that_anybody_writes_is_contained_in_nothing():
    """A problem of a few shingles is not a reason to drop what contains it."""
    trivial = "import torch\nclass M(torch.nn.Module):\n    def forward(self, x):\n        return x + 1\n"
    index = Index([BenchmarkProblem("bench", "trivial", trivial)])
    longer = trivial.replace("return x + 1", "y = torch.exp(x)\n        x = x + 1\n        return x * y")
    assert index.verdict(index.look(codes.read_code(longer))) is None


@pytest.mark.parametrize("rows", [[], [{"name": "a", "code": None}], [{"name": "a", "code": "  "}]])
def test_a_set_without_code_is_an_error(tmp_path, rows):
    """Nothing would be found, and the rows would look clean."""
    path = written(tmp_path / "empty.jsonl", rows)
    with pytest.raises(kb.errors.KbError, match=r"--against|empty"):
        sources.read_evaluation_set(f"{path}:code")


def test_a_set_that_is_not_there_ends_the_run_before_its_first_row(tmp_path):
    """So does one whose column of code is not known."""
    stage = kb.Decontaminate(against=(str(tmp_path / "nothing.jsonl"),))
    with pytest.raises(kb.errors.UsageError, match="there is no file"):
        stage.preflight({})
    path = written(tmp_path / "odd.jsonl", [{"text": 3, "body": "x = 1"}])
    with pytest.raises(kb.errors.SchemaError, match="--against SOURCE:COLUMN"):
        kb.Decontaminate(against=(str(path),)).preflight({})
    assert kb.Decontaminate(against=(f"{path}:body",)).preflight({})


def test_sources_name_a_revision_and_a_column():
    """A colon that belongs to the name is not a column."""
    assert sources.split_column("org/set@v1:info.code") == ("org/set@v1", "info.code")
    assert sources.split_column("org/set@v1") == ("org/set@v1", None)
    assert sources.split_column("hf://datasets/org/set") == ("hf://datasets/org/set", None)


def test_what_does_not_parse_is_compared_by_its_words_and_counted(tmp_path):
    """On either side."""
    broken = "def broken(:\n" + "\n".join(f"  value_{n} = compute({n}) +" for n in range(30))
    path = written(tmp_path / "bench.jsonl", [{"code": broken}, {"code": TASKS[0].code()}])
    result = kb.Decontaminate(against=(f"{path}:code",)).run(rows_of([broken + "  ", OTHERS[0]]))
    assert result.dataset["id"][:] == [1]
    notes = " ".join(result.notes)
    assert "do not parse and are compared by their words and signs: 1" in notes
    assert "problems that do not parse and are found only by their words and signs: 1 (bench:0)" in notes


def test_the_order_of_the_rows_does_not_matter(problems):
    """The same rows are found."""
    ds = rows_of([TASKS[0].code(), *OTHERS[:8], VARIANTS["wrapped"](TASKS[1].code())])
    stage = kb.Decontaminate(against=(str(problems),))
    assert sorted(stage.run(ds.shuffle(seed=1)).dataset["id"]) == sorted(stage.run(ds).dataset["id"])


LOOKED_UP = """
import torch

class Steps(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.steps = [torch.relu, torch.exp, torch.tanh, torch.sigmoid]

    def forward(self, x):
        for step in self.steps:
            x = step(x)
        return getattr(torch, "abs")(x)

def get_inputs():
    return [torch.rand(8, 8)]
"""
WRITTEN_OUT = """
import torch

class Chain(torch.nn.Module):
    def forward(self, t):
        return t.relu().exp().tanh().sigmoid().abs()

def get_inputs():
    return [torch.rand(2, 3)]
"""


@pytest.mark.slow
def test_traces_find_what_the_text_hides(tmp_path):
    """Operators that are looked up when the code is run; what cannot be run is counted and harms nothing."""
    runnable = tasks(12, seed=4, runnable=True)
    source = written(tmp_path / "bench.jsonl", [{"code": task.code()} for task in runnable] + [{"code": LOOKED_UP}])
    negatives = [one_operator_replaced(task.code(), place) or OTHERS[0] for place, task in enumerate(runnable)]
    texts = [task.functional() for task in runnable] + [WRITTEN_OUT, "import torch\nclass B: pass\n"] + negatives
    stage = kb.Decontaminate(against=(str(source),), trace=True, action="mark", workers=1)
    result = stage.run(rows_of(texts))
    kinds = result.dataset["contamination_kind"][:]
    assert kinds[12] == "trace"
    assert result.dataset["contaminated_by"][12] == "bench:12"
    assert sum(kind in CERTAIN for kind in kinds[:12]) >= 11
    assert kinds[13:] == [None] * 13
    assert any("0 problems, " in note and " codes of rows" in note for note in result.notes)
    text_alone = kb.Decontaminate(against=(str(source),), action="mark").run(rows_of(texts)).dataset
    assert text_alone["contamination_kind"][12] is None


def test_a_trace_needs_a_level_that_it_can_reach():
    """With exact it would have no effect."""
    with pytest.raises(UsageError, match="level task"):
        kb.Decontaminate(against=("sample",), level="exact", trace=True)
