"""Whether two modules compute the same: on the same secret inputs, with the same parameters, by verify's tolerance."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np

from kbtools_plugins.leaks.computation.probes import MOST_ELEMENTS, Probe
from kbtools_plugins.leaks.computation.sandboxes import Sandbox
from kbtools_plugins.verify.protocol.computation import FOLLOW, LEAD, Followed, FollowJob, LeadJob, LeadReply, OwnSet
from kbtools_plugins.verify.protocol.match import Match
from kbtools_plugins.verify.protocol.outputs import flatten, to_numpy
from kbtools_plugins.verify.protocol.tolerance import compare, rms
from kbtools_plugins.verify.protocol.wire import Tree

_SEEDS = 3
_ORDERS = 120
"""Ways to hand parameters over that are tried on the first inputs."""
_NEAR_ZERO, _ENOUGH_FINITE = 1e-6, 0.1
_KEPT = 32
"""Modules whose results are kept."""


class Agreements:
    """Pairs of modules, one after the other; the results of those that led are kept for further pairs."""

    def __init__(self) -> None:
        self._known: dict[str, LeadReply | None] = {}
        self._lock = Lock()

    def same(self, one: Probe, other: Probe, sandbox: Sandbox) -> bool:
        """Whether the second gives what the first gives on its inputs, or, if it takes none of them, conversely."""
        found = self._follows(one, other, sandbox)
        return bool(self._follows(other, one, sandbox) if found is None else found)

    def _follows(self, leader: Probe, follower: Probe, sandbox: Sandbox) -> bool | None:
        """Whether a module gives what another gives on the other's inputs; None where it cannot be run on them."""
        led = self._lead(leader, sandbox)
        if led is None:
            return None
        for init in ([], [led.init]):
            decided = _Follower(follower, led, init, sandbox).decide()
            if decided is not None:
                return decided
        return None

    def _lead(self, leader: Probe, sandbox: Sandbox) -> LeadReply | None:
        with self._lock:
            if leader.code in self._known:
                return self._known[leader.code]
        led = _led(leader.code, leader.entry, sandbox)
        with self._lock:
            while len(self._known) >= _KEPT:
                self._known.pop(next(iter(self._known)))
            self._known[leader.code] = led
        return led


def _led(code: str, entry: str, sandbox: Sandbox) -> LeadReply | None:
    """What a module makes of inputs of its own; None if that says nothing of what it computes."""
    digest = hashlib.sha256(f"same computation\0{code}".encode("utf-8", "surrogatepass")).digest()
    seeds = [int.from_bytes(digest[4 * place : 4 * place + 4]) >> 1 for place in range(_SEEDS)]
    reply = sandbox.ask(LEAD, LeadJob(code=code, entry=entry, seeds=seeds, most_elements=MOST_ELEMENTS)).reply
    return reply if reply and _tells(reply.sets) else None


def _tells(sets: Sequence[OwnSet]) -> bool:
    """Whether outputs are numbers that follow from the inputs."""
    seeded = [one for one in sets if one.kind == "seed"]
    outputs = [to_numpy(tensor) for one in seeded for tensor in flatten(one.plain)[1]]
    values = np.concatenate([found.ravel() for found in outputs]) if outputs else np.zeros(0)
    if not values.size or np.isfinite(values).mean() < _ENOUGH_FINITE:
        return False
    if all(rms(found) < _NEAR_ZERO for found in outputs):
        return False
    first = sets[0]
    return not all(isinstance(compare(one.plain, first.plain, first.exact), Match) for one in sets)


@dataclass(frozen=True)
class _Follower:
    """One module on the inputs of another."""

    probe: Probe
    led: LeadReply
    init: list[Tree]
    sandbox: Sandbox

    def decide(self) -> bool | None:
        """Whether all outputs agree, with some way to hand the parameters over; None where it takes no such inputs."""
        ways = self._run(self.led.sets, 0, 1)
        if not ways or ways[0][0].failed:
            return None
        if self._agree(self.led.sets, ways[0]):
            return True
        if len({tuple(one.shape) for one in self.led.parameters}) == len(self.led.parameters):
            return False
        first = self.led.sets[:1]
        for place, results in enumerate(self._run(first, 1, _ORDERS)):
            if self._agree(first, results) and any(
                self._agree(self.led.sets, found) for found in self._run(self.led.sets, place + 1, 1)
            ):
                return True
        return False

    def _run(self, sets: Sequence[OwnSet], first: int, count: int) -> list[list[Followed]]:
        job = FollowJob(
            code=self.probe.code,
            entry=self.probe.entry,
            init=self.init,
            names=self.led.names,
            parameters=self.led.parameters,
            first=first,
            count=count,
            modes=[one.mode for one in sets],
            inputs=[one.inputs for one in sets],
        )
        reply = self.sandbox.ask(FOLLOW, job).reply
        return reply.ways if reply else []

    def _agree(self, sets: Sequence[OwnSet], results: Sequence[Followed]) -> bool:
        return len(sets) == len(results) and all(map(_agrees, sets, results))


def _agrees(own: OwnSet, found: Followed) -> bool:
    """Whether one output is the other's. Shapes count that both take, and extreme values at which neither overflows."""
    if found.failed:
        return own.kind == "shape"
    if isinstance(compare(found.outputs, own.plain, own.exact, ordinary=own.kind == "seed"), Match):
        return True
    return own.kind == "extreme" and not (_finite(found.outputs) and _finite(own.plain))


def _finite(outputs: Tree) -> bool:
    return all(bool(np.isfinite(to_numpy(tensor)).all()) for tensor in flatten(outputs)[1])
