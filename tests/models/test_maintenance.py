"""Looking at a store, checking it, cleaning it, and moving it."""

import json
import time

import pytest

from kbtools.errors import DataError, UsageError
from kbtools.models import Kind, ResponseStore, Usage
from kbtools.models.store import Assessed
from kbtools.models.store.import_export import Exported, export, import_lines
from kbtools.models.store.maintenance import Removed, gc, ls, show, stats, verify
from tests.models.test_store import reply_to


@pytest.fixture
def filled(store, ask):
    """Ten replies, three of them failures, one of those old."""
    for i, request in enumerate(ask(10)):
        kind = Kind.SERVER if i in (2, 5) else Kind.INVALID if i == 7 else Kind.OK
        store.put(
            [reply_to(request, kind=kind, usage=Usage(10, 3), stored=1.0 if i == 7 else time.time(), raw=f"r{i}")]
        )
    return store


def test_stats_count_replies_failures_and_tokens(filled):
    """What a user wants to know before deciding what to keep."""
    found = stats(filled)
    assert (found.replies, found.failures, found.claims) == (7, {"server": 2, "invalid": 1}, 0)
    assert (found.models[0].tokens_in, found.models[0].failures) == (100, 3)
    assert found.bytes > 10_000


def test_ls_is_newest_first(filled):
    """Limits and filters apply."""
    assert [reply.raw for reply in ls(filled, limit=3)] == ["r9", "r8", "r7"]
    assert [reply.raw for reply in ls(filled, failed=True)] == ["r7", "r5", "r2"]
    assert list(ls(filled, model="another")) == []


def test_show_takes_the_start_of_a_key(filled, ask):
    """A unique start is enough; an ambiguous or unknown one is an error."""
    assert show(filled, ask(4)[3].key[:12]).raw == "r3"
    with pytest.raises(UsageError, match="no reply"):
        show(filled, "zzz")
    with pytest.raises(UsageError, match="several"):
        show(filled, "")


@pytest.mark.parametrize(
    ("conditions", "left"),
    [({}, 10), ({"failed": True}, 7), ({"older_than": 60.0}, 9), ({"model": "test-model"}, 0), ({"model": "x"}, 10)],
    ids=str,
)
def test_gc_removes_only_what_was_asked(filled, conditions, left):
    """Replies are paid for: without a condition none goes, and a dry run says the number first."""
    foreseen = gc(filled, dry_run=True, **conditions).replies
    assert gc(filled, **conditions).replies == foreseen == 10 - left
    assert len(list(ls(filled))) == left
    assert list(verify(filled)) == []


@pytest.fixture
def assessed(filled, ask):
    """The same with what was said of the answers in the first six."""
    filled.put_assessments(Assessed(f"a{i}", request.key, f"said {i}") for i, request in enumerate(ask(6)))
    return filled


def test_assessments_move_with_their_replies(assessed, tmp_path, ask):
    """Else a conversation could not go on as it was; of one model, those of its replies."""
    assert stats(assessed).assessments == 6
    assert export(assessed, tmp_path / "all.jsonl") == Exported(10, 0, 6)
    assert export(assessed, tmp_path / "none.jsonl", model="another") == Exported(0, 0, 0)
    assert export(assessed, tmp_path / "model.jsonl", model="test-model") == Exported(10, 0, 6)
    with ResponseStore(tmp_path / "new.sqlite") as other:
        other.put_assessments([Assessed("a1", ask(2)[1].key, "said here")])
        assert import_lines(other, tmp_path / "all.jsonl").assessments == 5
        assert other.assessments(["a0", "a1", "a9"]) == {"a0": "said 0", "a1": "said here"}
        assert import_lines(other, tmp_path / "all.jsonl").assessments == 0
        assert gc(other).assessments == 0


def test_assessments_go_with_their_replies(assessed):
    """None is left behind without its reply, and a dry run says how many go."""
    assert gc(assessed) == Removed(0, 0, 0)
    foreseen = gc(assessed, failed=True, dry_run=True)
    assert gc(assessed, failed=True) == foreseen == Removed(3, 0, 2)
    assert sorted(assessed.assessments(f"a{i}" for i in range(6))) == ["a0", "a1", "a3", "a4"]
    assert gc(assessed, model="test-model") == Removed(7, 0, 4)


