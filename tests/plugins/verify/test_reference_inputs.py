"""Other inputs than those that `get_inputs()` gives."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from kbtools_plugins.verify.worker.reference.extremes import Extremes
from kbtools_plugins.verify.worker.reference.inputs import alone, varied
from kbtools_plugins.verify.worker.reference.jumps import Jumps, changes, shared_ends
from kbtools_plugins.verify.worker.reference.layout import laid_out_as
from kbtools_plugins.verify.worker.reference.numbers import computed_with, other_numbers
from kbtools_plugins.verify.worker.reference.patterns import around, outliers, structured, whole_rows
from kbtools_plugins.verify.worker.reference.ties import alike, are_distinct, kept


def test_fixed_integers_have_another_largest_one_afterwards() -> None:
    """What a candidate reads off its own inputs does not hold for those that count; each is one that was there."""
    fixed = torch.arange(5, 69).view(8, 8)
    other = varied(fixed)
    assert other.shape == fixed.shape
    assert int(other.max()) < int(fixed.max())
    assert int(other.min()) > int(fixed.min())


def test_fixed_integers_of_few_values_stay_among_them() -> None:
    """Classes and flags, between whose extremes there is no choice, are drawn from all."""
    for fixed in (torch.tensor([0, 1, 1, 0]), torch.tensor([0, 1, 2, 2]), torch.tensor([7]), torch.tensor([[]]).int()):
        other = varied(fixed)
        assert other.shape == fixed.shape
        assert set(other.flatten().tolist()) <= set(fixed.flatten().tolist())


def _rotation(seed: int) -> torch.Tensor:
    """Of two equal halves, the second one negative, as the sines of a rotation are written."""
    half = torch.randn(4, 32, generator=torch.Generator().manual_seed(seed))
    return torch.cat([half, -half], -1)


def test_elements_that_are_equal_each_time_stay_so_in_all_other_values() -> None:
    """A candidate may use that the halves of a rotation are equal, so no other values part them."""
    first, again = (_rotation(1), torch.randn(8)), (_rotation(2), torch.randn(8))
    habits = kept(first, again)
    made = [
        structured(first, habits),
        *(change() for way in alone(first, habits, (), signs=True) for change in way.changes),
    ]
    changed = [inputs[0] for inputs in made if inputs is not None]
    assert all(torch.equal(other[:, :32], -other[:, 32:]) for other in changed)
    assert any((other.sign() != first[0].sign()).any() for other in changed)


def test_a_constant_has_no_elements_that_belong_together() -> None:
    """A mask or ones of one size change element by element: nothing says that they must be alike."""
    first = torch.ones(64), torch.randn(64)
    ways = alone(first, kept(first, (torch.ones(64), torch.randn(64))), (), signs=False)
    varied_alone = [change() for way in ways if way.name == "input 0 alone, varied" for change in way.changes]
    assert all(inputs is not None and inputs[0].unique().numel() > 1 for inputs in varied_alone)
    assert varied_alone


def test_integers_that_are_never_zero_are_so_somewhere() -> None:
    """Padding that `get_inputs()` never gives is in the set that is there to have some."""
    for seed in range(20):
        torch.manual_seed(seed)
        first = (torch.tensor([3, 1, 4]),)
        ways = alone(first, kept(first, (torch.tensor([1, 5, 9]),)), (), signs=False)
        padded = [change() for way in ways if way.name == "input 0 alone, with zeros" for change in way.changes]
        assert [0 in inputs[0] for inputs in padded if inputs is not None] == [True]


def _lengths_and_ways(forward: Callable[[torch.Tensor, torch.Tensor], object]) -> set[str]:
    torch.manual_seed(0)
    drawn = [(torch.randn(16, 24), torch.randint(1, 25, (16,))) for _ in range(4)]
    ways = alone(drawn[0], kept(*drawn), (), lambda given: forward(*given), signs=True)
    return {way.name.removeprefix("input 1 alone, ") for way in ways if way.name.startswith("input 1")}


def test_lengths_are_not_longer_than_what_they_are_lengths_of() -> None:
    """All lengths beyond a size give what that size gives; a number that is multiplied with is no length."""
    mean = _lengths_and_ways(lambda x, n: torch.stack([x[row, : int(end)].mean() for row, end in enumerate(n)]))
    assert mean == {"with zeros", "at its ends"}
    assert {"larger", "of other signs"} <= _lengths_and_ways(lambda x, n: x * n[:, None])


@pytest.mark.parametrize(
    ("forward", "strays"),
    [
        (lambda x, n: (torch.arange(8) < n[:, None]) * x, 1),
        (lambda x, n: (n[:, None] > torch.arange(8)) * x, 1),
        (lambda x, n: [row[:end] for row, end in zip(x, n.tolist(), strict=True)], 2),
        (lambda x, n: (x[:, -1], x[:, 1:], n[:, None] > 5, torch.arange(8) == n[:, None]), 1),
        (lambda x, n: x[torch.arange(3), n - 2], 1),
        (lambda x, n: x.masked_fill(torch.arange(8) >= n[:, None], -1e9).softmax(-1), 2),
        (lambda x, n: x.masked_fill(torch.ones(3, 8, dtype=torch.bool), -1e9).softmax(-1), 0),
    ],
)
def test_parts_and_places_beyond_the_end_are_seen(
    forward: Callable[[torch.Tensor, torch.Tensor], object], strays: int
) -> None:
    """A length that is negative or longer than a row, and a place counted from the end; not a number compared."""
    with (seen := Extremes()):
        forward(torch.zeros(3, 8), torch.tensor([-1, 3, 9]))
    assert seen.strays == strays


@pytest.mark.parametrize(
    ("forward", "most", "steep"),
    [
        (lambda x: torch.exp(-torch.nn.functional.softplus(x)), 90.0, True),
        (lambda x: torch.exp(-1e6 * torch.nn.functional.softplus(x)), 1.0, True),
        (lambda x: torch.exp(-torch.nn.functional.softplus(x)), 70.0, False),
        (torch.nn.functional.softplus, 90.0, False),
        (lambda x: torch.exp(-1e6 * x.abs()), 90.0, False),
    ],
)
def test_a_step_is_only_so_long_where_an_exponential_is_taken_of_it(
    forward: Callable[[torch.Tensor], object], most: float, steep: bool
) -> None:
    """What is left of a state after such a step is nothing; a softplus by itself is right for all numbers."""
    with (seen := Extremes()):
        forward(torch.tensor([-3.0, most]))
    assert seen.steep == steep


@pytest.mark.parametrize(("least", "undefined"), [(0.5, False), (-0.5, True)])
def test_what_is_no_number_has_no_rank(least: float, undefined: bool) -> None:
    """A logarithm of a negative number comes first to torch, and last or nowhere to a kernel."""
    with (seen := Extremes()):
        torch.tensor([1.0, least]).log().argmax()
    assert seen.undefined == undefined


Forward = Callable[[torch.Tensor], torch.Tensor]


def _jumps(forward: Forward, x: torch.Tensor) -> Jumps:
    with (seen := Jumps((x,))):
        outputs = forward(x)
    seen.returned(outputs)
    return seen


@pytest.mark.parametrize(
    ("forward", "there"),
    [
        (torch.round, lambda x: x % 1 == 0.5),
        (lambda x: torch.floor(x * 16), lambda x: x * 16 % 1 == 0),
        (lambda x: x > 0.75, lambda x: x == 0.75),
        (lambda x: torch.nn.functional.hardshrink(x, 0.25), lambda x: x == -0.25),
        (torch.sign, lambda x: x == 0),
        (lambda x: (x * 4).to(torch.int32), lambda x: x * 4 % 1 == 0),
    ],
)
def test_inputs_are_put_where_a_function_jumps(forward: Forward, there: Forward) -> None:
    """Random numbers never lie on a tie or on a threshold."""
    torch.manual_seed(3)
    x = torch.randn(200)
    made = changes(_jumps(forward, x))[0](x)
    assert there(made).sum() > 5
    assert _jumps(forward, made).exact


@pytest.mark.parametrize("threshold", [0.3, -1.7])
def test_a_threshold_of_any_number_is_met_by_inputs_as_they_are(threshold: float) -> None:
    """On it, and just beside it on both sides; where something was computed before, it is no certain place."""
    torch.manual_seed(3)
    x, at = torch.randn(400), torch.tensor(threshold)
    made = changes(_jumps(lambda x: x > threshold, x))[0](x)
    assert (made == at).sum() > 5
    near = (made - at).abs() < 0.02 * at.abs()
    assert (near & (made > at)).sum() > 5
    assert (near & (made < at)).sum() > 5
    assert _jumps(lambda x: x > threshold, made).exact
    assert not _jumps(lambda x: x * 1.1 > threshold, made).exact


@pytest.mark.parametrize(
    "forward",
    [lambda x: torch.round(x / 0.1), lambda x: torch.round(x.sigmoid()), lambda x: torch.floor_divide(x, 3.0)],
)
def test_what_is_rounded_before_a_jump_decides_nothing(forward: Forward) -> None:
    """Whether such a number is a tie depends on how it was computed, and a candidate may compute it otherwise."""
    x = torch.randn(200)
    assert not _jumps(forward, changes(_jumps(forward, x))[0](x)).exact


@pytest.mark.parametrize("forward", [torch.exp, torch.relu, lambda x: x.round().argmax(-1)])
def test_nothing_is_made_where_nothing_jumps_or_equal_numbers_are_ranked(forward: Forward) -> None:
    assert changes(_jumps(forward, torch.randn(200))) == []


def _flat(forward: Callable[[torch.Tensor], object], spread: float) -> bool:
    values = 1.0 + spread * torch.randn(4, 8, 64, generator=torch.Generator().manual_seed(1))
    with (seen := Extremes()):
        forward(values)
    return seen.flat


@pytest.mark.parametrize(
    "forward",
    [
        lambda x: torch.nn.functional.layer_norm(x, (64,), eps=1e-12),
        lambda x: torch.nn.functional.batch_norm(x, torch.zeros(8), torch.ones(8), training=True, eps=1e-12),
        lambda x: x / x.std(-1, keepdim=True),
        lambda x: x / x.var().sqrt(),
        lambda x: (x - x.mean(-1, keepdim=True)).square().mean(-1),
    ],
)
def test_how_far_numbers_spread_counts_only_where_they_do(forward: Callable[[torch.Tensor], object]) -> None:
    """The mean of the squares less the square of the mean is an honest variance, which nearly equal numbers undo."""
    assert _flat(forward, 1e-3)
    assert not _flat(forward, 0.3)


def test_what_only_has_a_mean_is_never_flat() -> None:
    """Sums and plain differences of equal numbers are exact however they are computed."""
    assert not _flat(lambda x: (x.mean(-1), x - x.flip(0), x.half() - 1), 1e-6)


def test_other_values_have_the_strides_of_the_first_inputs() -> None:
    """Launches are recorded with these."""
    first = torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last), 2
    (other, number) = laid_out_as(first, (torch.randn(2, 3, 4, 5), 2))
    assert isinstance(other, torch.Tensor)
    assert other.stride() == first[0].stride()
    assert number == 2


def test_sizes_in_order_have_alternating_signs_where_asked_for() -> None:
    """For references that a whole slice of nearly equal numbers tells nothing."""
    first = (torch.randn(64),)
    made = structured(first, kept(first, (torch.randn(64),)), signs=True)
    assert made is not None
    assert torch.equal(made[0].abs(), first[0].abs().sort().values)
    assert bool((made[0][1::2] <= 0).all() and (made[0][::2] >= 0).all())


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8])
def test_places_that_a_type_cannot_hold_are_not_drawn(dtype: torch.dtype) -> None:
    """Bytes beside a dimension of 300: any byte comes first, and no place that is none."""
    first = (torch.arange(60, dtype=dtype), torch.randn(300))
    again = (torch.arange(60, dtype=dtype).flip(0), torch.randn(300))
    ways = alone(first, kept(first, again), (), signs=True)
    larger = next(way for way in ways if way.name == "input 0 alone, larger")
    made = [inputs[0] for change in larger.changes if (inputs := change()) is not None]
    assert all(inputs.dtype == dtype for inputs in made)
    assert int(made[0].max()) > 100


def test_integers_below_a_size_may_be_as_long() -> None:
    """A length reaches the size that places stay below."""
    first, again = (torch.tensor([3, 1, 4, 1]), torch.randn(4, 6)), (torch.tensor([5, 1, 2, 2]), torch.randn(4, 6))
    ways = {way.name: way for way in alone(first, kept(first, again), (), signs=False)}
    full = ways["input 0 alone, as long as a size"].changes[0]()
    assert full is not None
    assert int(full[0].max()) == 6


def test_some_numbers_are_zero_unless_that_leaves_a_choice() -> None:
    """Random ones never are, and which of equal ones is the smallest nobody says."""
    first, again = (torch.randn(64),), (torch.randn(64),)
    for zeros in (True, False):
        way = next(way for way in alone(first, kept(first, again), (), signs=False, zeros=zeros))
        made = way.changes[0]()
        assert made is not None
        assert bool((made[0] == 0).any()) == zeros


def test_one_number_of_each_row_is_far_from_the_rest() -> None:
    """In the first rows it is the last and the first one, above all and below all."""
    first, again = (torch.randn(5, 40),), (torch.randn(5, 40),)
    for signs, below in ((True, 2), (False, 0)):
        made = outliers(first, kept(first, again), signs=signs)
        assert made is not None
        assert ((made[0].abs() > 4).sum(1) == 1).all()
        assert int((made[0] < -4).sum()) == below
        assert made[0].abs().argmax(1)[:4].tolist() == [39, 0, 39, 0]


@pytest.mark.parametrize(
    ("forward", "places"),
    [
        (lambda x, number: x * (1 - 0.9**number), {1}),
        (lambda x, number: x.pow(number), {1}),
        (lambda x, number: x * (torch.arange(6) < number), {1}),
        (lambda x, number: x.softmax(number), set()),
        (lambda x, number: x[:, number:], set()),
        (lambda x, number: x * 2 if number > 1 else x + 1, set()),
    ],
)
def test_a_whole_number_is_another_where_it_is_computed_with(forward: Callable[..., object], places: set[int]) -> None:
    """One that chooses a dimension, a size or a course stays what it is."""
    inputs = (torch.randn(4, 6), 1)
    found = computed_with(lambda given: forward(*given), inputs)
    assert found == places
    changed = other_numbers(found, inputs)
    assert (changed is None) == (not places)
    assert changed is None or changed[1] == 2


def test_a_mask_hides_whole_rows_and_nothing_of_others() -> None:
    """What nothing is left of shows whether the number that hides is the reference's."""
    torch.manual_seed(3)
    for shape in ((12, 40), (3, 4, 40), (2, 6, 1, 40), (12, 40, 1)):
        (made,) = whole_rows((torch.rand(shape) > 0.3,)) or ()
        rows = made.reshape(12, 40)
        assert (~rows).all(dim=1).any()
        assert rows.all(dim=1).any()
        assert any(row.any() and not row.all() for row in rows)
    assert whole_rows((torch.randn(4, 4),)) is None


