"""Several turns with feedback on the sample: a scripted model that repairs after the second feedback, and kills.

Run as `python -m benchmarks.repair_loop --modules 49 --kills 10`. A real HTTP server on loopback answers each
module with two wrong rollouts of the sample and then a right one; `verify` checks each. One run is left alone,
another is killed at random moments. Both have seeded inputs: but for the milliseconds of calls their rows are the same.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.machine import write
from tests.servers.openai_server import OpenAIServer

FEEDBACKS = 2
TIMEOUT = 900
"""Seconds for each process of a check: where the machine is busy, none may end otherwise in one run than in another."""
PRICES = '[prices]\n"{model}" = {{ input = 1.0, output = 10.0 }}\n'


def main() -> None:
    """Both runs, their counts, and whether they agree."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--modules", type=int, default=49)
    options.add_argument("--kills", type=int, default=10)
    options.add_argument("--seconds", type=float, default=20.0, help="Longest time until a kill.")
    given = options.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="kbtools-loop-"))
    replies = script(given.modules, folder / "rows.parquet")
    with OpenAIServer(reply=lambda body: repairing(replies, body)) as server:
        model = f"{server.url}#scripted"
        (folder / "kbtools.toml").write_text(PRICES.format(model=model))
        alone = run(folder, "alone", model, kills=0, seconds=0)
        calls_alone = len(server.log)
        killed = run(folder, "killed", model, kills=given.kills, seconds=given.seconds)
        calls_killed = len(server.log) - calls_alone
        again = run(folder, "killed", model, kills=0, seconds=0, out="again")
        calls_again = len(server.log) - calls_alone - calls_killed
    figures = {
        "modules": len(replies),
        "turns": dict(Counter(str(row["passed_turn"]) for row in alone["rows"])),
        "verdicts": dict(Counter(verdict for row in alone["rows"] for verdict in row["turn_verdicts"])),
        "calls": {"alone": calls_alone, "killed": calls_killed, "again": calls_again},
        "kills": killed["kills"],
        "seconds": {"alone": alone["seconds"], "killed": killed["seconds"], "again": again["seconds"]},
        "rows that differ": sum(one != other for one, other in zip(alone["rows"], killed["rows"], strict=True)),
        "bytes of a repeat are the same": again["bytes"] == killed["bytes"],
    }
    print(json.dumps(figures, indent=1))
    print(write("repair_loop", figures))


def script(count: int, file: Path) -> dict[str, list[str]]:
    """By reference code two wrong answers and a right one; the modules are written to a file."""
    from datasets import Dataset

    import kbtools as kb

    found: dict[str, dict[bool, list[str]]] = {}
    modules: dict[str, dict[str, Any]] = {}
    for row in kb.load("sample"):
        code = row["info"]["python_code"]
        modules.setdefault(code, {**row["info"], "entry_point": row["info"]["module_name"], "uuid": len(modules)})
        answers = found.setdefault(code, {True: [], False: []})
        answers[row["reward"] > 0].append(row["completion"][-1]["content"])
    chosen = [code for code, answers in found.items() if answers[True] and answers[False]][:count]
    kb.save(Dataset.from_list([modules[code] for code in chosen]), file)
    return {code: [*(found[code][False] * 2)[:FEEDBACKS], found[code][True][0]] for code in chosen}


def repairing(replies: dict[str, list[str]], body: dict[str, Any]) -> str:
    """The next answer to the module that the first message is about."""
    asked = [turn["content"] for turn in body["messages"] if turn["role"] == "user"]
    code = next(code for code in replies if code.strip() in asked[0])
    answer = replies[code][min(len(asked) - 1, FEEDBACKS)]
    return answer if "<answer>" in answer else f"<answer>\n{answer}\n</answer>"


def run(folder: Path, name: str, model: str, *, kills: int, seconds: float, out: str = "") -> dict[str, Any]:
    """The command, killed so often and started again; its rows without milliseconds, and the bytes of its file."""
    file = folder / f"{out or name}.parquet"
    words = ["apply", "synthesize", "--turns", "4", "--feedback", "verify", "--feedback-options", "tier=cpu"]
    words += [
        "--feedback-options",
        "seed=7",
        "--feedback-options",
        f"timeout={TIMEOUT}",
        "--model",
        model,
        "--dataset",
        str(folder / "rows.parquet"),
    ]
    words += ["--out", str(file), "--overwrite", "--quiet"]
    environment = os.environ | {
        "KBTOOLS_STORE": str(folder / f"{name}.sqlite"),
        "KBTOOLS_VERDICTS": str(folder / f"{name}-verdicts.sqlite"),
    }
    chance, began, done = random.Random(1), time.monotonic(), 0
    for kill in range(kills + 1):
        process = subprocess.Popen(
            [sys.executable, "-c", "from kbtools.cli import main; main()", *words], env=environment, cwd=folder
        )
        try:
            process.wait(None if kill == kills else chance.uniform(1, seconds))
            break
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            done += 1
    assert process.returncode == 0, f"{name} ended with {process.returncode}"
    import pyarrow.parquet as pq

    rows = pq.read_table(file).drop_columns(["generation_ms"]).to_pylist()
    return {"rows": rows, "bytes": file.read_bytes(), "kills": done, "seconds": round(time.monotonic() - began, 1)}


if __name__ == "__main__":
    main()
