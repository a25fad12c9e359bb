"""The options of a command in groups, as a person looks for them."""

from __future__ import annotations

import click

_GROUPS = {
    "The model": "model models temperature max_reply_tokens response_format max_tokens_field reasoning_effort samples "
    "expected form",
    "Limits of the calls": "max_in_flight timeout deadline max_attempts rpm tpm max_requests max_tokens max_cost",
    "What happens to failures": "on_error nulls store dropped",
    "With --push": "repo org private branch pr config_name message license replace max_shard_size",
    "How it runs": "engine scratch shards workers seed dry_run quiet json_output offline",
}
"""Options by the names of their parameters; all others come first."""


def write_options(command: click.Command, ctx: click.Context, formatter: click.HelpFormatter, first: str) -> None:
    """Every visible option under the heading of its group; `first` heads those of no group."""
    order = [first, *_GROUPS]
    sections: dict[str, list[tuple[str, str]]] = {title: [] for title in order}
    titles = {name: title for title, names in _GROUPS.items() for name in names.split()}
    for param in command.get_params(ctx):
        if (record := param.get_help_record(ctx)) is not None:
            sections[titles.get(str(param.name), first)].append(record)
    for title, records in sections.items():
        if records:
            with formatter.section(title):
                formatter.write_dl(records)
