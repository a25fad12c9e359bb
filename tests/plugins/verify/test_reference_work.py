"""How large a reference's own work is, and what shows operators that ordinary inputs hide."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from kbtools_plugins.verify.protocol.outputs import to_numpy
from kbtools_plugins.verify.protocol.reference import ReferenceJob
from kbtools_plugins.verify.worker.reference.job import run
from kbtools_plugins.verify.worker.reference.work import work_size


@pytest.mark.parametrize(
    ("forward", "together", "whole"),
    [
        (lambda x: x.sum(), 1, 1),
        (lambda x: (x[0] * 3 - 1).mean(), 1 / 64, 1 / 64),
        (lambda x: torch.relu(x)[:2].sum(), 2 / 64, 2 / 64),
        (lambda x: torch.relu(x)[:2].sum() + x.amax(), 1, 1),
        (lambda x: x.softmax(-1)[:16], 1 / 4, 1 / 4),
        (lambda x: x * 2, 1, 1),
        (lambda x: torch.zeros_like(x).index_put((torch.arange(64),), x * 2), 1, 1),
        (lambda x: x[torch.tensor([3])].sum(), 1 / 64, 1 / 64),
        (lambda x: (x @ x)[:1], 1 / 64, 1 / 64),
        (lambda x: torch.empty_like(x).copy_(x.exp()), 1, 1),
        (lambda x: torch.nn.functional.smooth_l1_loss(x, x.exp()), 1, 1),
        (lambda x: torch.nn.functional.mse_loss(x, x.exp()), 1, 1),
    ],
)
def test_work_is_what_the_outputs_need(forward: Callable[..., object], together: float, whole: float) -> None:
    """Beside the largest input: what is cut off afterwards is no work, and neither is what is moved."""
    found = work_size(forward, (torch.randn(64, 64),))
    assert (found.together, found.whole) == pytest.approx((together, whole))


_LAYERS = """
import torch
import torch.nn as nn

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.shift = nn.Parameter(torch.full((32,), {shift}))
        self.weight = nn.Parameter(torch.randn(32, 32))

    def forward(self, x):
        return {result}

def get_inputs():
    return [torch.randn(16, 32)]
"""


def _reply(shift: float, result: str):  # type: ignore[no-untyped-def]
    code = _LAYERS.format(shift=shift, result=result)
    job = ReferenceJob(code=code, entry="Model", seeds=[1, 2], decoy_seeds=[3, 4], most_elements=2**20, floor=False)
    return run(job, lambda _: None)  # type: ignore[arg-type]  # nothing is asked


def test_a_term_beside_a_large_parameter_shows_where_that_is_zero() -> None:
    """Such a set is added, with the parameter's other value; a module all of whose operators show has none."""
    found = _reply(1e9, "x @ self.weight + self.shift")
    sought = [one for one in found.sets if one.sought]
    assert [(one.name, list(one.weights)) for one in sought] == [("shift of zeros", ["shift"])]
    assert found.untested == []
    assert not any(one.sought for one in _reply(1.0, "x @ self.weight + self.shift").sets)


@pytest.mark.parametrize(("result", "some"), [("x.cumprod(-1)", False), ("x.cumsum(-1)", True)])
def test_numbers_that_are_multiplied_get_no_zeros_among_them(result: str, some: bool) -> None:
    """A zero hides all other factors, and what grows beyond all numbers in a part of the product is no fault."""
    values = [to_numpy(tensor) for found in _reply(0.0, result).sets for tensor in found.tensors]
    assert any((value == 0).any() and (value != 0).any() for value in values) is some


def test_an_operator_that_nothing_shows_stays_named() -> None:
    """A maximum with zero of what is not negative."""
    found = _reply(1.0, "torch.relu(torch.exp(x)) * self.shift")
    assert found.untested == ["relu"]
    assert not any(one.sought for one in found.sets)
