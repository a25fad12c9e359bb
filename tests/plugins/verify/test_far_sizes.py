"""At sizes that no memory holds, kernels are looked at for offsets that no longer fit into 32 bits."""

from __future__ import annotations

import mmap

import pytest
import torch
from far_pairs import CHOSEN, FAR, FarPair

from kbtools_plugins.verify import verify
from kbtools_plugins.verify.pool import Pair
from kbtools_plugins.verify.protocol.replaying import FEW, some_programs
from kbtools_plugins.verify.steps.far import WHERE
from kbtools_plugins.verify.verdict import Verification
from kbtools_plugins.verify.worker.nowhere import Nowhere, mapped

SIZE = 2**36


def _verdict(pair: Pair) -> Verification:
    return verify(pair.reference, pair.candidate, entry_point=pair.entry_point)


def _looked_at(verdict: Verification) -> bool:
    return any("stay in their buffers" in note for note in verdict.notes)


@pytest.mark.slow
@pytest.mark.parametrize("pair", FAR[:3], ids=lambda pair: pair.name)
def test_a_kernel_whose_offsets_have_64_bits_passes_at_any_size(pair: FarPair) -> None:
    """Flat, by rows, and in two steps: 17 GB each, of which none are needed."""
    found = _verdict(pair.pair)
    assert found.verdict == "pass", found.error
    assert _looked_at(found), found.notes


@pytest.mark.slow
@pytest.mark.parametrize("pair", FAR, ids=lambda pair: pair.name)
def test_an_offset_that_overflows_at_the_sizes_asked_for_is_found(pair: FarPair) -> None:
    """In loads and in stores, of inputs, outputs, parameters and what is between two launches."""
    found = _verdict(pair.twin())
    assert found.verdict == "runtime_error"
    assert WHERE in found.error
    assert "before the start of" in found.error


@pytest.mark.slow
def test_a_grid_that_is_too_large_at_the_sizes_asked_for_is_found() -> None:
    """65,535 programs are the most in the second dimension."""
    pair = FAR[0].pair
    candidate = pair.candidate.replace("kernel[(", "kernel[(1, ").replace("tl.program_id(0)", "tl.program_id(1)")
    found = _verdict(Pair(pair.reference, candidate, pair.entry_point))
    assert (found.verdict, "a grid of (1, 1048576" in found.error) == ("runtime_error", True), found.error


@pytest.mark.slow
def test_an_offset_of_32_bits_is_right_where_it_fits() -> None:
    """A quarter of the elements that make it overflow."""
    twin = FAR[0].twin()
    sizes = ("rows, columns = 65536, 65536", "rows, columns = 16384, 65536")
    found = _verdict(Pair(twin.reference.replace(*sizes), twin.candidate.replace(*sizes), "Model"))
    assert found.verdict == "pass", found.error
    assert _looked_at(found), found.notes


@pytest.mark.slow
def test_rows_are_taken_by_the_numbers_that_the_reference_gives() -> None:
    """Counted from one, so that zero is none of them; and large ones are what makes an offset overflow."""
    found, twin = _verdict(CHOSEN.pair), _verdict(CHOSEN.twin())
    assert found.verdict == "pass", found.error
    assert _looked_at(found), found.notes
    assert (twin.verdict, WHERE in twin.error) == ("runtime_error", True), twin.error


def test_a_large_tensor_has_an_address_and_no_memory() -> None:
    """Operators give others of their form, views stay views, and what is small is as it always is."""
    nowhere, ops = Nowhere(), torch.ops.aten
    here = {"device": torch.device("cpu")}
    large = nowhere.call(ops.empty.memory_format, ([SIZE],), {"dtype": torch.float16, **here})
    rows = nowhere.call(ops.view.default, (large, [2**18, 2**18]), {})
    assert nowhere.holds(rows)
    assert rows.data_ptr() == large.data_ptr()
    assert nowhere.call(ops.mul_.Tensor, (rows, 2.0), {}) is rows
    assert nowhere.call(ops.exp.out, (large,), {"out": rows}) is rows
    turned = nowhere.call(ops.t.default, (rows,), {})
    copied = nowhere.call(ops.add.Tensor, (turned, 1.0), {})
    assert (nowhere.holds(copied), copied.stride(), copied.dtype) == (True, (1, 2**18), torch.float16)
    total = nowhere.call(ops.sum.default, (rows,), {})
    assert (nowhere.holds(total), total.item()) == (False, 0.0)
    small = nowhere.call(ops.full.default, ([4], 2.0), here)
    assert (nowhere.holds(small), small.tolist()) == (False, [2.0] * 4)


def test_memory_that_nobody_touches_is_not_needed() -> None:
    """A terabyte reads as zeros but for what is stored in it."""
    memory = mapped(2**40, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED)
    memory[2**39] = 7
    assert memory[2**39 - 1 : 2**39 + 2].tolist() == [0, 7, 0]


def test_the_first_and_the_last_program_run_and_others_that_nobody_knows() -> None:
    """All where there are few; another seed chooses others."""
    assert some_programs(3, 1) == (0, 1, 2)
    chosen = some_programs(2**30, 1)
    assert (len(chosen), chosen[0], chosen[-1]) == (FEW, 0, 2**30 - 1)
    assert chosen != some_programs(2**30, 2)
