"""Rollouts of several turns: wrong answers are followed by what was found, and everything is kept and paid once."""

import json
import re
from pathlib import Path

import datasets
import pytest

import kbtools as kb
from kbtools.errors import RowError, UsageError
from tests.rows import KERNELBOOK, made_of
from tests.servers.behaviours import Behaviours, completion, sent

CODE = "class Net(torch.nn.Module):\n    def forward(self, x):\n        return x\n"
MARKS = """
from pathlib import Path
from typing import ClassVar
import kbtools as kb
from kbtools.feedback import Assessment, Feedback

class Marks(Feedback):
    '''Right is what holds a word.'''
    name: ClassVar[str] = "marks"
    wanted: str = "right"
    '''The word.'''

    def assess(self, attempts):
        for attempt in attempts:
            with Path("assessed.txt").open("a") as log:
                log.write(attempt.answer + "\\n")
            if "unsure" in attempt.answer:
                yield Assessment(verdict="unsupported:machine", passed=None, reward=None)
            elif "killed" in attempt.answer and not Path("mended").exists():
                yield None
            elif self.wanted in attempt.answer:
                yield Assessment(verdict="pass", passed=True, reward=1.0)
            else:
                told = f"nothing {self.wanted} in {len(attempt.answer)} characters"
                yield Assessment(verdict="wrong_output", passed=False, reward=0.0, finding=told)

@kb.hookimpl
def register_feedback():
    return [Marks]
"""


@pytest.fixture
def marks(install):
    """A third party's feedback, which needs no kernel."""
    install("kb-marks", MARKS)


def modules(count: int = 1) -> datasets.Dataset:
    rows = [
        {"uuid": i, "entry_point": "Net", "python_code": f"# {i}\n{CODE}", "triton_code": "t", "module_name": f"Net{i}"}
        for i in range(count)
    ]
    return made_of(rows, KERNELBOOK)


def rights_itself(body) -> str:
    """Wrong until it was told so twice."""
    told = sum(turn["role"] == "user" for turn in body["messages"]) - 1
    return f"<think>hm</think><answer>{'right' if told == 2 else f'try {told}'}</answer>"


def assessed(tmp_path) -> list[str]:
    file = tmp_path / "assessed.txt"
    return file.read_text().splitlines() if file.exists() else []


def test_wrong_answers_are_followed_by_what_was_found(model_server, marks):
    """All turns stand in the completion, with verdict and reward of each, and which one was right."""
    server, model = model_server(reply=rights_itself)
    row = kb.Synthesize(model=model, turns=4, feedback="marks")(modules())[0]
    assert [turn["role"] for turn in row["completion"]] == ["assistant", "user"] * 2 + ["assistant"]
    assert row["completion"][0] == {"role": "assistant", "content": "<answer>try 0</answer>", "reasoning": "hm"}
    assert "nothing right in 22 characters" in row["completion"][1]["content"]
    assert (row["turn_verdicts"], row["turn_rewards"]) == (["wrong_output"] * 2 + ["pass"], [0.0, 0.0, 1.0])
    assert (row["verdict"], row["reward"], row["passed_turn"], row["num_turns"]) == ("pass", 1.0, 3, 3.0)
    assert row["error"] == ""
    (*_, last) = server.log
    assert len(server.log) == 3
    assert last.prompt == row["completion"][3]["content"]


def test_model_sees_its_answers_without_reasoning(model_server, marks):
    """What is sent is what stands in the row, so that turns can be trained on as they were."""
    seen = []

    def reply(body) -> str:
        seen.append(body["messages"])
        return rights_itself(body)

    _, model = model_server(reply=reply)
    row = kb.Synthesize(model=model, turns=3, feedback="marks")(modules())[0]
    told = [{key: turn[key] for key in ("role", "content")} for turn in [*row["prompt"], *row["completion"][:-1]]]
    assert seen[-1] == told


