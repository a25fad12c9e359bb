"""`recipes/kernelbook.toml` on the embedded sample: the whole old pipeline, against the local Hub and a local model."""

import json
from pathlib import Path

import pytest

from kbtools.data import sample
from tests import chat
from tests.servers.openai_server import OpenAIServer

RECIPE = str(Path(__file__).parents[2] / "recipes" / "kernelbook.toml")
NAMES = {
    "DATASET_PATH": "sample",
    "DATASET_REPO": "me/evals",
    "FILTERED_DATASET_REPO": "me/evals-filtered",
    "UNIQUE_DATASET_REPO": "me/evals-unique",
    "SYNTHETIC_DATASET_REPO": "me/synthetic-tasks",
    "DATASET_LICENSE": "mit",
    "KERNELBOOK_PATH": "me/kernelbook",
    "KERNELBOOK_REVISION": "main",
}
STEPS = ["all", "filtered", "unique", "synthetic", "no-reasoning", "analysis"]


def modules(count):
    """Rows in the layout of KernelBook."""
    code = "import torch\n\nclass {0}(torch.nn.Module):\n    def forward(self, x):\n        return x * {1}\n"
    return [
        {
            "uuid": i,
            "entry_point": f"Scale{i}",
            "module_name": f"Scale{i}",
            "python_code": code.format(f"Scale{i}", i + 2),
            "triton_code": "import triton\n",
            "licenses": ["MIT"],
        }
        for i in range(count)
    ]


def describe(body):
    """A task prompt that names the class; a verdict where a schema asks for one."""
    text = json.dumps(body["messages"])
    if "response_format" in body:
        return json.dumps({"difficulty_reason": "it is short", "difficulty": "low" if len(text) % 2 else "high"})
    name = next(f"Scale{i}" for i in reversed(range(12)) if f"`Scale{i}New`" in text)
    return f"Write a Triton kernel for class {name}New. It multiplies its input by a number."


EQUAL = """
    import datasets, sys
    from kbtools import lineage, pipeline
    for name in {names!r}:
        (recipe,) = lineage.read_all({recipe!r}, [name])
        *stages, push = recipe.stages
        source = pipeline.load_source(recipe.source)
        made = pipeline.run(source, pipeline.build(recipe.model_copy(update={{"stages": tuple(stages)}}))).dataset
        found = datasets.load_dataset(push["repo"], download_mode="force_redownload")
        assert set(found) == set(made), (name, set(found), set(made))
        for split in found:
            assert found[split].features == made[split].features, (name, split)
            assert found[split].to_list() == made[split].to_list(), (name, split)
"""


def sample_rows():
    """The embedded sample as its file has it, by id; fields that a row leaves out are null."""
    rows = [json.loads(line) for line in sample.path().read_text(encoding="utf-8").splitlines()]
    return {row["example_id"]: row for row in rows}


def without(row, *names):
    """A row without some of its columns."""
    return {name: value for name, value in row.items() if name not in names}


def modules_of(split):
    """Names of the modules of a split."""
    return {row["info"]["module_name"] for row in split}


@pytest.mark.slow
@pytest.mark.parametrize("judge", ["static", "model"])
def test_whole_pipeline(client, hub, judge):
    """Every dataset loads plainly; each is a part of the one before; 90/10 by module everywhere; again: no commit."""
    declare = """
            card = huggingface_hub.DatasetCard.load("me/kernelbook")
            card.data.license = "mit"
            card.push_to_hub("me/kernelbook", repo_type="dataset")
    """
    client.upload("me/kernelbook", modules(12), declare.strip())
    with OpenAIServer(reply=describe) as server:
        env = {
            **NAMES,
            "KBTOOLS_JUDGE": judge,
            "KBTOOLS_MODEL": f"{server.url}#tiny",
            "KBTOOLS_STORE": str(client.folder / "replies.sqlite"),
            "TOKENIZER": str(chat.folder(client.folder / "tokenizer")),
        }
        first = client.kbtools("run", RECIPE, *STEPS, **env)
        assert first.code == 0, first.text
        calls = len(server.log)
        before = {repo: hub.state(repo)["commits"]["main"] for repo in hub.repos()}
        again = client.kbtools("run", RECIPE, *STEPS, **env)
        assert again.code == 0, again.text
        assert len(server.log) == calls
    assert {repo: hub.state(repo)["commits"]["main"] for repo in hub.repos()} == before
    names = [step for step in STEPS if step != "analysis"]
    equal = client.python(EQUAL.format(names=names, recipe=RECIPE), **env)
    assert equal.code == 0, equal.err
    base, filtered = client.rows("me/evals"), client.rows("me/evals-filtered")
    unique, synthetic = client.rows("me/evals-unique"), client.rows("me/synthetic-tasks")
    total = sum(len(rows) for rows in base.values())
    assert set(base) == {"train", "validation"}
    assert len(base["validation"]) / total == pytest.approx(0.1, abs=0.05)
    assert modules_of(base["train"]).isdisjoint(modules_of(base["validation"]))
    raw = sample_rows()
    assert total == len(raw)
    for split in base:
        assert all(
            without(row, *(set(row) - set(raw[row["example_id"]]))) == raw[row["example_id"]] for row in base[split]
        )
        added = set(filtered[split][0]) - set(base[split][0])
        assert [without(row, *added) for row in filtered[split]] == [r for r in base[split] if r["reward"] > 0.85]
        assert all(row in filtered[split] for row in unique[split])
        assert modules_of(unique[split]) == modules_of(filtered[split])
        assert len(unique[split]) == len(modules_of(unique[split]))
    assert all(row["difficulty"] for row in filtered["train"])
    assert {row["module_name"] for row in synthetic["train"]} == {f"Scale{i}" for i in range(12)}
    bare = client.rows("me/evals-unique-no-reasoning")
    for split in unique:
        known = [without(row, "completion") for row in filtered[split]]
        assert all(without(row, "completion") in known for row in bare[split])
        assert modules_of(bare[split]) <= modules_of(unique[split])
        assert len(bare[split]) == len(modules_of(bare[split]))
    assert all(row["completion"][0]["content"].startswith(("<answer>", "import ")) for row in bare["train"])
    assert (client.folder / "plots" / "correlation_analysis.png").exists()
    figures = json.loads(next((client.folder / "outputs").glob("*lengths*.json")).read_text())
    assert [record["stage"] for record in figures["records"]] == ["lengths", "correlate"]
