"""Values that leave a tensor by ways that are no operators."""

from __future__ import annotations

from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from kbtools_plugins.verify.worker.record.recorder import Recorder

_READING_METHODS = {
    torch.Tensor.numpy,
    torch.Tensor.tolist,
    torch.Tensor.__array__,
    torch.Tensor.__dlpack__,
    torch.Tensor.item,
    torch.Tensor.__bool__,
    torch.Tensor.__float__,
    torch.Tensor.__int__,
    torch.Tensor.__index__,
}


class ReadWatch(TorchFunctionMode):
    """Tells the recorder when values leave a tensor by ways that are not operators, such as `.tolist()`."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def __torch_function__(self, func: Any, types: object, args: Any = (), kwargs: Any = None) -> object:
        if func in _READING_METHODS:
            with torch._C.DisableTorchFunction():
                self._recorder.note_read(args[:1])
        return func(*args, **(kwargs or {}))
