"""Files of TritonBench-T's form: whole functions with a test that calls them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.tritonbench_files import calls_of
from kbtools_plugins.verify import verify

FILE = '''import torch
import torch.nn.functional as F

def scaled_relu(input, scale=1.0, *, shift=0.0, out=None):
    """Relu of a tensor, scaled and shifted."""
    return F.relu(input) * scale + shift

##################################################################################################################

import torch

def test_scaled_relu():
    results = {}

    # Test case 1: defaults
    x = torch.randn(3, 40, device='cuda')
    results["test_case_1"] = scaled_relu(x)

    # Test case 2: numbers by name
    y = torch.randn(130, device='cuda')
    results["test_case_2"] = scaled_relu(y, 2.0, shift=0.5).clone()

    for size in (1, 2):
        results[f"more_{size}"] = scaled_relu(torch.randn(size))
    return results

test_results = test_scaled_relu()
'''
ANSWER = """Here it is:

```python
import torch
import triton
import triton.language as tl


@triton.jit
def relu_kernel(x_ptr, out_ptr, total, scale, shift, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + at, mask=at < total)
    tl.store(out_ptr + at, tl.maximum(x, 0.0) * scale + shift, mask=at < total)


def scaled_relu(input, scale=1.0, *, shift=0.0, out=None):
    made = torch.empty_like(input)
    relu_kernel[(triton.cdiv(input.numel(), 128),)](input, made, input.numel(), scale, shift, BLOCK=128)
    return made
```
"""


def test_each_call_of_the_test_is_a_pair() -> None:
    """Numbers that are written down stay in the call, by position or by name; what is in a loop is left out."""
    wrappers = [call.wrapper for call in calls_of(FILE, "scaled_relu")]
    assert wrappers == [
        "def called(given_1):\n    return scaled_relu(given_1)",
        "def called(given_1):\n    return scaled_relu(given_1, 2.0, shift=0.5)",
    ]


def test_nothing_runs_the_tests_of_a_file() -> None:
    """A reference is the function and its inputs."""
    for call in calls_of(FILE, "scaled_relu"):
        assert "test_scaled_relu" not in call.reference
        assert "results" not in call.reference


@pytest.mark.parametrize(
    ("change", "verdicts"),
    [(("", ""), ["pass", "pass"]), (("* scale + shift", "* scale"), ["pass", "wrong_output"])],
)
def test_an_answer_is_held_against_each_call(change: tuple[str, str], verdicts: list[str]) -> None:
    """One that leaves out what only the second call asks for is right in the first."""
    pairs = [call.pair(ANSWER.replace(*change)) for call in calls_of(FILE, "scaled_relu")]
    found = [verify(pair.reference, pair.candidate, entry_point=pair.entry_point) for pair in pairs]
    assert [verdict.verdict for verdict in found] == verdicts, [verdict.error for verdict in found]


def test_what_torch_has_is_called_as_the_example_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """With keywords and any number of arguments, whatever the task says of its signature; names alone are no code."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[3] / "benchmarks"))  # whose scripts import each other
    from tritonbench_examples import Unbuildable, calls_in_example

    task = {
        "file": "div.py",
        "torch_code": "torch.div(x, 0.5)",
        "func_inputs": "input (Tensor): the dividend",
        "example": ">>> a = torch.ones(4)\n>>> torch.div(a, 0.3, rounding_mode='trunc')\ntensor([3., 3., 3., 3.])",
    }
    (call,) = calls_in_example(task)
    made: dict[str, Any] = {}
    exec(call.reference, made)
    assert made["called"](*made["get_inputs"]()).tolist() == [3.0] * 4
    names = {"file": "both.py", "torch_code": "torch.tril(A), torch.mm", "func_inputs": "both(A)"}
    with pytest.raises(Unbuildable, match="names functions"):
        calls_in_example(task | names)
