"""Fields of stages as command-line options: types, choices and help come from the field's own declaration."""

from __future__ import annotations

import difflib
import inspect
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal, get_args, get_origin

import click
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from kbtools.cli.ui import completion
from kbtools.cli.ui.help_groups import write_options
from kbtools.fields import is_union, without_none
from kbtools.stage import Stage
from kbtools.wording import counted

_PROMPTS = ("rubric", "template", "feedback_prompt")
"""Fields that name a prompt."""


def stage_options(cls: type[Stage]) -> list[click.Option]:
    """An option for every field of a stage that a command line can express; `columns` is an option of the run."""
    return [
        _option(name, field, chooses=name == cls.chooses_by)
        for name, field in cls.model_fields.items()
        if name not in ("columns", "stages")
    ]


def help_text(cls: type[Stage]) -> str:
    """The docstring for click, which would otherwise run indented blocks together into paragraphs."""
    paragraphs = (inspect.getdoc(cls) or "").split("\n\n")
    return "\n\n".join(f"\b\n{part}" if part.startswith("  ") else part for part in paragraphs)


def given(values: Mapping[str, Any]) -> dict[str, object]:
    """The options that the user wrote, so that the defaults stay the stage's own."""
    return {name: value for name, value in values.items() if value is not None and value != ()}


class KeyValue(click.ParamType[tuple[str, str]]):
    """`key=value`, as a pair."""

    name = "key=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """The two sides of the first equals sign."""
        if isinstance(value, tuple):
            return value
        key, equals, rest = str(value).partition("=")
        if not equals or not key:
            self.fail(f"{value!r} is not of the form key=value", param, ctx)
        return key, rest


class Number(click.ParamType[float]):
    """A number, or a percentage."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """`10%` is 0.1."""
        text = str(value).strip()
        try:
            return float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            self.fail(f"{text!r} is no number; a share may be written 0.1 or 10%", param, ctx)


class OnceCommand(click.Command):
    """A command that refuses an option given twice or without its value, of which click makes what it can."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does, once every option is known to occur once, or to be made for several values."""
        if not ctx.resilient_parsing:
            self._check(ctx, args)
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """In groups; then the commands of a group."""
        write_options(self, ctx, formatter, "Options")
        if isinstance(self, click.Group):
            self.format_commands(ctx, formatter)

    def where_else(self, name: str) -> str:
        """What is said of an option that is not this command's but that of another."""
        return ""

    def _check(self, ctx: click.Context, args: list[str]) -> None:
        known = {name for param in self.get_params(ctx) for name in (*param.opts, *param.secondary_opts)}
        try:
            _, rest, order = self.make_parser(ctx).parse_args(args=list(args))
        except click.NoSuchOption as error:
            if said := self.where_else(error.option_name):
                raise click.UsageError(said, ctx) from None
            raise click.NoSuchOption(
                error.option_name, possibilities=_near(error.option_name, known), ctx=ctx
            ) from None
        own = args if ctx.allow_interspersed_args else args[: len(args) - len(rest)]  # the rest is the next stage's
        for option, times in Counter(order).items():
            if not isinstance(option, click.Option):
                continue
            if times > 1 and not (option.multiple or option.is_flag):
                raise click.UsageError(
                    f"{option.opts[0]} is given {counted(times, 'time')}, where only one value counts.", ctx
                )
            self._check_value(ctx, option, own, known)

    def _check_value(self, ctx: click.Context, option: click.Option, args: list[str], known: Collection[str]) -> None:
        """UsageError where an option follows in the place of the value, which click would take it for."""
        for flag, value in pairwise(args):
            if flag in option.opts and value in known and not option.is_flag:
                said = f"{flag} needs a value, and is followed by the option {value}."
                raise click.UsageError(f"{said} If that is the value, write {flag}={value}.", ctx)


def _near(name: str, known: Iterable[str]) -> list[str]:
    """The option most like a misspelt one; the dashes, which all have, do not count."""
    bare = {option.lstrip("-"): option for option in known}
    return [bare[match] for match in difflib.get_close_matches(name.lstrip("-"), bare, n=1)]


def pairs(values: Sequence[tuple[str, str]]) -> dict[str, str]:
    """A repeated key=value option as a dictionary."""
    for key, times in Counter(key for key, _ in values).items():
        if times > 1:
            raise click.UsageError(f"{key}=... is given {counted(times, 'time')}, where only one value counts.")
    return dict(values)


def _option(name: str, field: FieldInfo, *, chooses: bool) -> click.Option:
    flag = "--" + name.replace("_", "-")
    annotation = _one_type(field.annotation)
    settings: dict[str, Any] = {"help": _help(field), "default": None}
    if name in _PROMPTS:
        settings["shell_complete"] = completion.rubrics
    if annotation is bool and name.startswith("no_"):
        return click.Option([flag, name], is_flag=True, **settings)
    if chooses:  # its own name alone would be allowed by its type, but `distribution/name` means it too
        return click.Option([flag, name], metavar="NAME", shell_complete=completion.judges, **settings)
    if annotation is bool:
        both = next((item for item in field.metadata if isinstance(item, str)), f"{flag}/--no-{flag[2:]}")
        return click.Option([both, name], **settings)
    if get_origin(annotation) is dict:
        return click.Option([flag, name], type=KeyValue(), multiple=True, callback=_as_dict, **settings)
    if get_origin(annotation) in (tuple, list):
        return click.Option(
            [flag, name], multiple=True, callback=_split_commas(_one_type(get_args(annotation)[0])), **settings
        )
    return click.Option([flag, name], type=_click_type(annotation), metavar=_metavar(annotation), **settings)


def _click_type(annotation: Any) -> object:
    if get_origin(annotation) is Literal:
        return click.Choice([str(choice) for choice in get_args(annotation)])
    return Number() if annotation is float else int if annotation is int else str


def _metavar(annotation: Any) -> str | None:
    return None if get_origin(annotation) is Literal or annotation in (int, float) else "TEXT"


def _help(field: FieldInfo) -> str:
    text = (field.description or "").replace("\n", " ")
    if field.default is PydanticUndefined:
        return f"{text}  [required]"
    if field.default in (None, "", (), {}) or isinstance(field.default, bool):
        return text
    shown = ",".join(map(str, field.default)) if isinstance(field.default, tuple) else field.default
    return f"{text}  [default: {shown}]"


def _as_dict(ctx: click.Context, param: click.Parameter, values: Any) -> dict[str, str] | None:
    return pairs(values) or None


def _split_commas(kind: Any) -> Callable[[click.Context, click.Parameter, object], tuple[object, ...]]:
    """`--key a,b` and `--key a --key b` alike."""

    def split(ctx: click.Context, param: click.Parameter, values: Any) -> tuple[Any, ...]:
        parts = [part.strip() for value in values for part in str(value).split(",") if part.strip()]
        if values and not parts:
            raise click.BadParameter("it is empty: name something, or leave the option out", ctx, param)
        try:
            return tuple(kind(part) for part in parts) if kind in (int, float) else tuple(parts)
        except ValueError as error:
            raise click.BadParameter(str(error), ctx, param) from error

    return split


def _one_type(annotation: object) -> Any:
    """The type of one value on the command line; a field of several types is given as text."""
    plain = without_none(annotation)
    return str if is_union(plain) else plain
