"""The cases of ../shared/cases/outside about replies and reasoning, by name, through the stages that users call.

All their servers' behaviours, and more of each kind, are in `tests/models/replay_table.py`; here whole stages meet the
same, with inputs of our own of the same kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datasets
import pytest

import kbtools as kb
from kbtools.errors import ConfigError
from kbtools.models import ResponseStore
from kbtools.models.store.import_export import export
from tests.models.replay_table import CASES
from tests.rows import KERNELBOOK, evals
from tests.servers.behaviours import CODE, Behaviours, Sent, completion, sent, surrogate

Run = Callable[..., kb.Result]
MODULE = {"uuid": 1, "entry_point": "Net", "python_code": "class Net: x = 1", "triton_code": "t", "module_name": "Net"}
SYNTHESIZED = {
    "half a pair": sent(surrogate(CODE.replace("pass", "'XX'"))),
    "half a pair, reasoning": sent(surrogate(CODE).replace(b'"assistant"', b'"assistant", "reasoning": "\\udc00"')),
    "broken off": sent(completion(CODE, "error")),
    "abort": sent(completion(CODE, "abort")),
    "max_tokens": sent(completion(CODE, "max_tokens")),
    "moon_phase": sent(completion(CODE, "moon_phase")),
    "words and a call": sent(completion("some words", "tool_calls", tool_calls=[{"id": "1"}])),
    "hidden reasoning": sent(completion(CODE, reasoning_details=[{"type": "reasoning.encrypted", "data": "gAAA"}])),
    "all right": sent(completion(CODE, "eos_token", reasoning_details=[{"type": "reasoning.text", "text": "hm"}])),
}


@pytest.fixture(scope="module")
def server() -> Iterator[Behaviours]:
    """The replay's behaviours, and some for code."""
    table: dict[str, Sent] = {name: case.sent for name, case in CASES.items()} | SYNTHESIZED
    with Behaviours(table).serving() as running:
        yield running


@pytest.fixture
def judged(server: Behaviours, tmp_path: Path) -> Run:
    """Judges as many rows as there are behaviours, and keeps the failed ones as nulls."""

    def run(behaviour: str, **options: Any) -> kb.Result:
        given = {"model": f"{server.url}#{behaviour}", "store": str(tmp_path / "s.sqlite"), "on_error": "null"}
        return kb.Judge(rubric="difficulty", **{**given, "max_attempts": 2, **options}).run(evals([0.9, 0.8]))

    return run


@pytest.fixture
def synthesized(server: Behaviours, tmp_path: Path) -> Run:
    """Has one module converted."""

    def run(behaviour: str) -> kb.Result:
        stage = kb.Synthesize(
            model=f"{server.url}#{behaviour}", store=str(tmp_path / "s.sqlite"), on_error="null", max_attempts=1
        )
        return stage.run(datasets.Dataset.from_list([MODULE], features=KERNELBOOK))

    return run


def kinds(result: kb.Result) -> dict[str, int]:
    """Failed rows by kind."""
    return {failure.kind: failure.count for failure in result.failed}


def test_case_01_a_surrogate_in_a_reply_fails_its_row_alone(judged: Run, synthesized: Run, tmp_path: Path):
    """The row fails, by name; it is asked again by the next run; the store is exported and verified without trouble."""
    assert kinds(judged("half a pair in the JSON")) == {"invalid": 2}
    result = judged("half a pair in the content")
    assert kinds(result) == {"invalid": 2}
    assert "half a surrogate pair at character" in result.dataset["difficulty_error"][0]
    for behaviour in ("half a pair", "half a pair, reasoning"):
        assert kinds(synthesized(behaviour)) == {"invalid": 1}
    with ResponseStore(tmp_path / "s.sqlite") as store:
        assert export(store, tmp_path / "replies.jsonl").unreadable == 0


