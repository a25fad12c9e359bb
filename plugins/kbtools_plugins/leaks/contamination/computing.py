"""Codes that compute what a problem computes: run beside it on the same inputs (`leaks.computation`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kbtools_plugins.leaks.computation.agreement import Agreements
from kbtools_plugins.leaks.computation.probes import Probe, probed
from kbtools_plugins.leaks.computation.proposals import Proposals
from kbtools_plugins.leaks.computation.sandboxes import Sandbox, Sandboxes
from kbtools_plugins.leaks.contamination.tracing import Ran


def compare(problems: Sequence[str], codes: Mapping[bytes, str], workers: int) -> Ran:
    """Run each code beside the few problems that it may be."""
    if not codes:
        return Ran({})
    with Sandboxes.opened(workers) as sandboxes:
        known, looked_at = probed(problems, sandboxes), probed(list(codes.values()), sandboxes)
        proposals, agreements = Proposals(), Agreements()
        for number, probe in enumerate(known):
            if probe is not None:
                proposals.add(number, probe)

        def first(probe: Probe | None, sandbox: Sandbox) -> int | None:
            if probe is None:
                return None
            pairs = ((number, known[number]) for number in proposals.of(probe))
            return next((number for number, one in pairs if one and agreements.same(one, probe, sandbox)), None)

        found = sandboxes.each(first, looked_at)
    hits = {digest: number for digest, number in zip(codes, found, strict=True) if number is not None}
    return Ran(hits, known.count(None), looked_at.count(None))