def test_a_single_whole_number_has_another_one() -> None:
    """One less, which is a place too; zero becomes one."""
    first = torch.randn(8), torch.tensor([5]), torch.tensor(0)
    again = torch.randn(8), torch.tensor([5]), torch.tensor(0)
    ways = alone(first, kept(first, again), (), signs=False)
    made = [way.changes[0]() for way in ways if way.name.endswith("another number")]
    assert [int(inputs[at]) for at, inputs in enumerate(made, 1) if inputs] == [4, 1]


def test_numbers_that_only_happen_to_differ_are_no_places() -> None:
    """Beyond the size of anything they are data, which may be equal."""
    assert are_distinct(torch.tensor([3, 1, 4]))
    assert not are_distinct(torch.tensor([3, 1, 4]) * 2**22)


def test_numbers_lie_on_beside_and_beyond_what_kernels_compare_with() -> None:
    """Of both signs, unless the reference wants none; never on it where it is not certain what is there."""
    torch.manual_seed(3)
    first = (torch.rand(4000),)
    habits = kept(first, (torch.rand(4000),))
    both, _, positive, _ = (inputs[0] for inputs in around([3.5], first, habits, exactly=True) if inputs)
    for made, at in ((both, 3.5), (both, -3.5), (positive, 3.5)):
        assert (made == at).any()
        assert ((made - at).abs() / 3.5 < 1e-3).sum() > (made == at).sum()
        assert (made == at * 2).any() or ((made / at > 1.5) & (made / at < 2.5)).any()
    assert (positive >= 0).all()
    beside = around([3.5], first, habits, exactly=False)[0]
    assert beside
    assert not (beside[0].abs() == 3.5).any()
    assert around([], first, habits, exactly=True) == []
    assert around([1e6], (torch.ones(64).half(),), [alike(torch.ones(64))], exactly=True) == [None] * 4


