"""The sets of inputs that a candidate is judged on, each with what the reference makes of it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from itertools import islice
from typing import Any

import torch
from torch.utils._pytree import tree_flatten, tree_map_only

from kbtools_plugins.verify.protocol.outputs import flatten
from kbtools_plugins.verify.protocol.reference import (
    InputSet,
    ReferenceJob,
    Sequence,
    Variant,
)
from kbtools_plugins.verify.protocol.wire import Tree
from kbtools_plugins.verify.worker import loading
from kbtools_plugins.verify.worker.reference import state as module_state
from kbtools_plugins.verify.worker.reference.extremes import Extremes
from kbtools_plugins.verify.worker.reference.inputs import (
    LARGE,
    SCALES,
    Change,
    Variation,
    Way,
    alone,
    map_floats,
    other_booleans,
    with_plain_values_of,
)
from kbtools_plugins.verify.worker.reference.integers import bytes_at_ends
from kbtools_plugins.verify.worker.reference.jumps import Jumps, changes, shared_ends
from kbtools_plugins.verify.worker.reference.layout import laid_out_as
from kbtools_plugins.verify.worker.reference.module import ReferenceModule
from kbtools_plugins.verify.worker.reference.patterns import around, outliers, some_smaller, structured, whole_rows
from kbtools_plugins.verify.worker.reference.rounding import Doubles, double, roundings
from kbtools_plugins.verify.worker.reference.tensor_cores import by_tensor_cores
from kbtools_plugins.verify.worker.reference.ties import Kept, kept
from kbtools_plugins.verify.worker.tensors import (
    Inputs,
    all_finite,
    clone_tree,
    copy_values,
    decode_tensor,
    encode,
    encode_tensor,
    tensors_in,
)

AT_TIES = "values at ties"
_FURTHER_SEEDS = 30
_TIMES, _CHEAPLY_MADE = 16, 2**16
"""How often inputs of fewer elements are made to see how far their integers go."""


class InputSets:
    """Of one reference in one mode; all have the plain values of the first inputs."""

    def __init__(self, module: ReferenceModule, job: ReferenceJob, first: Inputs, mode: str, *, signs: bool) -> None:
        self._module = module
        self._signs = signs
        self._seeds = job.seeds
        self._decoys = job.decoy_seeds
        self._thresholds = job.thresholds
        self._first = first
        self._mode = mode
        self._strays: int | None = None
        """How often the first forward reaches beyond what there is."""

    def each(self) -> Iterator[InputSet]:
        """Seeds first, then other values of all inputs, then of one alone, as far as the reference takes them."""
        yield from self._seeded()
        if (turned := other_booleans(self._first)) and (found := self.tried("other booleans", turned)):
            yield found
        if (whole := whole_rows(self._first)) and (found := self.tried("whole rows of truth values", whole)):
            yield found
        for ways in SCALES:
            scaled = ((name, map_floats(change, self._first)) for name, change in ways.items())
            tried = (self.tried(name, inputs) for name, inputs in scaled if inputs is not None)
            yield from islice(filter(None, tried), 1)
        yield from islice(self._at_jumps(changes(self._seen)), 1)
        yield from islice(self._at_jumps(shared_ends(self._seen), any_place=self._seen.shows), 1)
        yield from self._varied(self._seen)

    def _seeded(self) -> list[InputSet]:
        """A set for each seed. Where all results are equal, as an index or a truth value may be by chance, further
        seeds are tried, and the first with another result is added."""
        sets = [self._expect("seed 1", self._first, seen := Extremes())]
        self._strays = seen.strays
        sets += [self._seed(number, seed) for number, seed in enumerate(self._seeds[1:], 2)]
        if len(sets) > 1 and all(_same_result(found, sets[0]) for found in sets):
            drawn = random.Random(self._seeds[0])
            further = (self._seed(len(sets) + 1, drawn.getrandbits(31)) for _ in range(_FURTHER_SEEDS))
            sets += islice((found for found in further if not _same_result(found, sets[0])), 1)
            if all(_same_result(found, sets[0]) for found in sets):
                sets += self._turned(sets[0])
        return sets

    def _seed(self, number: int, seed: int) -> InputSet:
        inputs = with_plain_values_of(self._first, self._module.inputs(seed))
        return self._expect(f"seed {number}", laid_out_as(self._first, inputs))

    def _turned(self, known: InputSet) -> list[InputSet]:
        """Inputs of other signs, if these give another result: where all are fixed, nothing else asks for signs."""
        turned = map_floats(lambda tensor: -tensor.flip(-1), self._first)
        found = self.tried("seed of other signs", turned or self._first)
        return [found] if found and not _same_result(found, known) else []

    def _at_jumps(self, ways: list[Change], *, any_place: bool = False) -> Iterator[InputSet]:
        """Sets at the places where the reference's functions jump, if what is there is certain. With `any_place` whole
        numbers among the outputs are places of equal numbers."""
        for change in ways:
            if (inputs := map_floats(change, self._first)) is None:
                return
            found = self.tried(AT_TIES, inputs, any_place=any_place)
            if found and self._jumps(inputs).exact:
                yield found

    @cached_property
    def _seen(self) -> Jumps:
        return self._jumps(self._first)

    def _jumps(self, inputs: Inputs) -> Jumps:
        used, given = self._module.copy(self._mode), clone_tree(inputs)
        with (seen := Jumps(given)):
            outputs = used(*given)
        seen.returned(outputs)
        return seen

    def _varied(self, seen: Jumps) -> Iterator[InputSet]:
        """Sets in which one input alone is another one, and some of numbers in order or far from each other; some of
        them are equal, where what was `seen` lets them."""
        zeros = not (seen.ranks or seen.multiplies)
        habits = self._habits
        loading.seed(self._seeds[0])
        ordered = [structured(self._first, habits, signs) for signs in (False, True)]
        in_order = [Way("values in order", [partial(_as_it_is, one) for one in ordered])]
        scaled: list[Variation] = [partial(map_floats, change, one) for one in ordered for change in LARGE.values()]
        in_order.append(Way("large values in order", scaled))
        sizes = [size for tensor in loading.held(self._module.instance).values() for size in tensor.shape]
        outputs = partial(self._module.forward, self._mode)
        ways = [*alone(self._first, habits, sizes, outputs, signs=self._signs, zeros=zeros), *in_order]
        far = [outliers(self._first, habits, signs=signs) for signs in (True, False)]
        ways.append(Way("one far from the rest", [partial(_as_it_is, one) for one in far]))
        near = around(self._thresholds, self._first, habits, exactly=not (seen.found or seen.ranks))
        ways += [Way("numbers that kernels compare with", [partial(_as_it_is, one) for one in near])]
        ways += [Way("bytes at their ends", [partial(bytes_at_ends, self._first)])]
        shapes = [tensor.shape for tensor in tensors_in(self._module.forward(self._mode, clone_tree(self._first)))]
        for way in ways:
            for change in way.changes:
                inputs = change()
                found = None if inputs is None else self.tried(way.name, inputs)
                if found and [list(shape) for shape in shapes] == [tensor.shape for tensor in flatten(found.plain)[1]]:
                    far_off = way.far_off() if way.far_off else None
                    boundless = far_off is not None and self.tried(way.name, far_off) is not None
                    yield found.model_copy(update={"boundless": boundless})
                    break

    @cached_property
    def _habits(self) -> list[Kept]:
        return kept(self._first, *self._again())

    def _again(self) -> Iterator[Inputs]:
        """The inputs made once more; small integers some more times, so that their ends are met."""
        tensors = tensors_in(self._first)
        whole = not all(tensor.is_floating_point() or tensor.dtype == torch.bool for tensor in tensors)
        few = whole and sum(tensor.numel() for tensor in tensors) < _CHEAPLY_MADE
        for number in range(_TIMES if few else 1):
            yield self._module.given(self._seeds[-1] + 1 + number)

    def variant(self, change: Callable[[Inputs], Inputs | None]) -> Variant | None:
        """Other shapes or layouts of decoys and of inputs that count, if the reference takes them."""
        changed, decoy = change(self._module.inputs(self._seeds[0])), change(self._module.inputs(self._decoys[0]))
        if changed is None or decoy is None:
            return None
        found = self.tried("variant", changed, other_form=True)
        return None if found is None else Variant(decoy=encode(with_plain_values_of(changed, decoy)), set=found)

    def other_shapes(self) -> Variant | None:
        """Inputs of other shapes, where the reference's own are others with each call."""
        pair = self._module.of_other_shapes()
        found = self.tried("other shapes", pair[0], other_form=True) if pair else None
        return Variant(decoy=encode(with_plain_values_of(*pair)), set=found) if pair and found else None

    def sequence(self) -> Sequence | None:
        """Three calls of one instance, the last on inputs as the second left them, or nearly so if no weights change: a
        memo by a few elements takes them for known. None if it cannot be called so."""
        plain, wide, coarse = (self._module.copy(self._mode) for _ in range(3))
        wide = wide.double() if isinstance(wide, torch.nn.Module) else wide
        weights, given = self._module.weights(), clone_tree(self._first)
        calls: list[InputSet] = []
        outputs: list[Any] = []
        try:
            for number, seed in enumerate((self._seeds[0], self._seeds[-1], None)):
                if seed is not None:
                    fresh = with_plain_values_of(self._first, self._module.inputs(seed))
                else:
                    fresh = given if weights else some_smaller(given, self._habits) or given
                    for used in (plain, wide, coarse):
                        loading.copy_state(used, self._module.other_values, {name: name for name in weights})
                for target, source in zip(tensors_in(given), tensors_in(fresh), strict=True):
                    copy_values(source, target)  # the memory of the inputs is the same each time
                inputs = clone_tree(given)
                outputs.append(plain(*given))
                called = self._called(f"call {number + 1}", inputs, given, outputs[-1], (plain, wide))
                calls.append(called.model_copy(update={"tf32": by_tensor_cores(coarse, inputs)}))
            sent = {name: encode_tensor(self._module.other_values[name]) for name in weights}
            return Sequence(calls=calls, weights=sent, kept=[encode(output) for output in outputs])
        except Exception:  # noqa: BLE001 - the reference need not take such calls
            return None

    def tried(self, name: str, inputs: Inputs, *, other_form: bool = False, any_place: bool = False) -> InputSet | None:
        """A set of these inputs; None where the reference does not take them, or what it gives says nothing."""
        given = inputs if other_form else laid_out_as(self._first, inputs)
        try:
            found = self._expect(name, given, seen := Extremes())
        except Exception:  # noqa: BLE001 - the reference need not take such inputs
            return None
        places = any(tensor.dtype in ("int64", "int32") for tensor in flatten(found.plain)[1])
        strange = seen.undefined or seen.steep or seen.flat or (seen.tied and places and not any_place)
        beyond = self._strays not in (None, seen.strays)
        return None if strange or beyond or not found.finite else found.model_copy(update={"any_place": any_place})

    def _expect(self, name: str, inputs: Inputs, seen: Extremes | None = None) -> InputSet:
        used, given = self._module.copy(self._mode), clone_tree(inputs)
        with (watch := seen or Extremes()):
            plain = used(*given)
        wide = self._module.copy(self._mode)
        wide = wide.double() if isinstance(wide, torch.nn.Module) else wide
        found = self._called(name, inputs, given, plain, (used, wide))
        tf32 = by_tensor_cores(self._module.copy(self._mode), inputs) if watch.products else None
        return found.model_copy(update={"tf32": tf32})

    def _called(
        self, name: str, inputs: Inputs, given: Inputs, plain: object, modules: tuple[object, object]
    ) -> InputSet:
        """What a call has made of inputs: `given` are they afterwards, `modules` called it and a wide one to call."""
        exact, wide = self._exact(inputs, plain, *modules)
        tensors, after, outputs = tensors_in(inputs), tensors_in(given), tensors_in(plain)
        return InputSet(
            name=name,
            inputs=encode(inputs),
            tensors=[encode_tensor(tensor) for tensor in tensors],
            plain=encode(plain),
            exact=encode(exact),
            otherwise=self._otherwise(name, inputs, plain, modules[0]),
            state=self._module.state_after(modules[0], wide),
            after=[
                None if module_state.equal(before, now) else encode_tensor(now)
                for before, now in zip(tensors, after, strict=True)
            ],
            finite=all(map(all_finite, outputs)),
        )

    def _otherwise(self, name: str, inputs: Inputs, plain: object, used: object) -> list[Tree]:
        """What else a call gives by other roundings, where a function jumps and not all before it is exact."""
        if name == AT_TIES or not (self._seen.found or self._seen.ranks):
            return []
        return [encode(found) for found in roundings(used, inputs, plain)]

    def _exact(self, inputs: Inputs, plain: Any, plainly_used: object, wide: Any) -> tuple[object, object]:
        """Outputs computed in float64 and the module afterwards; the plain ones where there is no float64 path."""
        try:
            with Doubles():
                outputs = wide(*tree_map_only(torch.Tensor, double, clone_tree(inputs)))
        except Exception:  # noqa: BLE001
            return plain, plainly_used
        same_shapes = [getattr(leaf, "shape", None) for leaf in tree_flatten(outputs)[0]] == [
            getattr(leaf, "shape", None) for leaf in tree_flatten(plain)[0]
        ]
        return (outputs, wide) if same_shapes else (plain, plainly_used)


def _as_it_is(inputs: Inputs | None) -> Inputs | None:
    return inputs


def _same_result(one: InputSet, other: InputSet) -> bool:
    """Whether two sets have equal outputs, by value: -0.0 is 0.0."""
    (form, ones), (other_form, others) = flatten(one.plain), flatten(other.plain)
    return form == other_form and module_state.equal(
        [decode_tensor(tensor) for tensor in ones], [decode_tensor(tensor) for tensor in others]
    )
