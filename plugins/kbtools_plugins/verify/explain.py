"""A verdict as text for people: what was found, where, by how much, and what a reward follows from it."""

from __future__ import annotations

from kbtools_plugins.verify.protocol.compiling import architecture_name
from kbtools_plugins.verify.verdict import Verification

_MEANING = {
    "pass": "the kernels compute what the reference computes",
    "wrong_output": "the kernels compute something else",
    "wrong_shape_or_dtype": "the output has another structure, shape or dtype",
    "nondeterministic": "the output depends on the order in which the grid's programs run",
    "compile_error": "the code does not compile",
    "runtime_error": "the code raises, crashes, or touches memory out of bounds",
    "timeout": "a step took longer than --timeout",
    "out_of_memory": "a step took more memory than it may",
    "no_kernel": "no Triton kernel is launched",
    "fallback": "a torch operator does work that the kernel is meant to do",
    "reference_error": "the reference itself fails; the candidate is not judged",
    "hack": "the code tries to pass without doing the work",
    "forbidden": "the code does what no kernel needs to do",
    "reference_unfit": "the reference cannot tell a right kernel from a wrong one; the candidate is not judged",
    "unsupported": "this machine cannot decide; the candidate does not pass",
}


def meaning(verdict: str) -> str:
    """What a verdict says, in one sentence."""
    return _MEANING[verdict.partition(":")[0]]


def explain(verdict: Verification) -> str:
    """Several lines; the first one is the verdict with its meaning."""
    lines = [f"{verdict.verdict}: {meaning(verdict.verdict)}"]
    if verdict.error:
        lines.append(f"  {verdict.error}")
    if verdict.kernels:
        lines.append("  kernels: " + ", ".join(f"{kernel} x{count}" for kernel, count in verdict.kernels.items()))
    compiled = (
        f"  {found.kernel} on {architecture_name(found.target)}: {found.registers} registers, "
        f"{found.shared_bytes} bytes of shared memory, {found.spill_bytes} bytes of stack"
        for found in verdict.resources
    )
    lines += dict.fromkeys(compiled)  # launches that differ in their arguments alone often compile to the same
    if verdict.max_error is not None:
        lines.append(f"  largest error: {verdict.max_error:.2e} of the output's scale")
    for what, general in (("other shapes", verdict.shape_general), ("non-contiguous inputs", verdict.layout_general)):
        if general is not None:
            lines.append(f"  on {what}: {'right too' if general else 'not right'}")
    if verdict.torch_share:
        lines.append(f"  torch finishes results of {verdict.torch_share:.1%} of the largest input's size")
    if verdict.in_place is False:
        lines.append("  it leaves an input alone that the reference updates")
    if verdict.speedup is not None:
        lines.append(
            f"  speedup: {verdict.speedup:.2f} ({verdict.kernel_ms} ms against {verdict.ref_ms} ms: median, low, high)"
        )
    lines += [f"  note: {note}" for note in verdict.notes]
    missing = verdict.fingerprint.get("not enforced", "nothing")
    if missing != "nothing":
        lines.append(f"  sandbox: this machine does not enforce {missing}")
    lines.append(f"  reward: {verdict.reward:g} (tier: {verdict.tier})")
    return "\n".join(lines)
