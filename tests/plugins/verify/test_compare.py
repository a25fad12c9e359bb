"""When outputs are the reference's and when not."""

from __future__ import annotations

import numpy as np
import pytest

from kbtools_plugins.verify.protocol.match import Difference, Match
from kbtools_plugins.verify.protocol.message import Tensor
from kbtools_plugins.verify.protocol.outputs import flatten
from kbtools_plugins.verify.protocol.reference import InputSet, Mode, ReferenceReply
from kbtools_plugins.verify.protocol.replaying import RunResult
from kbtools_plugins.verify.protocol.tolerance import Tf32, compare, compare_tensor, ill_conditioned, scales
from kbtools_plugins.verify.protocol.trace import Trace
from kbtools_plugins.verify.steps.comparison import Comparison
from kbtools_plugins.verify.steps.runs import Run
from kbtools_plugins.verify.steps.spot import with_the_rest


def _tree(values, dtype: str = "float32") -> dict:
    array = np.asarray(values, dtype=dtype)
    return {"tensor": array.tobytes(), "dtype": dtype, "shape": list(array.shape), "stride": []}


def _same(got, want, dtype: str = "float32") -> bool:
    return isinstance(compare(_tree(got, dtype), _tree(want, dtype), _tree(want, dtype)), Match)


def test_tolerance_is_relative_to_the_scale() -> None:
    """1e-4 of the output's scale, whatever that is."""
    for scale in (1e-6, 1.0, 1e6):
        want = np.array([1.0, -2.0, 3.0]) * scale
        assert _same(want * (1 + 3e-5), want)
        assert not _same(want * (1 + 1e-3), want)


def test_a_tensor_by_itself_is_held_to_the_same() -> None:
    """As buffers are: no more is allowed than for an output."""
    want = _tensor([1.0, -2.0, 3.0])
    assert isinstance(compare_tensor("it", _tensor([1.0, -2.0, 3.0001]), want, want), Match)
    assert isinstance(compare_tensor("it", _tensor([1.0, -2.0, 3.01]), want, want), Difference)


def _tensor(values) -> Tensor:
    return flatten(_tree(values))[1][0]


def test_one_wrong_element_among_many_is_found() -> None:
    """A large tensor does not hide a small corner."""
    want = np.random.default_rng(0).standard_normal(10_000)
    got = want.copy()
    got[1234] += 0.01
    found = compare(_tree(got), _tree(want), _tree(want))
    assert isinstance(found, Difference)
    assert "[1234]" in found.text


def test_quiet_columns_are_held_to_their_own_scale() -> None:
    """Columns a ten-thousandth as large as others are not free within the tolerance of those."""
    want = np.random.default_rng(0).standard_normal((64, 8))
    want[:, :4] *= 1e4
    got = want.copy()
    got[:, 4:] *= 1 + 1e-5
    assert _same(got, want)
    got[5, 6] += 0.1
    assert not _same(got, want)


def test_rounding_of_common_values_is_no_error() -> None:
    """A column of nothing but the rounding of far larger numbers may differ by as much."""
    want = np.random.default_rng(0).standard_normal((64, 8)) * 1e3
    want[:, 7] = 1e-5
    got = want.copy()
    got[:, 7] = -1e-5
    assert _same(got, want)


@pytest.mark.parametrize(
    ("got", "want", "same"),
    [
        ([np.nan, 1.0], [np.nan, 1.0], True),
        ([1.0, np.nan], [np.nan, 1.0], False),
        ([np.inf, 1.0], [np.inf, 1.0], True),
        ([-np.inf, 1.0], [np.inf, 1.0], False),
        ([3e38, 1.0], [np.inf, 1.0], False),
        ([0.0, 0.0], [0.0, 0.0], True),
        ([1e-3, 0.0], [0.0, 0.0], False),
    ],
)
def test_special_values_must_match_in_place(got: list[float], want: list[float], same: bool) -> None:
    """NaN and infinities count by position and sign; zeros are exact but for nothing."""
    assert _same(got, want) is same


def test_integers_and_bools_are_exact() -> None:
    """No tolerance where there is no rounding."""
    assert _same([1, 2], [1, 2], "int64")
    assert not _same([1, 3], [1, 2], "int64")
    assert not _same([True], [False], "bool")


def test_shape_dtype_and_structure_are_told_apart_from_values() -> None:
    """These have a verdict of their own."""
    one = _tree([1.0])
    for other in (_tree([[1.0]]), _tree([1.0], "float64"), {"list": [one]}, {"dict": [["y", one]]}, None):
        found = compare(other, one, one)
        assert isinstance(found, Difference)
        assert found.verdict == "wrong_shape_or_dtype"


def test_list_and_tuple_are_one_structure() -> None:
    """Returning a list for a tuple is not a fault."""
    one = _tree([1.0])
    assert isinstance(compare({"list": [one, one]}, {"tuple": [one, one]}, {"tuple": [one, one]}), Match)


