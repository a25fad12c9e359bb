"""How the static judge weighs what it has read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kbtools_plugins.static import score
from kbtools_plugins.static.difficulty import FAMILY_LEVEL, KERNEL_PATTERNS, label_of
from kbtools_plugins.static.families import FAMILY

HEADER = "import triton\nimport triton.language as tl\n"
ADD = (
    HEADER
    + '''
@triton.jit
def add(x_ptr, y_ptr, out_ptr, n, BLOCK: tl.constexpr):
    """Add two vectors, one block per program."""
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = offsets < n  # the last block is ragged
    x = tl.load(x_ptr + offsets, mask=inside)
    y = tl.load(y_ptr + offsets, mask=inside)
    tl.store(out_ptr + offsets, x + y, mask=inside)

def run(x, y, out):
    add[(1,)](x, y, out, x.numel(), BLOCK=1024)
'''
)
ATTENTION = (
    HEADER
    + """
@triton.jit
def attend(q_ptr, k_ptr, v_ptr, out_ptr, n, BLOCK: tl.constexpr):
    rows = tl.arange(0, BLOCK)
    q = tl.load(q_ptr + rows, mask=rows < n, other=0.0)
    for start in range(0, n, BLOCK):
        k = tl.load(k_ptr + start + rows, mask=rows < n, other=0.0)
        v = tl.load(v_ptr + start + rows, mask=rows < n, other=0.0)
        scores = tl.dot(q, k)
        top = tl.max(scores, 1)
        weights = tl.exp2(scores - top[:, None])
        total += tl.sum(weights, 1)
        acc += tl.dot(weights, v)
    tl.store(out_ptr + rows, acc, mask=rows < n)

def run(q, k, v, out):
    attend[(1,)](q, k, v, out, 128, BLOCK=64)
"""
)
REFERENCES = [  # in the order of the rubric
    "def f(x): return x.clone()",
    "def f(x): return torch.relu(x)",
    "def f(x): return torch.sum(x, dim=1)",
    "def f(x): return torch.softmax(x, dim=1)",
    "def f(x, w): return F.conv2d(x, w)",
    "def f(x, w): return torch.relu(F.batch_norm(F.conv2d(x, w), None, None))",
]


def difficulty_of(reference: str | None, kernel: str | None = None) -> float:
    value = score(reference, kernel).difficulty_score
    assert value is not None
    return value


def style_of(kernel: str) -> float:
    value = score(None, kernel).style
    assert value is not None
    return value


def test_references_stand_in_the_order_of_the_rubric() -> None:
    """Copy, elementwise, reduction, softmax, convolution, fused convolution: strictly harder."""
    levels = [difficulty_of(code) for code in REFERENCES]
    assert levels == sorted(set(levels))


@pytest.mark.parametrize(
    ("reference", "label"),
    [(REFERENCES[0], "low"), (REFERENCES[1], "low"), (REFERENCES[2], "medium"), (REFERENCES[4], "high")],
)
def test_labels_of_plain_references(reference: str, label: str) -> None:
    """The three labels fall where the rubric's words put them."""
    assert score(reference, None).difficulty == label


def test_label_borders() -> None:
    """low ends below 3, high starts at 7."""
    assert [label_of(value) for value in (0.0, 2.9, 3.0, 6.9, 7.0, 10.0)] == [
        "low", "low", "medium", "medium", "high", "high",
    ]  # fmt: skip


def test_an_identity_module_is_low_and_zero() -> None:
    """Code that hands its input on is the bottom of the scale."""
    found = score("class M(nn.Module):\n    def forward(self, x):\n        return x", None)
    assert (found.difficulty_score, found.difficulty) == (0.0, "low")


def test_kernels_are_rated_by_their_pattern() -> None:
    """A vector addition is low, attention with an online softmax is high."""
    assert score(None, ADD).difficulty == "low"
    assert score(None, ATTENTION).difficulty == "high"


def test_the_harder_text_decides() -> None:
    """Reference and answer together are as hard as the harder of them."""
    both = difficulty_of(REFERENCES[4], ADD)
    assert both == max(difficulty_of(REFERENCES[4]), difficulty_of(None, ADD))


def test_fusion_adds_to_the_hardest_operation() -> None:
    """More distinct operations are harder; the same operation again is not."""
    one = difficulty_of("def f(x): return torch.exp(x)")
    assert difficulty_of("def f(x): return torch.exp(torch.exp(x))") == one
    assert difficulty_of("def f(x): return torch.sin(torch.exp(x))") > one


def test_without_an_answer_there_is_no_style() -> None:
    """Style is a property of the Triton code, not of the reference."""
    assert score(REFERENCES[1], None).style is None


