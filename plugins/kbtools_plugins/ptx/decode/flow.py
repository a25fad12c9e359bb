"""Which registers are still needed, and which may be read before they are written."""

from .program import Block, Branch, Jump


def followers(block: Block) -> list[int]:
    """Blocks that may come next."""
    if isinstance(block.after, Jump):
        return [block.after.target]
    if isinstance(block.after, Branch):
        return [block.after.taken, block.after.other]
    return []


def predicate(block: Block) -> set[int]:
    """What the end of a block reads."""
    return {block.after.predicate} if isinstance(block.after, Branch) else set()


def reads_and_writes(block: Block) -> tuple[set[int], set[int]]:
    """Slots that a block reads before it writes them, and those that it writes for sure."""
    reads: set[int] = set()
    writes: set[int] = set()
    for step in block.steps:
        reads.update(slot for slot in step.reads if slot not in writes)
        if step.guard:
            reads.update(slot for slot in step.writes if slot not in writes)
        else:
            writes.update(step.writes)
    reads.update(slot for slot in predicate(block) if slot not in writes)
    return reads, writes


def needed(blocks: list[Block]) -> list[set[int]]:
    """Slots that are needed when each block begins."""
    summary = [reads_and_writes(block) for block in blocks]
    begin = [set(reads) for reads, _ in summary]
    changed = True
    while changed:
        changed = False
        for at in range(len(blocks) - 1, -1, -1):
            later = set().union(*(begin[follower] for follower in followers(blocks[at])))
            wanted = summary[at][0] | (later - summary[at][1])
            if len(wanted) != len(begin[at]):
                begin[at], changed = wanted, True
    return begin


def place_kills(blocks: list[Block], begin: list[set[int]], kept: set[int]) -> None:
    """Marks after which step of a block a register is not needed any more; `kept` ones always are."""
    for block in blocks:
        alive = set().union(*(begin[follower] for follower in followers(block))) | predicate(block) | kept
        for step in reversed(block.steps):
            used = {*step.reads, *step.writes}
            step.kills = tuple(used - alive)
            alive |= used


def undefined(blocks: list[Block], begin: list[set[int]], given: set[int]) -> set[int]:
    """Slots that some way through the kernel reads before it writes them."""
    return begin[0] - given if blocks else set()
