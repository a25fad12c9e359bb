"""How many elements a reference has: counted on tensors without memory first, so that nothing huge is ever made."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._pytree import tree_flatten

from kbtools_plugins.verify.protocol.reference import ReferenceJob
from kbtools_plugins.verify.worker import loading


def elements(instance: Any, inputs: Any) -> int:
    """Elements of the inputs and parameters."""
    parameters = list(instance.parameters()) if isinstance(instance, torch.nn.Module) else []
    leaves = [*tree_flatten(inputs)[0], *parameters]
    return sum(leaf.numel() for leaf in leaves if isinstance(leaf, torch.Tensor))


def without_memory(job: ReferenceJob) -> int:
    """The same of tensors without memory; 0 for a reference that cannot be made of them."""
    try:
        with torch.device("meta"):
            module = loading.load(job.code, "reference")
            given = module.get_init_inputs() if hasattr(module, "get_init_inputs") else []
            args, kwargs = loading.split_init_inputs(given)
            return elements(loading.construct(getattr(module, job.entry), args, kwargs), module.get_inputs())
    except Exception:  # noqa: BLE001 - it may look at values; with real ones it is counted again
        return 0
