"""docs/migrating.md, followed by a script: users of the old scripts find every file under its old name, row for row."""

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

from tests.servers.openai_server import OpenAIServer

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "migrating.md").read_text()
CODE = "import torch\n\nclass {name}(torch.nn.Module):\n    def forward(self, x):\n        return x * {scale}\n"
REPLIES = {
    "difficulty_score": {"difficulty_score_reason": "-", "difficulty_score": 2, "style_reason": "-", "style": 7},
    "difficulty": {"difficulty_reason": "elementwise", "difficulty": "low"},
}


def rollout(number: int) -> dict[str, object]:
    """A row as vf-eval writes it; every module has four, of which two are good."""
    name = f"Scale{number // 4}"
    code = CODE.format(name=name, scale=number // 4)
    answer = f"<answer>\nimport triton  # {number}\n</answer>"
    return {
        "example_id": number,
        "prompt": [{"role": "user", "content": f"Convert {name}."}],
        "completion": [{"role": "assistant", "content": answer, "tool_calls": None}],
        "task": "triton",
        "reward": [0.0, 0.9, 1.2, 0.85][number % 4],
        "generation_ms": 1.0,
        "scoring_ms": 1.0,
        "total_ms": 2.0,
        "info": {"module_name": name, "python_code": code, "triton_code": ""},
        "answer": "",
        "speedup_reward": 0.0,
        "num_turns": 1.0,
        "error": None,
        "trajectory": [{"response": {"choices": [{"message": {"reasoning_content": f"thought {number}"}}]}}],
    }


def module(number: int) -> dict[str, object]:
    """A row of KernelBook."""
    name = f"Scale{number}"
    code = CODE.format(name=name, scale=number)
    return {"uuid": number, "entry_point": name, "module_name": name, "python_code": code, "triton_code": "pass"}


def reply(body: dict[str, object]) -> str:
    """What the schema of the request asks for; a task prompt as text."""
    asked = json.dumps(body)
    (name,) = set(re.findall(r"class (Scale\d+)\(", asked)) or {"Scale"}
    return next((json.dumps(value) for word, value in REPLIES.items() if f'"{word}"' in asked), f"Write {name}New.")


def lines(path: str) -> list[dict[str, object]]:
    """The rows of a JSON lines file."""
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


@pytest.mark.slow
def test_the_page_leads_to_every_old_file(cli, tmp_path, monkeypatch):
    """300 rollouts and 20 modules, by the commands of the page and the variables of the old `.env`."""
    Path("rollouts.jsonl").write_text("".join(json.dumps(rollout(n)) + "\n" for n in range(300)))
    Path("modules.jsonl").write_text("".join(json.dumps(module(n)) + "\n" for n in range(20)))
    shutil.copytree(ROOT / "recipes", "recipes", ignore=shutil.ignore_patterns("sample"))
    (command,) = re.findall(r"^\$ kbtools (.*)$", PAGE, re.MULTILINE)
    with OpenAIServer(reply=reply) as server:
        monkeypatch.setenv("DATA_MODEL", f"{server.url}#tiny")
        monkeypatch.setenv("DATASET_PATH", "rollouts.jsonl")
        monkeypatch.setenv("KERNELBOOK_PATH", "modules.jsonl")
        done = cli(*shlex.split(command))
    assert done.code == 0, done.err
    named = set(re.findall(r"`(outputs/[\w.-]+)`", PAGE))
    assert named == {str(path) for path in Path("outputs").glob("*.jsonl")}
    raw = lines("outputs/raw_dataset.jsonl")
    given = [rollout(n) for n in range(300)]
    assert [row["completion"][0]["reasoning"] for row in raw] == [f"thought {n}" for n in range(300)]
    for name in ("example_id", "prompt", "task", "reward", "info", "num_turns"):
        assert [row[name] for row in raw] == [row[name] for row in given]
    good = [row for row in raw if row["reward"] > 0.85]
    filtered = lines("outputs/filtered_dataset.jsonl")
    assert [{name: row[name] for name in raw[0]} for row in filtered] == good
    assert {row["difficulty"] for row in filtered} == {"low"}
    assert all(row["evaluation_raw"] for row in filtered)
    scored = lines("outputs/scored_dataset.jsonl")
    assert [{name: row[name] for name in raw[0]} for row in scored] == good
    assert {(row["difficulty_score"], row["style"]) for row in scored} == {(2, 7)}
    unique = lines("outputs/unique_dataset.jsonl")
    assert unique == [row for row in filtered if row["reward"] == 1.2]
    for kind, rows in (("filtered", filtered), ("unique", unique)):
        bare = lines(f"outputs/{kind}-no-reasoning_dataset.jsonl")
        assert [row["example_id"] for row in bare] == [row["example_id"] for row in rows]
        contents = [row["completion"][0]["content"] for row in rows]
        assert [row["completion"][0]["content"] for row in bare] == contents
        assert not any(row["completion"][0].get("reasoning") for row in bare)
    synthetic = lines("outputs/synthetic_dataset.jsonl")
    assert [row["uuid"] for row in synthetic] == list(range(20))
    assert {tuple(sorted(row)) for row in synthetic} == {
        ("module_name", "prompt", "python_code", "triton_code", "uuid")
    }