def test_clean_code_is_well_styled() -> None:
    """Guarded block accesses, constexpr blocks, a docstring and comments reach the upper third."""
    assert style_of(ADD) >= 7


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("x_ptr + offsets, mask=inside", "x_ptr + offsets"),
        ('    """Add two vectors, one block per program."""\n', ""),
        ("tl.arange(0, BLOCK)", "tl.arange(0, 1024)"),
    ],
)
def test_each_fault_costs_style(old: str, new: str) -> None:
    """An unmasked access, a missing docstring and a literal block size each lower the score."""
    assert old in ADD
    assert style_of(ADD.replace(old, new, 1)) < style_of(ADD)


@pytest.mark.parametrize(
    ("code", "at_most", "reason"),
    [
        (ADD.replace("tl.program_id(0)", "tl.program_id(3)"), 1, "cannot compile"),
        (ADD.replace("add[(1,)](", "print("), 2, "no kernel is launched"),
        ("import torch\ndef f(x):\n    return torch.relu(x)\n", 2, "no Triton kernel"),
        (ADD.replace("tl.store(out_ptr + offsets, x + y, mask=inside)", "z = x + y"), 1, "writes nothing"),
    ],
)
def test_ceilings(code: str, at_most: float, reason: str) -> None:
    """Broken, absent and unused kernels cannot score well, and the reasons say so."""
    found = score(None, code)
    assert found.style is not None
    assert found.style <= at_most
    assert reason in " ".join(found.reasons)


def test_an_unparsable_answer_is_a_verdict_of_its_own() -> None:
    """No difficulty, style 0, and the reason with its line."""
    found = score(REFERENCES[1], "def f(:\n    pass")
    assert (found.difficulty, found.difficulty_score, found.style) == ("unparsable", None, 0.0)
    assert found.reasons[0].startswith("the kernel cannot be read: SyntaxError")
    assert "line 1" in found.reasons[0]


def test_an_unparsable_reference_leaves_the_style() -> None:
    """The answer's style does not suffer from a reference that cannot be read."""
    found = score("print 'hi'", ADD)
    assert (found.difficulty, found.difficulty_score) == ("unparsable", None)
    assert found.style == style_of(ADD)


def test_nothing_to_rate_is_an_error() -> None:
    """Two missing texts are a mistake of the caller."""
    with pytest.raises(ValueError, match="nothing to rate"):
        score(None, None)


def test_reasons_name_the_operations_and_their_weights() -> None:
    """A reader can recompute the score from the reasons."""
    found = score(REFERENCES[4], ADD)
    text = "\n".join(found.reasons)
    assert "hardest operation: conv2d (7)" in text
    assert "kernel add: elementwise arithmetic" in text


def test_every_operation_has_a_level() -> None:
    """The vocabulary and the table of levels know the same families, and each has a place on the scale."""
    assert set(FAMILY.values()) == set(FAMILY_LEVEL)
    assert all(0 <= level <= 10 for level in FAMILY_LEVEL.values())


def test_patterns_stand_from_hard_to_easy() -> None:
    """The first pattern that holds decides, so that harder ones must come first."""
    levels = [pattern.level for pattern in KERNEL_PATTERNS]
    assert levels == sorted(levels, reverse=True)


@settings(max_examples=200)
@given(st.text(), st.none() | st.text())
def test_any_text_gets_an_assessment(kernel: str, reference: str | None) -> None:
    """Whatever stands in the columns, the outcome is an assessment with reasons and scores in range."""
    found = score(reference, kernel)
    assert found.reasons
    assert found.style is not None
    assert 0 <= found.style <= 10
    assert (found.difficulty_score is None) == (found.difficulty == "unparsable")


@settings(max_examples=100)
@given(st.integers(0, len(ADD)), st.integers(0, len(ADD)))
def test_any_cut_of_a_kernel_gets_an_assessment(start: int, end: int) -> None:
    """Truncated generations are assessed or unparsable, never an exception."""
    found = score(None, ADD[start:end])
    assert found.style is not None
    assert 0 <= found.style <= 10


def test_real_model_answers_are_assessed() -> None:
    """Answers that nobody here wrote all parse and spread over the labels."""
    path = Path(__file__).parents[3] / "shared" / "data" / "tritonbench_t_deepseek_r1.jsonl"
    if not path.exists():
        pytest.skip("the TritonBench answers are not beside the checkout")
    found = [score(None, json.loads(line)["predict"]) for line in path.read_text().splitlines()]
    assert {item.difficulty for item in found} >= {"low", "medium", "high"}
    assert all(item.style is not None and item.reasons for item in found)
