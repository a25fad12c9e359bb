"""Task prompts: the columns of synthetic-tasks, and what a prompt must and must not say."""

import datasets
import pytest

import kbtools as kb
from kbtools.errors import RowError
from kbtools.pipeline import run
from kbtools.testing import check_stage
from kbtools_plugins.generate_prompts import leaked_code
from tests.rows import KERNELBOOK

CODE = "import torch\n\nclass Net(torch.nn.Module):\n    def forward(self, x):\n        y = x * 2\n        z = y + 1\n"
CODE += "        w = z.relu()\n        v = w.sum(-1)\n        return v / 3\n"


def _modules() -> datasets.Dataset:
    row = {"uuid": 7, "entry_point": "Net", "python_code": CODE, "triton_code": "t", "module_name": "Net"}
    return datasets.Dataset.from_list([row], features=KERNELBOOK)


def test_result_has_the_columns_of_synthetic_tasks(model_server):
    """prompt, module_name, python_code, triton_code, uuid, in this order."""
    _, model = model_server(reply=lambda body: "Write the class NetNew.")
    out = kb.GeneratePrompts(model=model)(_modules())
    assert out.to_list() == [
        {"prompt": "Write the class NetNew.", "module_name": "Net", "python_code": CODE, "triton_code": "t", "uuid": 7}
    ]
    assert list(out.features) == ["prompt", "module_name", "python_code", "triton_code", "uuid"]


def test_stage_keeps_the_contract(model_server):
    """The check for plugin authors holds, also for several phrasings."""
    _, model = model_server(reply=lambda body: "Write the class NetNew.")
    check_stage(kb.GeneratePrompts(model=model, samples=2), _modules())


def test_several_phrasings_are_several_rows_and_requests(model_server):
    """Each sample is asked for on its own."""
    server, model = model_server(reply=lambda body: "Write NetNew.")
    assert kb.GeneratePrompts(model=model, samples=3)(_modules()).num_rows == 3
    assert len(server.log) == 3


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ("Write a class that doubles.", "class-not-named"),
        (f"Write NetNew.\n```python\n{CODE}```", "gives-code-away"),
        (f"Write NetNew. Steps:\n{CODE}", "gives-code-away"),
    ],
)
def test_prompt_that_says_too_little_or_too_much_is_a_failure(model_server, reply, kind):
    """The kind is counted and the row named."""
    _, model = model_server(reply=lambda body: reply)
    with pytest.raises(RowError, match=rf"row 0 \(uuid 7\): {kind}"):
        kb.apply(_modules(), kb.GeneratePrompts(model=model))
    done = run(_modules(), [kb.GeneratePrompts(model=model, on_error="null")])
    assert done.records[0].failed == {kind: 1}
    assert done.dataset[0]["prompt"] is None
    assert done.dataset[0]["prompt_error"].startswith(kind)


def test_signatures_are_not_a_leak():
    """The interface part of a task prompt repeats the signatures."""
    code = "import torch\nclass A(B):\n    def __init__(self, n):\n        super().__init__()\n"
    assert leaked_code("class A(B):\n    def __init__(self, n):\n        super().__init__()", code) is None