def test_several_numbers_are_the_largest_where_tensors_are_compared() -> None:
    """Random rows have one."""
    torch.manual_seed(3)
    x = torch.randn(20, 50)
    seen = _jumps(lambda x: x * (x == x.max(dim=1, keepdim=True).values), x)
    made = shared_ends(seen)[0](x)
    assert ((made == made.amax(dim=1, keepdim=True)).sum(dim=1) > 1).all()
    assert not shared_ends(_jumps(lambda x: x > 1.0, x))
    assert shared_ends(_jumps(lambda x: x.sort().values, x))
    assert shared_ends(_jumps(lambda x: x.topk(4), x))
    assert not shared_ends(_jumps(lambda x: x.gather(1, x.argmax(dim=1, keepdim=True)), x))


def test_ranks_count_where_a_forward_uses_them() -> None:
    """A maximum whose place nobody asks for is the same whichever of equal numbers it is."""
    x = torch.randn(20, 50)
    assert not _jumps(lambda x: x.max(dim=1).values, x).ranks
    assert not _jumps(lambda x: x.sort().values, x).ranks
    assert _jumps(lambda x: x.max(dim=1).indices + 0, x).ranks
    assert _jumps(lambda x: x.gather(1, x.argmax(dim=1, keepdim=True)), x).ranks


def test_attention_to_nothing_at_all_says_nothing() -> None:
    """What torch gives for it is another thing in each of its versions; a softmax of a number far below is certain."""
    query = torch.randn(1, 4, 8)
    some, none = torch.ones(4, 4, dtype=torch.bool).tril(), torch.ones(4, 4, dtype=torch.bool).tril(-1)
    for mask, undefined in ((some, False), (none, True)):
        with torch.no_grad(), (seen := Extremes()):
            torch.nn.functional.scaled_dot_product_attention(query, query, query, attn_mask=mask)
        assert seen.undefined == undefined
    with (seen := Extremes()):
        (query @ query.mT).masked_fill(~none, -1e9).softmax(-1)
    assert not seen.undefined
