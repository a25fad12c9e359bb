"""The embedded sample: what its rows look like, what is among them, and that its rewards are verified."""

from __future__ import annotations

import json
import shutil
from collections import Counter, defaultdict
from typing import Any

import pytest

import kbtools as kb
from kbtools.data import sample
from kbtools.errors import DataError
from sample import build
from sample.completions import FORMATS, Message
from sample.material import Module, in_rounds, read_modules

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


def test_every_candidate_is_said_and_a_modules_answer_is_a_good_one(modules):
    """No file lies about unused, none is called otherwise than good_ or bad_, and what `answer` holds has passed."""
    for module in modules:
        said = {rollout.candidate: rollout.is_good for rollout in module.rollouts}
        files = set(module.reference.parent.glob("*.py")) - {module.reference}
        assert set(said) == files, module.slug
        assert {file.name.partition("_")[0] for file in files} <= {"good", "bad"}, module.slug
        assert said[module.answer], module.slug


def test_names_tell_the_truth_about_rewards_and_verdicts(rows, modules):
    """What is called good_ passed and has reward 1; what is called bad_ did not and has reward 0."""
    verdicts = json.loads(build.VERDICTS.read_text(encoding="utf-8"))
    assert set(verdicts) == {rollout.name for _, rollout in in_rounds(modules)}
    for row, (_, rollout) in zip(rows, in_rounds(modules), strict=True):
        assert row["reward"] == float(rollout.is_good), rollout.name
        assert (verdicts[rollout.name] == "pass") == rollout.is_good, rollout.name


def test_incorrect_candidates_fail_in_many_ways():
    """Wrong numbers, errors of every stage of a check, work left to torch, and tricks of several kinds."""
    verdicts = set(json.loads(build.VERDICTS.read_text(encoding="utf-8")).values())
    assert verdicts > {
        *("wrong_output", "wrong_shape_or_dtype", "compile_error", "runtime_error"),
        *("nondeterministic", "no_kernel", "fallback", "forbidden:process"),
    }
    assert sum(verdict.startswith("hack:") for verdict in verdicts) >= 5


@pytest.mark.slow
def test_verifying_again_gives_the_rewards_of_the_shipped_file(rows, modules):
    """Every rollout of two modules, verified now on other secret inputs, has the reward that its row has."""
    pytest.importorskip("triton")
    rewards = set()
    for row, (module, rollout) in zip(rows, in_rounds(modules), strict=True):
        if module.slug in ("energy", "prelu"):
            (message,) = row["completion"]
            verdict = kb.verify(row["info"]["python_code"], message["content"], entry_point=module.name)
            assert verdict.reward == row["reward"], f"{rollout.name}: {verdict.error}"
            rewards.add(verdict.reward)
    assert rewards == {0.0, 1.0}


@pytest.mark.slow
def test_building_again_gives_the_shipped_bytes(text, modules):
    """All of it verified anew: the same rows, rewards and verdicts, byte for byte."""
    pytest.importorskip("triton")
    assert build.build(modules) == (text, build.VERDICTS.read_text(encoding="utf-8"))


@pytest.mark.slow
def test_a_name_that_lies_is_an_error(tmp_path):
    """A candidate without a kernel that calls itself good stops the build, which says what verify found."""
    pytest.importorskip("triton")
    folder = tmp_path / "loss" / "mse"
    shutil.copytree(build.MODULES / "loss" / "mse", folder)
    (folder / "bad_no_kernel.py").rename(folder / "good_no_kernel.py")
    description = folder / "module.toml"
    description.write_text(description.read_text().replace("bad_no_kernel", "good_no_kernel"))
    with pytest.raises(DataError, match="loss/mse/good_no_kernel, said in the format prose, is no_kernel"):
        build.build(read_modules(tmp_path))
