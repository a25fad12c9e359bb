"""Runs that stop before they spend more than allowed, and go on later."""

import asyncio
from dataclasses import replace

import pytest

from kbtools.errors import ConfigError, UsageError
from kbtools.models import Answer, BudgetReached, Kind, Options, Prices, Sampling, Usage, run_requests
from kbtools.models.engine.budget import Budget
from kbtools.models.options import Spend

SHORT = Sampling(max_tokens=20)


def test_max_requests_is_never_exceeded_and_a_further_run_goes_on(serve, store, ask):
    """Exactly so many calls are made, and the replies are kept."""
    server, backend = serve()
    with pytest.raises(BudgetReached, match="30 of 30 requests"):
        run_requests(ask(100), backend, store, Options(max_requests=30))
    assert len(server.log) == 30
    assert run_requests(ask(100), backend, store).from_store == 30
    assert len(server.log) == 100


def test_max_requests_counts_retries(serve, store, ask):
    """An attempt may be billed, so it counts."""
    server, backend = serve(script=lambda call: "500" if call.seen == 0 else "ok")
    with pytest.raises(BudgetReached):
        run_requests(ask(50), backend, store, Options(max_requests=20, backoff=0.01))
    assert len(server.log) == 20


@pytest.mark.parametrize("limit", [500, 3_000])
def test_max_tokens_is_never_exceeded(serve, store, ask, limit):
    """The tokens that the server counted stay within the limit, with many calls in flight."""
    _, backend = serve(delay=0.01)
    seen = []
    with pytest.raises(BudgetReached, match="tokens"):
        run_requests(ask(1000, sampling=SHORT), backend, store, Options(max_tokens=limit), seen.append)
    spent = seen[-1].tokens_in + seen[-1].tokens_out
    assert 0.5 * limit < spent <= limit


def test_max_cost_is_never_exceeded(serve, store, ask):
    """Cost is tokens times the user's prices."""
    _, backend = serve()
    seen = []
    options = Options(max_cost=0.01, prices=Prices(input=10.0, output=20.0))
    with pytest.raises(BudgetReached, match="cost"):
        run_requests(ask(1000, sampling=SHORT), backend, store, options, seen.append)
    last = seen[-1]
    assert last.cost == pytest.approx((last.tokens_in * 10 + last.tokens_out * 20) / 1e6)
    assert 0.005 < last.cost <= 0.01


def test_a_token_budget_needs_bounded_replies(serve, store, ask):
    """Without max_tokens nobody can promise a limit, so nothing is sent."""
    server, backend = serve()
    with pytest.raises(UsageError, match="max_tokens in the sampling"):
        run_requests(ask(10), backend, store, Options(max_tokens=1000))
    assert server.log == []


def test_a_cost_budget_needs_prices():
    """No price list is invented."""
    with pytest.raises(ConfigError, match=r"\[prices\]"):
        Options(max_cost=1.0)


def test_a_hung_call_counts_with_its_worst_case(serve, store, ask):
    """What may have been billed counts as billed."""
    _, backend = serve(script=lambda call: "hang")
    worst = 4 * (len("row 0") + 64 + 16 + 20)
    with pytest.raises(BudgetReached):
        run_requests(ask(50, sampling=SHORT), backend, store, Options(max_tokens=worst, timeout=0.2, backoff=0.01))


def test_spending_adds_up_and_is_taken_back():
    """Nothing is spent at first; each of calls, tokens and cost is counted by itself."""
    assert Spend() == Spend(0, 0, 0.0)
    assert Spend(1, 20, 0.5) + Spend(2, 30, 0.25) == Spend(3, 50, 0.75)
    assert Spend(3, 50, 0.75) - Spend(1, 20, 0.5) == Spend(2, 30, 0.25)