def test_case_02_usage_of_any_type_costs_nothing(judged: Run, server: Behaviours):
    """The reply is used and stored, and a second run makes no call."""
    for behaviour in ("usage of texts", "usage of objects", "usage text", "usage huge"):
        assert judged(behaviour).dataset["difficulty"][:] == ["low", "low"]
        before = server.calls[behaviour]
        judged(behaviour)
        assert server.calls[behaviour] == before


def test_case_04_a_reply_that_was_broken_off_is_no_rollout(synthesized: Run):
    """Only an ending that is known to be one gives a row."""
    found = {name: kinds(synthesized(name)) for name in SYNTHESIZED if "pair" not in name}
    assert found == {
        "broken off": {"server": 1},
        "abort": {"server": 1},
        "max_tokens": {"truncated": 1},
        "moon_phase": {"incomplete": 1},
        "words and a call": {"tool-call": 1},
        "hidden reasoning": {},
        "all right": {},
    }


@pytest.mark.parametrize("tag", ["required", "optional"])
def test_case_05_reasoning_in_other_marks_is_stripped_or_named(tag: str):
    """Neither rule leaves reasoning in a result that is called no-reasoning."""
    marked = ["<thinking>S</thinking>code", "[THINK]S[/THINK]code", "<|begin_of_thought|>S<|end_of_thought|>code",
              "<seed:think>S</seed:think>code", "◁think▷S◁/think▷code", "<reasoning>S</reasoning>code"]  # fmt: skip
    ds = datasets.Dataset.from_dict({"completion": marked})
    result = kb.StripReasoning(tag=tag, on_error="drop").run(ds)
    assert result.dataset["completion"][:] == (["code"] * len(marked) if tag == "optional" else [])
    assert result.dropped_counts() == ({} if tag == "optional" else {"no-answer-tag": len(marked)})


@pytest.mark.parametrize("stage", [kb.ToMessages(), kb.ToPromptCompletion()], ids=lambda stage: stage.name)
@pytest.mark.parametrize(
    "fields",
    [
        {"content": [{"type": "thinking", "thinking": "S"}, {"type": "text", "text": "<answer>code</answer>"}]},
        {"content": "<answer>code</answer>", "reasoning_details": [{"type": "reasoning.text", "text": "S"}]},
        {"content": "<answer>code</answer>", "thinking_blocks": [{"type": "thinking", "thinking": "S"}]},
        {"content": "<thinking>S</thinking><answer>code</answer>"},
    ],
    ids=["parts", "reasoning_details", "thinking_blocks", "inline"],
)
def test_case_06_reasoning_is_kept_from_wherever_it_came(stage: kb.Stage, fields: dict[str, Any]):
    """`--reasoning think`, the default, means all reasoning."""
    row = {"prompt": [{"role": "user", "content": "p"}], "completion": [{"role": "assistant", **fields}]}
    out = stage(datasets.Dataset.from_list([row]))[0]
    said = (out.get("messages") or out["completion"])[-1]["content"]
    assert said == "<think>\nS\n</think>\n\n<answer>code</answer>"


def test_case_06_encrypted_reasoning_is_counted():
    """What cannot be kept is said."""
    part = {"type": "redacted_thinking", "data": "x"}
    turn = {"role": "assistant", "content": [part, {"type": "text", "text": "A", "data": None}]}
    row = {"prompt": [{"role": "user", "content": "p"}], "completion": [turn]}
    result = kb.ToMessages().run(datasets.Dataset.from_list([row]))
    assert result.notes == ("1 row with reasoning that is encrypted or redacted: what cannot be read is not kept",)


def test_case_06_encrypted_reasoning_of_rollouts_is_counted():
    """A converted rollout cannot keep it either."""
    hidden = [{"type": "reasoning.encrypted", "data": "x"}]
    turn = [{"role": "assistant", "content": "A", "reasoning_details": hidden}]
    info = {"module_name": "M", "python_code": "class M: pass", "triton_code": ""}
    row = {"example_id": 0, "prompt": turn, "completion": turn, "generation_ms": 1.0, "info": info}
    result = kb.ConvertRollouts().run(datasets.Dataset.from_list([row]))
    assert result.notes == ("1 row with reasoning that is encrypted or redacted, which cannot be kept",)