def test_turns_end(model_server, marks):
    """A rollout that never gets it right keeps its last verdict and what was found."""
    server, model = model_server(reply=lambda body: "<answer>no</answer>")
    out = kb.Synthesize(model=model, turns=2, feedback="marks")(modules())
    assert (out["passed_turn"][0], out["verdict"][0], out["num_turns"][0]) == (None, "wrong_output", 2.0)
    assert out["error"][0] == "nothing right in 19 characters"
    assert len(server.log) == 2


def test_encrypted_reasoning_of_any_turn_is_counted(marks):
    """Once a rollout, whichever turns had it; a rollout without is not counted."""
    hidden = completion("<answer>no</answer>", reasoning_details=[{"type": "reasoning.encrypted", "data": "gAAA"}])
    with Behaviours({"hides": sent(hidden), "shows": sent(completion("<answer>no</answer>"))}).serving() as server:
        notes = {
            name: kb.Synthesize(model=f"{server.url}#{name}", turns=2, feedback="marks").run(modules(2)).notes
            for name in ("hides", "shows")
        }
    told = ("2 rows with reasoning that is encrypted or redacted, which cannot be kept",)
    assert notes == {"hides": told, "shows": ()}


def test_second_run_asks_and_checks_nothing(model_server, marks, tmp_path):
    """Replies and assessments are kept, and the same bytes follow from them."""
    server, model = model_server(reply=rights_itself)
    stage = kb.Synthesize(model=model, turns=4, feedback="marks", rollouts=2)
    first = stage(modules(2)).to_list()
    assert (len(server.log), len(assessed(tmp_path))) == (12, 6)
    assert stage(modules(2)).to_list() == first
    assert (len(server.log), len(assessed(tmp_path))) == (12, 6)


def test_a_moved_store_has_all_that_a_run_goes_on_from(model_server, marks, tmp_path, cli):
    """Export and import take the assessments along; gc takes them with the replies."""
    server, model = model_server(reply=rights_itself)
    old, new = tmp_path / "old.sqlite", tmp_path / "new.sqlite"
    asked = {"model": model, "turns": 4, "feedback": "marks"}
    first = kb.Synthesize(store=str(old), **asked)(modules(2)).to_list()
    assert "6 replies, 6 assessments" in cli("store", "--store", str(old), "stats").out
    assert "wrote 6 replies, 6 assessments" in cli("store", "--store", str(old), "export", "all.jsonl").out
    assert "added 6 replies, 6 assessments" in cli("store", "--store", str(new), "import", "all.jsonl").out
    assert kb.Synthesize(store=str(new), **asked)(modules(2)).to_list() == first
    assert (len(server.log), len(assessed(tmp_path))) == (6, 6)
    done = cli("store", "--store", str(new), "gc", "--older-than", "0")
    assert "removed 6 replies, 6 assessments" in done.out


def test_another_feedback_prompt_asks_only_what_follows(model_server, marks, tmp_path):
    """First answers and what was found of them stay; another word of the plugin's option is another assessment."""
    server, model = model_server(reply=rights_itself)
    kb.Synthesize(model=model, turns=4, feedback="marks")(modules())
    (tmp_path / "mine.j2").write_text(
        "---\ndescription: mine\ncolumns: [verdict, finding]\n---\n{# role: user #}\nWrong: {{ finding }}\n"
    )
    other = kb.Synthesize(model=model, turns=4, feedback="marks", feedback_prompt=str(tmp_path / "mine.j2"))
    row = other(modules())[0]
    assert row["completion"][1]["content"] == "Wrong: nothing right in 22 characters"
    assert len(server.log) == 3 + 2
    assert assessed(tmp_path) == ["<answer>try 0</answer>", "<answer>try 1</answer>", "<answer>right</answer>"]
    stricter = kb.Synthesize(model=model, turns=4, feedback="marks", feedback_options={"wanted": "better"})
    assert stricter(modules())["verdict"][:] == ["wrong_output"]


