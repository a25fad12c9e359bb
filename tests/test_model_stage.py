"""The stage of docs/plugins.md that asks a model has everything that the built-in ones have."""

import importlib
import re
import sys
from pathlib import Path

import pytest

import kbtools as kb
from kbtools.pipeline import plan, run
from kbtools.testing import check_stage
from tests.rows import evals

PAGE = (Path(__file__).parents[1] / "docs" / "plugins.md").read_text()


@pytest.fixture(scope="module")
def summarise(tmp_path_factory):
    """The class as the page shows it."""
    text = re.search(r'^```python title="summaries.py"\n(.*?)^```$', PAGE, re.DOTALL | re.MULTILINE)[1]
    assert len(text.splitlines()) < 40
    folder = tmp_path_factory.mktemp("page")
    (folder / "summaries.py").write_text(text)
    sys.path.insert(0, str(folder))
    yield importlib.import_module("summaries").Summarise
    sys.path.remove(str(folder))
    del sys.modules["summaries"]


def test_a_stage_of_ones_own_asks_stores_and_counts(summarise, model_server):
    """It keeps the contract, a dry run counts its calls, a repeat makes none, and failed rows are data."""
    server, model = model_server(reply=lambda body: "It adds.")
    ds = evals([1.0, 0.5], ["A", "B"])
    stage = summarise(model=model)
    (planned,) = plan(ds, [stage])
    assert planned.columns == [*ds.column_names, "summary"]
    assert planned.calls[0].to_send > 0
    assert check_stage(stage, ds)["summary"][:] == ["It adds.", "It adds."]
    made = len(server.log)
    assert stage(ds)["summary"][:] == ["It adds.", "It adds."]
    assert len(server.log) == made
    with pytest.raises(kb.errors.SchemaError, match="the columns summary exist already"):
        kb.apply(ds, stage, stage)


def test_its_failures_are_named_dropped_or_kept(summarise, model_server):
    """As `--on-error` says."""
    _, model = model_server(reply=lambda body: "One.\nTwo.")
    ds = evals([1.0])
    with pytest.raises(kb.errors.RowError, match="1 x several-lines"):
        summarise(model=model)(ds)
    done = run(ds, [summarise(model=model, on_error="null")])
    assert done.dataset["summary"][:] == [None]
    assert done.dataset["summary_error"][0].startswith("several-lines: the summary has several lines")
    assert run(ds, [summarise(model=model, on_error="drop")]).dataset.num_rows == 0
