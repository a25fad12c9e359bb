"""The job that runs a module on another one's inputs, with the other one's parameters in place of its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import islice, permutations, product
from typing import Any

import torch

from kbtools_plugins.verify.protocol.computation import Followed, FollowJob, FollowReply
from kbtools_plugins.verify.protocol.roles import RoleFailure
from kbtools_plugins.verify.protocol.wire import Talk, Tree
from kbtools_plugins.verify.worker.computation.subject import Subject, Unfit, guarded
from kbtools_plugins.verify.worker.tensors import decode, decode_tensor, encode

_MOST_ORDERS = 120
"""Orders of the parameters of one shape: five of them can be in any."""


def warm_up() -> None:
    """Everything is imported with this module."""
    torch.set_num_threads(1)


def run(job: FollowJob, talk: Talk) -> FollowReply | RoleFailure:
    """The reply, or why the module cannot be run."""
    return guarded(lambda: _followed(job))


def _followed(job: FollowJob) -> FollowReply:
    subject = Subject(job.code, job.entry, decode(job.init[0]) if job.init else None)
    names = subject.watched(decode(job.inputs[0]), job.modes[0]).parameters
    mine, given = subject.parameters(names), [decode_tensor(tensor) for tensor in job.parameters]
    ways = orders([tuple(one.shape) for one in given], [tuple(one.shape) for one in mine], job.names, names)
    chosen = list(islice(ways, job.first, job.first + job.count))
    if not chosen and job.first == 0:
        raise Unfit("its parameters have other shapes")
    return FollowReply(ways=[list(_way(job, subject, mine, given, order)) for order in chosen])


def _way(
    job: FollowJob, subject: Subject, mine: list[torch.Tensor], given: list[torch.Tensor], order: list[int]
) -> Iterator[Followed]:
    for parameter, place in zip(mine, order, strict=True):
        parameter.copy_(given[place])
    for mode, inputs in zip(job.modes, job.inputs, strict=True):
        yield _called(subject, inputs, mode)


def _called(subject: Subject, inputs: Tree, mode: str) -> Followed:
    try:
        return Followed(failed=False, outputs=encode(subject(decode(inputs), mode)))
    except Exception:  # noqa: BLE001 - the module need not take such inputs
        return Followed(failed=True)


def orders(given: list[Any], mine: list[Any], names: list[str], own: list[str]) -> Iterator[list[int]]:
    """Ways to hand parameters of these shapes over, the likeliest first; none where the shapes differ.

    By the order of use, then by equal names, then by every order of parameters of the same shape.
    """
    if sorted(given) != sorted(mine):
        return
    places: dict[Any, list[int]] = defaultdict(list)
    for place, shape in enumerate(given):
        places[shape].append(place)
    wanted: dict[Any, list[int]] = defaultdict(list)
    for place, shape in enumerate(mine):
        wanted[shape].append(place)
    plain = _order(wanted, tuple(tuple(found) for found in places.values()), places)
    yield plain
    by_name = [names.index(name) for name in own] if sorted(names) == sorted(own) else plain
    if by_name != plain and [given[place] for place in by_name] == mine:
        yield by_name
    further = (tuple(islice(permutations(found), _MOST_ORDERS)) for found in places.values())
    for chosen in islice(product(*further), 1, None):
        yield _order(wanted, chosen, places)


def _order(
    wanted: dict[Any, list[int]], chosen: tuple[tuple[int, ...], ...], places: dict[Any, list[int]]
) -> list[int]:
    """For each of the module's parameters the one that it gets."""
    pairs = {
        mine: one
        for shape, found in zip(places, chosen, strict=True)
        for mine, one in zip(wanted[shape], found, strict=True)
    }
    return [pairs[place] for place in sorted(pairs)]
