"""Where memory is, as a storage says it: to the code of the candidate on the device, as its tensors are."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import torch

from kbtools_plugins.verify.worker.cuda_shim import Default
from kbtools_plugins.verify.worker.record.placement import Placement


def show_device(path: str, placement: Placement) -> None:
    """From now on storages say so to whoever asks from this file."""

    def answering(kind: Any, name: str, answer: Callable[[], object]) -> None:
        real = getattr(kind, name)

        def ask(storage: Any) -> object:
            untyped = getattr(storage, "_untyped_storage", storage)
            asked = sys._getframe(1).f_code.co_filename == path and not placement.holds(untyped)
            return answer() if asked else real.__get__(storage)

        setattr(kind, name, property(ask))

    for kind in (torch.UntypedStorage, torch.TypedStorage):
        answering(kind, "device", lambda: Default.card)
        answering(kind, "is_cuda", lambda: True)
