"""Measures whether a candidate computes what its PyTorch module computes, on Triton's CPU interpreter.

Correctness only, in fp32: a candidate that calls torch instead of a kernel passes when its numbers are right,
and no speed is measured. Each candidate runs in a process of its own, so that a crash or an endless loop
costs one reward and no more.
"""

from __future__ import annotations

import importlib
import importlib.util
import multiprocessing
import resource
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from kbtools.errors import DataError

if TYPE_CHECKING:
    import torch

INTERPRETED = "kbtools.data.sample.interpreted"
SEEDS = (0, 1, 2)
TOLERANCE = 1e-4
"""Largest absolute error allowed, as a share of the reference output's largest absolute value."""
CPU_LIMIT_S = 60
"""Processor time that a candidate may take; unlike time on the clock, it does not depend on the machine's load."""
PATIENCE_S = 900.0


@dataclass(frozen=True)
class Measurement:
    """The reward of one candidate (1.0 or 0.0) and why it is not 1.0."""

    reward: float
    reason: str


@dataclass(frozen=True)
class Case:
    """What the reference does on one seed: the weights, the inputs and the outputs to be found again."""

    seed: int
    weights: dict[str, Any]
    inputs: list[Any]
    outputs: list[Any]


def measure(reference: Path, candidate: Path, module_name: str) -> Measurement:
    """Run a candidate against its reference on three seeds in a fresh process.

    DataError where nothing is known about the candidate: the reference does not run, or no result comes at all.
    """
    here, there = multiprocessing.Pipe(duplex=False)
    process = _server().Process(target=_report, args=(reference, candidate, module_name, there), daemon=True)
    process.start()
    there.close()
    try:
        if fault := _receive(here, process):
            raise DataError(f"running the reference {reference} failed: {fault}")
        reason = _receive(here, process)
    finally:
        process.kill()
        process.join()
    return Measurement(0.0 if reason else 1.0, reason)


def _server() -> ForkServerContext:
    """Give the fork server, in which torch and Triton's interpreter are imported once for all candidates."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([INTERPRETED])
    return context


def _receive(pipe: Connection, process: BaseProcess) -> str:
    """Wait for the process to say what went wrong, an empty text when nothing did."""
    if not pipe.poll(PATIENCE_S):
        raise DataError(f"a measurement gave no result in {PATIENCE_S:g} s; is the machine overloaded?")
    try:
        return str(pipe.recv())
    except EOFError:
        process.join()
        return f"the process ended with exit code {process.exitcode}"


def _report(reference: Path, candidate: Path, module_name: str, to: Connection) -> None:
    """Send what is wrong with the reference, then what is wrong with the candidate."""
    warnings.simplefilter("ignore", RuntimeWarning)  # numpy's, about the arithmetic of wrong kernels
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_LIMIT_S, CPU_LIMIT_S))
    try:
        importlib.import_module(INTERPRETED)
        init, cases = _reference_cases(reference, module_name)
    except Exception as error:  # noqa: BLE001 - the measurement names it
        to.send(f"{type(error).__name__}: {error}")
        return
    to.send("")
    try:
        to.send(next(_differences(candidate, f"{module_name}New", init, cases), ""))
    except Exception as error:  # noqa: BLE001 - whatever a candidate raises is a finding about it
        to.send(f"{type(error).__name__}: {error}")


def _reference_cases(reference: Path, class_name: str) -> tuple[list[Any], list[Case]]:
    import torch

    source = _load(reference)
    init = source.get_init_inputs()
    cases = []
    for seed in SEEDS:
        torch.manual_seed(seed)
        module = getattr(source, class_name)(*init[0], **init[1])
        inputs = source.get_inputs()
        with torch.no_grad():
            outputs = _tensors(module(*_copies(inputs)))
        cases.append(Case(seed, module.state_dict(), inputs, outputs))
    return init, cases


def _differences(candidate: Path, class_name: str, init: list[Any], cases: list[Case]) -> Iterator[str]:
    import torch

    source = _load(candidate)
    for case in cases:
        module = getattr(source, class_name)(*init[0], **init[1])
        module.load_state_dict(case.weights)
        with torch.no_grad():
            found = _tensors(module(*_copies(case.inputs)))
        if difference := _difference(case.outputs, found):
            yield f"seed {case.seed}: {difference}"


def _difference(expected: list[torch.Tensor], found: list[torch.Tensor]) -> str:
    """Say how outputs differ; an empty text when they do not."""
    kinds, wanted = ([f"{tuple(one.shape)} {one.dtype}" for one in side] for side in (found, expected))
    if kinds != wanted:
        return f"outputs {kinds} instead of {wanted}"
    return next(filter(None, map(_error, expected, found)), "")


def _error(expected: torch.Tensor, found: torch.Tensor) -> str:
    error = (found.double() - expected.double()).abs().max().item()
    limit = TOLERANCE * expected.double().abs().max().item()
    return "" if error <= limit else f"off by {error:.3g}, {limit:.3g} allowed"


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"sample_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot import {path}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _copies(inputs: list[Any]) -> list[Any]:
    return [value.clone() if hasattr(value, "clone") else value for value in inputs]


def _tensors(output: torch.Tensor | tuple[torch.Tensor, ...]) -> list[torch.Tensor]:
    return list(output) if isinstance(output, tuple) else [output]
