"""In which order blocks run: each one behind all from which threads still come to it, loops whole before what follows.

A compiler puts code that seldom runs at the end of the text. Threads that go there and come back meet the others
only if these wait for them, so the order of the text is not the one to run in.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from .flow import followers
from .program import Block, Branch, Jump


def in_order(blocks: list[Block]) -> list[Block]:
    """The same blocks in the order in which they run, the first one first."""
    following = [followers(block) for block in blocks]
    if all(later > at for at, after in enumerate(following) for later in after):
        return blocks
    order = arranged(following, set(range(len(blocks))), [0])
    order += sorted(set(range(len(blocks))).difference(order))
    places = {at: place for place, at in enumerate(order)}
    for block in blocks:
        if isinstance(block.after, Jump):
            block.after = Jump(places[block.after.target])
        elif isinstance(block.after, Branch):
            taken, other = places[block.after.taken], places[block.after.other]
            block.after = replace(block.after, taken=taken, other=other)
    return [blocks[at] for at in order]


def arranged(following: list[list[int]], nodes: set[int], entries: Iterable[int]) -> list[int]:
    """The nodes that are reached from the entries: the entry of each loop, then the loop without the ways back to it.

    A weak topological order (Bourdoncle 1993) by way of strongly connected components (Kosaraju).
    """
    first = finished(following, nodes, entries)[::-1]
    before: dict[int, list[int]] = {node: [] for node in first}
    for node in first:
        for after in following[node]:
            if after in nodes:
                before[after].append(node)
    order: list[int] = []
    left = set(first)
    for node in first:
        if node in left:
            loop = reaching(before, left, node)
            left -= loop
            order.append(node)
            order += arranged(following, loop - {node}, following[node])
    return order


def finished(following: list[list[int]], nodes: set[int], entries: Iterable[int]) -> list[int]:
    """The nodes as a depth-first search leaves them; of those that follow a node the last in the text is seen first."""
    seen: set[int] = set()
    left: list[int] = []
    waiting = [(node, False) for node in sorted(nodes.intersection(entries))]
    while waiting:
        node, done = waiting.pop()
        if done:
            left.append(node)
        elif node not in seen:
            seen.add(node)
            waiting.append((node, True))
            waiting += [(after, False) for after in sorted(following[node]) if after in nodes]
    return left


def reaching(before: dict[int, list[int]], among: set[int], node: int) -> set[int]:
    """Those among some nodes from which a way leads to this one, and itself."""
    found = {node}
    waiting = [node]
    while waiting:
        fresh = {one for one in before[waiting.pop()] if one in among} - found
        found |= fresh
        waiting += fresh
    return found
