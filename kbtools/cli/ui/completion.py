"""What the shell offers after the Tab key, beside the names of commands and options that click knows by itself."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from kbtools.plugins import registry
from kbtools.stage import summary


def files(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Let the shell complete file names."""
    return [CompletionItem(incomplete, type="file")]


def datasets(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """File names, and the embedded sample."""
    own = [CompletionItem("sample", help="The embedded sample")] if "sample".startswith(incomplete) else []
    return [*own, CompletionItem(incomplete, type="file")]


def stages(ctx: click.Context, param: click.Parameter | None, incomplete: str) -> list[CompletionItem]:
    """Names of stages, each with what it does for the shells that show it."""
    known = registry().stages()
    return [
        CompletionItem(name, help=summary(cls)) for name, cls in sorted(known.items()) if name.startswith(incomplete)
    ]


def judges(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of judges."""
    return _starting(set(registry().offers("judge")), incomplete)


def prompts(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of prompts with their versions."""
    return _starting({prompt.spec for prompt in registry().prompt_files()}, incomplete)


def rubrics(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of prompts; with their versions once an @ is written."""
    known = registry().prompt_files()
    return _starting({prompt.spec if "@" in incomplete else prompt.name for prompt in known}, incomplete)


def _starting(names: set[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in sorted(names) if name.startswith(incomplete)]
