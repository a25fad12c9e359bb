"""Makes `sample.jsonl` from the raw material: `python -m sample.build [--check]`.

A script for those who change the sample; it takes a minute or two. Rewards are what the stage `verify` gives to the
very rows that are shipped, none is written by hand; the verdicts behind them are kept in `modules/verdicts.json`.
`generation_ms`, `scoring_ms`, `total_ms` and `speedup_reward` are null: no model generated these rows, no GPU timed
them, and a build must give the same bytes every time.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

import kbtools as kb
from kbtools.data.columns import evals_features
from kbtools.data.sample import path
from kbtools.errors import DataError
from sample.completions import FORMATS, SYSTEM, user_prompt
from sample.material import MODULES, Module, Rollout, in_rounds, read_modules

if TYPE_CHECKING:
    from datasets import Dataset

VERDICTS = MODULES / "verdicts.json"
SEED = 0
TASK = "kernelbook-triton"


class Built(NamedTuple):
    """The texts of `sample.jsonl` and of `verdicts.json`."""

    rows: str
    verdicts: str


def build(modules: list[Module]) -> Built:
    """Verify every rollout; DataError where a candidate is not what its name says."""
    rollouts = list(in_rounds(modules))
    rows = [_row(index, module, rollout) for index, (module, rollout) in enumerate(rollouts)]
    verified = _verified(rows)
    verdicts = _by_candidate((rollout for _, rollout in rollouts), verified["verdict"], verified["error"])
    rewarded = (row | {"reward": reward} for row, reward in zip(rows, verified["reward"], strict=True))
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rewarded)
    return Built(text, json.dumps(verdicts, indent=1, sort_keys=True) + "\n")


def _verified(rows: list[dict[str, Any]]) -> Dataset:
    """The rows with the columns of `verify`: on a CPU, from one seed, with no verdict of an earlier run."""
    import datasets

    data = datasets.Dataset.from_list(rows, features=evals_features())
    with tempfile.TemporaryDirectory() as folder:
        stage = kb.Verify(tier="cpu", seed=SEED, store=str(Path(folder) / "verdicts.sqlite"))
        return kb.apply(data, stage)


def _by_candidate(rollouts: Iterable[Rollout], verdicts: Iterable[str], errors: Iterable[str]) -> dict[str, str]:
    """The verdict of each candidate, which is the same in whatever format it was said."""
    found: dict[str, str] = {}
    for rollout, verdict, error in zip(rollouts, verdicts, errors, strict=True):
        if rollout.is_good != (verdict == "pass") or found.setdefault(rollout.name, verdict) != verdict:
            raise DataError(f"{rollout.name}, said in the format {rollout.format}, is {verdict}: {error}")
    return found


def _row(example_id: int, module: Module, rollout: Rollout) -> dict[str, Any]:
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
        "reward": None,
        "generation_ms": None,
        "scoring_ms": None,
        "total_ms": None,
        "info": {"module_name": module.name, "python_code": reference, "triton_code": answer},
        "answer": answer,
        "speedup_reward": None,
        "num_turns": 1.0,
        "oai_tools": None,
    }


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; fail if the shipped files differ.")
def main(check: bool) -> None:
    """Build the sample and write sample.jsonl and modules/verdicts.json."""
    try:
        built = build(read_modules())
    except DataError as error:
        raise click.ClickException(str(error)) from error
    for file, text in ((path(), built.rows), (VERDICTS, built.verdicts)):
        if not check:
            file.write_text(text, encoding="utf-8")
        elif text != file.read_text(encoding="utf-8"):
            raise click.ClickException(f"{file.name} differs from a fresh build; run python -m {__spec__.name}")
    for verdict, count in Counter(json.loads(built.verdicts).values()).most_common():
        click.echo(f"{count:4}  {verdict}")
    click.echo(f"{path().name}: {built.rows.count(chr(10))} rows, {len(built.rows.encode()):,} bytes")


if __name__ == "__main__":
    main()
