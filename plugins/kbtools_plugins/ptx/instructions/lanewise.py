"""Instructions that work lane by lane: types of results and sources, and a function on raw bits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kbtools_plugins.ptx.bits import Bits
from kbtools_plugins.ptx.native.rule import COPY, Micro
from kbtools_plugins.ptx.native.table import TABLE

from . import shadows

if TYPE_CHECKING:
    from kbtools_plugins.ptx.decode.builder import Builder
    from kbtools_plugins.ptx.decode.program import Run, Shadow
    from kbtools_plugins.ptx.machine.group import Group
    from kbtools_plugins.ptx.text.operands import Operand

Function = Callable[..., Bits]


@dataclass(frozen=True)
class Lanewise:
    """What an opcode does to each lane."""

    result: str
    sources: tuple[str, ...]
    function: Function
    shadow: Shadow = shadows.everything
    rule: str = ""
    """The same in the table, if it is there (native/)."""


def emit(builder: Builder, operands: tuple[Operand, ...], operation: Lanewise) -> None:
    """The step of an instruction whose first operand is its result."""
    if len(operands) != 1 + len(operation.sources):
        raise builder.unsupported()
    sources = tuple(
        builder.source(operand, kind) for operand, kind in zip(operands[1:], operation.sources, strict=True)
    )
    result = builder.result(operands[0], operation.result)
    step = run(operation.function, sources, result, builder.guard)
    builder.emit(step, sources, (result,), operation.shadow, micros(operation.rule, sources, result))


def micros(rule: str, sources: tuple[int, ...], result: int) -> tuple[Micro, ...]:
    """An instruction as a rule of the table, if it is one."""
    return ((rule, sources, result),) if rule == COPY or rule in TABLE else ()


def run(function: Function, sources: tuple[int, ...], result: int, guard: tuple[int, bool] | None) -> Run:
    """Reads the sources, writes the result where the instruction acts."""
    if len(sources) == 1:
        return one(function, sources[0], result, guard)
    if len(sources) == 2:
        return two(function, *sources, result, guard)

    def many(group: Group) -> None:
        registers = group.registers
        value = function(*[registers[slot] for slot in sources])
        if guard is None and group.merge is None:
            registers[result] = value
        else:
            group.write(result, value, guard)

    return many


def one(function: Function, source: int, result: int, guard: tuple[int, bool] | None) -> Run:
    """`run` for one source, which is half of all instructions: every microsecond counts here."""

    def step(group: Group) -> None:
        value = function(group.registers[source])
        if guard is None and group.merge is None:
            group.registers[result] = value
        else:
            group.write(result, value, guard)

    return step


def two(function: Function, left: int, right: int, result: int, guard: tuple[int, bool] | None) -> Run:
    """`run` for two sources."""

    def step(group: Group) -> None:
        registers = group.registers
        value = function(registers[left], registers[right])
        if guard is None and group.merge is None:
            registers[result] = value
        else:
            group.write(result, value, guard)

    return step
