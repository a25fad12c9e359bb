"""`decontaminate --against` with evaluation sets on the Hub, at the revision and in the column that are named."""

import json

import pytest

RELU = """import torch
class {name}(torch.nn.Module):
    def forward(self, {x}):
        return torch.relu({x}){more}
def get_inputs():
    return [torch.rand({shape})]
"""
CHAIN = (
    "import torch\nclass {0}(torch.nn.Module):\n    def forward(self, {1}):\n"
    "        return torch.exp(torch.tanh({1}) * 0.5).sum()\n"
)
UNRELATED = (
    "import torch\nclass U(torch.nn.Module):\n    def forward(self, a):\n        return torch.cumsum(a, 1) - 3\n"
)


@pytest.mark.slow
def test_sets_on_the_hub_are_read_at_a_revision_by_a_column(client, hub):
    """Short problems count only with equal ranks; what was read is pinned in the record, at the revision named."""
    first = [{"title": "short", "solution": RELU.format(name="A", x="x", more="", shape="4, 8")}]
    second = [*first, {"title": "chain", "solution": CHAIN.format("B", "x")}]
    client.upload("lab/bench", first)
    old = hub.state("lab/bench")["refs"]["main"]
    client.upload("lab/bench", second)
    new = hub.state("lab/bench")["refs"]["main"]
    codes = [
        RELU.format(name="Other", x="given", more="", shape="32, 64"),
        RELU.format(name="Other", x="given", more="", shape="32, 64, 7") + "# another rank, but equal code",
        RELU.format(name="Other", x="given", more=".abs()", shape="32, 64"),
        CHAIN.format("Chain", "value"),
        UNRELATED,
    ]
    rows = [{"id": place, "python_code": code, "triton_code": "x = 1"} for place, code in enumerate(codes)]
    (client.folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def kept(against: str, out: str) -> tuple[list[int], str]:
        words = ("decontaminate", "--against", against, "--dataset", "rows.jsonl", "--out", out)
        done = client.kbtools("apply", *words)
        assert done.code == 0, done.text
        (record,) = json.loads((client.folder / f"{out}.lineage.json").read_text())["records"]
        left = [json.loads(line)["id"] for line in (client.folder / out).read_text().splitlines()]
        return left, record["facts"]["against"]["bench"]["pinned"]

    assert kept("lab/bench:solution", "now.jsonl") == ([2, 4], new)
    assert kept(f"lab/bench@{old}:solution", "then.jsonl") == ([2, 3, 4], old)
    unnamed = client.kbtools("apply", "decontaminate", "--against", "lab/bench", "--dataset", "rows.jsonl")
    assert unnamed.code == 2
    assert "--against SOURCE:COLUMN" in unnamed.err
    gone = client.kbtools("apply", "decontaminate", "--against", "lab/nothing", "--dataset", "rows.jsonl")
    assert gone.code == 3
