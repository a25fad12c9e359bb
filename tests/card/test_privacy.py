"""What is published says which model and which file, never where on a machine or in a network they are."""

import pytest

from kbtools.card.privacy import public
from kbtools.data.io.source import Source
from kbtools.lineage import Lineage, StageRecord


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
