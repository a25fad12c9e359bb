"""What a candidate is timed against, and what its times are held to."""

from __future__ import annotations

from kbtools_plugins.verify.evidence import Evidence
from kbtools_plugins.verify.protocol.reference import ReferenceReply
from kbtools_plugins.verify.protocol.replaying import Timing, TimingReply
from kbtools_plugins.verify.steps.trace_rules import Decided


def timing_of(reference: ReferenceReply, code: str, name: str) -> Timing:
    """The reference on its first inputs, eager and compiled."""
    return Timing(
        reference=code,
        entry=name,
        init=reference.init,
        arguments=reference.sets[0].inputs,
        state=reference.state,
        mode=reference.main,
        needed_bytes=reference.needed_bytes,
    )


def add_times(evidence: Evidence, reply: TimingReply) -> None:
    """Times and the speedup; Decided if no device can be as fast as that."""
    kernel, floor = reply.times["kernel"], reply.floor_ms
    best = min(times for name, times in reply.times.items() if name != "kernel")
    if kernel[0] < floor:
        raise Decided(
            "hack:impossible_speed", f"{kernel[0]:.4f} ms, but reading what the result needs takes {floor:.4f} ms"
        )
    if reply.not_compiled:
        evidence.notes.append(f"timed against the eager reference only: {reply.not_compiled}")
    evidence.kernel_ms, evidence.ref_ms = (kernel[0], kernel[1], kernel[2]), (best[0], best[1], best[2])
    evidence.speedup = best[0] / kernel[0]
