"""A look at each module: what it takes and gives, its operators, and what it makes of public inputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kbtools_plugins.leaks.computation.sandboxes import Sandbox, Sandboxes
from kbtools_plugins.verify.candidate import shrink
from kbtools_plugins.verify.candidate import text as texts
from kbtools_plugins.verify.protocol.computation import PROBE, ProbeJob, ProbeReply

MOST_ELEMENTS = 2**17
"""Elements of inputs and parameters that a comparison may have; larger modules are cut down by their constants."""


_LIMITS = (1024, 512, 256, 128, 64, 32)
"""Sizes that constants are cut down to, in the order in which they are tried."""


@dataclass(frozen=True)
class Probe:
    """One module as it is run, and what was seen of it."""

    code: str
    entry: str
    seen: ProbeReply


def probed(codes: Sequence[str], sandboxes: Sandboxes) -> list[Probe | None]:
    """A look at each code; None for one that cannot be run, or whose results hang on chance."""
    return sandboxes.each(_probe, codes)


def _probe(code: str, sandbox: Sandbox) -> Probe | None:
    try:
        extracted = texts.extract(code)
        entry = texts.reference_entry(texts.parse(extracted), None)
    except texts.NoCode:
        return None
    for version in _versions(extracted):
        outcome = sandbox.ask(PROBE, ProbeJob(code=version, entry=entry, most_elements=MOST_ELEMENTS))
        if outcome.reply is not None:
            return Probe(version, entry, outcome.reply)
        if not outcome.error.startswith("too large") and outcome.failed not in ("out_of_memory", "timeout"):
            return None
    return None


def _versions(code: str) -> Iterator[str]:
    """The code, then with its constants cut down further and further."""
    yield code
    known, before = shrink.constants(code), code
    for limit in _LIMITS:
        cut = shrink.with_constants(code, {name: min(value, limit) for name, value in known.items()}, known)
        if cut != before:
            yield cut
        before = cut
