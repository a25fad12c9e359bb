"""Which pointers a kernel writes through: nobody has to note who reads a buffer that is only read."""

from .program import ParameterSlot, ProgramStep

UNKNOWN = "?"
"""An address that comes out of memory may be that of any buffer."""
WRITING = ("st", "atom", "red")


def written(
    steps: list[ProgramStep], loads: list[ParameterSlot], symbols: dict[int, tuple[str, int]], widths: list[int]
) -> set[str]:
    """Names of parameters and variables that an address of a store may come from, UNKNOWN among them."""
    origins = {load.slot: {load.name} for load in loads} | {slot: {name} for slot, (name, _) in symbols.items()}
    changed = True
    while changed:
        changed = False
        for step in steps:
            found = set().union(*(origins.get(slot, ()) for slot in step.reads))
            if reads(step) and any(widths[slot] == 64 for slot in step.writes):
                found.add(UNKNOWN)
            for slot in step.writes:
                known = origins.setdefault(slot, set())
                if not found <= known:
                    known |= found
                    changed = True
    return set().union(*(origins.get(step.reads[0], {UNKNOWN}) for step in steps if writes(step)))


def reads(step: ProgramStep) -> bool:
    """Whether a step reads from memory that may hold addresses."""
    parts = step.opcode.split(".")
    return parts[0] in ("ld", "ldu", "atom") and parts[1] != "param"


def writes(step: ProgramStep) -> bool:
    """Whether a step writes to global memory, or to generic addresses; its address is what it reads first."""
    parts = [part.split("::")[0] for part in step.opcode.split(".")]
    return parts[0] in WRITING and not {"shared", "local"} & set(parts) and bool(step.reads) and not step.is_adjustment
