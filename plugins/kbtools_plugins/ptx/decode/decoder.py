"""The door of `decode`: a parsed kernel becomes a `Program`."""

from kbtools_plugins.ptx.faults import BadText, LimitExceeded
from kbtools_plugins.ptx.instructions import table
from kbtools_plugins.ptx.instructions.control import is_fence
from kbtools_plugins.ptx.instructions.spaces import strength
from kbtools_plugins.ptx.native.fused import fuse
from kbtools_plugins.ptx.text.calls import with_calls
from kbtools_plugins.ptx.text.kernel import DeviceFunction, Instruction, Module

from . import flow, origins
from .blocks import BlockPiece, cut
from .builder import Builder
from .order import in_order
from .program import Barrier, Block, Branch, End, Jump, Program

MOST_LIVE = 50_000_000
"""Blocks times registers."""


def entry(module: Module, name: str | None) -> DeviceFunction:
    """The kernel that is to run."""
    kernels = {function.name: function for function in module.functions.values() if function.entry}
    if name is None and len(kernels) == 1:
        return next(iter(kernels.values()))
    if name is None or name not in kernels:
        raise BadText(f"the text has the entries {', '.join(kernels) or 'none'}: name one of them")
    return kernels[name]


def decode(module: Module, name: str | None = None, seed: int | None = None) -> Program:
    """A kernel that can be run; Unsupported for what the machine does not execute.

    `seed` is that of `numerics.arithmetic`.
    """
    function = with_calls(entry(module, name), module)
    pieces = cut(function)
    check_size(function, len(pieces))
    builder = Builder(function, module, seed)
    blocks = in_order([block(builder, pieces, at) for at in range(len(pieces))])
    slots = builder.slots
    given = {*slots.constants, *slots.specials, *slots.symbols, *(load.slot for load in slots.loads)}
    begin = flow.needed(blocks)
    missing = flow.undefined(blocks, begin, given)
    flow.place_kills(blocks, begin, given)
    for each in blocks:
        each.pieces = fuse(each.steps)
    return Program(
        name=function.name,
        parameters=function.parameters,
        threads=function.threads,
        blocks=blocks,
        constants=slots.constants,
        specials=slots.specials,
        loads=slots.loads,
        symbols=slots.symbols,
        data=slots.data,
        widths=tuple(slots.widths),
        undefined={slot: slots.widths[slot] for slot in sorted(missing)},
        static_shared=slots.static_shared,
        local=slots.local_size,
        opcodes=tuple(builder.opcodes),
        lines=tuple(step.line for step in builder.all),
        granule=min(builder.sizes, default=4),
        approximate=tuple(sorted(builder.approximate)),
        written=frozenset(origins.written(builder.all, slots.loads, slots.symbols, slots.widths)),
        waits=waits(pieces),
        orders=any(is_strong(instruction) for piece in pieces for instruction in piece.code),
        fences=any(is_fence(instruction) for piece in pieces for instruction in piece.code),
        version=module.version,
        target=module.target,
    )


def check_size(function: DeviceFunction, blocks: int) -> None:
    """What is needed where takes memory by these; Triton's largest kernels are a hundredth of it."""
    if blocks * len(function.registers) > MOST_LIVE:
        raise LimitExceeded(f"{function.name} has {len(function.registers)} registers and {blocks} blocks")


def block(builder: Builder, pieces: list[BlockPiece], at: int) -> Block:
    """One piece as a block."""
    piece = pieces[at]
    for instruction in piece.code:
        table.build(builder, instruction)
    made = Block(after=after(builder, piece, at, len(pieces) - 1))
    made.steps = builder.take()
    if piece.barrier:
        made.barrier = Barrier(table.barrier_number(piece.barrier), piece.barrier.line)
    return made


def after(builder: Builder, piece: BlockPiece, at: int, last: int) -> Jump | Branch | End:
    """How a block goes on."""
    if at == last:
        return End()
    instruction = piece.branch or piece.ends
    if instruction is None:
        return Jump(at + 1)
    target = piece.jump if piece.branch else last
    if instruction.guard is None:
        return Jump(target)
    predicate = builder.slots.register(instruction.guard.predicate)
    return Branch(predicate, instruction.guard.negated, target, at + 1, instruction.line)


def waits(pieces: list[BlockPiece]) -> bool:
    """Whether a loop has an instruction by which a program may see what another one does."""
    loops = [(piece.jump, at) for at, piece in enumerate(pieces) if piece.branch and piece.jump <= at]
    return any(
        sees(instruction) for start, end in loops for piece in pieces[start : end + 1] for instruction in piece.code
    )


def is_strong(instruction: Instruction) -> bool:
    """Operations on memory that are more than plain loads and stores, and not within a program alone."""
    if instruction.family in ("atom", "red"):
        return "shared" not in {part.split("::")[0] for part in instruction.parts}
    return instruction.family in ("ld", "st") and strength(instruction.parts) is not None


def sees(instruction: Instruction) -> bool:
    """Atomic operations and loads that are not kept in registers."""
    strong = {"volatile", "acquire", "relaxed"} & set(instruction.parts)
    return instruction.family == "atom" or (instruction.family == "ld" and bool(strong))
