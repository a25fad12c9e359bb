"""The card of a real push over a rich chain, as it stands on the Hub."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.servers.openai_server import OpenAIServer

VERDICT = json.dumps({"style_reason": "short", "style": 7})
CHAIN = (
    *("filter", "--where", "reward > 0.85"),
    *("judge", "--judge", "static", "--prefix", "static_"),
    *("judge", "--judge", "model", "--rubric", "style", "--temperature", "0.5"),
    *("dedup", "--key", "module_name", "--by", "reward"),
    *("strip-reasoning", "--unwrap"),
    *("sample", "--first", "30"),
    *("split", "--validation", "0.2"),
)


def stable(text: str) -> str:
    """The card without ports, versions, and digests and sizes of files, which the writers of other versions change."""
    text = re.sub(r"http://127\.0\.0\.1:\d+", "http://server", text)
    text = re.sub(r"(python|kbtools|datasets|pyarrow|polars|huggingface-hub) \d[\w.]*", r"\1 VERSION", text)
    text = re.sub(r"-[0-9a-f]{16}\.parquet", "-DIGEST.parquet", text)
    return re.sub(r"(download_size|dataset_size|num_bytes): \d+", r"\1: SIZE", text)


@pytest.mark.slow
def test_golden_card_of_a_rich_chain(client, hub, file_regression):
    """Two judges, rows left out for several reasons, two splits: what the Hub then shows."""
    with OpenAIServer(reply=lambda body: VERDICT) as server:
        env = {"KBTOOLS_MODEL": f"{server.url}#tiny", "KBTOOLS_STORE": str(client.folder / "replies.sqlite")}
        done = client.kbtools("apply", *CHAIN, "--dataset", "sample", "--push", "--repo", "rich", **env)
    assert done.code == 0, done.text
    name = client.python(
        'import huggingface_hub as h; print(h.hf_hub_download("me/rich", "README.md", repo_type="dataset"))'
    )
    text = Path(name.out.strip()).read_text(encoding="utf-8")
    file_regression.check(stable(text), extension=".md", basename="rich")
