"""The pages that are made from the code: `docs/stages.md` and `docs/cli.md`, by `python -m kbtools.cli.docs [FOLDER]`.

With `--check` nothing is written, and the exit code says whether the pages are as the code would make them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from kbtools.cli import kbtools as program
from kbtools.cli.commands.chain import StageChain, stage_command
from kbtools.cli.ui.describe import FieldCard, StageCard, card
from kbtools.errors import UsageError
from kbtools.judge import Judge
from kbtools.plugins import registry

_WIDTH = 100
_MADE = "<!-- Made from the code by `python -m kbtools.cli.docs`: edit the docstrings, not this page. -->"
_SCOPES = {
    "row": "single rows; each split of a `DatasetDict` is processed by itself",
    "split": "a whole split at once; each split of a `DatasetDict` is processed by itself",
    "dataset": "all splits of a `DatasetDict` at once",
}


def pages() -> dict[str, str]:
    """The text of every generated page by its file name."""
    foreign = sorted({p.origin.distribution for p in registry().plugins} - {"kbtools"})
    if foreign:
        raise UsageError(f"the pages describe kbtools alone, but plugins are installed: {', '.join(foreign)}.")
    return {"stages.md": "\n".join(_stages_page()) + "\n", "cli.md": "\n".join(_cli_page()) + "\n"}


def stale(folder: Path) -> list[str]:
    """Names of the pages in a folder that are not as the code would make them."""
    return [name for name, text in pages().items() if _read(folder / name) != text]


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.exists() else ""


# ---- stages.md ------------------------------------------------------------------------------------------------------


def _stages_page() -> Iterator[str]:
    known = registry()
    stages = [card(name, cls) for name, cls in sorted(known.stages().items())]
    judges = [card(name, cls) for name, cls in sorted(known.judges().items())]
    yield from ("# Stages and judges", "", _MADE, "")
    yield from (
        "A stage is a callable config: its fields are its keyword arguments in Python, its options on the command",
        "line (`min_rows` is `--min-rows`) and its keys in a recipe. `kbtools stages NAME` shows what stands here, and",
        "the same of the stages that other packages add.",
        "",
        "Every stage also takes `columns`, on the command line `--columns ROLE=COLUMN`: which column holds a",
        "role, such as `module_name` or `reward`, where the layout of the dataset does not say it.",
        "",
    )
    yield from _overview("stage", stages)
    for each in stages:
        yield from _section(each)
    yield from (
        "# Judges",
        "",
        "A judge is a stage too: `kbtools apply judge --judge NAME`, or its class in Python.",
        "",
    )
    yield from _overview("judge", judges)
    for each in judges:
        yield from _section(each)


def _overview(kind: str, cards: list[StageCard]) -> Iterator[str]:
    yield from (f"| {kind} | what it does |", "|---|---|")
    for each in cards:
        yield f"| [`{each.name}`](#{each.kind}-{each.name}) | {_cell(each.summary)} |"
    yield ""


def _section(each: StageCard) -> Iterator[str]:
    yield from (f'<a id="{each.kind}-{each.name}"></a>', "", f"## {each.name}", "", each.text, "")
    if "kbtools apply" not in each.text:
        yield from _example(each)
    own = [field for field in each.fields if field.name != "columns"]
    if own:
        yield from ("| field | type | default | what it means |", "|---|---|---|---|")
        yield from (_row(field) for field in own)
        yield ""
    yield from _particulars(each)


def _example(each: StageCard) -> Iterator[str]:
    """The shortest call, for stages whose docstring shows none."""
    words = f"judge --judge {each.name}" if each.kind == "judge" else each.name
    required = [f"{field.option} {field.name.upper()}" for field in each.fields if field.required]
    names = {field.name for field in each.fields}
    required += ["--model SPEC"] if "model" in names and "models" not in names else []
    yield from ("    " + " ".join(["kbtools apply", words, *required, "--dataset sample"]), "")


def _row(field: FieldCard) -> str:
    default = "required" if field.required else f"`{_cell(field.default)}`" if field.default != "none" else "none"
    return f"| `{field.name}` | {_cell(field.type)} | {default} | {_cell(field.help)} |"


def _particulars(each: StageCard) -> Iterator[str]:
    yield f"- In Python: `kbtools.{each.python}`"
    yield f"- Sees {_SCOPES[each.scope]}"
    if each.suffix:
        yield f"- Adds `-{each.suffix}` to the names of outputs"
    for label, names in (("Needs", each.reads), ("Uses where present", each.may_read), ("Adds the columns", each.adds)):
        if names:
            yield f"- {label}: {', '.join(f'`{name}`' for name in names)}"
    yield ""


def _cell(text: str) -> str:
    """A vertical bar would end the cell, and an angle bracket begin a tag."""
    return text.replace("|", "\\|").replace("<", "&lt;")


# ---- cli.md ---------------------------------------------------------------------------------------------------------


def _cli_page() -> Iterator[str]:
    yield from ("# Command line", "", _MADE, "")
    yield from (
        "Exit codes: 0 done, 1 some rows failed (the failures are named), 2 wrong usage or data that does not fit,",
        "3 configuration or credentials, 130 interrupted.",
        "",
    )
    with click.Context(program, info_name="kbtools", terminal_width=_WIDTH, help_option_names=["-h", "--help"]) as ctx:
        yield from _command(program, ctx)


def _command(command: click.Command, ctx: click.Context) -> Iterator[str]:
    depth = len(ctx.command_path.split())
    yield from (
        "#" * min(depth + 1, 4) + f" {ctx.command_path}",
        "",
        "```text",
        command.get_help(ctx).rstrip(),
        "```",
        "",
    )
    if not isinstance(command, click.Group):
        return
    inner = {name: command.get_command(ctx, name) for name in command.list_commands(ctx)}
    if isinstance(command, StageChain):
        default = Judge.model_fields["judge"].default  # whose options are those of `judge` itself
        judges = [(name, cls) for name, cls in sorted(registry().judges().items()) if name != default]
        inner |= {f"judge --judge {name}": stage_command("judge", cls) for name, cls in judges}
    for name, each in inner.items():
        if each is not None:
            with click.Context(each, info_name=name, parent=ctx, terminal_width=_WIDTH) as inner_ctx:
                yield from _command(each, inner_ctx)


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, exists=True, path_type=Path), default="docs")
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 when a page is stale.")
def main(folder: Path, check: bool) -> None:
    """Write the generated pages into FOLDER (default: docs)."""
    if check:
        found = stale(folder)
        click.echo(f"stale: {', '.join(found)}; run python -m kbtools.cli.docs" if found else "up to date")
        sys.exit(1 if found else 0)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")
        click.echo(f"wrote {folder / name}")


if __name__ == "__main__":
    main()