def test_half_precision_has_its_own_tolerance() -> None:
    """What float16 cannot hold is not an error of the kernel."""
    want = np.array([1.0, 2.0, 3.0])
    assert _same(want + 1e-3, want, "float16")
    assert not _same(want + 3e-2, want, "float16")


def test_ill_conditioned_reference_is_noticed() -> None:
    """Where float32 and float64 runs of the reference part, nobody is judged."""
    assert ill_conditioned(_tree([1.0, 2.0]), _tree([1.0, 2.1], "float64"))
    assert not ill_conditioned(_tree([1.0, 2.0]), _tree([1.0, 2.0], "float64"))


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [
        ("float64", 1e-7),
        ("float32", 1e-4),
        ("float16", 2e-3),
        ("complex64", 1e-4),
        ("complex128", 1e-7),
    ],
)
def test_each_type_has_its_tolerance(dtype: str, tolerance: float) -> None:
    """Of the output's scale and of the element's own size, which are the same here: so twice as much, and no more."""
    want = np.ones(40)
    assert _same(want * (1 + 1.5 * tolerance), want, dtype)
    assert not _same(want * (1 + 3 * tolerance), want, dtype)


def test_tensor_cores_have_a_tolerance_of_their_own() -> None:
    """For products of float32 as coarse as float16's; nothing else is coarser for it."""
    want = np.ones(40)
    for dtype, same in (("float32", True), ("float64", False)):
        got, wanted = _tree(want * 1.003, dtype), _tree(want, dtype)
        assert isinstance(compare(got, wanted, wanted, tf32=Tf32()), Match) is same
        assert isinstance(compare(got, wanted, wanted), Difference)


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
def test_four_times_the_error_of_the_reference_itself_is_allowed(dtype: str) -> None:
    """Where its own run is off by a hundredth, nobody has to be nearer than four of them."""
    want, plain = np.ones(40), np.full(40, 1.01)
    exact = _tree(want, "complex128" if dtype.startswith("complex") else "float64")
    assert isinstance(compare(_tree(want + 0.0399, dtype), _tree(plain, dtype), exact), Match)
    assert isinstance(compare(_tree(want + 0.045, dtype), _tree(plain, dtype), exact), Difference)


def _small(share: float) -> tuple[np.ndarray, np.ndarray]:
    """An output with one large element among small ones, and the same with a share of the small ones doubled."""
    want = np.full(401, 1e-9)
    want[0] = 1.0
    got = want.copy()
    got[1 : 1 + int(400 * share)] *= 2
    return got, want


def test_a_device_may_be_off_by_what_its_tangent_may_be_and_no_more() -> None:
    """4e-4 of the results passes where `tanh.approx` occurs, 1e-3 does not; another type's tolerance stays."""
    want = np.tanh(np.linspace(0.5, 1.0, 64, dtype=np.float32))
    for error, approximate, same in ((4e-4, True, True), (4e-4, False, False), (1.5e-3, True, False)):
        got = _tree((want * (1 + 2 * error)).astype(np.float32))
        assert isinstance(compare(got, _tree(want), _tree(want), approximate=approximate), Match) is same
    exact = _tree(want, "float64")
    assert isinstance(compare(_tree(want * (1 + 1e-4), "float64"), exact, exact, approximate=True), Difference)


@pytest.mark.parametrize("tf32", [None, Tf32()])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_small_elements_have_to_be_computed_on_ordinary_inputs(dtype: str, tf32: Tf32 | None) -> None:
    """A few may be anything within the tolerance of the whole; on inputs of odd sizes, all of them."""
    for share, ordinary, same in ((0.5, True, False), (0.03, True, True), (0.5, False, True)):
        got, want = (_tree(values, dtype) for values in _small(share))
        found = compare(got, want, want, ordinary=ordinary, tf32=tf32)
        assert isinstance(found, Match) is same
    assert "more than rounding explains in 200 of 401 elements, first at [1]: " in found_text(dtype)


def found_text(dtype: str) -> str:
    """What is said of it."""
    got, want = (_tree(values, dtype) for values in _small(0.5))
    found = compare(got, want, want, ordinary=True)
    assert isinstance(found, Difference)
    return found.text


def test_rounding_explains_what_is_small() -> None:
    """What the reference's own run, or a product of tensor cores, is off by there is no fault."""
    got, want = _small(0.5)
    plain = _tree(np.where(got == want, want, want * 1.1))
    assert isinstance(compare(_tree(got), plain, _tree(want, "float64"), ordinary=True), Match)
    coarse = np.where(got == want, want, want * 1.02)
    assert isinstance(compare(_tree(coarse), _tree(want), _tree(want), ordinary=True), Difference)
    assert isinstance(compare(_tree(coarse), _tree(want), _tree(want), ordinary=True, tf32=Tf32()), Match)


