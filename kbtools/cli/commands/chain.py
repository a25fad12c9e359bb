"""`kbtools apply` and `kbtools run`: a chain of stages from words or from a recipe.

An option belongs to the stage whose name it follows if that stage has it; otherwise it is an option of the run, which
may come anywhere.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import click
from click.shell_completion import CompletionItem

from kbtools.cli.misplaced import no_stage, recipes_here, whose
from kbtools.cli.options import KeyValue, OnceCommand, given, help_text, pairs, stage_options
from kbtools.cli.pushing import push_options
from kbtools.cli.running import RunOptions, engine_of, execute, execute_all, source_of
from kbtools.cli.ui import completion
from kbtools.errors import KbError, UsageError
from kbtools.lineage import Lineage, Recipe
from kbtools.lineage import read_all as read_recipes
from kbtools.plugins import registry
from kbtools.stage import Stage, summary
from kbtools.wording import counted


class Count(click.IntRange):
    """A number of things; its name is what an error calls it."""

    name = "integer"


_RUN = "kbtools.run"
_LAST = "kbtools.last"
_FILES = {
    "dataset": completion.datasets,
    **dict.fromkeys(("out", "dropped", "save_recipe", "scratch"), completion.files),
}


def run_options() -> list[click.Option]:
    """The options that may come anywhere."""
    text: list[tuple[str, str, str]] = [
        ("dataset", "NAME", "Hub id, file, folder, or sample.  [env: DATASET_PATH]"),
        ("split", "NAME", "Split to load; all when not given."),
        ("config", "NAME", "Configuration of a Hub dataset."),
        ("revision", "REV", "Commit, tag or branch of a Hub dataset."),
        ("out", "FILE", "Where the result goes: .parquet, .jsonl[.gz|.zst] or a folder.  [default: outputs/...]"),
        ("dropped", "FILE", "Write the rows that stages leave out, with dropped_by and reason."),
        ("save_recipe", "FILE", "Write this chain as a recipe for `kbtools run`."),
        (
            "engine",
            "NAME",
            "Who runs row-wise stages: processes[=N], or ray[=auto|HOST:PORT].  [default: this process]",
        ),
        ("scratch", "DIR", "Folder of an engine's finished parts; with ray, one that every node sees."),
    ]
    numbers: list[tuple[str, object, str]] = [
        ("limit", Count(min=0), "Only the first N rows of each split."),
        ("seed", int, "Seed of every stage that has one."),
        ("shards", Count(min=1), "Parts that an engine cuts the rows into; by their number when not given."),
    ]
    flags = [
        ("overwrite", "--overwrite", "Replace files and datasets on the Hub that were made from something else."),
        ("dry_run", "--dry-run", "Run what asks no model, count the calls of the rest, and write nothing."),
        ("quiet", "--quiet", "Print nothing but errors and where the result is."),
        ("json_output", "--json", "Print the result as JSON on stdout, everything else on stderr."),
    ]
    options = [
        _run_option(name, metavar=metavar, help=help_, shell_complete=_FILES.get(name)) for name, metavar, help_ in text
    ]
    options += [_run_option(name, type=kind, metavar="N", help=help_) for name, kind, help_ in numbers]
    options += [_run_option(name, flag, is_flag=True, help=help_) for name, flag, help_ in flags]
    flags = [
        ("offline", "--offline", "Take datasets of the Hub from the cache, without asking the Hub."),
        ("push", "--push", "Publish the result on the Hub: the stage `push` at the end of the chain."),
    ]
    options += [_run_option(name, flag, is_flag=True, help=help_) for name, flag, help_ in flags]
    for how in push_options():
        how.expose_value, how.callback = False, _remember_push
        options.append(how)
    columns = "Which column holds a role, e.g. module_name=my_col; repeatable."
    return [*options, _run_option("columns", type=KeyValue(), multiple=True, help=columns)]


def _run_option(name: str, flag: str | None = None, **settings: Any) -> click.Option:
    flag = flag or "--" + name.replace("_", "-")
    return click.Option([flag, name], expose_value=False, callback=_remember, default=None, **settings)


def _remember(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    """Keep an option of the run, wherever in the chain it was written."""
    if value is None or value == () or ctx.resilient_parsing:
        return
    kept: dict[str, Any] = ctx.meta.setdefault(_RUN, {})
    name = str(param.name)
    if name == "columns":
        kept[name] = {**kept.get(name, {}), **pairs(value)}
    elif kept.get(name, value) != value:
        raise click.UsageError(f"--{name} is given twice, as {kept[name]!r} and as {value!r}.", ctx)
    else:
        kept[name] = value


def _remember_push(ctx: click.Context, param: click.Parameter, value: object) -> None:
    """Keep an option of `--push`, wherever it was written."""
    if value is not None and not ctx.resilient_parsing:
        ctx.meta.setdefault(_RUN, {}).setdefault("push_fields", {})[str(param.name)] = value


class StageChain(OnceCommand, click.Group):
    """A group whose subcommands are the stages of all plugins, any number of them after one another."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all stages."""
        return sorted(registry().offers("stage"))

    def get_command(self, ctx: click.Context, name: str) -> click.Command:
        """The command of one stage; for `judge` with the options of the judge that is the default."""
        return stage_command(name, *_classes(name, ()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The next stage of the chain; the options of `judge` are those of the judge that it names."""
        name, rest = args[0], args[1:]
        if name.startswith("-"):
            raise click.NoSuchOption(name, ctx=ctx)
        try:
            command = stage_command(name, *_classes(name, rest))
        except KbError:
            if ctx.resilient_parsing:  # the shell asks for completion: nothing is to be offered, nor complained of
                return None, None, []
            if said := no_stage(name, "push" in ctx.meta.get(_RUN, {}), ctx.meta.get(_LAST)):
                raise UsageError(said) from None
            raise
        ctx.meta[_LAST] = name
        return name, command, rest

    def where_else(self, name: str) -> str:
        """Options of stages, which stand after a stage's name."""
        return whose(name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The stages and what they do."""
        with formatter.section("Stages (kbtools apply STAGE --help shows a stage's options)"):
            known = registry()
            formatter.write_dl([(name, summary(known.stage(name))) for name in self.list_commands(ctx)])


def _classes(name: str, args: Sequence[str]) -> tuple[type[Stage], type[Stage]]:
    """The class whose fields are the options of a stage, and the one whose docstring is its help."""
    cls = registry().stage(name)
    named = _named(cls.chooses_by, args) if cls.chooses_by else None
    chosen = cls.chosen({cls.chooses_by: named} if named else {})
    return chosen, chosen if named else cls


def _named(choice: str, args: Sequence[str]) -> str | None:
    """The value of the option that chooses the class, in the words after the stage as far as the next stage."""
    known = registry()
    options = [*run_options(), *(one for cls in known.judges().values() for one in stage_options(cls))]
    flags = {name for one in options if one.is_flag for name in (*one.opts, *one.secondary_opts)}
    stages = known.offers("stage")
    for before, word in pairwise(("", *args)):
        if before == f"--{choice}":
            return word
        if word.startswith(f"--{choice}="):
            return word.partition("=")[2]
        is_value = before.startswith("--") and "=" not in before and before not in flags
        if word in stages and not is_value:
            break
    return None


def stage_command(name: str, cls: type[Stage], described: type[Stage] | None = None) -> click.Command:
    """A stage as a command: its own options, and those of the run that it does not claim."""
    own = stage_options(cls)
    claimed = {one.name for one in own}
    shared = [one for one in run_options() if one.name not in claimed]
    for other in shared:
        other.hidden = True  # they are listed once, in the help of `apply`
    return _StageCommand(name, params=[*own, *shared], callback=_stage_maker(name), help=help_text(described or cls))


class _StageCommand(OnceCommand):
    def where_else(self, name: str) -> str:
        """Options of other stages."""
        return whose(name)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Options of this stage and of the run; or the next stage, which may be one that occurred already."""
        if not incomplete.startswith("-"):
            return completion.stages(ctx, None, incomplete)
        shared = [name for param in self.params if getattr(param, "hidden", False) for name in param.opts]
        return [
            *super().shell_complete(ctx, incomplete),
            *(CompletionItem(name) for name in shared if name.startswith(incomplete)),
        ]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Stop at the first word that is not an option: it is the next stage."""
        ctx.allow_interspersed_args = False
        return super().parse_args(ctx, args)


def _stage_maker(name: str) -> Callable[..., tuple[str, dict[str, object]]]:
    def make(**values: Any) -> tuple[str, dict[str, object]]:
        return name, given(values)

    return make


@click.command(
    cls=StageChain,
    chain=True,
    params=run_options(),
    no_args_is_help=True,
    invoke_without_command=True,  # `_apply` says what is missing, where click would speak of commands
    subcommand_metavar="STAGE [OPTIONS]...",
)
def apply_command() -> None:
    """Run stages, one after the other, over a dataset.

    Options after a stage's name belong to that stage; the options below may come anywhere.
    """


@apply_command.result_callback()
@click.pass_context
def _apply(ctx: click.Context, words: list[tuple[str, dict[str, object]]]) -> int:
    options = given_options(ctx)
    if not words:
        raise UsageError(
            "no stage is named: write one or more, as in `kbtools apply dedup`. `kbtools stages` lists them."
        )
    stages = tuple({"stage": name, **_with_columns(fields, options)} for name, fields in words)
    recipe = Recipe(source=source_of(options), seed=options.seed, stages=stages, engine=engine_of(options))
    return execute(recipe, options)


def _with_columns(fields: dict[str, Any], options: RunOptions) -> dict[str, object]:
    return {**fields, "columns": {**fields.get("columns", {}), **options.columns}} if options.columns else fields


_RUN_ARGUMENTS = [
    click.Argument(["recipe"], metavar="FILE", required=False, shell_complete=completion.files),
    click.Argument(["names"], metavar="[NAME]...", nargs=-1),
]


@click.command(cls=OnceCommand, params=[*_RUN_ARGUMENTS, *run_options()])
@click.pass_context
def run_command(ctx: click.Context, recipe: str | None, names: tuple[str, ...]) -> int:
    """Run a recipe, or repeat the run that a lineage describes.

    FILE is a recipe (.toml), a lineage (.json), a file that kbtools wrote, or what a card on the Hub names
    (hf://datasets/me/x/kbtools-lineage.json). Of a file with several recipes, NAMEs choose; all run when none is given.
    Options override what it says. Without a FILE the recipes that are found here are listed.
    """
    if recipe is None:
        raise UsageError(f"which recipe? {recipes_here()}")
    options = given_options(ctx)
    chosen = read_recipes(recipe, names)
    if len(chosen) > 1 and options.out:
        raise UsageError(
            f"--out {options.out}: {counted(len(chosen), 'recipe')} cannot write to one place. Name one of them."
        )
    return execute_all([_completed(recipe, one, options) for one in chosen], options)


def _completed(recipe: str, found: Recipe, options: RunOptions) -> Recipe:
    """The recipe with what the options say otherwise."""
    if isinstance(found, Lineage) and found.derived_from_memory and options.dataset is None:
        raise UsageError(f"{recipe}: the rows came from a Python object, not from a source: give one with --dataset.")
    source = source_of(options, found.source)
    seed = found.seed if options.seed is None else options.seed
    stages = tuple(_with_columns(fields, options) for fields in found.stages)
    engine = engine_of(options, found.engine)
    return Recipe(source=source, seed=seed, stages=stages, output=found.output, engine=engine)


def given_options(ctx: click.Context) -> RunOptions:
    """The options of the run as they were given, wherever on the line."""
    options = RunOptions(**ctx.meta.get(_RUN, {}))
    if options.offline:
        os.environ["HF_HUB_OFFLINE"] = "1"  # read by the client when it is first imported, which comes later
    return options
