"""Shapes too large to be run are cut so that a candidate does the same with them; else nothing is said of it."""

from __future__ import annotations

import pytest
from published import modules

from kbtools_plugins.verify import verify
from kbtools_plugins.verify.candidate.shrink import constants, with_constants
from kbtools_plugins.verify.protocol.reading import Kernel, KernelSource, Shapes, ShrinkReply, Sized
from kbtools_plugins.verify.protocol.trace import Trace, TraceStep
from kbtools_plugins.verify.steps.structure import LostStructure, Sighted, faults, raised

CODE = """batch = 32 * 1024
shape = (64, 2**10, name)
M, (N, K) = 128, [256, 512]
other = batch * 2
text = "4096"
"""
KNOWN = {"batch": 32768, "shape[0]": 64, "shape[1]": 1024, "M": 128, "N": 256, "K": 512}


def test_sizes_are_found_in_expressions_and_tuples() -> None:
    """By name, by place in a tuple, and where a tuple of names is assigned."""
    assert constants(CODE) == KNOWN


def test_a_size_changes_where_it_is_the_same() -> None:
    """Line by line, and not in a text whose constant of that name is another."""
    cut = with_constants(CODE, {"batch": 16, "shape[1]": 8, "K": 4}, KNOWN)
    assert constants(cut) == KNOWN | {"batch": 16, "shape[1]": 8, "K": 4}
    assert cut.count("\n") == CODE.count("\n")
    assert with_constants("batch = 7\n", {"batch": 16}, KNOWN) == "batch = 7\n"


def test_a_number_with_two_names_is_one_size() -> None:
    """Known by the first of them, and written once."""
    assert constants("height = width = 128\n") == {"height": 128}
    assert with_constants("height = width = 128\n", {"height": 8}, {"height": 128}) == "height = width = 8\n"


def _cut(known: dict[str, int], values: dict[str, int]) -> ShrinkReply:
    nothing = Shapes(init=[], inputs=[])
    sized = {"reference": "", "candidate": "", "shapes": nothing}
    return ShrinkReply(large=Sized(values=known, **sized), cut=Sized(values=values, **sized), asked=known)


def test_a_fault_lifts_the_size_that_explains_it() -> None:
    """Its own size to its floor, a power of two that holds it to the whole, else what was cut by most."""
    sizes = _cut({"rows": 4096, "columns": 1000}, {"rows": 64, "columns": 125})
    assert raised({}, [LostStructure(4096, 256)], sizes) == {"rows": 256}
    assert raised({"rows": 512}, [LostStructure(4096, 256)], sizes) == {"rows": 512}
    assert raised({}, [LostStructure(1024, 1024)], sizes) == {"columns": 1000}
    assert raised({}, [LostStructure(0, 0)], sizes) == {"rows": 128}


def test_a_fault_lifts_the_last_size_of_which_another_makes_it() -> None:
    """512 channels of a group are 8192 channels of 16 groups; which of two equal sizes that is the next cut shows."""
    known = {"features": 8192, "channels": 8192, "groups": 16}
    sizes = _cut(known, {"features": 256, "channels": 256, "groups": 16})
    assert raised({}, [LostStructure(512, 512)], sizes) == {"channels": 8192}
    again = _cut(known, {"features": 16, "channels": 8192, "groups": 16})
    assert raised({"channels": 8192}, [LostStructure(512, 512)], again) == {"channels": 8192, "features": 8192}


def _launch(**bound: int) -> Trace:
    step = TraceStep(kernel="k", kernel_line=1, grid=[4, 1, 1], bound=dict(bound), line=1, tainted=True)
    return Trace(storages=[], steps=[step], reads=[], outputs=[], buffers={}, state={})


def test_a_number_that_another_size_has_is_not_written_down() -> None:
    """128 channels stay where a height that was asked for as 128 is cut; a window of 3 is no block."""
    kernel = Kernel(
        name="k",
        clean_name="k",
        line=1,
        end_line=9,
        problems=[],
        only_copies=False,
        constants=["WINDOW", "BLOCK"],
        written=[],
        words=[],
    )
    source = KernelSource(text="", kernels={"k": [kernel]})
    full = Sighted(_launch(channels=128, width=126, WINDOW=3, BLOCK=32), source, [{}])
    cut = Sighted(_launch(channels=128, width=62, WINDOW=3, BLOCK=32), source, [{}])
    known, values = {"channels": 128, "height": 64}, {"channels": 128, "height": 32}
    sizes = _cut(known, values).model_copy(update={"asked": {"channels": 128, "height": 128}})
    assert list(faults(full, cut, sizes)) == []
    alone = sizes.model_copy(
        update={"asked": {"height": 128}, "large": sizes.large.model_copy(update={"values": {"height": 64}})}
    )
    alone = alone.model_copy(update={"cut": sizes.cut.model_copy(update={"values": {"height": 32}})})
    assert list(faults(full, cut, alone)) == [LostStructure(128, 128)]


LARGE = {module.name: module.pair for module in modules()}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "change", "verdict"),
    [
        ("cumsum", ("", ""), "pass"),
        ("cumsum", ("tl.cumsum(x, 0) + carry", "tl.cumsum(x, 0)"), "wrong_output"),
        ("cumsum_exclusive", ("range(0, size, BLOCK)", "range(0, BLOCK, BLOCK)"), "wrong_output"),
        ("sum_of_rows", ("x.shape[1], BLOCK", "393216, BLOCK"), "pass"),
        ("relu", ("triton.cdiv(x.numel(), 1024)", "min(108, triton.cdiv(x.numel(), 1024))"), "wrong_output"),
    ],
)
def test_published_shapes_are_decided(name: str, change: tuple[str, str], verdict: str) -> None:
    """A dropped carry, a row that ends after one block and a capped grid show; a size that is written down is fine."""
    pair = LARGE[name]
    found = verify(pair.reference, pair.candidate.replace(*change), entry_point="Model")
    assert found.verdict == verdict, found.error
    assert found.sizes == "cut"


_STORE = "mask=at < total)\n\n\nclass"
_LAUNCH = "(x, out, x.numel(), BLOCK=1024)"
_ROWS = "acc,\n             mask="


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "change", "verdict"),
    [
        ("relu", ("", ""), "pass"),
        ("relu", (_STORE, _STORE.replace("at < total", "(at < total) & (at < 1000000)")), "wrong_output"),
        ("relu", ("return out", "return out if x.numel() < 1000000 else torch.relu(x)"), "hack:decoy_kernel"),
        ("relu", (_LAUNCH, "(x, out, min(x.numel(), 1000000), BLOCK=1024)"), "wrong_output"),
        ("relu", (_LAUNCH, "(x, out, x.numel(), BLOCK=1024 if x.numel() < 1000000 else 512)"), "wrong_output"),
        ("matmul_small_k", ("", ""), "pass"),
        ("matmul_small_k", (_ROWS, "tl.where(rows[:, None] < 1024, acc, 0.0),\n             mask="), "wrong_output"),
    ],
)
def test_what_is_right_at_the_sizes_it_is_cut_to_is_looked_at_at_larger_ones(
    name: str, change: tuple[str, str], verdict: str
) -> None:
    """Elements that nobody stores, limits, torch, and other blocks that appear where there is more to do."""
    pair = LARGE[name]
    candidate = pair.candidate.replace(*change)
    assert change == ("", "") or candidate != pair.candidate
    found = verify(pair.reference, candidate, entry_point="Model")
    assert found.verdict == verdict, found.error
    agree = [note for note in found.notes if "programs agree at" in note]
    assert bool(agree) == (verdict == "pass"), found.notes