def test_a_further_round_may_spend_what_the_first_left(serve, store, ask):
    """The limit stays what the user has given, and so does the account that an error gives."""
    limits = Options(max_requests=5)
    server, backend = serve()
    first = run_requests(ask(3), backend, store, limits)
    assert first.booked.requests == 3
    with pytest.raises(BudgetReached, match="5 of 5 requests are spent"):
        run_requests(ask(9)[3:], backend, store, replace(limits, already=first.booked))
    assert len(server.log) == 5
    assert run_requests(ask(3), backend, store, replace(limits, already=first.booked)).booked == first.booked


OK = Answer(Kind.OK, raw="{}")
RESERVED = Spend(1, 50, 0.0)


@pytest.mark.parametrize(
    ("answer", "spent"),
    [
        (replace(OK, usage=Usage(7, 5)), Spend(1, 12)),
        (replace(OK, usage=Usage(7, None)), RESERVED),
        (replace(OK, usage=Usage(None, 5)), RESERVED),
        (OK, RESERVED),
        (Answer(Kind.SERVER, error="503"), Spend(1)),
        (Answer(Kind.TIMEOUT, error="late", maybe_billed=True), RESERVED),
        (None, Spend()),
    ],
)
def test_what_is_booked_follows_from_the_answer(answer, spent):
    """Known tokens count as they are; unknown ones that may have been billed as the worst case."""
    budget = Budget(Options(max_tokens=100))
    assert budget.try_reserve(RESERVED)
    budget.settle(RESERVED, answer)
    assert budget.spent == spent
    assert budget.try_reserve(Spend(0, 100 - spent.tokens))


def test_a_call_waits_for_others_only_where_that_can_help():
    """Reserved tokens that come back let it go on; spent ones do not."""

    async def scene() -> tuple[bool, bool]:
        budget = Budget(Options(max_tokens=100))
        await budget.reserve(Spend(1, 80))
        waiting = asyncio.create_task(budget.reserve(Spend(1, 60)))
        await asyncio.sleep(0)
        early = waiting.done()
        budget.settle(Spend(1, 80), replace(OK, usage=Usage(30, 10)))
        assert await waiting
        return early, await budget.reserve(Spend(1, 61))

    assert asyncio.run(scene()) == (False, False)


@pytest.mark.parametrize(
    ("options", "fits", "beyond"),
    [
        (Options(max_requests=2), Spend(2), Spend(3)),
        (Options(max_tokens=10), Spend(9, 10), Spend(1, 11)),
        (Options(max_cost=1.0, prices=Prices(1.0, 1.0)), Spend(9, 99, 1.0), Spend(0, 0, 1.0000001)),
    ],
)
def test_a_budget_can_be_used_up_to_its_last_bit(options, fits, beyond):
    """Exactly the limit fits, more does not; the other limits do not matter."""
    assert Budget(options).try_reserve(fits)
    assert not Budget(options).try_reserve(beyond)


def test_an_unbounded_call_needs_no_worst_case(ask):
    """Where only calls are limited, replies may be of any length; else prompt and reply count in full."""
    (request,) = ask(1)
    assert Budget(Options(max_requests=5)).worst_case(request) == Spend(1)
    (request,) = ask(1, sampling=SHORT)
    tokens = Budget(Options(max_tokens=500)).worst_case(request).tokens
    assert Budget(Options(max_tokens=tokens)).try_reserve(Spend(1, tokens))
    priced = Options(max_cost=1.0, prices=Prices(input=1.0, output=3.0))
    assert Budget(priced).worst_case(request).cost == pytest.approx((tokens - 20 + 3 * 20) / 1e6)


def test_what_is_missing_is_said_with_its_numbers():
    """Each limit that was set, what was spent of it, and what the next call may take."""
    budget = Budget(Options(max_requests=3, max_tokens=50))
    budget.settle(RESERVED, replace(OK, usage=Usage(7, 5)))
    assert "1 of 3 requests are spent, and the next call may take 2, 12 of 50 tokens" in str(
        budget.exhausted(Spend(2, 40))
    )
