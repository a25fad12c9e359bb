"""`kbtools stages`, `kbtools judges` and `kbtools plugins`: what is installed here, and what failed to load."""

from __future__ import annotations

import json
from collections.abc import Mapping

import click
from rich.table import Table
from rich.text import Text

from kbtools.cli.ui import completion
from kbtools.cli.ui.consoles import console
from kbtools.cli.ui.describe import StageCard, card
from kbtools.cli.ui.text import printable
from kbtools.plugins import Plugin, registry
from kbtools.stage import Stage
from kbtools.wording import counted

_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command()
@click.argument("name", required=False, shell_complete=completion.stages)
@_json_option
def stages_command(name: str | None, as_json: bool) -> None:
    """List the stages of all plugins, or explain one."""
    _list_or_explain("stage", registry().stages(), registry().stage(name) if name else None, name, as_json)


@click.command()
@click.argument("name", required=False, shell_complete=completion.judges)
@_json_option
def judges_command(name: str | None, as_json: bool) -> None:
    """List the judges of all plugins, or explain one."""
    _list_or_explain("judge", registry().judges(), registry().judge(name) if name else None, name, as_json)


@click.command()
@_json_option
def plugins_command(as_json: bool) -> None:
    """List the plugins, what each offers, and those that failed to load."""
    found = [plugin.checked() for plugin in registry().plugins]
    plugins = sorted(found, key=lambda plugin: (plugin.origin.distribution, plugin.entry))
    if as_json:
        click.echo(json.dumps([_plugin_json(plugin) for plugin in plugins], ensure_ascii=False, indent=1))
        return
    table = Table("plugin", "version", "offers")
    for plugin in plugins:
        table.add_row(_plugin_name(plugin), plugin.origin.version, Text(printable(_offers(plugin))))
    console().print(table)
    failed = sum(plugin.error is not None for plugin in plugins)
    if failed:
        click.echo(f"{failed} of {counted(len(plugins), 'plugin')} failed to load; the others work.", err=True)


def _list_or_explain(
    kind: str, known: Mapping[str, type[Stage]], chosen: type[Stage] | None, name: str | None, as_json: bool
) -> None:
    if chosen is not None and name is not None:
        explained = card(name, chosen)
        click.echo(json.dumps(explained.as_json(), ensure_ascii=False, indent=1)) if as_json else _explain(explained)
        return
    cards = [card(name, cls) for name, cls in sorted(known.items())]
    if as_json:
        click.echo(json.dumps([each.as_json() for each in cards], ensure_ascii=False, indent=1))
        return
    table = Table(kind, "what it does", "scope" if kind == "stage" else "adds", "from")
    for each in cards:
        last = each.scope if kind == "stage" else ", ".join(each.adds)
        table.add_row(each.name, Text(each.summary), last, f"{each.distribution} {each.version}".strip())
    console().print(table)


def _explain(explained: StageCard) -> None:
    out = console()
    out.print(Text(explained.name, style="bold"), Text(f"({explained.distribution} {explained.version})".strip()))
    out.print(Text(printable(explained.text)))
    out.print()
    for label, value in _particulars(explained).items():
        out.print(Text(f"{label}: {value}"))
    table = Table("option", "type", "default", "what it means")
    for field in explained.fields:
        default = "required" if field.required else field.default
        table.add_row(*(Text(printable(part)) for part in (field.option, field.type, default, field.help)))
    out.print(table)


def _particulars(explained: StageCard) -> dict[str, str]:
    found = {
        "python": f"kbtools.{explained.python}",
        "scope": explained.scope,
        "suffix": explained.suffix,
        "reads": ", ".join(explained.reads),
        "may read": ", ".join(explained.may_read),
        "adds": ", ".join(explained.adds),
    }
    return {label: value for label, value in found.items() if value}


def _plugin_name(plugin: Plugin) -> Text:
    return Text(f"{plugin.origin.distribution}:{plugin.entry}", style="red" if plugin.error else "")


def _offers(plugin: Plugin) -> str:
    if plugin.error:
        promised = f"\nwould have offered: {', '.join(plugin.promised)}" if plugin.promised else ""
        return f"failed to load: {plugin.error}{promised}"
    lines = [f"{kind}: {', '.join(names)}" for kind, names in _names(plugin).items() if names]
    return "\n".join(lines) or "nothing"


def _names(plugin: Plugin) -> dict[str, list[str]]:
    return {
        "stages": sorted(offer.name for offer in plugin.stages),
        "judges": sorted(offer.name for offer in plugin.judges),
        "feedback": sorted(offer.name for offer in plugin.feedback),
        "prompts": sorted(prompt.spec for prompt in plugin.prompts),
    }


def _plugin_json(plugin: Plugin) -> dict[str, object]:
    return {
        "distribution": plugin.origin.distribution,
        "version": plugin.origin.version,
        "entry": plugin.entry,
        "module": plugin.module,
        **_names(plugin),
        "error": plugin.error,
        "would_have_offered": list(plugin.promised),
    }