def test_prompt_that_is_no_message_of_the_user_is_refused_before_any_call(model_server, marks, tmp_path):
    """Feedback is one user message."""
    server, model = model_server(reply=rights_itself)
    (tmp_path / "two.j2").write_text(
        "---\ndescription: two\ncolumns: [verdict]\n---\n{# role: system #}\na\n{# role: user #}\n{{ verdict }}\n"
    )
    stage = kb.Synthesize(model=model, turns=4, feedback="marks", feedback_prompt=str(tmp_path / "two.j2"))
    with pytest.raises(UsageError, match="must be one user message"):
        kb.apply(modules(), stage)
    assert not server.log


@pytest.mark.parametrize(("said", "kind"), [("", "empty-answer"), ("hm", "no-answer-tag"), ("<answer>x", "unclosed")])
def test_reply_without_an_answer_is_a_wrong_answer(model_server, marks, tmp_path, said, kind):
    """Empty replies too: the model is told, the check is not asked."""
    _, model = model_server(reply=lambda body: rights_itself(body) if len(body["messages"]) > 3 else said)
    row = kb.Synthesize(model=model, turns=4, feedback="marks")(modules())[0]
    assert row["turn_verdicts"][0].startswith(f"no_answer:{kind}")
    assert row["completion"][0]["content"] == said
    assert "no answer can be taken from the reply" in row["completion"][1]["content"]
    assert said not in assessed(tmp_path) or not said


def test_undecided_ends_the_conversation(model_server, marks):
    """Nothing can be told that would help: no reward, neither right nor wrong."""
    server, model = model_server(reply=lambda body: "<answer>unsure</answer>")
    row = kb.Synthesize(model=model, turns=4, feedback="marks")(modules())[0]
    assert (row["verdict"], row["reward"], row["num_turns"]) == ("unsupported:machine", None, 1.0)
    assert len(server.log) == 1


def test_check_that_fails_itself_is_no_wrong_answer(model_server, marks, tmp_path):
    """The row is named as not checked; a later run checks it again and asks nothing."""
    server, model = model_server(reply=lambda body: "<answer>killed, right</answer>")
    stage = kb.Synthesize(model=model, turns=4, feedback="marks")
    with pytest.raises(RowError, match=r"not-checked: the check of the answer in turn 1 failed itself"):
        kb.apply(modules(), stage)
    kept = kb.apply(modules(), stage.model_copy(update={"on_error": "null"}))
    assert kept["completion_error"][0].startswith("not-checked")
    (tmp_path / "mended").touch()
    assert stage(modules())["verdict"][:] == ["pass"]
    assert len(server.log) == 1


def test_call_that_fails_in_a_later_turn_fails_the_row(model_server, marks):
    """It says which turn; the next run asks for that turn alone."""
    broken = [True]
    server, model = model_server(
        reply=rights_itself, script=lambda call: "400" if broken[0] and len(call.body["messages"]) > 2 else "ok"
    )
    stage = kb.Synthesize(model=model, turns=4, feedback="marks")
    with pytest.raises(RowError, match="bad-request: in turn 2"):
        kb.apply(modules(), stage)
    assert len(server.log) == 2
    broken[0] = False
    assert stage(modules())["passed_turn"][:] == [3]
    assert len(server.log) == 4


def test_no_rollout_is_begun_that_is_not_needed(model_server, marks):
    """With two right answers wanted of five, a third rollout is begun only where one of the first two failed."""
    replies = {"# 0": "<answer>right</answer>", "# 1": "<answer>no</answer>"}
    server, model = model_server(
        reply=lambda body: next(said for code, said in replies.items() if code in body["messages"][1]["content"])
    )
    stage = kb.Synthesize(model=model, turns=1, feedback="marks", rollouts=5, enough=2)
    done = stage.run(modules(2))
    assert done.dataset["verdict"][:] == ["pass"] * 2 + ["wrong_output"] * 5
    assert done.dropped_counts() == {"its module has enough right answers": 3}
    assert len(server.log) == 7


