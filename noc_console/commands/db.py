"""`noc-console db`: the database as a file: upgrade, check, backup, restore."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from noc_console.commands.outcome import STORE, Failure
from noc_console.commands.progress import Progress
from noc_console.commands.start import Start, examples, store_option


@click.group("db", epilog=examples("db check", "db backup /backup/noc.db"))
def command() -> None:
    """Upgrade, check, back up or restore the database."""


def _folder(start: Start, data_dir: str | None) -> Path:
    return Path(start.with_store(data_dir).settings().store.data_dir)


@command.command("upgrade", epilog=examples("db upgrade"))
@store_option
@click.pass_obj
def upgrade(start: Start, data_dir: str | None) -> None:
    """Bring the schema to this version's. A running engine must be stopped first."""
    from data import migrate
    from data.files import database_path

    folder = _folder(start, data_dir)
    if not database_path(folder).exists():
        raise Failure(f"there is no database in {folder}; the first start of an engine makes one", STORE)
    before = migrate.current(folder)
    after = migrate.upgrade(folder)
    click.echo(f"OK  {folder}: schema {after}" + ("" if before == after else f", was {before}"))


@command.command("check", epilog=examples("db check", "db check --data-dir /var/lib/noc"))
@store_option
@click.pass_obj
def check(start: Start, data_dir: str | None) -> None:
    """Check structure, change log checksums and the audit chain, beside a running engine too."""
    from data import backup

    folder = _folder(start, data_dir)
    with Progress("checking"):
        found = backup.check(folder)
    for finding in found.findings:
        click.echo(f"BAD  {finding}")
    if not found.ok:
        raise Failure("the database is damaged; restore a backup: noc-console db restore FILE --force", STORE)
    click.echo(f"OK  {folder}: schema {found.version}, {_rows(found.rows)}")


@command.command("backup", epilog=examples("db backup", "db backup /backup/noc-$(date +%F).db"))
@click.argument("file", required=False, type=click.Path(dir_okay=False))
@store_option
@click.pass_obj
def backup(start: Start, file: str | None, data_dir: str | None) -> None:
    """Copy the database while it is used, and verify the copy. Without FILE: into store.backup_dir."""
    from data import backup as copies

    settings = start.with_store(data_dir).settings()
    target = Path(file) if file else _dated(Path(settings.store.backup_dir))
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with Progress("pages") as progress:
        copy = copies.backup(Path(settings.store.data_dir), target, _pages(progress))
    click.echo(f"OK  {copy.file}: {copy.bytes:,} bytes, verified, {_rows(copy.rows)}")


@command.command("restore", epilog=examples("db restore /backup/noc.db", "db restore --force /backup/noc.db"))
@click.argument("file", type=click.Path(dir_okay=False))
@click.option("--force", is_flag=True, help="Replace a database that is there; it is kept beside the new one.")
@store_option
@click.pass_obj
def restore(start: Start, file: str, force: bool, data_dir: str | None) -> None:
    """Make FILE the database. A running engine must be stopped first."""
    from data import backup as copies

    with Progress("pages") as progress:
        copy = copies.restore(Path(file), _folder(start, data_dir), force, _pages(progress))
    click.echo(f"OK  {copy.file}: {_rows(copy.rows)}")


def _dated(folder: Path) -> Path:
    from engine.clock import SystemClock

    return folder / f"noc-{SystemClock().now():%Y%m%dT%H%M%SZ}.db"


def _pages(progress: Progress) -> Callable[[int, int], None]:
    done = 0

    def report(left: int, whole: int) -> None:
        nonlocal done
        progress.step(whole - left - done)
        done = whole - left

    return report


def _rows(rows: dict[str, int]) -> str:
    return f"{rows.get('alerts', 0):,} alerts, {rows.get('incidents', 0):,} incidents"
