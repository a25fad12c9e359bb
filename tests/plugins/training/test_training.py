"""Stages that make training sets from judged rollouts: what is kept, what is paired, and what nobody may see."""

from __future__ import annotations

from typing import Any

import datasets
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kbtools as kb
from kbtools.testing import check_stage
from kbtools_plugins.feedback import finding
from kbtools_plugins.training.answers import answer_digest
from kbtools_plugins.training.outcomes import wilson
from tests.rows import made_of

TEXT = datasets.Value("string")
TURN = {"role": TEXT, "content": TEXT, "reasoning": TEXT}
FEATURES = datasets.Features(
    {
        "example_id": datasets.Value("int64"),
        "prompt": datasets.List({"role": TEXT, "content": TEXT}),
        "completion": datasets.List(TURN),
        "info": {"module_name": TEXT, "python_code": TEXT},
        "reward": datasets.Value("float64"),
        "verdict": TEXT,
        "error": TEXT,
        "kernel_ms_low": datasets.Value("float64"),
        "kernel_ms_high": datasets.Value("float64"),
    }
)


def row(index: int, module: str, verdict: str, **other: Any) -> dict[str, Any]:
    """A rollout of a module; `code` is what it answers, `prompt` what it was asked."""
    code = other.get("code", f"x = {index}")
    return {
        "example_id": index,
        "prompt": [{"role": "user", "content": other.get("prompt", f"Write {module}.")}],
        "completion": [
            {"role": "assistant", "content": f"<answer>\n```python\n{code}\n```\n</answer>", "reasoning": f"r{index}"}
        ],
        "info": {"module_name": module, "python_code": f"SECRET_REFERENCE_{module}"},
        "reward": other.get("reward", 1.0 if verdict == "pass" else 0.0),
        "verdict": verdict,
        "error": other.get("error"),
        "kernel_ms_low": other.get("low"),
        "kernel_ms_high": other.get("high"),
    }


def rows(*given: dict[str, Any]) -> datasets.Dataset:
    """A dataset of these rollouts."""
    return made_of(given, FEATURES)


def test_pass_rate_counts_right_rows_of_each_module() -> None:
    """A verdict about the reference counts neither way; buckets follow from the rate."""
    ds = rows(
        row(0, "A", "pass"),
        row(1, "A", "wrong_output"),
        row(2, "A", "unsupported:ptx"),
        row(3, "B", "timeout"),
        row(4, "C", "pass"),
        row(5, "D", "reference_error"),
    )
    out = check_stage(kb.PassRate(), ds)
    assert out["rollouts"][:] == [2, 2, 2, 1, 1, 0]
    assert out["pass_rate"][:] == [0.5, 0.5, 0.5, 0.0, 1.0, None]
    assert out["curriculum"][:] == ["medium"] * 3 + ["unsolved", "solved", None]
    assert kb.PassRate().run(ds).facts["buckets"] == {"medium": 1, "unsolved": 1, "solved": 1, "not decided": 1}


def test_pass_rate_takes_numbers_above_a_threshold() -> None:
    """Without verdicts the reward says what is right."""
    ds = rows(row(0, "A", "pass", reward=0.9), row(1, "A", "pass", reward=0.2)).remove_columns("verdict")
    assert kb.PassRate(threshold=0.5)(ds)["pass_rate"][:] == [0.5, 0.5]


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_interval_holds_the_rate_and_stays_between_0_and_1(counts: tuple[int, int]) -> None:
    """Also where none or all rollouts are right."""
    passed, tried = counts
    low, high = wilson(passed, tried)
    assert 0 <= low <= passed / tried <= high <= 1
    assert low < high


def test_interval_is_the_published_one() -> None:
    """Wilson's interval for 8 of 10 (Wilson 1927), to four digits."""
    assert [round(end, 4) for end in wilson(8, 10)] == [0.4902, 0.9433]


def test_select_keeps_the_best_answers_and_each_only_once() -> None:
    """Comments and formatting make no other answer; of equally good rows the shorter is better."""
    ds = rows(
        row(0, "A", "pass", reward=2.0, code="x=1"),
        row(1, "A", "pass", reward=3.0, code="x = 1  # the same"),
        row(2, "A", "pass", reward=1.0, code="y = 2"),
        row(3, "A", "pass", reward=1.0, code="z = 3 + 4"),
        row(4, "B", "pass", reward=float("nan")),
    )
    out = check_stage(kb.Select(best=2), ds)
    assert out["example_id"][:] == [1, 2]
    assert kb.Select(best=2).run(ds).dropped_counts() == {
        "without a score": 1,
        "the same answer as a better row of its module": 1,
        "worse than the best rows of its module": 1,
    }
    assert kb.Select(best=2, repeats="keep")(ds)["example_id"][:] == [0, 1]
    assert kb.Select(by="length").run(ds).dataset["example_id"][:] == [0, 4]