def test_a_narrower_type_is_seen_in_what_is_small() -> None:
    """Half of an output, a millionth of the rest, in float16 or off by a 500th; not where a device rounds so."""
    want = np.concatenate([np.linspace(1e6, 2e6, 200), np.linspace(0.5, 2.0, 200)]).astype(np.float32)
    small = np.arange(400) >= 200
    for off in (np.where(small, want, 0).astype(np.float16).astype(np.float32), want * np.float32(1.002)):
        got = _tree(np.where(small, off, want))
        assert isinstance(compare(got, _tree(want), _tree(want), ordinary=True), Difference)
        assert isinstance(compare(got, _tree(want), _tree(want), ordinary=True, approximate=True), Match)
    right = _tree(want * np.float32(1 + 1e-6))
    assert isinstance(compare(right, _tree(want), _tree(want), ordinary=True), Match)


def test_what_a_type_cannot_hold_overflows_for_both() -> None:
    """The float64 run has a number where float16 has infinity, which is right then."""
    got = _tree([np.inf, 1.0], "float16")
    assert isinstance(compare(got, got, _tree([7e4, 1.0], "float64")), Match)
    assert isinstance(compare(_tree([6e4, 1.0], "float16"), got, _tree([7e4, 1.0], "float64")), Difference)


def test_every_output_has_scales_of_its_own() -> None:
    """The root mean square of each."""
    found = scales({"tuple": [_tree([3.0, -3.0]), _tree([0.0, 0.0])]})
    assert [float(one) for one in found] == [3.0, 0.0]


def test_the_error_is_that_of_the_worst_output() -> None:
    """Relative to its scale and size; equal outputs have none. Of several outputs the wrong one is named."""
    one, near, far = _tree([1.0]), _tree([1.0 + 2**-14]), _tree([2.0])
    same = compare(one, one, one)
    assert isinstance(same, Match)
    assert same.max_error == 0.0
    several = compare({"list": [near, one]}, {"list": [one, one]}, {"list": [one, one]})
    assert isinstance(several, Match)
    assert several.max_error == 2**-15
    wrong = compare({"list": [one, far]}, {"list": [one, one]}, {"list": [one, one]})
    alone = compare(far, one, one)
    assert isinstance(wrong, Difference)
    assert isinstance(alone, Difference)
    assert wrong.text.startswith("output 1 differs")
    assert alone.text.startswith("the output differs")


@pytest.mark.parametrize(
    ("shape", "mine", "theirs", "same"),
    [
        ([2, 3], [3, 1], [3, 1], True),
        ([2, 3], [1, 2], [3, 1], False),
        ([2, 1], [1, 1], [3, 1], False),
        ([1, 3], [9, 1], [3, 1], True),
        ([0, 3], [7, 5], [3, 1], True),
    ],
)
def test_strides_count_where_a_layout_was_asked_for(
    shape: list[int], mine: list[int], theirs: list[int], same: bool
) -> None:
    """Those of dimensions of one element mean nothing, and those of no elements neither."""
    got, want = ({**_tree(np.zeros(shape)), "stride": stride} for stride in (mine, theirs))
    assert isinstance(compare(got, want, want), Match)
    assert isinstance(compare(got, want, want, promised=[False]), Match)
    found = compare(got, want, want, promised=[True])
    assert isinstance(found, Match) is same
    assert same or "the reference asks for a layout" in found.text


@pytest.mark.parametrize(("name", "right"), [("values in order", True), ("zeros", False)])
def test_sums_over_numbers_in_order_may_cancel_less_exactly(name: str, right: bool) -> None:
    """An error of 5e-4 of the output's scale, as adding up one after another makes it there, and nowhere else."""
    true = np.linspace(-1.0, 1.0, 64, dtype=np.float32)
    plain, off = _tree(true), _tree(true + np.float32(5e-4))
    common = {"inputs": None, "tensors": [], "plain": plain, "exact": plain, "state": {}, "after": [], "finite": True}
    sets = [InputSet(name="seed 1", **common), InputSet(name=name, **common)]
    mode = Mode(random=False, stateful=False, operators=[], promised=[], shared=[], outputs=plain, state={})
    reference = ReferenceReply.model_construct(sets=sets, modes={"eval": mode}, main="eval", counters=[])
    comparison = Comparison(reference, tf32=False, approximate=False, strict_mutation=False)
    run = Run(Trace(storages=[], steps=[], outputs=None), sets[1])
    assert isinstance(comparison.of(run, RunResult(outputs=off)), Match) is right


def test_what_no_program_has_stored_is_filled_in_by_name() -> None:
    """The keys of the candidate's outputs may be in another order than the reference's."""
    plain = {"dict": [["b", _tree([1, 2])], ["a", _tree([3, 4])]]}
    result = RunResult(outputs={"dict": [["a", _tree([7, 0])], ["b", _tree([0, 8])]]}, stored=[b"\x80", b"\x40"])
    assert with_the_rest(result, plain).outputs == {"dict": [["a", _tree([7, 4])], ["b", _tree([1, 8])]]}
    assert with_the_rest(result, {"tuple": [_tree([1, 2])]}) == result
