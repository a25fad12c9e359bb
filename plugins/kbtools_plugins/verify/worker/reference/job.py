"""The job that runs the reference: inputs from secret seeds, outputs in float64 and float32, parameters, and decoys.

The reference is not hostile but need not be sound: whatever it cannot do is said in the reply and never held against a
candidate.
"""

from __future__ import annotations

import copy
import random
import traceback
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import torch
from torch.utils._pytree import tree_flatten, tree_map_only

from kbtools_plugins.verify.protocol.message import Tensor
from kbtools_plugins.verify.protocol.operators import base_name
from kbtools_plugins.verify.protocol.outputs import flatten
from kbtools_plugins.verify.protocol.reference import (
    InputSet,
    Mode,
    ReferenceJob,
    ReferenceReply,
    Sequence,
    UpdatedBuffer,
    Variant,
)
from kbtools_plugins.verify.protocol.roles import Failure
from kbtools_plugins.verify.protocol.wire import Talk, Tree
from kbtools_plugins.verify.worker import cuda_shim, loading
from kbtools_plugins.verify.worker.reference import state as module_state
from kbtools_plugins.verify.worker.reference.inputs import (
    SCALES,
    VARIANTS,
    Variation,
    alone,
    map_floats,
    needed_bytes,
    other_booleans,
    structured,
    varied,
    with_plain_values_of,
)
from kbtools_plugins.verify.worker.reference.layout import Operators
from kbtools_plugins.verify.worker.reference.size import elements, without_memory
from kbtools_plugins.verify.worker.reference.tensor_cores import TensorCores
from kbtools_plugins.verify.worker.tensors import (
    Inputs,
    Unsendable,
    all_finite,
    clone_tree,
    copy_values,
    decode_tensor,
    encode,
    encode_tensor,
)

_FURTHER_SEEDS = 30
_FROM_THE_END = {"index", "index_put", "index_put_", "_unsafe_index", "take"}
"""Operators to which a negative integer is a place counted from the end, which no kernel has to know."""
_ELEMENTS_OF_ALL_SETS = 2**23
"""Large inputs are tried in fewer ways: seeds first, then other scales, then each input alone."""


def warm_up() -> None:
    """Everything is imported with this module."""
    torch.set_num_threads(1)


def run(job: ReferenceJob, talk: Talk) -> ReferenceReply | Failure:
    """All that the caller needs to judge a candidate, or a failure `reference_error`."""
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        with cuda_shim.installed(), torch.no_grad():
            if (count := without_memory(job)) > job.most_elements:
                return Failure(failed="too_large", error=f"inputs and parameters have {count:,} elements")
            return _Reference(job).describe()
    except Unsendable as error:
        text = f"the reference is constructed from {error}, which cannot be sent"
        return Failure(failed="unsupported:init_inputs", error=text)
    except Exception as error:  # noqa: BLE001 - any fault of the reference is reported as one
        text = "".join(traceback.format_exception(error))[-2000:]
        return Failure(failed="reference_error", error=text)


