"""Holds what a replay leaves behind against the reference: outputs, buffers, and the inputs that it was given."""

from __future__ import annotations

import numpy as np

from kbtools_plugins.verify.protocol.match import Difference, Match
from kbtools_plugins.verify.protocol.message import Tensor
from kbtools_plugins.verify.protocol.outputs import Array, flatten, is_float, to_numpy
from kbtools_plugins.verify.protocol.reference import InputSet, ReferenceReply, UpdatedBuffer
from kbtools_plugins.verify.protocol.replaying import RunResult
from kbtools_plugins.verify.protocol.tolerance import Tf32, compare, compare_tensor, scales
from kbtools_plugins.verify.protocol.trace import Trace
from kbtools_plugins.verify.steps.runs import Run

_LEAST_SHARE = 1e-2
"""Outputs on tiny inputs are held to this share of the scale that outputs have on ordinary ones."""
_ZEROS, _LESS_ON_ZEROS, _EXACT_SHARE = "zeros", 0.1, 1e-8
"""On inputs of zeros, and where else a branch was sought, it may be far smaller than what it is added to elsewhere."""
_IN_ORDER, _PARTIAL_SUMS = "values in order", 10.0
"""Sums over numbers in order grow large before they cancel: an element's scale counts as so many times as large."""


class Comparison:
    """Of one candidate's runs with one reference."""

    def __init__(self, reference: ReferenceReply, *, tf32: bool, approximate: bool, strict_mutation: bool) -> None:
        self._reference = reference
        self._tf32 = tf32
        self._approximate = approximate
        self._strict_mutation = strict_mutation
        self._least_scales = [scale * _LEAST_SHARE for scale in scales(reference.sets[0].exact)]
        self._updated = {
            index for found in reference.sets for index, after in enumerate(found.after) if after is not None
        }
        """Inputs that the reference updates; written again, one may hold what it held before."""
        self.in_place: bool | None = None
        """Whether the candidate updates the inputs that the reference updates, if there are any."""

    def of(self, run: Run, result: RunResult) -> Match | Difference:
        """The largest relative error, or the first thing that is not as the reference leaves it."""
        expected = run.expected
        promised = [] if run.variant else self._reference.modes[self._reference.main].promised
        ordinary = run.variant or expected.name.startswith(("seed ", "call ", "other shapes"))
        least = None if ordinary else self._least(expected)
        by_seed = expected.name.startswith("seed ")
        tf32 = Tf32(expected.tf32) if self._tf32 else None
        found = compare(
            result.outputs,
            expected.plain,
            expected.exact,
            least,
            promised,
            ordinary=by_seed,
            tf32=tf32,
            approximate=self._approximate,
            any_place=expected.any_place,
            otherwise=expected.otherwise,
        )
        if isinstance(found, Match) and run.order != "skip":
            found = self._buffers(run.trace, result.changed, expected.state) or found
        if isinstance(found, Difference):
            return Difference(found.verdict, run.what + found.text, found.max_error)
        for index, (before, now, wanted) in enumerate(
            zip(run.expected.tensors, result.inputs, run.expected.after, strict=True)
        ):
            if index not in self._updated:
                if now.tensor != before.tensor:
                    text = f"{run.what}it changed input {index}, which the reference leaves alone"
                    return Difference("hack:mutated_input", text)
            elif not self._is_updated(run, before, now, wanted or before):
                return Difference(
                    "wrong_output", f"{run.what}input {index}, which the reference updates, ends up different"
                )
        return found

    def _least(self, expected: InputSet) -> list[Array]:
        """Scales below which none on other inputs than ordinary ones is taken to be."""
        if (expected.sought or expected.name == _ZEROS) and self._is_exact(expected):
            return [least * _LESS_ON_ZEROS for least in self._least_scales]
        if expected.name != _IN_ORDER:
            return self._least_scales
        own = scales(expected.exact)
        return [np.maximum(_PARTIAL_SUMS * one, least) for one, least in zip(own, self._least_scales, strict=True)]

    def _is_exact(self, expected: InputSet) -> bool:
        """Whether nothing was rounded that counts: then what is small was not made of what is large."""
        pairs = zip(flatten(expected.plain)[1], flatten(expected.exact)[1], self._least_scales, strict=True)
        return all(
            bool((np.abs(to_numpy(one) - to_numpy(other)) <= _EXACT_SHARE * least).all())
            for one, other, least in pairs
            if is_float(one.dtype)
        )

    def _is_updated(self, run: Run, before: Tensor, now: Tensor, wanted: Tensor) -> bool:
        """Whether an input is as the reference leaves it; or as it was, where the new values are returned as well."""
        updated = not isinstance(compare_tensor("", now, wanted, wanted), Difference)
        returned = any(output.tensor == wanted.tensor for output in flatten(run.expected.plain)[1])
        left_alone = now.tensor == before.tensor and returned and not self._strict_mutation
        if not run.variant:
            self.in_place = updated and self.in_place is not False
        return updated or left_alone

    def _buffers(self, trace: Trace, got: dict[str, Tensor], wanted: dict[str, UpdatedBuffer]) -> Difference | None:
        for name in sorted(set(got) - set(wanted) - set(self._reference.counters)):
            return Difference("wrong_output", f"it changes its {name}, which the reference leaves as it was")
        for name, true in wanted.items():
            text = f"the reference's forward updates the buffer {name}"
            if name not in got:
                has = "leaves as it was" if name in trace.buffers else "does not have"
                return Difference("wrong_output", f"{text}, which the candidate {has}")
            found = compare_tensor("it", got[name], true.plain, true.exact)
            if isinstance(found, Difference):
                return Difference(found.verdict, f"{text}, and {found.text}", found.max_error)
        return None
