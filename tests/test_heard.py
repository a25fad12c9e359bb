"""What a run has just rendered and parsed is not rendered and parsed again for its result, which is the same."""

from __future__ import annotations

import json
from contextlib import closing

import datasets
import pytest

import kbtools as kb
from kbtools.llm import heard as notes
from kbtools.llm.heard import GROUP, Heard, RecalledReply
from kbtools.llm.row_requests import planned_rows, requests_of
from kbtools.models import ResponseStore
from kbtools.models.backends import received
from kbtools.pipeline import run
from kbtools.prompts import Prompt

ROWS = 3 * GROUP + 7


def codes(count: int, null: tuple[int, ...] = ()) -> datasets.Dataset:
    """Modules of their own, some without a text."""
    return datasets.Dataset.from_dict(
        {"python_code": [None if i in null else f"# row {i % 600}" for i in range(count)]}
    )


def verdict(body) -> str:
    """A label; of some rows nothing that fits, at first or for ever."""
    asked, repairs = json.dumps(body["messages"]), body["messages"][-1]["content"].startswith("Your reply")
    if "# row 5\\n" in asked or ("# row 7\\n" in asked and not repairs):
        return "no JSON at all"
    return json.dumps({"difficulty_reason": f"It is asked in {len(asked)} letters.", "difficulty": "low"})


@pytest.fixture
def counted(monkeypatch):
    """How often prompts are rendered and replies parsed from their JSON."""
    calls = {"rendered": 0, "parsed": 0}

    def counting(owner, attribute, name):
        real = getattr(owner, attribute)

        def wrapped(*arguments):
            calls[name] += 1
            return real(*arguments)

        monkeypatch.setattr(owner, attribute, wrapped)

    counting(Prompt, "render", "rendered")
    counting(received, "parsed_json", "parsed")
    counting(kb.models.reading, "parsed_json", "parsed")
    return calls


def test_each_prompt_is_rendered_and_each_reply_parsed_once(model_server, counted):
    """Also where there are more rows than are written together; the lineage's facts ask for the first prompt alone."""
    _, model = model_server(reply=verdict)
    ds = codes(ROWS).select([i for i in range(ROWS) if i % 600 not in (5, 7)])
    out = kb.ModelJudge(model=model)(ds)
    assert set(out["difficulty"]) == {"low"}
    assert counted["rendered"] == ds.num_rows + 1
    assert counted["parsed"] == 598


def test_notes_and_store_give_the_same_rows(model_server, tmp_path):
    """Usable, repaired, unusable, equal and empty rows alike."""
    _, model = model_server(reply=verdict)
    ds, path = codes(ROWS, null=(3, 300)), str(tmp_path / "store.sqlite")
    judge = kb.ModelJudge(model=model, store=path, on_error="null")
    first = run(ds, [judge]).dataset.to_list()
    assert [row["difficulty"] for row in first[:9]] == ["low"] * 3 + [None, "low", None, "low", "low", "low"]
    assert run(ds, [judge]).dataset.to_list() == first
    with closing(judge.backend()) as backend, ResponseStore(path) as store:
        assert judge.replayed(ds, backend.model, store).dataset.to_list() == first


@pytest.mark.parametrize("pages", [3, 40])
def test_a_full_disk_for_temporary_files_costs_the_notes_and_nothing_else(model_server, tmp_path, monkeypatch, pages):
    """From the start, or some way through: what was not noted is looked up in the store."""
    _, model = model_server(reply=verdict)
    judge = kb.ModelJudge(model=model, store=str(tmp_path / "store.sqlite"), on_error="null")
    with monkeypatch.context() as patch:
        patch.setattr(notes, "_TABLES", f"{notes._TABLES} PRAGMA max_page_count = {pages};")
        first = run(codes(ROWS), [judge]).dataset.to_list()
    assert [row["difficulty"] for row in first[:6]] == ["low"] * 5 + [None]
    assert run(codes(ROWS), [judge]).dataset.to_list() == first


def test_only_rows_that_come_as_they_were_planned_are_recalled(model_server, tmp_path):
    """From the first row on that is another one, the store is asked."""
    _, model = model_server(reply=verdict)
    judge = kb.ModelJudge(model=model, store=str(tmp_path / "store.sqlite"))
    given = [{"reference_code": f"# row {i}"} for i in range(20, 24)]
    with closing(Heard()) as heard, ResponseStore(judge.store) as store:
        requests = list(requests_of(heard.planned(planned_rows(judge, given, "test-model"))))
        for request in requests:
            heard.said(request.key, {"difficulty": "low"}, "low, it said")
        known = heard.recalled([given[0], given[1], given[3], given[2]], store)
        assert [replies is None for replies in known] == [False, False, True, True]
        assert known[0][0].fields == {"difficulty": "low"}
        assert known[0][0].raw == "low, it said"


def test_what_cannot_be_noted_is_left_to_the_store():
    """A contract of somebody else may make values that no process can keep."""
    with closing(Heard()) as heard, ResponseStore() as store:
        list(heard.planned([notes.RowRequests({"a": "1"}, ())]))
        heard.said("key", {"value": lambda: None}, None)
        assert heard.recalled([{"a": "1"}], store) == [None]


def test_a_recalled_reply_has_its_request_and_all_that_came(model_server, tmp_path):
    """Fetched from the store when a stage wants more than the fields."""
    _, model = model_server(reply=verdict)
    judge = kb.ModelJudge(model=model, store=str(tmp_path / "store.sqlite"))
    judge(codes(1))
    with closing(judge.backend()) as backend, ResponseStore(judge.store) as store:
        (request,) = judge.requests({"reference_code": "# row 0"}, backend.model)
        recalled = RecalledReply(request.key, {}, "raw", store)
        assert recalled.request == request
        assert recalled.request.messages == request.messages
        assert recalled.reply.reading().text.startswith('{"difficulty_reason"')
        assert recalled.failure is None


def test_long_replies_are_left_to_the_store(tmp_path):
    """They would lie on disk twice, and hundreds of them in memory."""
    judge = kb.ModelJudge(model="http://localhost:1/v1#m")
    given = [{"reference_code": f"# row {i}"} for i in range(2)]
    with closing(Heard()) as heard, ResponseStore(tmp_path / "store.sqlite") as store:
        short, long = requests_of(heard.planned(planned_rows(judge, given, "m")))
        heard.said(short.key, {"difficulty": "low"}, "low")
        heard.said(long.key, {"difficulty": "low"}, "low" * notes.MOST)
        assert [replies is None for replies in heard.recalled(given, store)] == [False, True]