class _Reference:
    def __init__(self, job: ReferenceJob) -> None:
        self._seeds = job.seeds
        self._decoys = job.decoy_seeds
        self._limit = job.most_elements
        self._wants_floor = job.floor
        self._module = loading.load(job.code, "reference")
        self._entry = getattr(self._module, job.entry)
        given = self._module.get_init_inputs() if hasattr(self._module, "get_init_inputs") else []
        self._args, self._kwargs = loading.split_init_inputs(given)
        self._init = encode((self._args, self._kwargs))
        self._instance = self._construct()
        self._decoy_state: dict[str, Tensor] = {}
        self._other_values: dict[str, torch.Tensor] = {}
        self._counters: set[str] = set()

    def describe(self) -> ReferenceReply | Failure:
        """The reply of the job."""
        first = self._inputs(self._seeds[0])
        if (count := elements(self._instance, first)) > self._limit:
            return Failure(failed="too_large", error=f"inputs and parameters have {count:,} elements")
        self._updated = self._settle_state(first)
        modes = {mode: self._mode(mode, first) for mode in self._modes()}
        main = next((mode for mode, found in modes.items() if not found.random), None)
        if main is None:
            return Failure(failed="reference_unfit:random", error="two runs on equal inputs gave different outputs")
        if modes[main].stateful:
            return Failure(failed="reference_unfit:stateful", error="its forward changes more than its state dict")
        self._takes_signs = not {base_name(name) for name in modes[main].operators} & _FROM_THE_END
        most = max(len(self._seeds) + 1, _ELEMENTS_OF_ALL_SETS // max(1, count))
        sets = list(islice(self._sets(first, main), most))
        state = self._instance.state_dict() if isinstance(self._instance, torch.nn.Module) else {}
        variants = {name: self._variant(change, main) for name, change in VARIANTS.items()}
        return ReferenceReply(
            init=self._init,
            state={name: encode_tensor(tensor) for name, tensor in state.items()},
            decoy_state=self._decoy_state,
            modes=modes,
            main=main,
            sets=sets,
            fewer_sets=len(sets) == most,
            sequence=self._sequence(first, main),
            counters=sorted(self._counters),
            needed_bytes=self._needed_bytes(first, main) if self._wants_floor else 0.0,
            control=encode(self._forward(self._construct(copy_from=self._instance), main, clone_tree(first))),
            decoys=[encode(with_plain_values_of(first, self._inputs(seed))) for seed in self._decoys],
            variants={name: found for name, found in variants.items() if found is not None},
        )

    def _construct(self, copy_from: object = None) -> Any:
        instance = loading.construct(self._entry, copy.deepcopy(self._args), copy.deepcopy(self._kwargs))
        if isinstance(copy_from, torch.nn.Module) and isinstance(instance, torch.nn.Module):
            instance.load_state_dict(copy.deepcopy(copy_from.state_dict()))
        return instance

    def _modes(self) -> list[str]:
        return ["train", "eval"] if isinstance(self._instance, torch.nn.Module) else ["train"]

    def _given(self, seed: int) -> Inputs:
        """What the reference's own function gives."""
        torch.manual_seed(seed)
        random.seed(seed)
        given = self._module.get_inputs()
        return tuple(given) if isinstance(given, list | tuple) else (given,)

    def _inputs(self, seed: int) -> Inputs:
        inputs = self._given(seed)
        if seed != self._seeds[0] and module_state.equal(inputs, self._inputs(self._seeds[0])):
            return tuple(tree_map_only(torch.Tensor, varied, inputs))
        return inputs

    def _mode(self, mode: str, inputs: Inputs) -> Mode:
        used, given = self._copy(self._instance, mode), clone_tree(inputs)
        with Operators() as operators:
            one = used(*given)
        random_ = not module_state.equal(one, self._forward(self._instance, mode, clone_tree(inputs)))
        return Mode(
            random=random_,
            stateful=not random_ and self._keeps_other_state(mode, inputs),
            operators=sorted(operators.names),
            promised=operators.promised(one),
            outputs=encode(one),
            state=self._state_after(used, used),
        )

    def _sets(self, first: Inputs, mode: str) -> Iterator[InputSet]:
        yield from self._seeded(first, mode)
        others = {name: map_floats(change, first) for name, change in SCALES.items()}
        for name, inputs in {"other booleans": other_booleans(first), **others}.items():
            if inputs is not None and (found := self._try(name, inputs, mode)) is not None:
                yield found
        yield from self._varied(first, mode)

    def _varied(self, first: Inputs, mode: str) -> Iterator[InputSet]:
        """Sets in which one input alone is another one, and one of numbers in order."""
        torch.manual_seed(self._seeds[0])
        again = _tensors(self._given(self._seeds[-1] + 1))
        ones = [tensor for tensor in _tensors(first) if tensor.numel()]
        others = [tensor for tensor in again if tensor.numel()]
        fixed = [module_state.equal(one, other) for one, other in zip(ones, others, strict=True)]
        in_order: list[Variation] = [lambda: structured(first)]
        sizes = [size for tensor in loading.held(self._instance).values() for size in tensor.shape]
        ways = [*alone(first, fixed, sizes, signs=self._takes_signs), ("values in order", in_order)]
        shapes = [tensor.shape for tensor in _tensors(self._forward(self._instance, mode, clone_tree(first)))]
        for name, changes in ways:
            for change in changes:
                inputs = change()
                found = None if inputs is None else self._try(name, inputs, mode)
                if found and [list(shape) for shape in shapes] == [tensor.shape for tensor in flatten(found.plain)[1]]:
                    yield found
                    break

    def _seeded(self, first: Inputs, mode: str) -> list[InputSet]:
        """A set for each seed. Where all results are equal, as an index or a truth value may be by chance, further
        seeds are tried, and the first with another result is added."""
        sets = [self._expect("seed 1", first, mode)]
        sets += [self._seed(number, seed, first, mode) for number, seed in enumerate(self._seeds[1:], 2)]
        if len(sets) > 1 and all(_same_result(found, sets[0]) for found in sets):
            drawn = random.Random(self._seeds[0])
            further = (self._seed(len(sets) + 1, drawn.getrandbits(31), first, mode) for _ in range(_FURTHER_SEEDS))
            sets += islice((found for found in further if not _same_result(found, sets[0])), 1)
            if all(_same_result(found, sets[0]) for found in sets):
                sets += self._turned(first, mode, sets[0])
        return sets

    def _turned(self, first: Inputs, mode: str, known: InputSet) -> list[InputSet]:
        """Inputs of other signs, if these give another result: where all are fixed, nothing else asks for signs."""
        found = self._try("seed of other signs", map_floats(lambda tensor: -tensor.flip(-1), first) or first, mode)
        return [found] if found and not _same_result(found, known) else []

    def _sequence(self, first: Inputs, mode: str) -> Sequence | None:
        """Three calls of one instance, the last on inputs as the second left them; None if it cannot be called so."""
        plain, wide = (self._copy(self._instance, mode) for _ in range(2))
        wide = wide.double() if isinstance(wide, torch.nn.Module) else wide
        weights, given = self._weights(), clone_tree(first)
        calls: list[InputSet] = []
        outputs: list[Any] = []
        try:
            for number, seed in enumerate((self._seeds[0], self._seeds[-1], None)):
                if seed is not None:
                    fresh = with_plain_values_of(first, self._inputs(seed))
                    for target, source in zip(_tensors(given), _tensors(fresh), strict=True):
                        copy_values(source, target)  # the memory of the inputs is the same each time
                else:
                    for used in (plain, wide):
                        loading.copy_state(used, self._other_values, {name: name for name in weights})
                inputs = clone_tree(given)
                outputs.append(plain(*given))
                calls.append(self._called(f"call {number + 1}", inputs, given, outputs[-1], (plain, wide)))
            kept = [encode(output) for output in outputs]
            return Sequence(calls=calls, weights={name: self._decoy_state[name] for name in weights}, kept=kept)
        except Exception:  # noqa: BLE001 - the reference need not take such calls
            return None

    def _weights(self) -> list[str]:
        """Parameters that training changes: buffers keep what the calls before have left there."""
        trained = dict(self._instance.named_parameters()) if isinstance(self._instance, torch.nn.Module) else {}
        return [name for name in self._other_values if name in trained]

    def _seed(self, number: int, seed: int, first: Inputs, mode: str) -> InputSet:
        return self._expect(f"seed {number}", with_plain_values_of(first, self._inputs(seed)), mode)

    def _variant(self, change: Callable[[Inputs], Inputs | None], mode: str) -> Variant | None:
        """Other shapes or layouts of decoys and of inputs that count, if the reference takes them."""
        changed, decoy = change(self._inputs(self._seeds[0])), change(self._inputs(self._decoys[0]))
        if changed is None or decoy is None:
            return None
        found = self._try("variant", changed, mode)
        return None if found is None else Variant(decoy=encode(with_plain_values_of(changed, decoy)), set=found)

    def _try(self, name: str, inputs: Inputs, mode: str) -> InputSet | None:
        try:
            found = self._expect(name, inputs, mode)
        except Exception:  # noqa: BLE001 - the reference need not take such inputs
            return None
        return found if found.finite else None

    def _expect(self, name: str, inputs: Inputs, mode: str) -> InputSet:
        used, given = self._copy(self._instance, mode), clone_tree(inputs)
        plain = used(*given)
        wide = self._copy(self._instance, mode)
        wide = wide.double() if isinstance(wide, torch.nn.Module) else wide
        found = self._called(name, inputs, given, plain, (used, wide))
        return found.model_copy(update={"tf32": self._by_tensor_cores(inputs, mode)})

    def _by_tensor_cores(self, inputs: tuple[Any, ...], mode: str) -> Tree:
        with TensorCores() as cores:
            outputs = self._forward(self._instance, mode, clone_tree(inputs))
        return encode(outputs) if cores.used else None

    def _called(
        self, name: str, inputs: Inputs, given: Inputs, plain: object, modules: tuple[object, object]
    ) -> InputSet:
        """What a call has made of inputs: `given` are they afterwards, `modules` called it and a wide one to call."""
        exact, wide = self._exact(inputs, plain, *modules)
        tensors, after, outputs = _tensors(inputs), _tensors(given), _tensors(plain)
        return InputSet(
            name=name,
            inputs=encode(inputs),
            tensors=[encode_tensor(tensor) for tensor in tensors],
            plain=encode(plain),
            exact=encode(exact),
            state=self._state_after(modules[0], wide),
            after=[
                None if module_state.equal(before, now) else encode_tensor(now)
                for before, now in zip(tensors, after, strict=True)
            ],
            finite=all(map(all_finite, outputs)),
        )

    def _exact(self, inputs: Inputs, plain: Any, plainly_used: object, wide: Any) -> tuple[object, object]:
        """Outputs computed in float64 and the module afterwards; the plain ones where there is no float64 path."""
        try:
            outputs = wide(*tree_map_only(torch.Tensor, _double, clone_tree(inputs)))
        except Exception:  # noqa: BLE001
            return plain, plainly_used
        same_shapes = [getattr(leaf, "shape", None) for leaf in tree_flatten(outputs)[0]] == [
            getattr(leaf, "shape", None) for leaf in tree_flatten(plain)[0]
        ]
        return (outputs, wide) if same_shapes else (plain, plainly_used)

    def _forward(self, instance: object, mode: str, inputs: Inputs) -> object:
        return self._copy(instance, mode)(*inputs)

    def _copy(self, instance: object, mode: str) -> Any:
        """An instance of its own for one forward, in this mode; plain functions need none."""
        used = copy.deepcopy(instance) if isinstance(instance, torch.nn.Module) else instance
        loading.set_mode(used, mode)
        return used

    def _settle_state(self, inputs: Inputs) -> set[str]:
        """Move the state off its initial values where the reference takes that; the buffers whose update counts."""
        if not isinstance(self._instance, torch.nn.Module):
            return set()
        forwards = [self._in_mode(mode, inputs) for mode in self._modes()]
        updated: set[str] = set()
        for forward in forwards:
            used = copy.deepcopy(self._instance)
            forward(used)
            updated |= set(module_state.changes(self._instance, used))
        self._instance = module_state.moved(self._instance, updated, self._seeds[0], forwards)
        other = module_state.moved(self._instance, updated, self._decoys[0], forwards)
        changed = module_state.changes(self._instance, other)
        self._other_values = {name: tensor for name, tensor in changed.items() if tensor.numel() > 1}
        self._decoy_state = {name: encode_tensor(tensor) for name, tensor in self._other_values.items()}
        matter = {name for name in updated if module_state.matters(self._instance, name, updated, forwards)}
        self._counters = updated - matter
        return matter

    def _in_mode(self, mode: str, inputs: Inputs) -> module_state.Forward:
        def forward(used: torch.nn.Module) -> object:
            loading.set_mode(used, mode)
            return used(*clone_tree(inputs))

        return forward

    def _keeps_other_state(self, mode: str, inputs: Inputs) -> bool:
        if not isinstance(self._instance, torch.nn.Module):
            return False
        return module_state.keeps_other_state(self._instance, self._in_mode(mode, inputs))

    def _needed_bytes(self, inputs: Inputs, mode: str) -> float:
        """Bytes of the inputs that the result depends on, by trying a few elements of each: no kernel can read less."""

        def outputs(given: Inputs) -> Any:
            return self._forward(self._instance, mode, given)

        return needed_bytes(inputs, outputs, self._seeds[0])

    def _state_after(self, plain: Any, exact: Any) -> dict[str, UpdatedBuffer]:
        """Buffers that a forward has updated, by its float32 and by its float64 run."""
        if not self._updated:
            return {}
        wide = exact.state_dict()
        return {
            name: UpdatedBuffer(plain=encode_tensor(tensor), exact=encode_tensor(wide[name]))
            for name, tensor in module_state.changes(self._instance, plain).items()
            if name in self._updated
        }


def _tensors(values: Any) -> list[torch.Tensor]:
    return [leaf for leaf in tree_flatten(values)[0] if isinstance(leaf, torch.Tensor)]


def _same_result(one: InputSet, other: InputSet) -> bool:
    """Whether two sets have equal outputs, by value: -0.0 is 0.0."""
    (form, ones), (other_form, others) = flatten(one.plain), flatten(other.plain)
    return form == other_form and module_state.equal(
        [decode_tensor(tensor) for tensor in ones], [decode_tensor(tensor) for tensor in others]
    )


def _double(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.double() if tensor.is_floating_point() else tensor