def test_a_damaged_assessment_is_found_and_costs_itself_alone(assessed, tmp_path):
    """As a reply that cannot be unpacked."""
    with assessed.transaction() as connection:
        connection.execute("UPDATE assessed SET assessment = x'00' WHERE key = 'a3'")
    assert [problem.key for problem in verify(assessed)] == ["a3"]
    assert export(assessed, tmp_path / "all.jsonl") == Exported(10, 1, 5)


@pytest.mark.parametrize("fields", [{"key": "a", "reply": 3, "assessment": "x"}, {"key": "a", "assessment": "x"}])
def test_an_assessment_that_is_none_is_refused(store, tmp_path, fields):
    """With the number of its line."""
    (tmp_path / "x.jsonl").write_text(json.dumps(fields))
    with pytest.raises(DataError, match=r"x\.jsonl, line 1: not an exported reply"):
        import_lines(store, tmp_path / "x.jsonl")


def test_verify_finds_a_request_that_does_not_fit_its_key(filled, ask):
    """Re-hashing shows what was changed by hand."""
    with filled.transaction() as connection:
        connection.execute("UPDATE replies SET key = 'abc' WHERE key = ?", (ask(1)[0].key,))
        connection.execute("UPDATE replies SET raw = x'00' WHERE key = ?", (ask(2)[1].key,))
    found = {problem.key: problem.what for problem in verify(filled)}
    assert found["abc"] == f"the stored request has the key {ask(1)[0].key}"
    assert "cannot be decoded" in found[ask(2)[1].key]


def test_export_and_import_move_all(filled, tmp_path):
    """What comes out of one store goes into another, the same."""
    assert export(filled, tmp_path / "all.jsonl") == Exported(10, 0, 0)
    with ResponseStore(tmp_path / "new.sqlite") as other:
        done = import_lines(other, tmp_path / "all.jsonl")
        assert (done.added, done.kept) == (10, 0)
        assert sorted(reply.raw for reply in ls(other)) == sorted(reply.raw for reply in ls(filled))
        assert import_lines(other, tmp_path / "all.jsonl").kept == 10


def test_export_saves_what_a_damaged_store_still_gives(filled, tmp_path):
    """One text that cannot be unpacked costs one reply, and it is counted."""
    with filled.transaction() as connection:
        connection.execute("UPDATE replies SET raw = x'00' WHERE rowid = 5")
    assert export(filled, tmp_path / "all.jsonl") == Exported(9, 1, 0)
    with ResponseStore(tmp_path / "saved.sqlite") as saved:
        assert import_lines(saved, tmp_path / "all.jsonl").added == 9


def test_import_replaces_failures_by_replies_only(filled, tmp_path, ask):
    """A good reply is never replaced; a failure is, by a good one."""
    with ResponseStore(tmp_path / "new.sqlite") as other:
        other.put([reply_to(ask(1)[0], raw="mine"), reply_to(ask(2)[1], kind=Kind.SERVER)])
        export(filled, tmp_path / "all.jsonl")
        import_lines(other, tmp_path / "all.jsonl")
        assert other.reply(ask(1)[0].key).raw == "mine"
        assert other.reply(ask(2)[1].key).raw == "r1"


@pytest.mark.parametrize("change", [lambda line: line[:-9], lambda line: line.replace("row 3", "row x")])
def test_a_changed_line_is_refused(filled, tmp_path, change):
    """A line that is cut or whose request does not fit its key is named."""
    path = tmp_path / "all.jsonl"
    export(filled, path)
    lines = path.read_text().splitlines()
    number = next(n for n, line in enumerate(lines, 1) if "row 3" in json.loads(line)["request"])
    path.write_text("\n".join(change(line) if "row 3" in line else line for line in lines))
    with ResponseStore(tmp_path / "new.sqlite") as other, pytest.raises(DataError, match=f"all.jsonl, line {number}:"):
        import_lines(other, path)


def test_an_export_never_replaces_the_store_itself(filled):
    """Nor leaves a half-written file where it cannot write."""
    with pytest.raises(UsageError, match="the store itself is there"):
        export(filled, filled.path)
    with pytest.raises(UsageError, match="that is a folder"):
        export(filled, filled.path.parent)
    assert stats(filled).replies == 7
    assert not list(filled.path.parent.glob("*.part"))


def test_import_names_a_line_that_is_no_text(store, tmp_path):
    """As any other line that is not a reply."""
    (tmp_path / "x.jsonl").write_bytes(b"\xff\xfe\n")
    with pytest.raises(DataError, match=r"x\.jsonl, line 1: not an exported reply"):
        import_lines(store, tmp_path / "x.jsonl")
