"""The stage of docs/plugins.md that asks a model has everything that the built-in ones have."""

import importlib
import re
import sys
from pathlib import Path

import pytest

import kbtools as kb
from kbtools.llm import REPEAT, Further
from kbtools.models import chat
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


def test_further_asks_again_and_makes_several_rows(summarise, model_server):
    """One hook says how often a row is asked about, and what is asked once its first replies are stored."""

    class Checked(summarise):
        """Ask twice about each row, and once more about what was said."""

        name = "checked"

        def requests(self, inputs, model):
            """One request for each time."""
            return [chat(model, [{"role": "user", "content": f"time {inputs[REPEAT]}"}])]

        def further(self):
            """Two rows from each, and a second question."""
            return Further(times=2, follow_up=self._again)

        def _again(self, inputs, model, store):
            (first,) = self.requests(inputs, model)
            said = store.reply(first.key).reading().text
            return [chat(model, [{"role": "user", "content": f"is {said} right?"}])]

        def parse(self, inputs, replies):
            """Both answers."""
            return {"summary": ", ".join(reply.fields["text"] for reply in replies)}

    server, model = model_server(reply=lambda body: body["messages"][-1]["content"].upper())
    ds = evals([1.0], ["A"])
    (planned,) = plan(ds, [Checked(model=model)])
    assert sum(calls.to_send for calls in planned.calls) == 2  # the second round is not known yet
    done = Checked(model=model)(ds)
    assert done["summary"][:] == ["TIME 0, IS TIME 0 RIGHT?", "TIME 1, IS TIME 1 RIGHT?"]
    assert len(server.log) == 4
