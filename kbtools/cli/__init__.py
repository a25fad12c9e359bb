"""The command line: parsing, printing and exit codes, nothing else.

Each command is a module of this package and is imported only when it is called, so that `kbtools --help` is fast.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from kbtools.cli.ui.signals import as_interrupts, end_at_the_next
from kbtools.cli.ui.stdout import heard_or_not, open_closed, spell_out
from kbtools.cli.ui.text import printable
from kbtools.errors import ConfigError, KbError, did_you_mean, on_command_line

_COMMANDS = {
    "apply": ("chain", "Run stages over a dataset: kbtools apply filter --where 'reward > 0.85' dedup"),
    "run": ("chain", "Run a recipe (TOML) or repeat a lineage (JSON, or a file that kbtools wrote)."),
    "init": ("init", "Write a commented .env and recipe.toml for a dataset."),
    "verify": ("verify", "Check one Triton kernel against its reference, and explain the verdict."),
    "serve-verify": ("serve_verify", "Answer verdicts over HTTP, for trainers; references stay with the server."),
    "stages": ("listing", "List the stages, or explain one."),
    "judges": ("listing", "List the judges, or explain one."),
    "models": ("models", "List model profiles; say which model would be used and whether it answers."),
    "prompts": ("prompting", "List, show, compare and render prompts."),
    "plugins": ("listing", "List the plugins, and those that failed to load."),
    "lineage": ("lineage", "Show how a file was made."),
    "upload": ("upload", "Publish a finished dataset: kbtools upload all|filtered|unique|synthetic"),
    "pull": ("pull", "Copy a dataset of the Hub into a file."),
    "diff": ("diff", "Compare two datasets or two revisions of one."),
    "show": ("show", "Look at rows, readably."),
    "label": ("label", "Label rows by hand in a browser: kbtools label judged.parquet --column difficulty"),
    "report": ("report", "Write an HTML report: pipeline, figures, and a browser for the rows."),
    "store": ("store", "Look at the stored replies of models; export, import, check, clean."),
    "status": ("status", "Show the runs that are under way on this machine."),
    "doctor": ("doctor", "Check versions, extras, GPU and credentials."),
    "env": ("env", "Write an RL environment whose rewards come from serve-verify."),
    "new": ("new", "Write a plugin package that is ready to install."),
}
"""Module and one-line help of each command: known here so that `--help` imports none of them."""
_NEW_OBJECTS = 100_000


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order in which a newcomer meets them."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command of a name, from its module."""
        if name not in _COMMANDS:
            return None
        module = importlib.import_module(f"kbtools.cli.commands.{_COMMANDS[name][0]}")
        command: click.Command = getattr(module, f"{name.replace('-', '_')}_command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands and what they do, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> object:
        """As click does, which takes a reader that has gone for a failure."""
        with heard_or_not():
            return super().invoke(ctx)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with the nearest name for an unknown one."""
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            raise click.UsageError(f"there is no command {args[0]!r}. {did_you_mean(args[0], _COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="kbtools", prog_name="kbtools")
def kbtools() -> None:
    """Chains of stages over Hugging Face datasets of GPU-kernel code.

    Completion for your shell: eval "$(_KBTOOLS_COMPLETE=bash_source kbtools)" (or zsh_source, fish_source).
    """
    file = _here() / ".env"
    if not file.exists():
        return
    from dotenv import load_dotenv

    if file.is_fifo():  # as a manager of passwords mounts it
        click.echo(f"{file} is a pipe: waiting for what is written into it", err=True)
    try:
        load_dotenv(file)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not UTF-8 text ({error}).") from error
    except ValueError as error:  # of the environment, which holds no null bytes
        raise ConfigError(f"{file} holds what no variable can ({error}): mend it.") from error


def _here() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError as error:
        raise ConfigError("the folder that you are in has been deleted: cd to one that is there.") from error


def main(args: Sequence[str] | None = None) -> None:
    """Entry point: 0 done, 1 some rows failed, 2 usage, 3 configuration or credentials, 130 interrupted.

    Ended by a signal, it is 128 and the signal's number, as a shell has it.
    """
    open_closed()
    spell_out()
    token = on_command_line.set(True)
    try:
        with _seldom_collected():
            code = _interruptible(args)
    finally:
        on_command_line.reset(token)
    with heard_or_not():
        sys.stdout.flush()
    sys.exit(code)


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """Cycles are looked for after many new objects, and no more at the exit: imports make objects, and no garbage.

    A third of the time of a short command goes into looking for it otherwise.
    """
    before = gc.get_threshold()
    gc.set_threshold(_NEW_OBJECTS, *before[1:])
    atexit.register(gc.freeze)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _interruptible(args: Sequence[str] | None) -> int:
    with as_interrupts() as signals:
        code = _code_of(args)
    return 128 + signals[0] if signals and code == 130 else code


def _code_of(args: Sequence[str] | None) -> int:
    try:
        code = kbtools.main(args=args, prog_name="kbtools", standalone_mode=False)
    except KbError as error:
        _complain(str(error))
        return error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return 2
    except click.ClickException as error:
        _complain(_said(error))
        return 2
    except (click.Abort, KeyboardInterrupt) as error:
        end_at_the_next()
        _complain(_interrupted(error))
        return 130
    except OSError as error:
        _complain(f"{type(error).__name__}: {error}")
        return 3
    return code if isinstance(code, int) else 0


def _said(error: click.ClickException) -> str:
    """What is wrong with the words of a call, in the form of every other error, and where their help is."""
    text = error.format_message()
    ctx = error.ctx if isinstance(error, click.UsageError) else None
    where = f"\n`{ctx.command_path} --help` shows what there is." if ctx else ""
    return f"{text[:1].lower()}{text[1:]}{where}"


def _interrupted(error: BaseException) -> str:
    """What a Ctrl-C leaves; click hides the interrupt, which may know more, behind an error of its own."""
    known = str(error.__cause__ or error.__context__ or error)
    return known or "interrupted. No output was replaced; what finished stages computed is cached, so run it again."


def _complain(message: str) -> None:
    click.echo(printable(f"error: {message}"), err=True)
