"""Errors travel between processes whole."""

import pickle

import pytest

from kbtools.data.conversations.reasoning_error import ReasoningError
from kbtools.errors import KbError, MissingExtra
from kbtools.llm import RowFailure
from kbtools.models.engine.progress import Progress
from kbtools.models.engine.run import Interrupted


class Coded(KbError):
    """An error of a plugin, with an argument that has no default."""

    def __init__(self, code: int, *, where: str) -> None:
        super().__init__(f"code {code}")
        self.code, self.where = code, where


@pytest.mark.parametrize(
    "error",
    [
        MissingExtra("verify", "verifying"),
        Interrupted(Progress(done=3)),
        ReasoningError("unclosed-think", at=7),
        RowFailure("no-text", "its prompt is null"),
        Coded(7, where="here"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_pickle(error):
    """With their class, message and attributes, also once the pipeline has put the stage before the message."""
    error.args = (f"stage 1 (x): {error}",)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert (str(again), again.args) == (str(error), error.args)
    assert vars(again) == vars(error)
