"""The embedded sample: what its rows look like, what is among them, and that its rewards are measured."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import Any

import pytest

from kbtools.data import sample
from kbtools.data.sample.completions import FORMATS, Message
from kbtools.data.sample.material import Module, in_rounds, read_modules

COLUMNS = [
    "example_id",
    "prompt",
    "completion",
    "task",
    "reward",
    "generation_ms",
    "scoring_ms",
    "total_ms",
    "info",
    "answer",
    "speedup_reward",
    "num_turns",
    "oai_tools",
]
FAMILIES = {
    *("elementwise", "activation", "reduction", "softmax", "norm", "matmul"),
    *("conv", "pooling", "attention", "loss", "fused"),
}


@pytest.fixture(scope="module")
def text() -> str:
    return sample.path().read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def rows(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def modules() -> list[Module]:
    return read_modules()


def _message(row: dict[str, Any]) -> Message:
    (message,) = row["completion"]
    return Message(message["content"], message["reasoning"])


def test_every_row_has_the_columns_of_the_evals_schema_in_order(rows):
    """Column order, and keys of the nested columns, are those of the published datasets."""
    for row in rows:
        assert list(row) == COLUMNS
        assert list(row["info"]) == ["module_name", "python_code", "triton_code"]
        assert [list(message) for message in row["prompt"]] == [["role", "content"]] * 2
        assert [list(message) for message in row["completion"]] == [["role", "content", "reasoning"]]


def test_prompt_holds_the_module_and_info_agrees_with_the_other_columns(rows):
    """The user's message quotes the module unchanged; `answer` is `info.triton_code`."""
    for row in rows:
        assert [message["role"] for message in row["prompt"]] == ["system", "user"]
        assert row["info"]["python_code"] in row["prompt"][1]["content"]
        assert row["answer"] == row["info"]["triton_code"]
        assert f"class {row['info']['module_name']}New(nn.Module)" in row["answer"]


def test_size_and_number_of_rows(text, rows, modules):
    """Enough for a demonstration, small enough for a wheel."""
    assert 150 <= len(rows) <= 175
    assert len(modules) >= 44
    assert len(text.encode()) < 1_200_000


def test_ids_are_unique(rows):
    """`example_id` numbers the rows from 0."""
    assert [row["example_id"] for row in rows] == list(range(len(rows)))


def test_every_family_has_several_modules(modules):
    """Eleven kinds of operations, from elementwise to fused."""
    counts = Counter(module.family for module in modules)
    assert set(counts) == FAMILIES
    assert min(counts.values()) >= 4


def test_first_rows_are_of_different_modules(rows, modules):
    """A run on the first N rows sees N modules."""
    first = {row["info"]["python_code"] for row in rows[: len(modules)]}
    assert len(first) == len(modules)


def test_rewards_are_zero_or_one_and_both_are_frequent(rows):
    """Correctness only: no speed is measured without a GPU."""
    counts = Counter(row["reward"] for row in rows)
    assert set(counts) == {0.0, 1.0}
    assert min(counts.values()) >= len(rows) // 3


def test_what_cannot_be_measured_is_null(rows):
    """Times and speed-ups are not invented."""
    columns = ("generation_ms", "scoring_ms", "total_ms", "speedup_reward", "oai_tools")
    assert {row[column] for row in rows for column in columns} == {None}


def test_all_completion_formats_are_present(modules):
    """Every format is used by some rollout."""
    assert {rollout.format for _, rollout in in_rounds(modules)} == set(FORMATS)


def test_completions_are_made_of_their_candidates(rows, modules):
    """Each row's content holds the candidate's file, in the format that its module asks for."""
    for row, (module, rollout) in zip(rows, in_rounds(modules), strict=True):
        assert _message(row) == FORMATS[rollout.format](rollout.reasoning, rollout.code), module.slug
        assert rollout.code.rstrip() in row["completion"][0]["content"]


def test_reasoning_holds_drafts_and_answers_hold_markers(rows):
    """The awkward cases are there: a draft in the reasoning, a marker as text inside the answer's code."""
    contents = [_message(row).content for row in rows]
    drafts = [text for text in contents if "<answer>" in text.partition("</think>")[0]]
    markers = [text for text in contents if "</think>" in text.rpartition("```python")[2]]
    assert len(drafts) >= 3
    assert len(markers) >= 2


def test_different_modules_share_a_name(rows):
    """Three names stand for more than one module, so that dedup by name has collisions to warn of."""
    codes = defaultdict(set)
    for row in rows:
        codes[row["info"]["module_name"]].add(row["info"]["python_code"])
    shared = {name: len(found) for name, found in codes.items() if len(found) > 1}
    assert shared == {"Net": 3, "Swish": 2, "Block": 2}


def test_some_rollouts_are_exact_duplicates(rows):
    """The same completion to the same prompt occurs more than once, for several modules."""
    counts = Counter(json.dumps([row["prompt"], row["completion"]]) for row in rows)
    assert sum(count > 1 for count in counts.values()) >= 3


def test_some_candidates_differ_in_formatting_only(modules):
    """Several modules have a candidate that equals another one but for comments and formatting."""
    import ast

    def twins(module: Module) -> bool:
        sources = {rollout.code for rollout in module.rollouts if "syntax" not in rollout.candidate.stem}
        return len({ast.dump(ast.parse(source)) for source in sources}) < len(sources)

    assert sum(twins(module) for module in modules) >= 5


def test_measured_rewards_agree_with_what_the_files_were_written_to_be(rows, modules):
    """A `good_` file is correct and a `bad_` one is not; what falls back to torch counts as correct."""
    for row, (module, rollout) in zip(rows, in_rounds(modules), strict=True):
        intended = 0.0 if rollout.candidate.stem.startswith("bad_") else 1.0
        assert row["reward"] == intended, f"{module.slug}/{rollout.candidate.stem}"


@pytest.mark.slow
@pytest.mark.parametrize("family", ["softmax", "activation", "fused"])
def test_measuring_again_gives_the_rewards_of_the_shipped_file(family, rows, modules):
    """The interpreter, run now, agrees with the file on every candidate of a family."""
    pytest.importorskip("triton")
    from kbtools.data.sample.measure import measure

    shipped = {
        (module, rollout.candidate): row["reward"]
        for row, (module, rollout) in zip(rows, in_rounds(modules), strict=True)
        if module.family == family
    }
    for (module, candidate), reward in shipped.items():
        found = measure(module.reference, candidate, module.name)
        assert found.reward == reward, f"{candidate}: {found.reason}"


@pytest.mark.slow
def test_a_reference_that_does_not_run_is_an_error_and_no_reward(tmp_path, modules):
    """The reference's fault is never counted against the candidate."""
    pytest.importorskip("triton")
    from kbtools.data.sample.measure import measure
    from kbtools.errors import DataError

    broken = tmp_path / "reference.py"
    broken.write_text("import nothing_of_this_name\n")
    with pytest.raises(DataError, match="nothing_of_this_name"):
        measure(broken, modules[0].answer, modules[0].name)


@pytest.mark.slow
def test_a_candidate_that_ends_its_process_gets_no_reward(tmp_path, modules):
    """Leaving early is a wrong answer, with the exit code as the reason."""
    pytest.importorskip("triton")
    from kbtools.data.sample.measure import measure

    leaving = tmp_path / "leaving.py"
    leaving.write_text("import os\n\nos._exit(3)\n")
    found = measure(modules[0].reference, leaving, modules[0].name)
    assert (found.reward, found.reason) == (0.0, "the process ended with exit code 3")
