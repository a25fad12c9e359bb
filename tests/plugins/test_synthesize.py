"""Rollouts: the evals layout, reasoning apart from the answer, and no reward before anything was checked."""

import datasets
import pytest

import kbtools as kb
from kbtools.data.columns import evals_features
from kbtools.errors import RowError
from kbtools.testing import check_stage
from tests.rows import KERNELBOOK

CODE = "class Net(torch.nn.Module):\n    def forward(self, x):\n        return x\n"


def _modules(count: int = 1) -> datasets.Dataset:
    row = {"entry_point": "Net", "python_code": CODE, "triton_code": "t", "module_name": "Net"}
    return datasets.Dataset.from_list([{"uuid": i, **row} for i in range(count)], features=KERNELBOOK)


def test_rollout_has_the_evals_layout(model_server):
    """The prompt that was sent, the answer as content, the server's reasoning in its field, a null reward."""
    _, model = model_server(reply=lambda body: "<answer>\nx = 1\n</answer>", reasoning_field="reasoning_content")
    out = kb.Synthesize(model=model)(_modules())
    row = out[0]
    assert out.features == evals_features()
    assert "NetNew" in row["prompt"][1]["content"]
    (turn,) = row["completion"]
    assert (turn["role"], turn["content"]) == ("assistant", "<answer>\nx = 1\n</answer>")
    assert turn["reasoning"].startswith("thinking about")
    assert row["reward"] is None
    assert row["info"] == {"module_name": "Net", "python_code": CODE, "triton_code": "t"}
    assert (row["answer"], row["num_turns"], row["example_id"]) == ("t", 1.0, 0)


def test_module_of_kernelbench_is_called_model(model_server):
    """The class that is asked for is ModelNew, whatever the problem is called."""
    server, model = model_server(reply=lambda body: "<answer>A</answer>")
    code = CODE.replace("Net", "Model")
    ds = datasets.Dataset.from_list([{"code": code, "level": 1, "name": "1_Identity", "problem_id": 1}])
    row = kb.Synthesize(model=model)(ds)[0]
    assert "ModelNew" in server.log[0].prompt
    assert row["info"] == {"module_name": "1_Identity", "python_code": code, "triton_code": None}
    assert row["example_id"] == 1


def test_inline_thinking_becomes_the_reasoning(model_server):
    """Models that think in the text give the same rows as those with a field for it."""
    _, model = model_server(reply=lambda body: "<think>hm</think><answer>A</answer>")
    (turn,) = kb.Synthesize(model=model)(_modules())[0]["completion"]
    assert (turn["content"], turn["reasoning"]) == ("<answer>A</answer>", "hm")


def test_each_rollout_is_a_row_and_a_request(model_server):
    """Rollouts of a module stand together, and a second run costs nothing."""
    server, model = model_server(reply=lambda body: "<answer>A</answer>")
    stage = kb.Synthesize(model=model, rollouts=3, temperature=1.0)
    assert stage(_modules(2))["example_id"][:] == [0, 0, 0, 1, 1, 1]
    assert len(server.log) == 3  # the two modules have the same code, so their rollouts are the same questions
    stage(_modules(2))
    assert len(server.log) == 3


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ("<think>r <answer>half", "invalid: its <think>"),
        ("<answer>half", "unclosed-answer"),
        ("x</think>y", "no-answer"),
    ],
)
def test_reply_without_an_answer_is_a_failure_with_its_kind(model_server, reply, kind):
    """A truncated generation is not a rollout, and is not asked to be repaired."""
    server, model = model_server(reply=lambda body: reply)
    with pytest.raises(RowError, match=rf"row 0 \(uuid 0\): {kind}"):
        kb.apply(_modules(), kb.Synthesize(model=model))
    assert len(server.log) == 1


def test_stage_keeps_the_contract(model_server):
    """The check for plugin authors holds."""
    _, model = model_server(reply=lambda body: "<answer>A</answer>")
    check_stage(kb.Synthesize(model=model, rollouts=2), _modules(2))
