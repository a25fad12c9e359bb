"""The nodes of a Ray cluster, and what they say they have installed: compared before any work is given to them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kbtools.engines import versions
from kbtools.engines.versions import Versions
from kbtools.errors import ConfigError

SECONDS_TO_ANSWER = 10.0
"""After which nodes that have not said what they are are named; those that have said it are compared by then."""
PATIENCE = 120.0
"""Seconds in which every node must have said what it is."""


@dataclass(frozen=True)
class Node:
    """A machine of the cluster."""

    identity: str
    address: str
    cpus: int
    gpus: int


def nodes() -> list[Node]:
    """The nodes that are up, in an order that is the same in every run."""
    import ray

    found = [
        Node(
            node["NodeID"],
            node["NodeManagerAddress"],
            int(node["Resources"].get("CPU", 0)),
            int(node["Resources"].get("GPU", 0)),
        )
        for node in ray.nodes()
        if node["Alive"]
    ]
    return sorted(found, key=lambda node: (node.address, node.identity))


def check_versions(present: list[Node], say: Callable[[str], None]) -> list[Node]:
    """The nodes that have the driver's versions; ConfigError for the first that answers otherwise, or cannot be asked.

    What one node says is compared at once, however long the others are silent. Those that leave meanwhile do not count.
    """
    import ray

    ask = ray.remote(say_versions)
    asked = {
        ask.options(num_cpus=0, max_retries=0, scheduling_strategy=on_node(node)).remote(): node for node in present
    }
    _compare(asked, SECONDS_TO_ANSWER)
    if asked:
        say(f"waiting for nodes to say what they have installed: {_addresses(asked)}")
    _compare(asked, PATIENCE - SECONDS_TO_ANSWER)
    if asked:
        raise ConfigError(f"nodes have not said in {PATIENCE:.0f} s what they have installed: {_addresses(asked)}.")
    still_there = {node.identity for node in nodes()}
    return [node for node in present if node.identity in still_there]


def _compare(asked: dict[object, Node], seconds: float) -> None:
    """Compare what nodes say in this time, and take those that have the same out of `asked`."""
    import ray

    end = time.monotonic() + seconds
    while asked and time.monotonic() < end:
        for reference in ray.wait(list(asked), timeout=1.0)[0]:
            node = asked.pop(reference)
            if said := _said(reference, node):
                versions.refuse_difference(versions.here(), said, f"node {node.address}")


def _said(reference: object, node: Node) -> Versions | None:
    """What a node has answered; None where it has left the cluster."""
    import ray

    try:
        return Versions.model_validate_json(ray.get(reference))
    except ray.exceptions.RayError as error:
        if node.identity not in {one.identity for one in nodes()}:
            return None
        raise ConfigError(
            f"node {node.address} cannot run kbtools ({last_line(error)}): install there what is installed "
            f"here, kbtools {versions.here().packages['kbtools']} and its plugins, in the Python that runs Ray."
        ) from error


def _addresses(asked: dict[object, Node]) -> str:
    return ", ".join(node.address for node in asked.values())


def say_versions() -> str:
    """What a node is asked first."""
    return versions.here().model_dump_json()


def on_node(node: Node) -> Any:
    """Ray's word for: there and nowhere else."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(node.identity, soft=False)


def last_line(error: Exception) -> str:
    """The line of Ray's report that says what happened: the last one of the traceback that it quotes."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
