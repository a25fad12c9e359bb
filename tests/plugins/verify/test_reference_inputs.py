"""Other inputs than those that `get_inputs()` gives."""

from __future__ import annotations

import torch

from kbtools_plugins.verify.worker.reference.inputs import varied


def test_fixed_integers_have_another_largest_one_afterwards() -> None:
    """What a candidate reads off its own inputs does not hold for those that count; each is one that was there."""
    fixed = torch.arange(5, 69).view(8, 8)
    other = varied(fixed)
    assert other.shape == fixed.shape
    assert int(other.max()) < int(fixed.max())
    assert int(other.min()) > int(fixed.min())


def test_fixed_integers_of_few_values_stay_among_them() -> None:
    """Classes and flags, between whose extremes there is no choice, are drawn from all."""
    for fixed in (torch.tensor([0, 1, 1, 0]), torch.tensor([0, 1, 2, 2]), torch.tensor([7]), torch.tensor([[]]).int()):
        other = varied(fixed)
        assert other.shape == fixed.shape
        assert set(other.flatten().tolist()) <= set(fixed.flatten().tolist())
