"""Stages that ask a model: rows become requests, the engine runs them, and a plain map replays the replies.

The three steps are the same for every such stage. A stage says what it asks for a row (`requests`), what a usable reply
is (`contract`) and what it concludes from the replies (`parse`); calls, retries, budget and the store are
`kbtools.models`' part. A reply is stored before anything here sees it, so a run that ends anywhere goes on from there.
"""

from kbtools.calls import on_calls
from kbtools.llm.model_stage import ModelStage
from kbtools.llm.options import CallOptions
from kbtools.llm.parts import (
    REPEAT,
    Further,
    Question,
    RowFailure,
    RowInputs,
    TextContract,
    found_paths,
    refuse_failures,
    refuse_nulls,
)
from kbtools.llm.replay import parsed_rows
from kbtools.llm.row_requests import row_inputs
from kbtools.llm.writing import TextGenerationStage

__all__ = [
    "REPEAT",
    "CallOptions",
    "Further",
    "ModelStage",
    "Question",
    "RowFailure",
    "RowInputs",
    "TextContract",
    "TextGenerationStage",
    "found_paths",
    "on_calls",
    "parsed_rows",
    "refuse_failures",
    "refuse_nulls",
    "row_inputs",
]
