"""What the analysis stages say when their packages are not installed."""

import importlib.util

import pytest

import kbtools as kb
from kbtools.errors import MissingExtra
from tests import chat
from tests.rows import evals


@pytest.mark.parametrize(
    ("absent", "stage"),
    [
        ("tokenizers", lambda path: kb.Lengths(tokenizer=path)),
        ("scipy", lambda path: kb.Correlate(between=("reward", "example_id"))),
        ("krippendorff", lambda path: kb.Agreement(between=("reward", "example_id"))),
        ("matplotlib", lambda path: kb.Stats(plots="plots")),
        ("matplotlib", lambda path: kb.Lengths(tokenizer=path, plots="plots")),
    ],
)
def test_a_missing_package_is_found_before_any_work(absent, stage, tmp_path, monkeypatch):
    """The error gives the command that installs it; whether a package is there is all that is made up here."""
    path = str(chat.folder(tmp_path / "tokenizer"))
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == absent else real(name, *more))
    with pytest.raises(MissingExtra, match=r"pip install 'kbtools\[analysis\]'"):
        stage(path).output_features(evals([1.0]).features)


def test_summaries_need_no_extra(monkeypatch):
    """Without plots, stats runs on the core alone."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None)
    assert kb.Stats().run(evals([1.0])).facts["rows"] == 1