def test_dry_run_counts_what_may_follow(cli, model_server, marks, tmp_path):
    """The next requests exactly, later ones at most; nothing is asked or checked."""
    server, model = model_server(reply=rights_itself)
    kb.save(modules(3), tmp_path / "rows.parquet")
    words = ("apply", "synthesize", "--turns", 4, "--feedback", "marks", "--model", model, "--dataset", "rows.parquet")
    plan = json.loads(cli(*words, "--dry-run", "--json").out)["plan"][0]["calls"][0]
    assert (plan["to_send"], plan["may_follow"]) == (3, 9)
    assert not server.log
    assert "up to 9 further requests follow" in cli(*words, "--dry-run").out


def test_budget_counts_all_rounds(cli, model_server, marks, tmp_path):
    """A run stops before the call that would exceed it, and the same command goes on from there."""
    server, model = model_server(reply=rights_itself)
    kb.save(modules(3), tmp_path / "rows.parquet")
    words = ("apply", "synthesize", "--turns", 4, "--feedback", "marks", "--model", model, "--dataset", "rows.parquet")
    stopped = cli(*words, "--max-requests", 5, "--out", "a.parquet")
    assert (stopped.code, len(server.log)) == (1, 5)
    assert "the budget of this run does not allow a further call" in stopped.err
    assert cli(*words, "--out", "a.parquet").code == 0
    assert len(server.log) == 9


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"turns": 2}, "--turns, --enough and --feedback-options need --feedback"),
        ({"feedback": "mark"}, "there is no feedback 'mark'.*Did you mean 'marks'"),
        ({"feedback": "marks", "feedback_options": {"want": "x"}}, "unknown key 'want'.*'wanted'"),
        ({"feedback": "verify", "feedback_options": {"tier": "tpu"}}, "tier"),
        ({"feedback": "marks", "rollouts": 2, "enough": 3}, "enough=3 of rollouts=2"),
    ],
)
def test_wrong_options_are_found_before_anything_is_asked(model_server, marks, fields, said):
    """Names, options and numbers that do not fit."""
    _, model = model_server(reply=rights_itself)
    with pytest.raises(UsageError, match=said):
        kb.apply(modules(), kb.Synthesize(model=model, **fields))


def test_feedback_of_the_page_on_plugins(model_server, install):
    """The example of docs/plugins.md, installed, says what it wants and is listed."""
    page = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text()
    found = re.search(r'^```python title="few_kernels.py"\n(.*?)^```$', page, re.DOTALL | re.MULTILINE)
    install("few-kernels", found[1])
    said = {2: "@triton.jit " * 3, 4: "@triton.jit"}
    _, model = model_server(
        reply=lambda body: f"<answer>{said[len(body['messages'])]}</answer>",
    )
    row = kb.Synthesize(model=model, turns=3, feedback="few-kernels")(modules())[0]
    assert row["turn_verdicts"] == ["kernels", "pass"]
    assert "it has 3 kernels and should have 1 to 1" in row["completion"][1]["content"]
    assert "few-kernels" in kb.plugins.registry().feedbacks()


OFFLINE = """
import json
import kbtools as kb
from kbtools.models.kinds import Kind
from kbtools.models.reply import Answer

class Offline:
    model, endpoint, chunk_size = "offline", "here", 2

    def complete(self, requests, run):
        for request in requests:
            told = sum(turn.role == "user" for turn in request.messages) - 1
            said = f"<answer>{'right' if told == 2 else 'wrong'}</answer>"
            choice = {"message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
            yield request, Answer(Kind.OK, json.dumps({"choices": [choice]}))

    def close(self):
        pass

@kb.hookimpl
def resolve_model(spec):
    return Offline() if spec == "offline:here" else None
"""


def test_backends_of_whole_chunks_go_on_in_rounds(install, marks):
    """As offline engines and batches are: a chunk of first turns, then one of second turns."""
    install("kb-offline", OFFLINE)
    out = kb.Synthesize(model="offline:here", turns=3, feedback="marks")(modules(5))
    assert out["passed_turn"][:] == [3] * 5
