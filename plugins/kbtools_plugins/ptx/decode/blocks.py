"""Cuts code into basic blocks: where labels are, behind branches, and before barriers."""

from dataclasses import dataclass, field

from kbtools_plugins.ptx.faults import BadText, Unsupported
from kbtools_plugins.ptx.text.kernel import BranchTarget, Call, DeviceFunction, Instruction
from kbtools_plugins.ptx.text.operands import Symbol

BARRIERS = ("bar", "barrier")
WITHIN_WARP = "warp"
ENDS = ("ret", "exit")


@dataclass
class BlockPiece:
    """Instructions that run one after another, and which blocks may follow: `jump` if the branch is taken."""

    code: list[Instruction] = field(default_factory=list)
    barrier: Instruction | None = None
    branch: Instruction | None = None
    ends: Instruction | None = None
    jump: int = -1
    name: str = ""


def is_barrier(instruction: Instruction) -> bool:
    """Whether all threads of a program have to arrive."""
    return instruction.family in BARRIERS and WITHIN_WARP not in instruction.parts


def cut(function: DeviceFunction) -> list[BlockPiece]:
    """Pieces in the order of the text; the last one is empty and ends."""
    pieces: list[BlockPiece] = [BlockPiece()]
    places: dict[str, int] = {}
    targets = {target(item) for item in function.code if isinstance(item, Instruction) and item.family == "bra"}
    for item in function.code:
        now = pieces[-1]
        if isinstance(item, Call):
            raise Unsupported("ptx:call", item.line)
        if isinstance(item, BranchTarget):
            if item.name in targets:
                places[item.name] = fresh(pieces)
        elif item.family in ENDS:
            now.ends = item
            pieces.append(BlockPiece())
        elif item.family == "bra":
            now.branch = item
            now.name = target(item)
            pieces.append(BlockPiece())
        elif is_barrier(item):
            fresh(pieces)
            pieces[-1].barrier = item
            pieces[-1].code.append(item)
        else:
            now.code.append(item)
    pieces.append(BlockPiece())
    for piece in pieces:
        if piece.branch:
            piece.jump = place(piece, places)
    return pieces


def fresh(pieces: list[BlockPiece]) -> int:
    """Number of a piece that is still empty."""
    if pieces[-1].code or pieces[-1].barrier:
        pieces.append(BlockPiece())
    return len(pieces) - 1


def target(branch: Instruction) -> str:
    """The label of a branch."""
    if len(branch.operands) != 1 or not isinstance(branch.operands[0], Symbol):
        raise Unsupported(f"ptx:{branch.opcode}", branch.line)
    return branch.operands[0].name


def place(piece: BlockPiece, places: dict[str, int]) -> int:
    """The piece that a branch goes to."""
    if piece.name not in places:
        raise BadText(f"there is no label {piece.name}")
    return places[piece.name]
