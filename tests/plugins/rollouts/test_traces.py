"""Traces of verifiers, prime-rl and ATIF become rows: what the real programs wrote, and whatever else may be there."""

from __future__ import annotations

import copy
import gzip
import json
import pickle
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import feather

import kbtools as kb
from kbtools.rollouts import Unconvertible, trace_features
from kbtools.testing import check_stage
from kbtools_plugins.rollouts import atif, prime_rl, verifiers

WRITTEN = Path(__file__).parent / "written"
"""Files of write_traces.py (9 episodes by verifiers 0.4.0) and write_trajectories.py (nvidia-nat-atif 1.9.0)."""


def lines(name: str, folder: Path = WRITTEN) -> list[dict[str, Any]]:
    """The rows of a written file."""
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def converted(*rows: dict[str, Any], name: str = "rows.jsonl") -> list[dict[str, Any]]:
    """The rows of the result for a file of these rows."""
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return list(kb.ConvertRollouts()(kb.load(name)))


def changed(row: dict[str, Any], change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """A copy of the row with a change made."""
    again = copy.deepcopy(row)
    change(again)
    return again


EPISODE = next(row for row in lines("traces") if len(row["traces"]) == 1 and len(row["traces"][0]["nodes"]) > 3)
TRACE: dict[str, Any] = EPISODE["traces"][0]
TRAJECTORY, COMMANDS = lines("trajectories")


def as_chat(message: dict[str, Any]) -> dict[str, Any]:
    """A message of the result in the form of chat APIs, which is how verifiers gives its own."""
    found = {"role": message["role"], "content": message["content"]}
    if message["reasoning"]:
        found["reasoning_content"] = message["reasoning"]
    if message["tool_calls"]:
        found["tool_calls"] = [
            {"id": call["id"], "type": call["type"], "function": dict(list(call["function"].items())[:2])}
            for call in message["tool_calls"]
        ]
    return found | {key: message[key] for key in ("tool_call_id", "name") if message[key]}


def assert_equal_to_verifiers(folder: Path) -> int:
    """Each branch that verifiers reads of the traces is one row that says the same, in the same order; how many."""
    rows = list(kb.ConvertRollouts()(kb.load(str(folder / "traces.jsonl"))))
    branches = lines("branches", folder)
    assert len(rows) == len(branches)
    for row, branch in zip(rows, branches, strict=True):
        assert [as_chat(message) for message in (*row["prompt"], *row["completion"])] == branch["messages"]
        assert row["reward"] == (branch["reward"] if branch["scored"] or not branch["has_error"] else None)
        assert row["error"] == branch["error"] if branch["has_error"] else not row["error"] or "episode" in row["error"]
        tools = [{**tool["function"], "type": tool["type"]} for tool in json.loads(row["oai_tools"] or "[]")]
        assert tools == branch["tools"]
        same = ("trace_id", "branch", "trainable", "is_truncated", "num_turns")
        assert {name: row[name] for name in same} == {name: branch[name] for name in same}
        assert row["branches"] == branch["num_branches"]
    return len(rows)


def test_verifiers_traces_are_read_as_verifiers_reads_them() -> None:
    """Branches, tools, failures and several agents; what ended before its first message is counted, and no row."""
    assert assert_equal_to_verifiers(WRITTEN) == 13
    result = kb.ConvertRollouts().run(kb.load(str(WRITTEN / "traces.jsonl")))
    assert result.dropped_counts() == {"no-messages": 2}
    assert result.facts == {"rollouts": 13, "silent": 3, "failed": 2, "hidden": 0}


def test_datasets_of_prime_rl_are_the_same_branches() -> None:
    """They do not say which turns the model wrote, so only the whole conversations are equal."""
    ours = kb.ConvertRollouts()(kb.load(str(WRITTEN / "traces.jsonl")))
    theirs = kb.ConvertRollouts()(kb.load(str(WRITTEN / "prime-rl.jsonl")))
    for one, other in zip(ours, theirs, strict=True):
        assert one["prompt"] + one["completion"] == other["prompt"] + other["completion"]
        same = ("trace_id", "episode_id", "branch", "task", "is_truncated", "speedup_reward", "info", "agent")
        assert {name: one[name] for name in same} == {name: other[name] for name in same}


def test_a_trajectory_is_a_conversation() -> None:
    """Tools answer by the id of their call, agents within are rows of their own, arguments are JSON as they were."""
    ds = kb.load(str(WRITTEN / "trajectories.jsonl"))
    outer, helper, commands = list(check_stage(kb.ConvertRollouts(), ds))
    assert [message["role"] for message in outer["completion"]] == ["assistant", "tool", "tool", "assistant"]
    first = outer["completion"][0]
    assert first["reasoning"] == "First the loads."
    assert first["tool_calls"][0]["function"]["arguments"] == '{"code": "x = 1", "flags": null}'
    assert [message["tool_call_id"] for message in outer["completion"]] == [None, "a", "b", None]
    assert (outer["reward"], outer["info"]["module_name"], outer["model"]) == (1.25, "Add", "tiny")
    assert (helper["agent"], helper["parent_id"], helper["trace_id"]) == ("helper", "t-1", "helper-1")
    assert [message["content"] for message in commands["prompt"]] == ["Write Sub.", "An old turn."]
    roles = ["assistant", "user", "assistant", "assistant"]
    assert [message["role"] for message in commands["completion"]] == roles
    assert commands["new_turns"] == [True, False, False, True]


def test_shared_turns_are_learned_once() -> None:
    """Branches repeat what they share; `explode-turns` gives each turn that the model wrote one row."""
    ds = kb.ConvertRollouts()(kb.load(str(WRITTEN / "traces.jsonl")))
    turns = kb.ExplodeTurns()(ds)
    sampled = [node for row in lines("traces") for trace in row["traces"] for node in trace["nodes"] if node["sampled"]]
    assert turns.num_rows == len(sampled)
    assert sum(len(row["completion"]) for row in ds) > len(sampled)
    assert "new_turns" not in turns.column_names


TRACES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "an image": (
        lambda t: t["nodes"][0]["message"].update(content=[{"type": "image_url", "image_url": {"url": "data:"}}]),
        "not-text: a message has parts that are not text: image_url",
    ),
    "a cycle": (lambda t: t["nodes"][1].update(parent=3), "broken-graph: its message 1 follows 3"),
    "itself": (lambda t: t["nodes"][1].update(parent=1), "broken-graph"),
    "a fraction": (lambda t: t["nodes"][1].update(parent=0.0), "broken-graph"),
    "a newer version": (
        lambda t: t.update(version=2),
        "unknown-version: its trace is of version 2; version 1",
    ),
    "a huge index": (lambda t: t["task"]["data"].update(idx=2**70), "not-a-number: its task.data.idx is 11805916"),
    "a huge metric": (
        lambda t: t["metrics"].update(speedup_reward=10**400),
        "not-a-number: its speedup_reward has",
    ),
    "no role": (lambda t: t["nodes"][0]["message"].pop("role"), "not-messages: one of its messages has no role"),
    "half a pair": (lambda t: t["nodes"][0]["message"].update(content="\ud800"), "half-surrogate"),
    "nodes of text": (lambda t: t.update(nodes=["x"]), "not-a-list: its nodes is not a list of objects"),
}