def test_case_06_encrypted_reasoning_of_new_rollouts_is_counted(synthesized: Run):
    """What the server hides from us is in no rollout."""
    result = synthesized("hidden reasoning")
    assert result.notes == ("1 row with reasoning that is encrypted or redacted, which cannot be kept",)
    assert result.dataset[0]["completion"][0]["reasoning"] is None


def test_case_07_reasoning_in_front_of_the_json_costs_no_repair(judged: Run, server: Behaviours):
    """A closing mark alone, harmony channels and blocks of any family: one call a row."""
    for behaviour in ("think, closing alone", "harmony", "THINK in brackets", "response in a frame"):
        before = server.calls[behaviour]
        assert judged(behaviour).dataset["difficulty"][:] == ["low", "low"]
        assert server.calls[behaviour] - before == 2


def test_case_08_faults_of_the_endpoint_are_not_faults_of_rows(judged: Run):
    """Out of credits, redirected, or a parameter that is not taken: the run stops and says what to do."""
    for behaviour, says in {
        "402": "Insufficient credits",
        "no response_format": "--response-format none",
        "no max_tokens": "--max-tokens-field max_completion_tokens",
        "no temperature": "--temperature omit",
        "307": "redirects to /r/v1/chat/completions",
    }.items():
        with pytest.raises(ConfigError, match=says):
            judged(behaviour)


def test_case_09_parts_are_joined_and_foreign_shapes_fail_once(judged: Run, server: Behaviours):
    """No reply is paid for eight times because it has another shape."""
    assert judged("content in parts").dataset["difficulty"][:] == ["low", "low"]
    assert judged("reasoning in parts").dataset["difficulty"][:] == ["low", "low"]
    before = server.calls["ollama"]
    assert kinds(judged("ollama", max_attempts=8)) == {"unknown-shape": 2}
    assert server.calls["ollama"] - before == 2


def test_case_12_what_was_unclear_is_said(judged: Run):
    """A tool call and reasoning without content have names of their own."""
    assert "called a tool" in judged("tool call").dataset["difficulty_error"][0]
    assert "characters of reasoning and no content" in judged("reasoning alone").dataset["difficulty_error"][0]


def test_case_12_sharegpt_is_read_again(tmp_path: Path):
    """What `to-messages --format sharegpt` writes is input like any other."""
    messages = [
        {"role": "user", "content": "p"},
        {"role": "assistant", "content": "<think>S</think><answer>A</answer>"},
    ]
    ds = datasets.Dataset.from_list([{"messages": messages}])
    there = kb.ToMessages(format="sharegpt")(ds)
    back = kb.ToMessages(reasoning="thinking")(there)
    assert back[0]["messages"][1] == {"role": "assistant", "content": "<answer>A</answer>", "thinking": "\nS\n"}
    assert kb.StripReasoning()(there)[0]["conversations"][1] == {"from": "gpt", "value": "<answer>A</answer>"}


def test_case_12_rollouts_without_a_trajectory_are_converted():
    """The default columns of an older vf-eval are all that a row needs."""
    turn = [{"role": "assistant", "content": "<answer>A</answer>", "reasoning_content": "S"}]
    row = {"example_id": 0, "prompt": [{"role": "user", "content": "p"}], "completion": turn, "task": "t",
           "reward": 1.0, "generation_ms": 1.0, "scoring_ms": 1.0, "total_ms": 2.0, "answer": "x",
           "num_turns": 1.0,
           "info": {"module_name": "M", "python_code": "class M: pass", "triton_code": ""}}  # fmt: skip
    (converted,) = kb.ConvertRollouts()(datasets.Dataset.from_list([row]))
    assert converted["completion"][0]["reasoning"] == "S"