def test_digest_sees_code_and_not_its_looks() -> None:
    """Text that does not parse is compared as it is; a degenerate text is not a trouble."""
    assert answer_digest('def f():\n  "doc"\n  return 1') == answer_digest("def f():\n    return 1  # one")
    assert answer_digest("x = 1") != answer_digest("x = 2")
    assert answer_digest("no python!") != answer_digest("no python?")
    assert answer_digest("-" * 100_000 + "1")
    assert answer_digest("  ") == ""


PAIRS = (
    row(0, "A", "pass", reward=1.5),
    row(1, "A", "wrong_output"),
    row(2, "A", "wrong_output"),
    row(3, "A", "compile_error"),
    row(4, "A", "pass", reward=1.0),
    row(5, "B", "pass"),
    row(6, "B", "wrong_output", prompt="Another question."),
    row(7, "C", "unsupported:ptx"),
)


def test_preferences_pair_right_with_wrong_answers_to_one_prompt() -> None:
    """Each kind of failure comes before any comes twice; rows in no pair are dropped."""
    out = check_stage(kb.ToPreferences(), rows(*PAIRS))
    assert list(zip(out["chosen_row"], out["rejected_row"], out["rejected_verdict"], strict=True)) == [
        (0, 1, "wrong_output"),
        (4, 3, "compile_error"),
    ]
    assert out[0]["prompt"] == [{"role": "user", "content": "Write A."}]
    assert out[0]["chosen"][0]["content"].startswith("<think>\nr0\n</think>\n\n<answer>")
    result = kb.ToPreferences().run(rows(*PAIRS))
    assert result.dropped_counts() == {"in no pair": 4}
    assert result.facts["rejected"] == {"wrong_output": 1, "compile_error": 1}


def test_preferences_respect_limits_and_length() -> None:
    """`per_task` bounds the pairs; an answer of another order of length is not paired."""
    ds = rows(*PAIRS)
    assert kb.ToPreferences(per_task=1).run(ds).dataset.num_rows == 1
    long = rows(row(0, "A", "pass"), row(1, "A", "wrong_output", code="y = 1\n" * 100))
    assert kb.ToPreferences().run(long).dataset.num_rows == 0
    assert kb.ToPreferences(longest_ratio=100).run(long).dataset.num_rows == 1


def test_fast_is_preferred_to_slow_only_where_intervals_are_apart() -> None:
    """Times that overlap say nothing."""
    ds = rows(
        row(0, "A", "pass", low=1.0, high=1.2),
        row(1, "A", "pass", low=1.1, high=1.3),
        row(2, "A", "pass", low=2.0, high=2.1),
        row(3, "A", "pass"),
    )
    out = kb.ToPreferences().run(ds).dataset
    assert list(zip(out["pair_kind"], out["chosen_row"], out["rejected_row"], strict=True)) == [("fast-slow", 0, 2)]


def test_repair_shows_the_wrong_answer_the_finding_and_the_right_one() -> None:
    """The reference, and values of outputs, are in no message."""
    error = (
        "the output differs in 3 of 9 elements, worst at [7, 51]: -0.25 instead of -0.75 (the output's scale is 1.3)"
    )
    ds = rows(row(0, "A", "wrong_output", error=error), row(1, "A", "pass"), row(2, "A", "timeout"))
    out = check_stage(kb.ToRepair(), ds)
    assert list(zip(out["wrong_row"], out["right_row"], strict=True)) == [(0, 1), (2, 1)]
    prompt = out[0]["prompt"]
    assert [message["role"] for message in prompt] == ["user", "assistant", "user"]
    assert prompt[1]["content"] == "<answer>\n```python\nx = 0\n```\n</answer>"
    assert "wrong_output" in prompt[2]["content"]
    assert "3 of 9 elements, worst at [7, 51]\n" in prompt[2]["content"]
    everything = str(out[:])
    assert "SECRET_REFERENCE" not in everything
    assert "-0.75" not in everything
    assert "-0.25" not in everything
    assert "1.3" not in everything


