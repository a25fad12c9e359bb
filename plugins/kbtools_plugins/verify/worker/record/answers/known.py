"""Whose answers are facts of the inputs and of the module's settings: what else answers may know where it is.

A fact of a tensor is its shape, type and strides, and that it is on a device; of a function, what it computes from its
arguments alone. Cards and settings of torch differ from place to place anyway (cards.py, surroundings.py), and honest
code asks for them often: those are taken for known too.
"""

from __future__ import annotations

import os
import re
import sys
from types import ModuleType

import torch

_PURE = frozenset(
    """
    builtins math cmath operator functools itertools collections _collections _collections_abc typing types
    dataclasses enum copy copyreg re string numbers decimal fractions statistics abc contextlib
    bisect heapq textwrap json packaging numpy einops typing_extensions _operator _functools
    """.split()  # noqa: SIM905 - a list of words reads better than one word per line
)
"""Packages whose functions and types compute from what they are given."""
_IMPURE = ("numpy.random", "numpy.__config__")
_PURE_IN_LIBRARIES = re.compile(
    r"torch\.(nn|_prims_common|_refs|utils\._pytree|utils\.checkpoint|functional|autograd|_jit_internal|fx"
    r"|backends\.(cuda|cudnn)|library|compiler|_dynamo|jit|amp|_higher_order_ops|_ops|types|distributions|_classes)\b"
    r"|kbtools_plugins\.verify\.worker\.(paritybench|record\.(library_shim|launches|storages|placement))\b"
    r"|triton\.(language|runtime\.(jit|autotuner)|tools|compiler\.code_generator)\b"
)
_SETTINGS = frozenset({"__version__", "hip", "cuda", "xpu", "platform", "version_info", "maxsize", "byteorder", "name"})
"""Of modules."""
_FACTS = frozenset(
    """
    size stride dim ndim ndimension numel nelement element_size itemsize nbytes storage_offset shape dtype layout
    device is_contiguous is_floating_point is_complex is_signed get_device is_same_size is_set_to
    requires_grad_ names has_names is_sparse is_sparse_csr is_quantized is_nested is_meta
    is_cuda is_cpu is_xpu is_mps is_mkldnn is_conj is_neg T mT H mH data training
    item tolist __bool__ __len__ __int__ __float__ __index__ sparse_dim dense_dim type_as
    """.split()  # noqa: SIM905 - a list of words reads better than one word per line
)
"""Of tensors."""
_OF_KERNELS = frozenset(
    {"fn", "base_fn", "arg_names", "params", "configs", "keys", "best_config", "__name__", "__doc__"}
)
_FUNCTIONS = frozenset(
    """
    cdiv next_power_of_2 is_tensor is_floating_point is_complex is_nonzero numel promote_types result_type can_cast
    broadcast_shapes get_default_dtype get_default_device is_grad_enabled is_inference_mode_enabled
    get_autocast_dtype get_autocast_gpu_dtype is_autocast_cache_enabled
    is_available device_count current_device get_device_name get_device_capability get_device_properties
    is_bf16_supported is_tf32_supported is_initialized is_storage equal allclose
    assert_size_stride are_deterministic_algorithms_enabled get_current_device get_current_stream
    get_current_target get_active_torch_device
    is_deterministic_algorithms_warn_only_enabled get_world_size get_rank current_accelerator is_scripting
    """.split()  # noqa: SIM905 - a list of words reads better than one word per line
)
"""By their last name; all others of torch, Triton and the standard library's other modules may know more."""


_OF_CALLERS = frozenset(
    """
    is_autocast_enabled is_autocast_cpu_enabled is_compiling is_dynamo_compiling is_exporting is_tracing
    requires_grad grad_fn
    """.split()  # noqa: SIM905 - a list of words reads better than one word per line
)
"""By their last name: functions, and attributes of tensors, that say how a model is called."""
_OF_PRECISION = frozenset({"is_autocast_enabled", "is_autocast_cpu_enabled"})
"""Those of them by which something else may be computed."""
_HOW_CALLED = frozenset({"cache_info"}) | _OF_CALLERS
"""By their last name, wherever they are: how a model is called, and how often."""
_OF_SYSTEMS = re.compile(
    r"(CUDA|NVIDIA|NV|NCCL|TORCH|TORCHELASTIC|PYTORCH|TORCHINDUCTOR|TRITON|OMP|MKL|OMPI|PMI|SLURM|KUBERNETES|CONDA|LC|XDG|SSH"
    r"|GITHUB|GITLAB|JPY|COLAB|KAGGLE|HF|WANDB|PYTEST|LD|DBUS|PIP|UV|RAY|AWS|AZURE|GCP|GOOGLE|DOCKER|LESS|VSCODE)_\w*"
    r"|PYTHON\w*|PATH|HOME|USER|LOGNAME|SHELL|TERM\w*|LANG\w*|PWD|OLDPWD|SHLVL|TZ|EDITOR|PAGER|MAIL|DISPLAY|COLUMNS|LINES"
    r"|HOST\w*|TMPDIR|TEMP|TMP|CI|RANK|WORLD_SIZE|LOCAL_\w+|GROUP_RANK|ROLE_\w+|MASTER_\w+|VIRTUAL_ENV\w*|_|container"
    r"|COLORTERM|PS1|INVOCATION_ID|JOURNAL_STREAM|MANPATH|INFOPATH|GPU_\w+"
)
"""Variables of the environment that are there, or not, without anybody having this candidate in mind."""


