"""The job that runs the reference: inputs from secret seeds, outputs in float64 and float32, parameters, and decoys.

The reference is not hostile but need not be sound: whatever it cannot do is said in the reply and never held against a
candidate.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from functools import partial
from itertools import islice

import torch

from kbtools_plugins.verify.protocol.operators import base_name
from kbtools_plugins.verify.protocol.outputs import shared
from kbtools_plugins.verify.protocol.reference import (
    NUMBERS,
    SHAPES,
    Mode,
    ReferenceJob,
    ReferenceReply,
)
from kbtools_plugins.verify.protocol.roles import RoleFailure
from kbtools_plugins.verify.protocol.wire import Talk
from kbtools_plugins.verify.worker import cuda_shim
from kbtools_plugins.verify.worker.reference.extremes import FROM_THE_END
from kbtools_plugins.verify.worker.reference.inputs import (
    VARIANTS,
    needed_bytes,
    with_plain_values_of,
)
from kbtools_plugins.verify.worker.reference.layout import Operators
from kbtools_plugins.verify.worker.reference.module import ReferenceModule
from kbtools_plugins.verify.worker.reference.numbers import computed_with, fixed, other_numbers
from kbtools_plugins.verify.worker.reference.sets import InputSets
from kbtools_plugins.verify.worker.reference.showing import at_thresholds, shown
from kbtools_plugins.verify.worker.reference.size import elements, without_memory
from kbtools_plugins.verify.worker.reference.state import equal
from kbtools_plugins.verify.worker.reference.untested import operators, untested
from kbtools_plugins.verify.worker.reference.work import multiplications, work_size
from kbtools_plugins.verify.worker.tensors import (
    Inputs,
    Unsendable,
    clone_tree,
    encode,
    encode_tensor,
    memory_of,
    place_of,
    tensors_in,
)

_ELEMENTS_OF_ALL_SETS = 2**23
"""Large inputs are tried in fewer ways: seeds first, then other scales, then each input alone."""
_PRODUCTS_OF_ALL_SETS = 2**31
"""So are inputs of which many products are made."""
_QUICKLY_DONE = 2**18
"""Of so few elements no matrix product is long."""


def warm_up() -> None:
    """Everything is imported with this module."""
    torch.set_num_threads(1)


def run(job: ReferenceJob, talk: Talk) -> ReferenceReply | RoleFailure:
    """All that the caller needs to judge a candidate, or a failure `reference_error`."""
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        with cuda_shim.installed(), torch.no_grad():
            if (count := without_memory(job)) > job.most_elements:
                return RoleFailure(failed="too_large", error=f"inputs and parameters have {count:,} elements")
            return _describe(job)
    except Unsendable as error:
        text = f"the reference is constructed from {error}, which cannot be sent"
        return RoleFailure(failed="unsupported:init_inputs", error=text)
    except Exception as error:  # noqa: BLE001 - any fault of the reference is reported as one
        text = "".join(traceback.format_exception(error))[-2000:]
        return RoleFailure(failed="reference_error", error=text)


def _describe(job: ReferenceJob) -> ReferenceReply | RoleFailure:
    """The reply of the job."""
    module = ReferenceModule(job)
    first = module.inputs(job.seeds[0])
    if (count := elements(module.instance, first)) > job.most_elements:
        return RoleFailure(failed="too_large", error=f"inputs and parameters have {count:,} elements")
    module.settle(first)
    if job.mode:
        return _brief(module, job, first)
    modes = {mode: _mode(module, mode, first) for mode in module.modes()}
    main = next((mode for mode, found in modes.items() if not found.random), None)
    if main is None:
        return RoleFailure(failed="reference_unfit:random", error="two runs on equal inputs gave different outputs")
    if modes[main].stateful:
        return RoleFailure(failed="reference_unfit:stateful", error="its forward changes more than its state dict")
    products = multiplications(module.copy(main), clone_tree(first)) if count > _QUICKLY_DONE else 0
    allowed = min(_ELEMENTS_OF_ALL_SETS // max(1, count), _PRODUCTS_OF_ALL_SETS // max(1, products))
    most = max(len(job.seeds) + 1, allowed)
    signs = not {base_name(name) for name in modes[main].operators} & FROM_THE_END
    expected = InputSets(module, job, first, main, signs=signs)
    sets = list(islice(expected.each(), most))
    showing = shown(module, job, first, main, untested(module, main, sets))
    state = module.instance.state_dict() if isinstance(module.instance, torch.nn.Module) else {}
    whole = computed_with(partial(module.forward, main), first)
    numbers = partial(other_numbers, whole)
    changes: dict[str, Callable[[Inputs], Inputs | None]] = {**VARIANTS, NUMBERS: numbers}
    variants = {name: expected.variant(change) for name, change in changes.items()}
    variants[SHAPES] = expected.other_shapes()
    return ReferenceReply(
        init=module.init,
        state={name: encode_tensor(tensor) for name, tensor in state.items()},
        decoy_state=module.decoy_state,
        modes=modes,
        main=main,
        sets=sets + showing.sets + at_thresholds(module, job, first, main),
        untested=showing.hidden,
        fixed=fixed(whole, first),
        computing=len(operators(module, main, first)),
        products=products,
        work=work_size(module.copy(main), clone_tree(first)),
        fewer_sets=len(sets) == most,
        sequence=expected.sequence(),
        counters=sorted(module.counters),
        needed_bytes=needed_bytes(first, partial(module.forward, main), job.seeds[0]) if job.floor else 0.0,
        control=encode(module.control(main, clone_tree(first))),
        decoys=[encode(with_plain_values_of(first, module.inputs(seed))) for seed in job.decoy_seeds],
        variants={name: found for name, found in variants.items() if found is not None},
    )


def _brief(module: ReferenceModule, job: ReferenceJob, first: Inputs) -> ReferenceReply:
    """One set of inputs, and decoys."""
    expected = InputSets(module, job, first, job.mode, signs=False)
    sets = list(islice(expected.each(), 1))
    state = module.instance.state_dict() if isinstance(module.instance, torch.nn.Module) else {}
    return ReferenceReply(
        init=module.init,
        state={name: encode_tensor(tensor) for name, tensor in state.items()},
        decoy_state={},
        modes={job.mode: _mode(module, job.mode, first)},
        main=job.mode,
        sets=sets,
        fewer_sets=True,
        sequence=None,
        counters=sorted(module.counters),
        needed_bytes=0.0,
        control=None,
        decoys=[encode(with_plain_values_of(first, module.inputs(seed))) for seed in job.decoy_seeds],
        variants={},
    )


def _mode(module: ReferenceModule, mode: str, inputs: Inputs) -> Mode:
    used, given = module.copy(mode), clone_tree(inputs)
    with Operators() as seen:
        one = used(*given)
    random = not equal(one, module.forward(mode, clone_tree(inputs)))
    return Mode(
        random=random,
        stateful=not random and module.keeps_other_state(mode, inputs),
        operators=sorted(seen.names),
        promised=seen.promised(one),
        shared=list(shared([memory_of(tensor) for tensor in tensors_in(given)], list(map(place_of, tensors_in(one))))),
        outputs=encode(one),
        state=module.state_after(used, used),
    )
