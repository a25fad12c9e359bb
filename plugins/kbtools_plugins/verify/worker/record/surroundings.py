"""What a candidate sees beside its inputs: machine, process, user, clock, files, settings of torch.

A candidate that asks where it runs could work in a check and cheat elsewhere. So each is recorded in two places that
differ in all that such a question may be about. In the first one this is the checking process, as far as it does not
show: it has a device. In the second one it is somebody's workstation with two cards, years later.
"""

from __future__ import annotations

import builtins
import datetime
import itertools
import linecache
import os
import platform
import random
import resource
import socket
import sys
import time
from collections.abc import Callable, Iterable
from importlib.machinery import SourceFileLoader
from types import ModuleType
from typing import Any, ClassVar

import torch

from kbtools_plugins.verify.worker import cuda_shim

_USER = "ada"
_HOME = f"/home/{_USER}"
_SHOWN_FILE = f"{_HOME}/kernels/model_new.py"
_LATER = 86_400 * (5 * 365 + 200) + 3_600 * 13 + 60 * 31 + 17
"""Seconds by which clocks differ: in year, month, hour, minute and parity."""
_PER_LOOK = 3_600.0
"""Seconds that pass between two looks at a clock."""
_VARIABLES = {
    "USER": _USER,
    "LOGNAME": _USER,
    "HOME": _HOME,
    "HOSTNAME": "workstation",
    "PWD": _HOME,
    "SHELL": "/bin/zsh",
    "TERM": "xterm-256color",
    "LANG": "en_GB.UTF-8",
    "DISPLAY": ":0",
    "SSH_CONNECTION": "192.0.2.7 50022 192.0.2.9 22",
    "VIRTUAL_ENV": f"{_HOME}/venv",
    "CONDA_PREFIX": f"{_HOME}/conda",
    "CUDA_HOME": "/usr/local/cuda",
    "CUDA_PATH": "/usr/local/cuda",
    "CUDA_VISIBLE_DEVICES": "0,1",
    "NVIDIA_VISIBLE_DEVICES": "all",
    "SLURM_JOB_ID": "4711",
    "KUBERNETES_SERVICE_HOST": "192.0.2.1",
    "RANK": "1",
    "LOCAL_RANK": "1",
    "WORLD_SIZE": "2",
    "MASTER_ADDR": "192.0.2.7",
    "OMP_NUM_THREADS": "16",
    "MKL_NUM_THREADS": "16",
    "PYTHONHASHSEED": "0",
    "HF_HOME": f"{_HOME}/hf",
}
_OURS = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "TMPDIR", "TRITON_", "TORCHINDUCTOR_", "PYTORCH_NVML")
_DEVICE_FILES = ("/dev/nvidia", "/proc/driver/nvidia", "/usr/local/cuda")
_NO_LIMIT = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
_BITS = 0x5555_5555_5550
_STREAM = 0x5581_3D40
"""A stream that is not the default one, as a server has them."""
_PROCESS, _OTHER_PROCESS = 24_680, 3_991
"""Process numbers of the two places: of other parity, other last bits, other remainders of small divisors."""


class Surroundings:
    """One of the two places; `installed` once, in a process that ends with the recording."""

    def __init__(self, path: str, code: str, *, elsewhere: bool) -> None:
        self.elsewhere = elsewhere
        self.path = _SHOWN_FILE if elsewhere else path
        """The candidate's file, as its code and its frames name it."""
        self.module = "model_new" if elsewhere else "candidate"
        self._code = code

    def install(self) -> None:
        """From now on this process looks so."""
        _show_a_device()
        _hide_modes(self.path)
        main = ModuleType("__main__")
        main.__file__ = f"{_HOME}/train.py" if self.elsewhere else "main.py"
        sys.modules["__main__"] = main
        sys.argv = [main.__file__, "--steps", "100"] if self.elsewhere else [main.__file__]
        sys.gettrace = _nothing
        own = _OTHER_PROCESS if self.elsewhere else _PROCESS
        os.getpid, os.getppid = _always(own), _always(own - 9)
        if not self.elsewhere:
            return
        for name in _own_modules():
            sys.modules.pop(name, None)  # who imports it again finds it; what has been imported goes on working
        lines = self._code.splitlines(keepends=True)
        linecache.cache[self.path] = (len(self._code), None, lines, self.path)  # where Triton looks for the source
        _replace_variables()
        os.chdir("/")
        _replace_system()
        _replace_clocks()
        _replace_settings()
        random.seed(1)

    def own_builtins(self) -> dict[str, object]:
        """The built-in names of the candidate's code."""
        if not self.elsewhere:
            return vars(builtins)
        return vars(builtins) | {"hash": _hash, "id": _id}


class _Warm:
    """What was imported before the fork. To look through all of it again would copy the pages of thousands of names."""

    own: ClassVar[list[str]] = []
    last = ""


def remember_modules() -> None:
    """Note which modules there are that a candidate would not find elsewhere."""
    _Warm.own, _Warm.last = _own(sys.modules), next(reversed(sys.modules))


def _own_modules() -> list[str]:
    return _Warm.own + _own(itertools.takewhile(lambda name: name != _Warm.last, reversed(sys.modules)))


def _own(names: Iterable[str]) -> list[str]:
    return [name for name in names if name.partition(".")[0] in ("kbtools", "kbtools_plugins")]


def _hash(value: object) -> int:
    """Another one for each value, as where Python was started with another seed."""
    return ~hash(value)


