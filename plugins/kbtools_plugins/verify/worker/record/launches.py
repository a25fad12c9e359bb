"""Puts the recorder in the place of Triton's launcher: `kernel[grid](...)` is written down with its arguments bound.

Autotuned kernels take the configuration that the caller chose. A tuner that chooses runs that one several times over,
with the hooks that reset or restore memory, as it would to time it; heuristics are evaluated as usual.
"""

from __future__ import annotations

import functools
import random
from collections import defaultdict
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, ClassVar

import torch
from triton.runtime.autotuner import Autotuner
from triton.runtime.jit import JITFunction

from kbtools_plugins.verify.worker.record.placement import Placement
from kbtools_plugins.verify.worker.record.recorder import Recorder

_REHEARSALS = 2
"""Runs of a configuration while it is timed: with the one that counts enough to see what repeating does."""


class _Compiled:
    """What a launch or `kernel.warmup` returns, for host code that asks how many programs fit on a device."""

    n_spills, n_max_threads, function, module = 0, 1024, 0, 0
    metadata_group: ClassVar[dict[str, str]] = {}
    metadata = SimpleNamespace(shared=0, num_warps=4, num_ctas=1, num_stages=3)

    def __init__(self, kernel: Any, bound: dict[str, object], options: dict[str, object]) -> None:
        self._kernel, self._options = kernel, options
        self._constants = {found.name: bound[found.name] for found in kernel.params if found.is_constexpr}
        self.name, self.src, self.hash = kernel.__name__, kernel, f"{random.getrandbits(256):064x}"
        self.n_regs = random.randrange(16, 41)  # each compiler finds another number
        self.asm: defaultdict[str, str] = defaultdict(lambda: "// of another compiler\n")

    def __getitem__(self, grid: object) -> Callable[..., object]:
        """What launches the compiled kernel, with all parameters in their order, constants too."""
        return functools.partial(self._launch, grid)

    def _launch(self, grid: object, *args: object, **_stream: object) -> object:
        left = self._kernel.arg_names[len(args) :]
        constants = {name: value for name, value in self._constants.items() if name in left}
        return self._kernel.run(*args, grid=grid, **self._options, **constants)

    def _init_handles(self) -> None:
        """There is nothing to load."""


class Tuning:
    """Which configuration autotuned kernels take, and the tuners that were asked."""

    def __init__(self) -> None:
        self.choice = 0
        self.tuners: list[Any] = []

    def choose(self, choice: int) -> None:
        """Take this configuration from now on; a tuner that has fewer counts on from its first."""
        self.choice = choice
        for tuner in self.tuners:
            tuner.cache.clear()

    def configurations(self) -> int:
        """The most that any tuner has to choose from."""
        return max((len(tuner.configs) for tuner in self.tuners), default=0)

    def kernels(self) -> list[str]:
        """The tuned kernels, as `name:line`."""
        found = [tuner.base_fn for tuner in self.tuners]
        return [f"{fn.__name__}:{fn.__code__.co_firstlineno}" for fn in found]


def install(recorder: Recorder, placement: Placement) -> Tuning:
    """Record launches from now on in this process."""
    tuning = Tuning()

    def run(self: Any, *args: object, grid: object, warmup: bool = False, **kwargs: object) -> _Compiled:
        for hook in self.pre_run_hooks:
            hook(*args, **kwargs)
        own = {name: value for name, value in kwargs.items() if name in self.arg_names}
        arguments = self.signature.bind(*args, **own)
        arguments.apply_defaults()
        bound = dict(arguments.arguments)
        for number, value in enumerate(bound.values()):
            if isinstance(value, torch.Tensor) and placement.on_host(value):
                raise ValueError(f"Pointer argument (at {number}) cannot be accessed from Triton (cpu tensor?)")
        options = {name: value for name, value in kwargs.items() if name not in own}
        if not warmup:
            recorder.launch(self, _sizes(grid, bound, kwargs), bound, options)
        return _Compiled(self, bound, options)

    time_it = Autotuner._bench

    def bench(self: Any, *args: object, config: object, **meta: object) -> list[float]:
        if self not in tuning.tuners:
            tuning.tuners.append(self)
        if config is not self.configs[tuning.choice % len(self.configs)]:
            return [1.0 + self.configs.index(config)] * 3
        self.__dict__["do_bench"] = _rehearsed  # in place of the cached property
        return list(time_it(self, *args, config=config, **meta))

    def tuned(_self: Any, _key: object, _configs: object, benchmark: Callable[[], object]) -> bool:
        benchmark()  # `cache_results=True`: nothing was kept of an earlier run, and nothing is for a later one
        return False

    JITFunction.run = functools.wraps(JITFunction.run)(run)  # it says it is Triton's
    Autotuner._bench = bench
    Autotuner.check_disk_cache = tuned
    return tuning


def _rehearsed(kernel_call: Any, **_: object) -> list[float]:
    for _number in range(_REHEARSALS):
        kernel_call()
    return [0.0] * 3


def _sizes(grid: Any, bound: dict[str, Any], kwargs: dict[str, object]) -> list[int]:
    sizes = grid({**kwargs, **bound}) if callable(grid) else grid
    sizes = sizes if isinstance(sizes, tuple | list) else (sizes,)
    if not 1 <= len(sizes) <= 3:
        raise ValueError(f"a grid has one to three dimensions, not {len(sizes)}")
    whole = [int(size) for size in sizes]
    if whole != list(sizes):
        raise TypeError(f"a grid is made of whole numbers, not {tuple(sizes)}")
    return [*whole, 1, 1][:3]
