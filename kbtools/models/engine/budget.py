"""What a run may spend: calls, tokens, money. A call is made only if its worst case still fits.

The worst case of a prompt is a token per byte, of a reply its `max_tokens`. What a finished call did not use
is given back, so near the end calls wait for each other instead of overspending.
"""

from __future__ import annotations

import asyncio

from kbtools.errors import KbError, UsageError
from kbtools.models.kinds import Kind
from kbtools.models.options import Options, Spend
from kbtools.models.reply import Answer
from kbtools.models.request import Request, most_prompt_tokens


class BudgetReached(KbError):
    """The run stopped before spending more than allowed; what arrived is stored and a further run goes on."""


class Budget:
    """The account of one run: what is spent, and what the calls under way may still cost."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._bounded = any(limit is not None for limit in (options.max_requests, options.max_tokens, options.max_cost))
        self.spent = options.already
        self._reserved = Spend()
        self._changed = asyncio.Event()

    def worst_case(self, request: Request) -> Spend:
        """The most that one call can cost; UsageError if its reply has no bound and a bound is needed."""
        if self._options.max_tokens is None and self._options.max_cost is None:
            return Spend(1)
        if request.sampling.max_tokens is None:
            raise UsageError(
                "A budget in tokens or money needs to know how long a reply can get: "
                "set max_tokens in the sampling parameters, or limit by max_requests instead"
            )
        return self._spend(most_prompt_tokens(request), request.sampling.max_tokens)

    def try_reserve(self, need: Spend) -> bool:
        """Set `need` aside if it fits beside what calls under way may still cost."""
        if self._bounded:
            if not self._fits(self.spent + self._reserved + need):
                return False
            self._reserved += need
        return True

    async def reserve(self, need: Spend) -> bool:
        """Set `need` aside, waiting for calls under way if that helps; False if the budget is used up."""
        while not self.try_reserve(need):
            if not self._fits(self.spent + need):
                return False
            self._changed.clear()
            await self._changed.wait()
        return True

    def settle(self, reserved: Spend, answer: Answer | None) -> None:
        """Book what a call really cost; None for a call that was not made."""
        if self._bounded:
            self._reserved -= reserved
        if answer is not None:
            self.spent += self._actual(reserved, answer)
        self._changed.set()

    def exhausted(self, need: Spend) -> BudgetReached:
        """The error that says which limits there are, what was spent, what the next call needs, and how to go on."""
        options = self._options
        limits = {"requests": options.max_requests, "tokens": options.max_tokens, "cost": options.max_cost}
        account = ", ".join(
            f"{getattr(self.spent, name):,.6g} of {limit:,.6g} {name} are spent, and the next call may take "
            f"{getattr(need, name):,.6g}"
            for name, limit in limits.items()
            if limit is not None
        )
        return BudgetReached(
            f"the budget of this run does not allow a further call: {account}. All replies are stored: "
            "run the same command again, with a further budget or without one, to go on from there"
        )

    def _actual(self, reserved: Spend, answer: Answer) -> Spend:
        tokens_in, tokens_out = answer.usage
        if tokens_in is not None and tokens_out is not None:
            return self._spend(tokens_in, tokens_out)
        unknown = answer.maybe_billed or answer.kind is Kind.OK
        return reserved if unknown else Spend(1)

    def _spend(self, tokens_in: int, tokens_out: int) -> Spend:
        prices = self._options.prices
        return Spend(1, tokens_in + tokens_out, prices.of(tokens_in, tokens_out) if prices else 0.0)

    def _fits(self, spend: Spend) -> bool:
        options = self._options
        return (
            (options.max_requests is None or spend.requests <= options.max_requests)
            and (options.max_tokens is None or spend.tokens <= options.max_tokens)
            and (options.max_cost is None or spend.cost <= options.max_cost)
        )