def _id(value: object) -> int:
    """As if everything lay elsewhere."""
    return id(value) ^ _BITS


def _nothing(*_: object, **__: object) -> None:
    return None


def _show_a_device() -> None:
    """Files of a driver exist, whoever asks."""
    real = {name: getattr(os, name) for name in ("stat", "lstat", "access")}

    def shown(name: str) -> Callable[..., object]:
        def answer(path: Any, *args: object, **kwargs: object) -> object:
            text = os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else ""
            there = text.startswith(_DEVICE_FILES) or text == "/usr/bin/nvidia-smi"
            return real[name]("/bin/sh" if there else path, *args, **kwargs)

        return answer

    for name in real:
        setattr(os, name, shown(name))


def _hide_modes(path: str) -> None:
    """To the code of the candidate no mode of ours is on."""

    def hidden(real: Callable[..., Any], answer: object) -> Callable[..., Any]:
        def ask(*args: object) -> object:
            return answer if sys._getframe(1).f_code.co_filename == path else real(*args)

        return ask

    for owner, name, answer in (
        (torch._C, "_len_torch_function_stack", 0),
        (torch._C, "_len_torch_dispatch_stack", 0),
        (torch._C, "_is_torch_function_mode_enabled", False),
        (torch.overrides, "_is_torch_function_mode_enabled", False),
        (torch.overrides, "_get_current_function_mode", None),
        (torch.overrides, "_get_current_function_mode_stack", []),
        (torch.utils._python_dispatch, "_get_current_dispatch_mode", None),
        (torch.utils._python_dispatch, "_get_current_dispatch_mode_stack", []),
        (torch.utils._python_dispatch, "is_in_torch_dispatch_mode", False),
    ):
        setattr(owner, name, hidden(getattr(owner, name), answer))


def _replace_variables() -> None:
    for name in [name for name in os.environ if name.startswith(_OURS)]:
        del os.environ[name]
    os.environ.update(_VARIABLES)


def _replace_system() -> None:
    """Names, numbers and limits that the operating system gives."""
    system = os.uname()
    answers: dict[str, object] = {
        "getuid": 1_234,
        "geteuid": 1_234,
        "getgid": 1_234,
        "getegid": 1_234,
        "getlogin": _USER,
        "cpu_count": 64,
        "sched_getaffinity": set(range(48)),
        "getloadavg": (7.0, 7.0, 7.0),
        "uname": type(system)((system.sysname, "workstation", "5.15.0-91-generic", "#101-Ubuntu SMP", system.machine)),
    }
    for name, answer in answers.items():
        setattr(os, name, _always(answer))
    shown = platform.uname_result(system.sysname, "workstation", "5.15.0-91-generic", "#101-Ubuntu SMP", system.machine)
    vars(shown)["processor"] = "x86_64"
    platform._uname_cache = shown  # type: ignore[attr-defined]
    platform._platform_cache = {}  # type: ignore[attr-defined]
    socket.gethostname = _always("workstation")
    socket.getfqdn = _always("workstation.example")
    resource.getrlimit = _always(_NO_LIMIT)
    sys.executable, sys.dont_write_bytecode = f"{_HOME}/venv/bin/python", False
    SourceFileLoader._cache_bytecode = _always(None)  # type: ignore[attr-defined]  # nothing is written all the same


def _always(answer: Any) -> Callable[..., Any]:
    return lambda *_: answer


def _replace_clocks() -> None:
    """Clocks are years ahead, and an hour passes between two looks."""
    looks = itertools.count(1)

    def ahead(clock: Callable[[], float], unit: int) -> Callable[[], float]:
        return lambda: clock() + type(clock())(unit * (_LATER + 2 * _PER_LOOK * next(looks)))

    for name in ("time", "monotonic", "perf_counter", "process_time", "thread_time"):
        setattr(time, name, ahead(getattr(time, name), 1))
        setattr(time, f"{name}_ns", ahead(getattr(time, f"{name}_ns"), 10**9))
    for name in ("localtime", "gmtime", "ctime"):
        setattr(time, name, _from_clock(getattr(time, name)))
    datetime.datetime, datetime.date = _Moment, _Day  # type: ignore[misc]


def _from_clock(function: Callable[[float], Any]) -> Callable[..., Any]:
    return lambda seconds=None: function(time.time() if seconds is None else seconds)


class _Moment(datetime.datetime):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:  # type: ignore[override]
        return cls.fromtimestamp(time.time(), tz)

    @classmethod
    def utcnow(cls) -> datetime.datetime:  # type: ignore[override]
        return cls.fromtimestamp(time.time(), datetime.UTC).replace(tzinfo=None)

    @classmethod
    def today(cls) -> datetime.datetime:  # type: ignore[override]
        return cls.fromtimestamp(time.time())


class _Day(datetime.date):
    @classmethod
    def today(cls) -> datetime.date:  # type: ignore[override]
        return cls.fromtimestamp(time.time())


def _replace_settings() -> None:
    """Settings of torch that change no result that a candidate is judged by, the other way round."""
    torch._C._set_deterministic_algorithms(True, warn_only=True)  # torch's own would import its compiler
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    matmul.allow_tf32 = not matmul.allow_tf32
    cudnn.benchmark = not cudnn.benchmark
    cudnn.deterministic = not cudnn.deterministic
    torch.get_num_threads = torch.get_num_interop_threads = _always(16)
    torch.initial_seed = _always(271_828)
    cuda_shim.Stream.cuda_stream = _STREAM