def test_values_are_taken_out_of_findings() -> None:
    """Complex numbers and several findings too, and what a kernel computes from inputs; places and counts stay."""
    text = "first at [1]: (1+2j) instead of (3-4j); worst at [2]: nan instead of 5e-3 (the output's scale is 2e-1)"
    assert finding("wrong_output", text) == "first at [1] worst at [2]"
    assert finding("runtime_error", "4 reads, 917,416 bytes past the end of x") == "4 reads, past the end of x"
    assert finding("runtime_error", "index -17 is out of bounds for axis 0") == "an index is out of bounds for axis 0"
    assert finding("reference_error:load", "class Secret(nn.Module): ...") == ""


def test_long_finding_keeps_its_last_lines() -> None:
    """A compiler says last what is wrong; how much is left out is said."""
    told = finding("compile_error", "while compiling:\n" + "x = 1\n" * 100_000 + "ValueError: BLOCK")
    assert told.startswith("while compiling:")
    assert told.endswith("ValueError: BLOCK")
    assert "[... 598,034 characters left out ...]" in told
    assert len(told) < 2_100


TALK = [
    {"role": "assistant", "content": "one", "reasoning": "a"},
    {"role": "user", "content": "wrong", "reasoning": None},
    {"role": "assistant", "content": "two", "reasoning": "b"},
]


def test_every_turn_becomes_a_row_with_what_was_seen_before_it() -> None:
    """Lists with a value a turn give each row its own; earlier reasoning stays unless it is to go."""
    features = datasets.Features({**FEATURES, "turn_rewards": datasets.List(datasets.Value("float64"))})
    talk = {**row(0, "A", "pass"), "completion": TALK, "turn_rewards": [0.0, 1.0]}
    ds = datasets.Dataset.from_list([talk], features=features)
    out = check_stage(kb.ExplodeTurns(per_turn=("turn_rewards",)), ds)
    assert out["turn"][:] == [1, 2]
    assert out["turn_rewards"][:] == [0.0, 1.0]
    assert [[message["content"] for message in prompt] for prompt in out["prompt"]] == [
        ["Write A."],
        ["Write A.", "one", "wrong"],
    ]
    assert [completion[0]["content"] for completion in out["completion"]] == ["one", "two"]
    assert out[1]["prompt"][1]["reasoning"] == "a"
    dropped = kb.ExplodeTurns(per_turn=("turn_rewards",), earlier_reasoning="drop")(ds)
    assert dropped[1]["prompt"][1]["reasoning"] is None
    assert dropped[1]["completion"][0]["reasoning"] == "b"


def test_one_column_of_messages_is_taken_apart_too() -> None:
    """The conversation so far is the prompt."""
    talk = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}, {"role": "assistant", "content": "v"}]
    ds = datasets.Dataset.from_dict({"messages": [talk]})
    out = check_stage(kb.ExplodeTurns(), ds)
    assert [message["content"] for message in out[0]["prompt"]] == ["s", "u"]
    assert out[0]["completion"][0]["content"] == "v"


def test_conversations_that_cannot_be_taken_apart_are_named() -> None:
    """No assistant's turn, or a list of another length: an error, or dropped with the reason."""
    features = datasets.Features({**FEATURES, "turn_rewards": datasets.List(datasets.Value("float64"))})
    silent = {**row(0, "A", "pass"), "completion": [TALK[1]], "turn_rewards": []}
    short = {**row(1, "A", "pass"), "completion": TALK, "turn_rewards": [1.0]}
    ds = datasets.Dataset.from_list([silent, short], features=features)
    stage = kb.ExplodeTurns(per_turn=("turn_rewards",))
    with pytest.raises(kb.errors.RowError, match="example_id 1"):
        stage(ds)
    result = kb.ExplodeTurns(per_turn=("turn_rewards",), on_error="drop").run(ds)
    assert result.dropped_counts() == {"no-assistant-turn": 1, "other-length": 1}


LONG = (
    "def kernel(x, y):\n    a = x + {0}\n    b = a * y\n    c = b - x\n    d = c / y\n    e = d + a\n    return {1}\n"
)


def test_select_leaves_out_answers_that_are_nearly_the_same() -> None:
    """The better one stays; other modules may have it too."""
    ds = rows(
        row(0, "A", "pass", reward=1.0, code=LONG),
        row(1, "A", "pass", reward=2.0, code=LONG.replace("kernel", "other")),
        row(2, "A", "pass", reward=0.5, code="import torch\nprint(torch.ones(3).sum().item())"),
        row(3, "B", "pass", reward=1.0, code=LONG),
    )
    result = kb.Select(best=2, repeats="near").run(ds)
    assert result.dataset["example_id"][:] == [1, 2, 3]
    assert result.dropped_counts() == {"nearly the answer of a better row of its module": 1}
    assert kb.Select(best=2)(ds)["example_id"][:] == [0, 1, 3]


