"""Notices what a candidate does beside its work: files, sockets, processes, threads, frames, patched functions.

An audit hook cannot be taken out again by Python code; at the first event that the candidate is responsible for, it
reports and ends the process. This names the trick; that the trick gains nothing is the design's doing, that it harms
nothing the sandbox's.
"""

from __future__ import annotations

import builtins
import math
import operator
import os
import random
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import triton
import triton.language
import triton.testing
from triton.runtime.autotuner import Autotuner, Heuristics
from triton.runtime.jit import JITFunction

from kbtools_plugins.verify.worker.record.namespaces import Names, Namespace
from kbtools_plugins.verify.worker.tensors import Inputs

_KINDS = {
    "socket": "forbidden:network",
    "urllib": "forbidden:network",
    "http": "forbidden:network",
    "ssl": "forbidden:network",
    "subprocess": "forbidden:process",
    "os.system": "forbidden:process",
    "os.exec": "forbidden:process",
    "os.fork": "forbidden:process",
    "os.forkpty": "forbidden:process",
    "os.posix_spawn": "forbidden:process",
    "os.spawn": "forbidden:process",
    "pty": "forbidden:process",
    "os.kill": "forbidden:kill",
    "os.killpg": "forbidden:kill",
    "signal.pthread_kill": "forbidden:kill",
    "ctypes": "forbidden:ctypes",
    "mmap": "forbidden:file_write",
    "os.remove": "forbidden:file_write",
    "os.rename": "forbidden:file_write",
    "os.rmdir": "forbidden:file_write",
    "os.mkdir": "forbidden:file_write",
    "os.truncate": "forbidden:file_write",
    "os.chmod": "forbidden:file_write",
    "os.chown": "forbidden:file_write",
    "os.link": "forbidden:file_write",
    "os.symlink": "forbidden:file_write",
    "shutil": "forbidden:file_write",
    "os.listdir": "forbidden:file_read",
    "os.scandir": "forbidden:file_read",
    "_thread.start_new_thread": "hack:thread",
    "_thread.start_joinable_thread": "hack:thread",
    "sys._getframe": "hack:introspection",
    "sys._current_frames": "hack:introspection",
    "gc": "hack:introspection",
    "sys.settrace": "hack:introspection",
    "sys.setprofile": "hack:introspection",
    "sys.addaudithook": "hack:introspection",
    "os.fdopen": "hack:forged_result",
}
_HARMLESS = {"socket.gethostname"}
_HONEST_IN_LIBRARIES = {"sys._getframe", "object.__getattr__"}
"""What the standard library does for many honest reasons, as when it makes a dataclass."""
_RESTRICTED_ATTRIBUTES = {"tb_frame", "gi_frame", "cr_frame", "ag_frame", "__code__"}
_STANDARD = tuple(sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib"))
_PACKAGES = tuple(sysconfig.get_paths()[name] for name in ("purelib", "platlib"))
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

_OWNERS: list[object] = [
    torch, torch.Tensor, torch.cuda, torch.linalg, torch.special, torch.fft, torch.autograd, torch.testing,
    torch.nn.functional, torch.nn.init, torch.nn.parameter, torch.optim, torch.random, torch._C._nn,
    triton, triton.testing, triton.language, triton.language.core, triton.language.math, triton.language.standard,
    JITFunction, Autotuner, Heuristics, builtins, math, operator, random, time, sys, os, np, np.testing,
]  # fmt: skip
"""What checkers, references and other candidates in one process rely on."""

Report = Callable[[str, str], None]


@dataclass(frozen=True)
class WatchedValues:
    """What the names that others rely on are bound to, by their owner."""

    default_type: torch.dtype
    namespaces: list[Namespace]


_remembered: list[Namespace] = []
"""That of torch.nn, which says who owns such names, and theirs, as the warm process has seen them."""


def remember() -> None:
    """In the warm process: note what is unlikely to change before a candidate runs."""
    _remembered[:] = [Namespace.of(owner) for owner in (torch.nn, *_owners())]


def watched_values() -> WatchedValues:
    """Those of now."""
    if _remembered and _remembered[0].is_as_it_was():
        found = [namespace.now() for namespace in _remembered[1:]]
    else:
        found = [Namespace.of(owner) for owner in _owners()]
    return WatchedValues(torch.get_default_dtype(), found)


def changed_names(before: WatchedValues) -> list[str]:
    """The functions and classes among them that are others now, gone, or hidden by new ones."""
    found = [] if torch.get_default_dtype() is before.default_type else ["torch.default type"]
    for old in before.namespaces:
        new = old.now()
        if new is not old and new.names != old.names:
            name = getattr(old.owner, "__name__", "torch")
            found += [f"{name}.{changed}" for changed in _changed(old.owner, old.names, new.names)]
    return found


def _owners() -> list[object]:
    return [*_OWNERS, *(kind for kind in vars(torch.nn).values() if isinstance(kind, type))]


def _changed(owner: object, old: Names, new: Names) -> Iterator[str]:
    for name, value in old.items():
        if callable(value) and new.get(name) is not value:
            yield name
    for name in new.keys() - old.keys():
        if isinstance(owner, type) and any(name in vars(base) for base in owner.__mro__[1:]):
            yield name


def watch(candidate_path: str, readable: list[Path], report: Report) -> None:
    """Report `(kind, what)` at the first forbidden event that code from `candidate_path` is responsible for."""
    prefixes = tuple(str(path) for path in [*readable, Path(candidate_path).parent])
    kinds = dict(_KINDS)
    exact = {name for name in kinds if "." in name}
    inside = False

    def hook(event: str, args: Inputs) -> None:
        nonlocal inside
        if inside or event in _HARMLESS:
            return
        kind = kinds.get(event if event in exact else event.partition(".")[0])
        if event == "open":
            kind = _file_kind(args, prefixes)
        elif event in ("os.listdir", "os.scandir"):
            kind = _file_kind((args[0], None, 0), prefixes)
        elif event == "object.__getattr__" and args[1] in _RESTRICTED_ATTRIBUTES:
            kind = "hack:introspection"
        if kind is None:
            return
        inside = True
        try:
            line = _direct_line(candidate_path) if event in _HONEST_IN_LIBRARIES else _responsible_line(candidate_path)
            if line:
                report(kind, f"line {line}: {event}{_of_what(event, args)}")
        finally:
            inside = False

    sys.addaudithook(hook)


def _of_what(event: str, args: Inputs) -> str:
    """The file that an event is about, where it is one."""
    named = event in ("open", "os.listdir", "os.scandir") and isinstance(args[0], str | bytes | os.PathLike)
    return f" of {os.fsdecode(args[0])}" if named else ""


def _file_kind(args: Inputs, readable: tuple[str, ...]) -> str | None:
    path, _, flags = args
    if isinstance(path, int) or path is None:
        return "hack:forged_result" if isinstance(path, int) else None
    if path == os.devnull:
        return None
    if isinstance(flags, int) and flags & _WRITING:
        return "forbidden:file_write"
    if path in sys.path:  # imports look into folders of packages, and try whether they are archives
        return None
    text = os.path.abspath(os.fsdecode(path))  # noqa: PTH100 - resolve() would open the links that are asked about
    return None if text.startswith(readable) else "forbidden:file_read"


def _direct_line(candidate_path: str) -> int:
    """The candidate's line if it made the call itself."""
    caller = sys._getframe(2)
    return caller.f_lineno if caller.f_code.co_filename == candidate_path else 0


def _responsible_line(candidate_path: str) -> int:
    """The candidate's line that caused the event, 0 if a library did; the standard library acts for its caller."""
    frame: Any = sys._getframe(2)
    while frame is not None:
        name = frame.f_code.co_filename
        if name == candidate_path:
            return int(frame.f_lineno)
        if name.startswith("<") and not name.startswith("<frozen"):
            frame = frame.f_back
            continue
        if name.startswith(_PACKAGES) or not (name.startswith(_STANDARD) or name.startswith("<frozen")):
            return 0
        frame = frame.f_back
    return 0
