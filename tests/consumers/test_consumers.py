"""Programs of others, unmodified and in environments of their own, take what kbtools writes and the other way.

The environments see torch and transformers of the one that runs the tests; the rest is installed from the registry, and
without one the tests are skipped. prime-rl is on no registry: what it reads is compared in docs/training.md only.
"""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
import venv
from pathlib import Path
from typing import Any

import pytest

import kbtools as kb
from tests import chat
from tests.plugins.rollouts.test_traces import assert_equal_to_verifiers, lines

HERE = Path(__file__).parent
TEMPLATE = "cli/templates/environment/@MODULE@/rewards.py.tmpl"
WRITE_TRACES = HERE.parent / "plugins" / "rollouts" / "write_traces.py"
TRL = ("trl==1.16.0",)
VERL = (
    "verl==0.9.1", "tensordict==0.15.3", "torchdata==0.11.0", "omegaconf==2.4.0", "antlr4-python3-runtime==4.9.3",
    "codetiming==1.4.0", "hydra-core==1.3.8", "pyvers==0.2.3", "orjson==3.13.0",
)  # fmt: skip
OLDER = (
    "transformers==5.10.4", "tokenizers==0.22.2", "huggingface_hub==1.33.0", "httpx==0.28.1", "httpcore==1.0.9",
)  # fmt: skip
"""What verl 0.9.1 asks for; its reader of conversations does not import beside later ones."""
VERIFIERS = ("verifiers==0.4.0",)

pytestmark = pytest.mark.slow


def environment(folder: Path, packages: tuple[str, ...], *, alone: bool = False) -> Path:
    """The Python of a new environment with these packages: alone with all that they need, or beside our packages."""
    venv.create(folder, with_pip=True)
    (site,) = folder.rglob("site-packages")
    if not alone:
        (site / "zz_outer.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    python = folder / "bin" / "python"
    words = [python, "-m", "pip", "install", "-q", *([] if alone else ["--no-deps"]), *packages]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=900)
    if "No matching distribution" in done.stderr or "ConnectionError" in done.stderr:
        pytest.skip(f"the registry has no {packages[0]}, or cannot be reached")
    assert done.returncode == 0, done.stderr
    return python


def output(python: Path, script: Path, *words: object) -> list[str]:
    """Lines that a script prints."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(word) for word in (python, script, *words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900, env=kept)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout.splitlines()


def said(printed: list[str], word: str) -> list[Any]:
    """What lines that begin with a word say."""
    return [json.loads(line.removeprefix(word)) for line in printed if line.startswith(word)]


def saved(ds: Any, name: str) -> Path:
    """The dataset in a file."""
    kb.save(ds, name)
    return Path(name)


def test_trl_trains_on_our_columns(tmp_path: Path) -> None:
    """SFT on whole answers and on single turns with tools, DPO on pairs, GRPO on tasks: a step of each."""
    sample = kb.load("sample")
    written = kb.ConvertRollouts()(kb.load(str(WRITE_TRACES.parent / "written" / "traces.jsonl")))
    as_trl = kb.ToPromptCompletion(reasoning="reasoning_content", tools="oai_tools", on_error="drop")
    turns = as_trl(kb.ExplodeTurns()(written))
    files = {
        "sft": kb.ToPromptCompletion(reasoning="reasoning_content")(kb.Select(best=1)(sample)),
        "dpo": kb.ToPreferences()(sample),
        "grpo": kb.ToTasks()(sample),
    }
    jobs = [f"{kind}={saved(ds, f'{kind}.parquet')}" for kind, ds in files.items()]
    jobs.append(f"sft={saved(turns, 'turns.parquet')}")
    python = environment(tmp_path / "trl", TRL)
    printed = output(python, HERE / "train_with_trl.py", chat.folder(tmp_path / "tokenizer"), *jobs)
    done = said(printed, "DONE")
    assert [(one["kind"], one["rows"], one["steps"]) for one in done] == [
        *((kind, ds.num_rows, 1) for kind, ds in files.items()),
        ("sft", turns.num_rows, 1),
    ]
    assert all(one["losses"][0] > 0 for one in done)
    assert set(said(printed, "TASKS")[0]) <= set(files["grpo"]["task"])


def test_verl_reads_our_tasks(tmp_path: Path) -> None:
    """Its reader for reinforcement learning."""
    tasks = kb.ToTasks(trainer="verl")(kb.load("sample"))
    python = environment(tmp_path / "verl", VERL)
    file, tokenizer = saved(tasks, "tasks.parquet"), chat.folder(tmp_path / "tokenizer")
    (read,) = said(output(python, HERE / "read_with_verl.py", tokenizer, file), "READ")
    assert read["rows"] == tasks.num_rows
    assert read["first"]["raw_prompt"] == tasks[0]["prompt"]
    assert read["first"]["reward_model"] == {"style": "rule", "ground_truth": tasks[0]["extra_info"]["task"]}


def test_verl_learns_from_our_conversations_and_asks_our_reward(tmp_path: Path) -> None:
    """Its reader for SFT makes an example of every row, its reward manager calls the function of `kbtools env`."""
    python, tokenizer = environment(tmp_path / "verl", (*VERL, *OLDER)), chat.folder(tmp_path / "tokenizer")
    conversations = kb.ToMessages()(kb.Select(best=1)(kb.load("sample")))
    file = saved(conversations, "conversations.parquet")
    (read,) = said(output(python, HERE / "read_conversations_with_verl.py", tokenizer, file), "READ")
    assert read["rows"] == conversations.num_rows
    assert read["learned"] > 100
    rewards = tmp_path / "rewards.py"
    rewards.write_text((Path(kb.__file__).parent / TEMPLATE).read_text().replace("@MODULE@", "kernels"))
    (scores,) = said(output(python, HERE / "score_with_verl.py", tokenizer, rewards), "SCORED")
    assert scores == {"Scale": 1.0, "Softmax": 0.0}


def test_a_thousand_traces_of_verifiers_are_read_as_it_reads_them(tmp_path: Path) -> None:
    """Branches, tools, failures and several agents, written and read back by the real package."""
    python = environment(tmp_path / "verifiers", VERIFIERS, alone=True)
    output(python, WRITE_TRACES, 1_000, tmp_path / "traces")
    traces = [trace for row in lines("traces", tmp_path / "traces") for trace in row["traces"]]
    assert len(traces) > 1_000
    assert sum(any(node["message"].get("tool_calls") for node in trace["nodes"]) for trace in traces) > 100
    assert sum(not trace["ok"] for trace in traces) > 100
    assert assert_equal_to_verifiers(tmp_path / "traces") > 1_000