LOOP = datasets.Features(
    {
        **{name: kind for name, kind in FEATURES.items() if not name.startswith("kernel")},
        "passed_turn": datasets.Value("int64"),
        "turn_verdicts": datasets.List(TEXT),
        "turn_rewards": datasets.List(datasets.Value("float64")),
    }
)


def conversation(index: int, module: str, *verdicts: str) -> dict[str, Any]:
    """A rollout of several turns, as `synthesize --turns` writes it."""
    found = row(index, module, verdicts[-1])
    turns: list[dict[str, Any]] = []
    for number, verdict in enumerate(verdicts):
        content = "" if verdict.startswith("no_answer") else f"<answer>x = {index} + {number}</answer>"
        turns += [{"role": "assistant", "content": content, "reasoning": f"r{number}"}]
        turns += [{"role": "user", "content": f"Wrong: {verdict}.", "reasoning": None}]
    found["completion"] = turns[:-1]
    found["passed_turn"] = len(verdicts) if verdicts[-1] == "pass" else None
    found["turn_verdicts"] = list(verdicts)
    found["turn_rewards"] = [float(verdict == "pass") for verdict in verdicts]
    return {name: value for name, value in found.items() if name in LOOP}


TURNS = (
    conversation(0, "A", "wrong_output", "compile_error", "pass"),
    conversation(1, "A", "pass"),
    conversation(2, "A", "wrong_output", "wrong_output"),
    conversation(3, "B", "no_answer:empty-answer", "pass"),
    conversation(4, "C", "timeout", "unsupported:ptx"),
)


def test_repaired_answers_are_preferred_to_first_tries() -> None:
    """To the first prompt; in the other kinds a rollout of several turns counts by its first try."""
    ds = datasets.Dataset.from_list(list(TURNS), features=LOOP)
    out = check_stage(kb.ToPreferences(), ds)
    found = [(it["pair_kind"], it["chosen_row"], it["rejected_row"]) for it in out]
    assert found == [("pass-fail", 1, 0), ("repaired", 0, 0)]
    repaired = out[1]
    assert repaired["prompt"] == [{"role": "user", "content": "Write A."}]
    assert repaired["chosen"][0]["content"].endswith("<answer>x = 0 + 2</answer>")
    assert repaired["rejected"][0]["content"].endswith("<answer>x = 0 + 0</answer>")
    assert (repaired["chosen_verdict"], repaired["rejected_verdict"]) == ("pass", "wrong_output")
    assert (repaired["chosen_reward"], repaired["rejected_reward"]) == (1.0, 0.0)
    assert kb.ToPreferences(kinds=("repaired",))(ds)["chosen_row"][:] == [0]


def test_conversation_that_came_right_is_a_repair_as_it_stands() -> None:
    """What was really asked, said and found stands before the right answer."""
    ds = datasets.Dataset.from_list(list(TURNS), features=LOOP)
    out = check_stage(kb.ToRepair(), ds)
    assert out["wrong_row"][:] == [0]
    assert [turn["content"] for turn in out[0]["prompt"]] == [
        "Write A.",
        "<answer>x = 0 + 0</answer>",
        "Wrong: wrong_output.",
        "<answer>x = 0 + 1</answer>",
        "Wrong: compile_error.",
    ]
    assert out[0]["completion"][0]["content"] == "<think>\nr2\n</think>\n\n<answer>x = 0 + 2</answer>"


def test_turns_and_pass_rates_of_conversations() -> None:
    """Each turn is a row with its verdict and reward; a module's rate is that of its last verdicts."""
    ds = datasets.Dataset.from_list(list(TURNS), features=LOOP)
    turns = kb.ExplodeTurns(per_turn=("turn_verdicts", "turn_rewards"), earlier_reasoning="drop")(ds)
    assert turns["turn_verdicts"][:4] == ["wrong_output", "compile_error", "pass", "pass"]
    assert [message["content"] for message in turns[1]["prompt"]][-1] == "Wrong: wrong_output."
    assert kb.PassRate()(ds)["pass_rate"][:] == [2 / 3] * 3 + [1.0, None]


@pytest.mark.parametrize("written", ["true", "False", "1", "correct"])
def test_right_and_wrong_as_text_are_no_verdicts(written: str) -> None:
    """All of them would count as wrong."""
    ds = rows(row(0, "A", written))
    with pytest.raises(kb.errors.SchemaError, match=f"column 'verdict' holds '{written}' as text"):
        kb.PassRate()(ds)