class Knowledge:
    """What a candidate knows without asking; its module is known by name and file."""

    def __init__(self, module: str, path: str) -> None:
        self._module, self._path = module, path

    def knows(self, function: object) -> bool:
        """Whether what a call of this gives is a fact of the arguments; where they lie in memory is none."""
        if function is id:
            return False
        function = getattr(function, "func", function) if type(function).__name__ == "partial" else function
        code = getattr(function, "__code__", None)
        if isinstance(function, type | torch.nn.Module) or (code is not None and code.co_filename == self._path):
            return True
        if isinstance(function, ModuleType) or _module(type(function)) == self._module:
            return True
        owner = getattr(function, "__self__", None)
        name = str(getattr(function, "__name__", ""))
        if function is os.getenv:
            return True  # heard as what it reads
        if owner is sys.modules:
            return False
        if isinstance(owner, type(os.environ)):
            return True  # it is heard by itself: variables.py
        if isinstance(owner, torch.Tensor):
            return name in _FACTS or _module(function) == self._module
        module = _module(function) or (owner.__name__ if isinstance(owner, ModuleType) else _module(type(owner)))
        if name in _HOW_CALLED or (module.startswith("torch.distributed") and name == "is_initialized"):
            return False
        return name in _FUNCTIONS or self._is_pure(module)

    def is_of_callers(self, target: object, attribute: str) -> bool:
        """Whether a call of this, or an attribute of it, says what a caller may have chosen."""
        of_tensor = isinstance(target, torch.Tensor) and attribute in _OF_CALLERS
        return of_tensor or getattr(target, "__name__", "") in _OF_CALLERS

    def is_of_precision(self, target: object) -> bool:
        """Whether what a call of this says may change what is computed."""
        return getattr(target, "__name__", "") in _OF_PRECISION

    def is_switch(self, variable: str) -> bool:
        """Whether a variable of the environment has a meaning for the candidate alone, so that its user sets it."""
        return _OF_SYSTEMS.fullmatch(variable) is None

    def knows_attribute(self, owner: object, name: str) -> bool:
        """Whether an attribute is a fact, or something that the candidate has put there."""
        if isinstance(owner, torch.Tensor):
            return name in _FACTS or name in getattr(owner, "__dict__", ())
        if isinstance(owner, ModuleType):
            heard = owner is os and name in ("environ", "environb")  # by itself: variables.py
            return heard or name in _SETTINGS or self._is_pure(owner.__name__)
        if isinstance(owner, torch.nn.Module | torch.dtype | torch.device | torch.Size | torch.finfo | torch.iinfo):
            return True
        if isinstance(owner, type):
            return name != "__module__" and (name.startswith("__") or self._is_pure(_module(owner)))
        if "DeviceProperties" in type(owner).__name__:
            return True
        if _module(type(owner)).startswith("triton.runtime."):
            return name in _OF_KERNELS
        return self._is_pure(_module(type(owner)))

    def knows_arguments(self, function: object, values: tuple[object, ...]) -> bool:
        """Whether a built-in function is asked something about what the candidate knows."""
        if function in (isinstance, issubclass) and len(values) == 2:
            kinds = values[1] if isinstance(values[1], tuple) else (values[1],)
            return all(self._is_ordinary(kind) for kind in kinds)
        if function in (getattr, hasattr) and len(values) > 1 and isinstance(values[1], str):
            owner = values[0]
            if function is hasattr and isinstance(owner, ModuleType):
                return not owner.__name__.startswith("torch._")
            return self.knows_attribute(owner, values[1])
        return not values or self.shows_facts(values[0])

    def shows_facts(self, value: object) -> bool:
        """Whether the text of a value says nothing but what is known."""
        if isinstance(value, torch.Tensor):
            return False
        known = torch.dtype | torch.device | torch.Size | torch.nn.Module | torch.memory_format
        return isinstance(value, known | BaseException | type) or self._is_pure(_module(type(value)))

    def _is_ordinary(self, kind: object) -> bool:
        return self._is_pure(_module(kind)) or kind in (torch.Tensor, torch.Size, torch.dtype, torch.device)

    def _is_pure(self, module: str) -> bool:
        root = module.partition(".")[0]
        pure = module == self._module or (root in _PURE and not module.startswith(_IMPURE))
        return pure or bool(_PURE_IN_LIBRARIES.match(module))


def _module(value: object) -> str:
    return str(getattr(value, "__module__", None) or "")
