"""What is published says which model and which file, never where on a machine or in a network they are."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kbtools.card.privacy import public, public_text
from kbtools.data.io.source import Source
from kbtools.lineage import Lineage, StageRecord
from kbtools.plugins import registry
from kbtools.private_text import of_this_machine, without_folders


def published(text):
    """The text as a setting, within a note and as a fact of a published lineage."""
    record = StageRecord(
        stage="x", distribution="", version="", rows_in=1, rows_out=1, notes=(f"see {text} now",), facts={"place": text}
    )
    lineage = public(Lineage(stages=({"stage": "x", "model": text},), records=(record,)))
    fact = lineage.records[0].facts["place"]
    assert lineage.stages[0]["model"] == fact
    return fact, lineage.records[0].notes[0]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("http://10.1.2.3:8000/v1#my-model", "http://private-server#my-model"),
        ("https://llm.corp.example/secret/v1#/home/alice/models/q", "https://private-server#q"),
        ("http://[fe80::1]:8000/v1#m", "http://private-server#m"),
        ("http://me:password@api.openai.com/v1#m", "http://private-server#m"),
        ("batch:http://node-7:8000/v1#m", "batch:http://private-server#m"),
        ("serve:/home/alice/models/llama", "serve:llama"),
        ("/home/alice", "folder"),
        ("/Users/alice/", "folder"),
        ("C:\\Users\\alice", "folder"),
        ("\\\\nas\\alice\\rows.jsonl", "rows.jsonl"),
        ("alice@gpu-box:/data/rows.jsonl", "private-server:rows.jsonl"),
        ("s3://alice-bucket/rows", "s3://private-server"),
        ("[fe80::1%eth0]:8000", "private-server"),
        ("hf:~/models/q", "hf:q"),
        ("/home/alice/data/rows.jsonl", "rows.jsonl"),
        ("../alice/rows.jsonl", "rows.jsonl"),
        ("C:\\Users\\alice\\rows.jsonl", "rows.jsonl"),
        ("localhost:8000", "private-server"),
        ("192.168.0.7", "private-server"),
    ],
)
def test_places_are_left_out_and_names_kept(text, wanted):
    """In a field of its own and in the middle of a sentence."""
    alone, within = published(text)
    assert alone == wanted
    assert not any(
        word in within for word in ("alice", "10.1", "192.168", "corp", "node-7", "password", "fe80", "8000")
    )


@pytest.mark.parametrize(
    "text",
    [
        "openai:gpt-5.2",
        "prime:openai/gpt-5.2",
        "Qwen/Qwen3-30B-A3B",
        "reward > 0.85 and speedup / total_ms > 1 or a/b/c == 2",
        "512 tokens/s",
        "difficulty@v1",
        "hf://datasets/me/x@main/kbtools-lineage.json",
        "https://huggingface.co/datasets/me/x",
        "https://api.openai.com/v1#gpt-5.2",
        "first line\nsecond line",
        "1.2.3",
        "about ~1.5 s, ~half of 1.5 s, the other half",
    ],
)
def test_what_is_no_place_stays(text):
    """A run could not be repeated with other settings."""
    assert published(text) == (text, f"see {text} now")


def test_a_file_is_named_without_its_folder_and_a_dataset_of_the_hub_whole():
    """The sample is neither."""
    for dataset, wanted in (
        ("/home/alice/x.jsonl", "x.jsonl"),
        ("runs/x.jsonl", "x.jsonl"),
        ("me/x", "me/x"),
        ("sample",) * 2,
    ):
        assert public(Lineage(source=Source(dataset=dataset))).source.dataset == wanted


USER = {
    "USER": "alice",
    "HOME": "/srv/homes of us/alice",
    "HOSTNAME": "gpubox",
    "PRIME_API_KEY": "sk-swordfish",
    "OTHER_URL": "http://hushhost.example/v1",
}
SECRET = re.compile("alice|hush|gpubox|swordfish|homes of us|bob|carol", re.IGNORECASE)
PLANTED = (
    "alice", "~alice/runs/x.jsonl", "~/hush/x.jsonl", "/srv/homes of us/alice/x.jsonl", "/home/bob/x.jsonl by bob",
    "/mnt/hush/My hush data/rows.jsonl", "'/mnt/a hush/b, hush/rows.jsonl'", "C:\\Users\\carol hush\\x.jsonl",
    "C:/Users/carol/x.jsonl", "\\\\hushnas\\share\\x.jsonl", "file:///home/bob/my hush/x.jsonl",
    "file:/home/bob/x.jsonl",
    "http://hush:8000/v1#m", "HTTPS://hush.example/v1", "hushbox:8000", "hushbox:8000/hush/v1", "hush.example:443/v1",
    "hushnas.local", "hush.corp", "carol@hushbox:/data/rows.jsonl", "ssh carol@hushbox", "carol@hush.example", "gpubox",
    "hushhost.example", "sk-swordfish", "https://carol:hush@huggingface.co/x", "https://huggingface.co/x?token=hush",
    "smb://hush/x", "hf:/home/bob/models/q", "serve:~/hush/q", "openai:/mnt/hush/q",
)  # fmt: skip
AROUND = ("{}", "see {} now", "({})", "x={}", '"{}"', "read from {}: 3 rows", "a\n{}\nb", "`{}`", "{}, {}")


@pytest.fixture
def alice(monkeypatch):
    """A machine of her own."""
    for name, value in USER.items():
        monkeypatch.setenv(name, value)


def settings(cls, text):
    """Every text setting of a stage with this text; lists of choices keep their choices."""
    named = {name: str(field.annotation) for name, field in cls.model_fields.items()}
    texts = {name: text for name, kind in named.items() if kind in ("<class 'str'>", "str | None")}
    several = {name: [text, {"x": text}] for name, kind in named.items() if kind.startswith(("tuple[str", "dict[str"))}
    return {"stage": cls.name, **texts, **several}


@pytest.mark.parametrize("cls", registry().stages().values(), ids=lambda cls: cls.name)
def test_no_setting_of_any_stage_says_who_and_where(cls, alice):
    """Whatever stands around it."""
    texts = [around.replace("{}", planted) for around in AROUND for planted in PLANTED]
    found = public(Lineage(stages=tuple(settings(cls, text) for text in texts))).model_dump_json()
    assert not SECRET.findall(found), found


@pytest.mark.parametrize("around", AROUND)
def test_no_note_or_fact_says_who_and_where(around, alice):
    """Nor do the names of dropped rows, of prompts and of facts."""
    texts = [around.replace("{}", planted) for planted in PLANTED]
    each = dict.fromkeys(texts, 1)
    record = StageRecord(
        stage="x", distribution="d", version="1", rows_in=1, rows_out=1, dropped=each, failed=each,
        notes=tuple(texts), prompts=dict.fromkeys(texts, "0"), facts={"a": texts, **each},
    )  # fmt: skip
    found = public(Lineage(records=(record,))).model_dump_json()
    assert not SECRET.findall(found), found


@given(st.lists(st.sampled_from(PLANTED), min_size=1, max_size=4), st.sampled_from((" ", ": ", ", ", "; ", " and\n")))
@example(["~alice/runs/x.jsonl", "https://huggingface.co/x?token=hush"], " ")
@example(["https://carol:hush@huggingface.co/x", "https://huggingface.co/x?token=hush"], " ")
def test_what_was_cleaned_once_is_clean(texts, between):
    """Nothing private is left of several at once, and cleaning again changes nothing."""
    cleaner = of_this_machine(USER)
    text = between.join(texts)
    once = cleaner.told_by([text]).text(text)
    assert not SECRET.search(once), (text, once)
    assert cleaner.text(once) == once


def test_what_is_public_anyway_is_kept(alice):
    """The owner of a repository, a column, an account that everybody has, and the choices of a stage."""
    stages = (
        {"stage": "dedup", "nulls": "drop"},
        {"stage": "filter", "where": "alice > root and train:2967 > x[1::2]"},
    )
    assert public(Lineage(stages=stages), ["alice"]).stages == stages
    assert public(Lineage(stages=stages)).stages[1]["where"] == "user > root and train:2967 > x[1::2]"


def test_code_that_a_stage_quotes_is_as_it_stands():
    """A matrix product is no login, nor its factors names of hosts; where the code is from is told without folders."""
    code = "return attention@weight / (self.scale) + '/a/b/c'"
    pair = {"left": {"name": "/home/bob/x.jsonl row 1", "text": code}, "note": "the weight of attention"}
    record = StageRecord(stage="x", distribution="", version="", rows_in=1, rows_out=1, facts={"code_pairs": [pair]})
    (found,) = public(Lineage(records=(record,))).records[0].facts["code_pairs"]
    assert found == {"left": {"name": "x.jsonl row 1", "text": code}, "note": "the weight of attention"}


def test_a_user_who_is_called_like_a_setting_can_publish(monkeypatch):
    """The lineage can still be read: only texts that are free are changed."""
    monkeypatch.setenv("USER", "drop")
    monkeypatch.setenv("LOGNAME", "filter")
    monkeypatch.setenv("USERNAME", "records")
    stages = ({"stage": "filter", "where": "drop == 1"}, {"stage": "dedup", "nulls": "drop"})
    record = StageRecord(stage="filter", distribution="filter", version="1", rows_in=1, rows_out=1)
    found = public(Lineage(stages=stages, records=(record,)))
    assert found.stages == ({"stage": "filter", "where": "user == 1"}, stages[1])
    assert (found.records[0].stage, found.records[0].distribution) == ("filter", "filter")


def test_a_name_too_long_to_be_a_file_is_no_fault():
    """It is looked for on this machine, where no file can be called so."""
    long = "a/" + "b" * 300
    assert published(long) == (long, f"see {long} now")


def test_sections_of_an_earlier_version_are_cleaned_too():
    """They stand in the card again; what the owner wrote is the owner's."""
    old = "Read from `/home/bob/x.jsonl` at http://10.0.0.1:8000; the column `bob` is kept.\n| a/b | `user` |"
    assert public_text(old) == (
        "Read from `x.jsonl` at http://private-server; the column `bob` is kept.\n| a/b | `user` |"
    )


def test_a_traceback_in_a_row_names_files_alone():
    """So that a verdict says the same wherever it was found."""
    text = 'File "/home/bob/my venv/lib/torch/nn/x.py", line 3, in f\nOSError: cannot read /tmp/kb-1/y.so: dim:1024'
    assert without_folders(text) == 'File "x.py", line 3, in f\nOSError: cannot read y.so: dim:1024'
