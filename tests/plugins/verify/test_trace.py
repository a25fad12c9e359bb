"""Traces come from a process that runs foreign code: what may be in one."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest

from kbtools_plugins.verify.protocol.message import WrongShape
from kbtools_plugins.verify.protocol.trace import Trace, live_steps

REF = {"storage": 0, "dtype": "float32", "offset": 0, "shape": [4], "stride": [1]}
OTHER = REF | {"storage": 1}
GOOD = {
    "storages": [{"size": 16, "origin": "input", "index": 0}, {"size": 16, "origin": "fresh"}],
    "steps": [
        {"operator": "aten.empty_like.default", "args": {"tuple": [{"ref": REF}]}, "kwargs": {"dict": []},
         "results": [OTHER], "line": 3, "tainted": True},
        {"kernel": "k", "kernel_line": 1, "grid": [1, 1, 1], "bound": {"x": {"ref": REF}, "y": {"ref": OTHER}, "n": 4},
         "options": {"num_warps": 4}, "line": 4, "tainted": True},
    ],
    "outputs": {"ref": OTHER},
    "reads": [],
}  # fmt: skip


def test_good_trace_is_read() -> None:
    """Both steps matter to the output."""
    trace = Trace.read(GOOD)
    assert [step.kernel for step in live_steps(trace)] == ["", "k"]
    assert Trace.read(copy.deepcopy(GOOD)).shape_of_it() == trace.shape_of_it()


def test_launch_that_writes_elsewhere_is_dead() -> None:
    """With the storages that a launch writes, one that writes no output is seen to be idle."""
    trace = Trace.read(GOOD)
    assert live_steps(trace, lambda step: {0}, inputs_count=False)[-1].kernel == ""


@pytest.mark.parametrize(
    "forge",
    [
        lambda t: t["outputs"]["ref"].update(storage=7),
        lambda t: t["outputs"]["ref"].update(shape=[400]),
        lambda t: t["outputs"]["ref"].update(offset=-1),
        lambda t: t["outputs"]["ref"].update(dtype="object"),
        lambda t: t["outputs"]["ref"].update(stride=[1, 1]),
        lambda t: t["storages"][1].update(size=2**50),
        lambda t: t["storages"][1].update(origin="elsewhere"),
        lambda t: t["steps"][1].update(grid=[1, -1, 1]),
        lambda t: t["steps"][1].update(grid=[1]),
        lambda t: t["steps"][1]["bound"].update(n={"code": "import os"}),
        lambda t: t["steps"][1]["bound"].update(n={"function": "k"}),
        lambda t: t["steps"][1]["bound"].update(n=b"bytes"),
        lambda t: t["steps"].append("launch"),
        lambda t: t.update(steps=None),
        lambda t: t.pop("outputs"),
    ],
)
def test_forged_trace_is_refused(forge: Callable[[dict], object]) -> None:
    """Views outside their storages, unknown types and forms, shapes that are none."""
    tree = copy.deepcopy(GOOD)
    forge(tree)
    with pytest.raises(WrongShape):
        Trace.read(tree)
