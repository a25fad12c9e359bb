"""A dry run: the chain checked, its stages that ask no model run, and the calls of the others counted, none made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kbtools.calls import Chain
from kbtools.errors import SchemaError
from kbtools.pipeline.chain import count
from kbtools.stage import Stage, check_chain

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

    from kbtools.llm import ModelStage
    from kbtools.models.engine.run import RequestPlan


@dataclass(frozen=True)
class PlannedStage:
    """What a stage of a dry run would do: its columns, and its model calls where they can be known beforehand."""

    stage: str
    config: dict[str, Any]
    columns: list[str]
    calls: tuple[RequestPlan, ...] = ()
    rows: int | None = None
    """Rows that reach the stage; None when that depends on replies that are not there yet."""


def plan(data: Dataset | DatasetDict, stages: Sequence[Stage]) -> list[PlannedStage]:
    """Check the chain, run the stages that ask no model, and count the calls of those that do, without a call.

    Stages that leave the rows as they are do not run: a push would publish. A stage that needs the columns of a model's
    stage cannot be looked at before that one has run; its rows are unknown.
    Requests that several stages or splits share are counted once.
    """
    from kbtools.llm import ModelStage  # with the model engine, which no other run needs

    features = next(iter(data.values())).features if isinstance(data, dict) else data.features
    after = [list(check_chain(features, stages[: position + 1])) for position in range(len(stages))]
    steps: list[PlannedStage] = []
    reached: Dataset | DatasetDict | None = data
    seen = Chain()
    for stage, columns in zip(stages, after, strict=True):
        reached = _within_reach(reached, stage)
        rows = None if reached is None else count(reached)
        calls: tuple[RequestPlan, ...] = ()
        if reached is not None and isinstance(stage, ModelStage):
            calls = tuple(calls for ds in _splits(reached) for calls in stage.plan_calls(ds, seen))
            reached = reached if _keeps_rows(stage, _splits(reached)[0]) else None
        elif reached is not None and stage.makes_rows and not stage.only_reads():
            reached = stage.run(reached).dataset
        steps.append(PlannedStage(stage.name, stage.config(), columns, calls, rows))
    return steps


def _keeps_rows(stage: ModelStage, ds: Dataset) -> bool:
    """Whether a stage adds to its rows, and makes no rows of another kind."""
    return stage.keeps_rows() and set(ds.column_names) <= set(stage.output_features(ds.features))


def _within_reach(data: Dataset | DatasetDict | None, stage: Stage) -> Dataset | DatasetDict | None:
    """The data if the stage can work on it as it is, without the columns that models have yet to give."""
    try:
        for ds in _splits(data) if data is not None else []:
            stage.output_features(ds.features)
    except SchemaError:
        return None
    return data


def _splits(data: Dataset | DatasetDict) -> list[Dataset]:
    return list(data.values()) if isinstance(data, dict) else [data]
