"""The base of stages that ask a model, and its three steps.

`inquiry` is what such a stage has to say of itself; here `rows` makes the requests, `kbtools.models` runs them, and
`replay` makes the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from contextvars import ContextVar
from itertools import chain
from typing import TYPE_CHECKING, Any

from kbtools.data.table import empty
from kbtools.llm.inquiry import Inquiry
from kbtools.llm.parts import Material
from kbtools.llm.replay import replay
from kbtools.llm.rows import answered, first_requests, further_requests, materials, repeated
from kbtools.models.contract import Repairing
from kbtools.models.engine.budget import Spend, left_after
from kbtools.models.engine.progress import Progress
from kbtools.models.engine.run import RequestPlan, plan_requests, run_requests
from kbtools.models.store import ResponseStore
from kbtools.result import Result

if TYPE_CHECKING:
    from datasets import Dataset

    from kbtools.models.backend import ModelBackend

on_calls: ContextVar[Callable[[Progress], None]] = ContextVar("on_calls", default=lambda progress: None)
"""Called with the counters of running calls; the pipeline points it at its observer."""

NOTHING_SPENT = Spend()


class Asking(Inquiry):
    """A stage that asks a model about every row."""

    def preflight(self, before: Mapping[str, Any]) -> tuple[str, ...]:
        """A model that nobody knows, a missing key or limits that make no sense end the run before any work."""
        self.options()
        self.backend().close()
        return ()

    def transform(self, ds: Dataset) -> Result:
        """Plan the requests, run them, replay the replies."""
        if ds.num_rows == 0:
            return Result(empty(self.output_features(ds.features)))
        ds = repeated(self, ds)
        with closing(self.backend()) as backend, ResponseStore(self.store) as store:
            self.ask(ds, backend, store)
            return replay(self, ds, backend.model, store)

    def ask(self, ds: Dataset, backend: ModelBackend, store: ResponseStore, spent: Spend = NOTHING_SPENT) -> Spend:
        """Bring all requests to stored replies; returns `spent` with what this took off the budget."""
        options, report = self.options(), on_calls.get()
        total = ds.num_rows * self.calls_per_row()
        first = first_requests(self, self._all(ds), backend.model)
        left = left_after(options, spent)
        spent += run_requests(first, backend, store, left, report, review=self.review(), total=total).booked
        if self.in_two_rounds():
            more, left = further_requests(self, self._all(ds), backend.model, store), left_after(options, spent)
            spent += run_requests(more, backend, store, left, report, review=Repairing(self.contract())).booked
        return spent

    def plan_calls(self, ds: Dataset, seen: set[int]) -> tuple[RequestPlan, ...]:
        """What `transform` would ask and what is stored already, without a call.

        `seen` holds what earlier stages and splits ask, and is added to. A second round is known only for rows whose
        first replies are stored.
        """
        if ds.num_rows == 0:
            return ()
        ds = repeated(self, ds)
        with closing(self.backend()) as backend, ResponseStore(self.store) as store:
            model, options = backend.model, self.options()
            first = first_requests(self, self._all(ds), model)
            plans = [plan_requests(first, backend, store, options, review=self.review(), seen=seen)]
            if self.in_two_rounds():
                more = further_requests(self, answered(self, self._all(ds), model, store), model, store)
                plans.append(plan_requests(more, backend, store, options, review=Repairing(self.contract()), seen=seen))
        return (plans[0], *(further for further in plans[1:] if further.requests))

    def _all(self, ds: Dataset) -> Iterable[Material]:
        return chain(materials(self, ds), self.probes(ds))