@pytest.mark.parametrize("name", TRACES)
def test_a_trace_whose_meaning_would_be_lost_is_an_error(name: str) -> None:
    """The row is named with what is wrong, or dropped for it."""
    change, says = TRACES[name]
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in (TRACE, changed(TRACE, change))))
    ds = kb.load("rows.jsonl")
    with pytest.raises(kb.errors.RowError, match="1 of 2 rows cannot be converted") as caught:
        kb.ConvertRollouts()(ds)
    assert says in str(caught.value)
    assert kb.ConvertRollouts(on_error="drop").run(ds).dropped_counts() == {says.partition(":")[0]: 1}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda t: t.update(rewards={"a": {"score": float("nan")}}), {"reward": None}),
        (lambda t: t.update(rewards={"a": {"score": 1.0, "weight": 0.5}, "b": 2, "c": None}), {"reward": 2.5}),
        (lambda t: t.update(rewards={}), {"reward": 0.0}),
        (lambda t: t.update(rewards={}, ok=False, errors=[]), {"reward": None, "error": "agent_completed"}),
        (lambda t: t.update(rewards={}, ok=False, errors=[{"message": "died"}]), {"reward": None, "error": "died"}),
        (
            lambda t: [t.pop(key) for key in ("version", "agent", "calls", "timing", "tools", "verifiers")],
            {"model": None},
        ),
        (lambda t: t.update(task={"name": "Add", "idx": 3}), {"example_id": 3, "task": None}),
        (lambda t: t.update(new_thing={"x": [1]}, seed=2**70), {"error": None}),
        (lambda t: [node["message"].pop("tool_call_id", None) for node in t["nodes"]], {"error": None}),
    ],
)
def test_what_a_trace_may_lack_or_have_beyond(change: Callable[[dict[str, Any]], object], expected: Any) -> None:
    """Optional fields are null where they are missing, unknown ones are ignored; NaN is not a reward."""
    trace = changed({**TRACE, "ok": True, "stop_condition": "agent_completed"}, change)
    rows = converted(trace, TRACE)
    assert {name: rows[0][name] for name in expected} == expected


@pytest.mark.parametrize("version", ["ATIF-v1.8", "ATIF-v2.0", "7"])
def test_an_unknown_version_of_atif_is_named(version: str) -> None:
    """Also that of a trajectory within another."""
    for row in (
        {**TRAJECTORY, "schema_version": version},
        changed(TRAJECTORY, lambda t: t["subagent_trajectories"][0].update(schema_version=version)),
    ):
        with pytest.raises(
            kb.errors.RowError, match=f"schema_version is '{version}'; ATIF-v1.0 to ATIF-v1.7 are known"
        ):
            converted(row)


