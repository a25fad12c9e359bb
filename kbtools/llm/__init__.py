"""Stages that ask a model: rows become requests, the engine runs them, and a plain map replays the replies.

The three steps are the same for every such stage. A stage says what it asks for a row (`requests`), what a usable reply
is (`contract`) and what it concludes from the replies (`conclude`); calls, retries, budget and the store are
`kbtools.models`' part. A reply is stored before anything here sees it, so a run that ends anywhere goes on from there.
"""

from kbtools.llm.parts import (
    REPEAT,
    Material,
    Question,
    RowFailure,
    TextContract,
    found_paths,
    refuse_failures,
    refuse_nulls,
)
from kbtools.llm.replay import conclusions
from kbtools.llm.rows import materials
from kbtools.llm.stage import Asking, on_calls
from kbtools.llm.writing import Writing

__all__ = [
    "REPEAT",
    "Asking",
    "Material",
    "Question",
    "RowFailure",
    "TextContract",
    "Writing",
    "conclusions",
    "found_paths",
    "materials",
    "on_calls",
    "refuse_failures",
    "refuse_nulls",
]
