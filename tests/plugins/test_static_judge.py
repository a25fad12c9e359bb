"""The judge `static` as a stage over datasets."""

from __future__ import annotations

import datasets
import pytest

import kbtools as kb
from kbtools.testing import check_judge
from kbtools_plugins.static.static_judge import StaticJudge, StaticVerdict

REFERENCE = "import torch\ndef f(x):\n    return torch.softmax(x, dim=1)\n"
KERNEL = """import triton
import triton.language as tl

@triton.jit
def double(x_ptr, n, BLOCK: tl.constexpr):
    offsets = tl.arange(0, BLOCK)
    x = tl.load(x_ptr + offsets, mask=offsets < n)
    tl.store(x_ptr + offsets, 2 * x, mask=offsets < n)

def run(x):
    double[(1,)](x, x.numel(), BLOCK=1024)
"""
ANSWER = f"First I thought of torch.</think>\n<answer>\n```python\n{KERNEL}```\n</answer>"


def evals(*contents: str | None, reference: str = REFERENCE) -> datasets.Dataset:
    """Rows of the evals layout, each with one assistant turn."""
    return datasets.Dataset.from_list(
        [
            {
                "example_id": index,
                "completion": [{"role": "assistant", "content": content}],
                "info": {"module_name": "M", "python_code": reference, "triton_code": KERNEL},
            }
            for index, content in enumerate(contents)
        ],
        features=datasets.Features(
            {
                "example_id": datasets.Value("int64"),
                "completion": datasets.List({"role": datasets.Value("string"), "content": datasets.Value("string")}),
                "info": {name: datasets.Value("string") for name in ("module_name", "python_code", "triton_code")},
            }
        ),
    )


def test_it_keeps_the_contract_of_a_judge() -> None:
    """Config, pickling, declared columns, empty datasets, repeatability."""
    verdict = check_judge(StaticJudge(), reference_code=REFERENCE, triton_code=KERNEL)
    assert isinstance(verdict, StaticVerdict)
    assert verdict.difficulty == "medium"
    assert "softmax" in verdict.evaluation_raw


def test_evals_rows_get_difficulty_style_and_reasons() -> None:
    """The reference sets the difficulty, the answer inside the completion sets the style; other columns stay."""
    ds = evals(ANSWER)
    out = StaticJudge()(ds)
    assert out.column_names == [*ds.column_names, "evaluation_raw", "difficulty", "difficulty_score", "style"]
    (row,) = out.to_list()
    assert (row["difficulty"], row["difficulty_score"]) == ("medium", 5.0)
    assert row["style"] > 5
    assert "kernel double" in row["evaluation_raw"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("<answer>def f(:</answer>", "SyntaxError"),
        ("<think>still thinking", "never ends"),
        ("", "no code"),
        ("I cannot do that.", "SyntaxError"),
    ],
)
def test_broken_completions_are_unparsable(content: str, reason: str) -> None:
    """No difficulty is made up for code that does not parse, and its style is that of broken code."""
    (row,) = StaticJudge()(evals(content)).to_list()
    assert (row["difficulty"], row["difficulty_score"], row["style"]) == ("unparsable", None, 0.0)
    assert reason in row["evaluation_raw"]


def test_a_missing_completion_does_not_borrow_the_datasets_triton_code() -> None:
    """Row by row, only what was generated is rated for style."""
    first, second = StaticJudge()(evals(None, ANSWER)).to_list()
    assert first["style"] is None
    assert first["difficulty"] == "medium"
    assert second["style"] is not None


def test_kernelbook_pairs_are_rated() -> None:
    """Without completions the dataset's own Triton code is the kernel."""
    ds = datasets.Dataset.from_dict(
        {"uuid": [1], "entry_point": ["M"], "python_code": [REFERENCE], "triton_code": [KERNEL]}
    )
    (row,) = StaticJudge()(ds).to_list()
    assert row["style"] > 5


def test_a_column_can_be_named() -> None:
    """`--columns completion=...` rates that column instead of the completions."""
    (row,) = StaticJudge(columns={"completion": "info.triton_code"})(evals("<answer>def f(:</answer>")).to_list()
    assert row["difficulty"] == "medium"


def test_a_row_without_code_is_unparsable() -> None:
    """Null in all columns of code is said, not guessed over."""
    ds = datasets.Dataset.from_dict(
        {"python_code": [None]}, features=datasets.Features({"python_code": datasets.Value("string")})
    )
    (row,) = StaticJudge()(ds).to_list()
    assert (row["difficulty"], row["difficulty_score"]) == ("unparsable", None)


def test_a_dataset_without_code_is_refused_before_the_first_row() -> None:
    """The error names what is needed and the columns that exist."""
    with pytest.raises(kb.errors.SchemaError, match=r"reference_code.*columns: reward"):
        StaticJudge()(datasets.Dataset.from_dict({"reward": [1.0]}))


def test_verdicts_are_counted_for_the_lineage() -> None:
    """Each label's count is a fact of the run, unparsable among them."""
    facts = StaticJudge().run(evals(ANSWER, "<answer>def f(:</answer>")).facts
    assert facts["verdicts"] == {"difficulty": {"medium": 1, "unparsable": 1}}