def test_agents_within_agents() -> None:
    """However deep they are, and though they name each other in a circle."""
    row = {key: value for key, value in COMMANDS.items() if key != "schema_version"}
    for depth in range(60):
        row = {**row, "trajectory_id": f"t{depth}", "subagent_trajectories": [row]}
    row["steps"][0]["observation"] = {"results": [{"subagent_trajectory_ref": [{"trajectory_id": "t59"}]}]}
    rows = converted({**row, "schema_version": "ATIF-v1.7"})
    assert len(rows) == 61
    assert [found["parent_id"] for found in rows[1:]] == [found["trace_id"] for found in rows[:-1]]


def test_files_of_one_trajectory_each() -> None:
    """As Harbor writes them: a document a trial, in which keys may be missing that another has."""
    for number, row in enumerate((COMMANDS, TRAJECTORY)):
        folder = Path(f"trials/{number}")
        folder.mkdir(parents=True)
        (folder / "trajectory.json").write_text(json.dumps(row, indent=2))
    rows = list(kb.ConvertRollouts()(kb.load("trials/*/trajectory.json")))
    assert [row["trace_id"] for row in rows] == ["run-2", "t-1", "helper-1"]


def test_episodes_and_single_traces_may_stand_in_one_file() -> None:
    """Both are traces of verifiers, compressed or not."""
    assert len(converted(EPISODE, TRACE)) == len(converted(TRACE, EPISODE)) == 2
    text = "".join(json.dumps(row) + "\n" for row in (EPISODE, TRACE))
    Path("rows.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    assert kb.ConvertRollouts()(kb.load("rows.jsonl.gz")).num_rows == 2


def test_a_typed_file_says_the_same() -> None:
    """Traces in an Arrow file, with the nulls that other rows brought."""
    plain = changed(EPISODE, lambda e: e["traces"][0].pop("info"))
    rows = [plain, changed(plain, lambda e: e["traces"][0].update(metrics={"more": 1.0}))]
    feather.write_feather(pa.Table.from_pylist(rows), "rows.arrow")
    kept = ("prompt", "completion", "reward", "new_turns", "info", "oai_tools")
    typed = kb.ConvertRollouts()(kb.load("rows.arrow")).select_columns(list(kept)).to_list()
    assert typed == [{name: row[name] for name in kept} for row in converted(*rows)]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ((TRACE, TRAJECTORY), r"of several layouts, verifiers-v1 \(nodes, task or task, traces\) and atif"),
        ((TRACE, {"example_id": 1, "prompt": [], "completion": [], "timing": {}}), "of several layouts, evals"),
        ((), "these are not rollouts: the columns are none"),
    ],
)
def test_files_of_several_layouts_or_of_none(rows: tuple[dict[str, Any], ...], says: str) -> None:
    """They are refused before the first row, with the layouts that they seem to have."""
    with pytest.raises(kb.errors.SchemaError, match=says):
        converted(*rows)


def test_a_line_that_was_cut_off_is_named() -> None:
    """A run that was killed leaves half a line."""
    Path("rows.jsonl").write_text(json.dumps(TRACE) + "\n" + json.dumps(TRACE)[:-9])
    with pytest.raises(kb.errors.DataError, match=r"line 2: not valid JSON"):
        kb.load("rows.jsonl")


JUNK = (None, 0, -1, 1.5, "x", "", [], {}, [1], {"a": 1}, True, float("nan"), 2**70, [None], [[]], "{", "[1]")


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value within a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


def spoiled(row: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """The row with a value somewhere in it replaced or gone."""
    again = pickle.loads(pickle.dumps(row))  # as a deep copy, in a fifth of the time
    *way, last = chance.choice(list(places(again)))
    inner: Any = again
    for key in way:
        inner = inner[key]
    if isinstance(inner, dict) and chance.random() < 0.3:
        del inner[last]
    else:
        inner[last] = copy.deepcopy(chance.choice(JUNK))
    return again


@pytest.mark.parametrize(
    ("name", "read"), [("traces", verifiers.read), ("prime-rl", prime_rl.read), ("trajectories", atif.read)]
)
def test_whatever_a_row_holds_it_is_rows_or_a_named_error(name: str, read: Any) -> None:
    """No value, wherever it stands, makes a row that the columns cannot hold or an error without a kind."""
    chance, schema = random.Random(0), trace_features().arrow_schema
    rows = lines(name)
    good = 0
    for _ in range(400):
        row = spoiled(spoiled(chance.choice(rows), chance), chance)
        try:
            found = [rollout.row() for rollout in read(row, "")]
        except Unconvertible:
            continue
        assert pa.Table.from_pylist(found, schema=schema).num_rows == len(found)
        good += 1
    assert good > 50
