"""`noc-console export`: everything of a kind since a moment, for files and spreadsheets."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from noc_console.commands.connection import ask, url_option
from noc_console.commands.moment import Moment
from noc_console.commands.progress import Progress
from noc_console.commands.start import Start, examples

if TYPE_CHECKING:
    from engine.client import EngineClient

_PAGE = 500
_KINDS = {"alerts": "alerts", "incidents": "incidents", "events": "events", "audit": "audits"}


@click.command(
    "export",
    short_help="Everything since a moment, to a file.",
    epilog=examples(
        "export incidents --since 7d --format csv > incidents.csv", "export audit --since 2026-11-01 | gzip > audit.gz"
    ),
)
@click.argument("what", metavar="KIND", type=click.Choice(list(_KINDS)))
@click.option("--since", type=Moment(), required=True, help="A time (2026-11-20T14:00Z) or an age (24h, 7d).")
@click.option("--format", "form", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True)
@url_option
@click.pass_obj
def command(start: Start, what: str, *, since: datetime, form: str, url: str | None, token_file: str | None) -> None:
    """Write alerts, incidents, events or the audit since a moment to stdout."""
    with Progress(what) as progress:
        ask(start, url, token_file, lambda client: _pages(client, _KINDS[what], since, _writer(form), progress))


async def _pages(
    client: EngineClient,
    kind: str,
    since: datetime,
    write: Callable[[list[dict[str, Any]]], None],
    progress: Progress,
) -> None:
    from engine.client import Query
    from noc_console.commands.records_out import row_of

    after: str | None = ""
    while after is not None:
        page = await client.query(Query(kind=kind, since=since, after=after, limit=_PAGE))
        write([row_of(item) for item in page.items])
        progress.step(len(page.items))
        after = page.next


def _writer(form: str) -> Callable[[list[dict[str, Any]]], None]:
    from noc_console.commands.records_out import CsvWriter, write_jsonl

    if form == "csv":
        return CsvWriter(sys.stdout).write
    return lambda rows: write_jsonl(rows, sys.stdout)
