"""docs/stages.md is as the code would make it, and what it leaves out is in the help."""

import click
import pytest

from kbtools.cli import kbtools as program
from kbtools.cli.commands.chain import stage_command
from kbtools.errors import UsageError
from kbtools.plugins import registry
from tests.cli import reference


def test_page_is_up_to_date():
    """Otherwise: python -m tests.cli.reference."""
    assert reference.PAGE.read_text(encoding="utf-8") == reference.page(), "run: python -m tests.cli.reference"


def test_every_command_stage_and_judge_is_on_the_page_and_every_option_in_the_help():
    """Those of every built-in plugin, with no list to be kept."""
    page = reference.page()
    for name in program.list_commands(click.Context(program)):
        assert f"| `{name}` |" in page
    for name, cls in {**registry().stages(), **registry().judges()}.items():
        assert f"\n| `{name}` | `kbtools.{cls.__name__}` |" in page
        command = stage_command(name, cls)
        assert command.help
        assert [option.opts for option in command.params if not getattr(option, "help", None)] == []


@pytest.mark.parametrize("name", program.list_commands(click.Context(program)))
def test_every_command_explains_itself_and_its_options(name):
    """The page gives only names: what they mean has to be in the help."""
    waiting = [program.get_command(click.Context(program), name)]
    while waiting:
        command = waiting.pop()
        assert command.help
        assert [o.opts for o in command.params if isinstance(o, click.Option) and not o.help] == []
        waiting += getattr(command, "commands", {}).values()


def test_plugins_of_others_are_kept_out(install):
    """They would silently become part of the documentation of kbtools."""
    install("kb-other", "")
    with pytest.raises(UsageError, match="kb-other"):
        reference.page()
