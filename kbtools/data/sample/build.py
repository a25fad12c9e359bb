"""Makes `sample.jsonl` from the raw material: `python -m kbtools.data.sample.build [--check]`.

Every reward is measured here, none is written by hand. `generation_ms`, `scoring_ms`, `total_ms` and
`speedup_reward` are null: no model generated these rows, no GPU timed them, and a build must give the same
bytes every time.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click

from kbtools.data.sample.completions import FORMATS, SYSTEM, user_prompt
from kbtools.data.sample.material import Module, Rollout, in_rounds, read_modules
from kbtools.data.sample.measure import Measurement, measure
from kbtools.errors import DataError

SAMPLE = Path(__file__).parent / "sample.jsonl"
WORKERS = 2
TASK = "kernelbook-triton"

Measurements = dict[Path, Measurement]
Report = Callable[[Path, Measurement], None]


def build(modules: list[Module], report: Report) -> str:
    """Measure every candidate and give the text of sample.jsonl; a wrong reference answer is an error."""
    measured = _measure_all(modules, report)
    for module in modules:
        if reason := measured[module.answer].reason:
            raise DataError(f"{module.answer} stands for the reference answer and is wrong: {reason}")
    rows = (_row(index, *pair, measured) for index, pair in enumerate(in_rounds(modules)))
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _measure_all(modules: list[Module], report: Report) -> Measurements:
    jobs = {path: module for module in modules for path in _candidates(module)}
    with ThreadPoolExecutor(WORKERS) as pool:
        found = pool.map(lambda path: measure(jobs[path].reference, path, jobs[path].name), jobs)
        measured = {}
        for path, measurement in zip(jobs, found, strict=True):
            measured[path] = measurement
            report(path, measurement)
    return measured


def _candidates(module: Module) -> list[Path]:
    return [module.answer, *(rollout.candidate for rollout in module.rollouts)]


def _row(example_id: int, module: Module, rollout: Rollout, measured: Measurements) -> dict[str, Any]:
    reference = module.reference.read_text(encoding="utf-8")
    answer = module.answer.read_text(encoding="utf-8")
    message = FORMATS[rollout.format](rollout.reasoning, rollout.code)
    return {
        "example_id": example_id,
        "prompt": [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": user_prompt(module.name, reference)},
        ],
        "completion": [{"role": "assistant", "content": message.content, "reasoning": message.reasoning}],
        "task": TASK,
        "reward": measured[rollout.candidate].reward,
        "generation_ms": None,
        "scoring_ms": None,
        "total_ms": None,
        "info": {"module_name": module.name, "python_code": reference, "triton_code": answer},
        "answer": answer,
        "speedup_reward": None,
        "num_turns": 1.0,
        "oai_tools": None,
    }


def _show(path: Path, found: Measurement) -> None:
    name = "/".join(path.with_suffix("").parts[-3:])
    click.echo(f"{found.reward:g}  {name}  {found.reason[:120]}".replace("\n", " ").rstrip())


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; fail if the shipped file differs.")
@click.option("--only", default="", help="Measure modules whose family/name has this text; write nothing.")
def main(check: bool, only: str) -> None:
    """Build the sample and write sample.jsonl."""
    modules = [module for module in read_modules() if only in f"{module.family}/{module.slug}"]
    try:
        text = build(modules, _show)
    except DataError as error:
        raise click.ClickException(str(error)) from error
    if only:
        return
    if not check:
        SAMPLE.write_text(text, encoding="utf-8")
    elif text != SAMPLE.read_text(encoding="utf-8"):
        raise click.ClickException(f"{SAMPLE.name} differs from a fresh build; run python -m {__spec__.name}")
    click.echo(f"{SAMPLE.name}: {text.count(chr(10))} rows, {len(text.encode()):,} bytes")


if __name__ == "__main__":
    main()
