"""The command `kbtools verify`: one pair from files, its verdict explained; for a dataset there is the stage."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import get_args

import click
from pydantic import ValidationError

from kbtools.errors import UsageError
from kbtools.errors import explain as explain_fields
from kbtools.paths import PathType
from kbtools_plugins.verify.candidate.text import NoCode, parse
from kbtools_plugins.verify.settings import VerifySettings
from kbtools_plugins.verify.tiers import Tier

_FILE = PathType(exists=True, dir_okay=False)


@click.command("verify")
@click.argument("file", type=_FILE, required=False)
@click.option("--reference", type=_FILE, help="File with the reference.")
@click.option("--candidate", type=_FILE, help="File with the candidate: code, or an answer that holds it.")
@click.option("--entry-point", help="Class or function of the reference that is meant.")
@click.option(
    "--tier",
    type=click.Choice(get_args(Tier)),
    default="auto",
    show_default=True,
    help="Where kernels run.",
)
@click.option("--targets", default="80,90", show_default=True, help="What to compile for, as in 80,90,gfx942.")
@click.option("--seeds", default=2, show_default=True, help="Sets of secret random inputs.")
@click.option("--timeout", default=60.0, show_default=True, help="Seconds that each process of the check may take.")
@click.option("--strict-fp32", is_flag=True, help="Refuse what tf32, the default of tl.dot, is too inexact for.")
@click.option("--allow", multiple=True, help="A further torch operator that is not a fallback, as in aten.sum.")
@click.option("--require-sandbox", is_flag=True, help="Fail where the sandbox cannot be enforced.")
@click.option("--time/--no-time", default=False, help="Measure the speedup (GPU only).")
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON.")
def verify_command(
    file: Path | None,
    reference: Path | None,
    candidate: Path | None,
    entry_point: str | None,
    tier: Tier,
    targets: str,
    seeds: int,
    timeout: float,
    strict_fp32: bool,
    allow: tuple[str, ...],
    require_sandbox: bool,
    time: bool,
    as_json: bool,
) -> int:
    """Check one Triton kernel: FILE with reference (Model, get_inputs) and ModelNew, or --reference and --candidate."""
    from kbtools_plugins.verify.check import verify
    from kbtools_plugins.verify.explain import explain

    settings = _settings(
        tier=tier,
        targets=_targets(targets),
        seeds=seeds,
        timeout=timeout,
        strict_fp32=strict_fp32,
        allow=allow,
        require_sandbox=require_sandbox,
        time=time,
    )
    texts = _texts(file, reference, candidate)
    entry_point = entry_point or (reference_in_pair(texts[0]) if file else None)
    verdict = verify(*texts, entry_point=entry_point, settings=settings)
    found = {**verdict.model_dump(mode="json"), "reward": verdict.reward}
    click.echo(json.dumps(found, indent=1) if as_json else explain(verdict))
    return 0 if verdict.passed else 1


def _targets(text: str) -> tuple[str, ...]:
    parts = tuple(part.strip() for part in text.split(",") if part.strip())
    if not all(part.isdecimal() or part.startswith("gfx") for part in parts):
        raise UsageError(f"--targets {text!r} is not a list of targets such as 80,90 or 80,gfx942.")
    return parts


def _settings(**fields: object) -> VerifySettings:
    try:
        return VerifySettings(**fields)
    except ValidationError as error:
        raise UsageError(f"kbtools verify: {explain_fields(error, VerifySettings)}") from error


def reference_in_pair(text: str) -> str | None:
    """Which class of a file with both is the reference: the one whose name with New is there too."""
    try:
        names = {node.name for node in parse(text).body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    except NoCode:
        return None
    return next((name for name in sorted(names) if f"{name}New" in names), None)


def _texts(file: Path | None, reference: Path | None, candidate: Path | None) -> tuple[str, str]:
    if file and not reference and not candidate:
        text = _read(file)
        return text, text
    if reference and candidate and not file:
        return _read(reference), _read(candidate)
    raise UsageError("Give one FILE that holds both, or --reference FILE and --candidate FILE.")


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not UTF-8 text ({error}).") from error
