"""`kbtools store`: look at the response store, move replies in and out of it, check and clean it."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import click
from rich.table import Table

from kbtools.cli.ui.consoles import console
from kbtools.errors import DataError, RowError, UsageError
from kbtools.models.reply import Reply
from kbtools.models.store import ResponseStore, default_path, import_export, maintenance
from kbtools.paths import PathType
from kbtools.wording import counted

DAY = 86_400.0


@click.group(no_args_is_help=True)
@click.option("--store", metavar="FILE", help="The store.  [default: KBTOOLS_STORE, or one file per user]")
@click.pass_context
def store_command(ctx: click.Context, store: str | None) -> None:
    """Look at the stored replies of models, move, check and clean them."""
    ctx.obj = Path(store).expanduser() if store else default_path()


def _open(path: Path) -> ResponseStore:
    if not path.exists():
        raise DataError(f"there is no response store at {path}: nothing was asked yet, or --store names another file.")
    return ResponseStore(path)


@store_command.command("stats")
@click.pass_obj
def stats_command(path: Path) -> None:
    """Replies, failures and tokens by model."""
    with _open(path) as store:
        found = maintenance.stats(store)
    table = Table("model", "endpoint", title=str(found.path), title_justify="left")
    for heading in ("replies", "failures", "tokens in", "tokens out"):
        table.add_column(heading, justify="right")
    for model in found.models:
        figures = (model.replies, model.failures, model.tokens_in, model.tokens_out)
        table.add_row(model.model, model.endpoint, *(f"{figure:,}" for figure in figures))
    console().print(table)
    failures = ", ".join(f"{count:,} {kind}" for kind, count in found.failures.items()) or "none"
    replies = f"{counted(found.replies, 'reply', 'replies')}{_and(found.assessments)}"
    click.echo(f"{replies}, {found.bytes / 1e6:,.1f} MB; failures: {failures}")


@store_command.command("ls")
@click.option("--model", help="Only replies of this model.")
@click.option("--failed", is_flag=True, help="Only failures.")
@click.option(
    "-n", "--limit", type=click.IntRange(min=0), default=20, show_default=True, help="How many, newest first."
)
@click.pass_obj
def ls_command(path: Path, model: str | None, failed: bool, limit: int) -> None:
    """List replies, newest first."""
    with _open(path) as store:
        found = list(maintenance.ls(store, model=model, failed=failed, limit=limit))
    for reply in found:
        click.echo(f"{reply.key[:16]}  {_when(reply)}  {reply.kind:<14} {reply.model}  {_gist(reply)}")
    if not found:
        click.echo(f"no such replies in {path}", err=True)


@store_command.command("show")
@click.argument("key")
@click.pass_obj
def show_command(path: Path, key: str) -> None:
    """Show one request and its reply in full; KEY may be the beginning of a key."""
    with _open(path) as store:
        reply = maintenance.show(store, key)
    raw = json.loads(reply.raw) if reply.ok else reply.raw
    facts = {"key": reply.key, "kind": reply.kind, "status": reply.status, "error": reply.error, "when": _when(reply)}
    counts = {"attempts": reply.attempts, "seconds": round(reply.seconds, 3), "usage": reply.usage._asdict()}
    where = {"model": reply.model, "endpoint": reply.endpoint}
    whole = {**facts, **where, **counts, "request": json.loads(reply.request), "reply": raw}
    click.echo(json.dumps(whole, indent=1, ensure_ascii=False))


@store_command.command("export")
@click.argument("file", type=PathType())
@click.option("--model", help="Only replies of this model.")
@click.option("--overwrite", is_flag=True, help="Replace FILE.")
@click.pass_obj
def export_command(path: Path, file: Path, model: str | None, overwrite: bool) -> None:
    """Write the replies and what was found of them to FILE as JSON lines; of a damaged store all that can be read."""
    if file.exists() and not overwrite:
        raise UsageError(f"{file} exists: give another name, or replace it with --overwrite.")
    with _open(path) as store:
        done = import_export.export(store, file, model=model)
    click.echo(f"wrote {counted(done.written, 'reply', 'replies')}{_and(done.assessments)} to {file}")
    if done.unreadable:
        entries = counted(done.unreadable, "entry", "entries")
        raise RowError(f"{entries} of {path} cannot be read any more and are not in {file}.")


@store_command.command("import")
@click.argument("file", type=PathType(exists=True, dir_okay=False))
@click.pass_obj
def import_command(path: Path, file: Path) -> None:
    """Add the replies of an export; those that are stored already stay as they are."""
    with ResponseStore(path) as store:
        done = import_export.import_lines(store, file)
    added = f"added {counted(done.added, 'reply', 'replies')}{_and(done.assessments)}"
    click.echo(f"{added} to {path}, {done.kept:,} were there already")


@store_command.command("gc")
@click.option("--older-than", type=click.FloatRange(min=0), metavar="DAYS", help="Replies stored longer ago than this.")
@click.option("--failed", is_flag=True, help="Only failures.")
@click.option("--model", help="Only replies of this model.")
@click.option("--dry-run", is_flag=True, help="Only say how many.")
@click.pass_obj
def gc_command(path: Path, older_than: float | None, failed: bool, model: str | None, dry_run: bool) -> None:
    """Remove replies that meet all conditions given, what was found of them, and the claims of processes that are gone.

    Without a condition no reply is removed: replies are paid for.
    """
    age = None if older_than is None else older_than * DAY
    with _open(path) as store:
        removed = maintenance.gc(store, older_than=age, failed=failed, model=model, dry_run=dry_run)
    verb = "would remove" if dry_run else "removed"
    replies = f"{counted(removed.replies, 'reply', 'replies')}{_and(removed.assessments)}"
    click.echo(f"{verb} {replies} and {removed.claims:,} claims")


@store_command.command("verify")
@click.pass_obj
def verify_command(path: Path) -> None:
    """Check the file and every key against its request; exit code 2 when something is wrong."""
    with _open(path) as store:
        problems = list(maintenance.verify(store))
    for problem in problems:
        click.echo(f"{problem.key or path}: {problem.what}")
    if problems:
        raise DataError(f"{path} has {counted(len(problems), 'problem')}; it was not changed.")
    click.echo(f"{path} is intact")


def _and(assessments: int) -> str:
    return f", {counted(assessments, 'assessment', 'assessments')}" if assessments else ""


def _when(reply: Reply) -> str:
    return datetime.datetime.fromtimestamp(reply.stored, datetime.UTC).isoformat(timespec="seconds")


def _gist(reply: Reply) -> str:
    text = (reply.reading().text or "") if reply.ok else reply.error
    return "".join(char if char.isprintable() else " " for char in text)[:60]  # a reply may hold terminal codes
