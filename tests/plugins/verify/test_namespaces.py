"""Changes of names that others rely on are found, whether or not this Python counts them."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import ModuleType

import pytest
import torch

from kbtools_plugins.verify.worker.record import audit, namespaces
from kbtools_plugins.verify.worker.record.namespaces import Namespace


class Owner:
    """A class whose names are watched."""

    def first(self) -> int:
        """A name."""
        return 1


@pytest.fixture(params=[True, False], ids=["counted", "not counted"])
def _counted(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespaces, "_COUNTS", request.param and namespaces._COUNTS)
    monkeypatch.setattr(audit, "_remembered", [])


@pytest.mark.usefixtures("_counted")
@pytest.mark.parametrize("remembered", [True, False])
def test_a_patched_name_is_found_wherever_it_is(monkeypatch: pytest.MonkeyPatch, *, remembered: bool) -> None:
    """In a module, a class, by assignment or in the dictionary; what was patched before is not the candidate's."""
    if remembered:
        audit.remember()
    monkeypatch.setattr(torch.nn.functional, "relu", torch.relu)
    before = audit.watched_values()
    assert audit.changed_names(before) == []
    monkeypatch.setattr(math, "sin", math.cos)
    monkeypatch.setitem(vars(torch), "allclose", lambda *_: True)
    monkeypatch.setattr(torch.nn.Linear, "forward", lambda *_: None)
    monkeypatch.setattr(torch.Tensor, "unheard_of", 1, raising=False)
    assert sorted(audit.changed_names(before)) == ["Linear.forward", "math.sin", "torch.allclose"]


@pytest.mark.usefixtures("_counted")
def test_another_default_type_is_found() -> None:
    """It is no name, and decides on what torch makes."""
    before = audit.watched_values()
    torch.set_default_dtype(torch.float64)
    try:
        assert "torch.default type" in audit.changed_names(before)
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.skipif(not namespaces._COUNTS, reason="this Python does not count changes of dictionaries")
@pytest.mark.parametrize(
    "change",
    [
        lambda owner: setattr(owner, "first", print),
        lambda owner: delattr(owner, "first"),
        lambda owner: setattr(owner, "second", print),
        lambda owner: exec("first = print", vars(owner)) if isinstance(owner, ModuleType) else setattr(owner, "x", 1),
        lambda owner: vars(owner).update(first=1) if isinstance(owner, ModuleType) else type.__setattr__(owner, "x", 1),
    ],
)
def test_every_way_to_change_a_name_is_counted(change: Callable[[object], object]) -> None:
    """And reading none."""
    module = ModuleType("module")
    module.first = len  # type: ignore[attr-defined]
    for owner in (module, type("Copy", (), dict(vars(Owner)))):
        seen = Namespace.of(owner)
        assert owner.first is seen.names["first"]  # type: ignore[attr-defined]
        assert seen.now() is seen
        change(owner)
        assert seen.now().names == dict(vars(owner)) != seen.names
