"""`noc-console query`: the query language from the shell."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from noc_console.commands.connection import ask, url_option
from noc_console.commands.start import Start, examples

if TYPE_CHECKING:
    from engine.client import EngineClient, Page

KINDS = ("incidents", "alerts", "clusters", "silences", "events", "rejects", "audits")


@click.command(
    "query",
    short_help="Find by the query language.",
    epilog=examples(
        "query 'severity>=high and site=\"Depot 11\"'",
        "query --kind alerts --json 'state=open' | jq .title",
        "query --kind alerts --all 'text~\"disk\"'",
    ),
)
@click.argument("text", default="")
@click.option("--kind", type=click.Choice(KINDS), default="incidents", show_default=True, help="What to look for.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
@click.option("--all", "ended_too", is_flag=True, help="Ended ones too.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="Rows at most.")
@click.option("--sort", default="", metavar="COLUMN", help="A column, - in front for descending.")
@url_option
@click.pass_obj
def command(
    start: Start, /, text: str, *, as_json: bool, url: str | None, token_file: str | None, **wanted: Any
) -> None:
    """Find what TEXT describes, in the same language as the search bar and the API's ?q=."""
    page = ask(start, url, token_file, lambda client: _page(client, text, wanted))
    _show(page, wanted["kind"], as_json)


async def _page(client: EngineClient, text: str, wanted: dict[str, Any]) -> Page:
    from engine.client import Query

    live = wanted["kind"] in {"incidents", "alerts", "clusters"} and not wanted["ended_too"]
    return await client.query(
        Query(
            kind=wanted["kind"],
            q=text,
            sort=wanted["sort"],
            limit=wanted["limit"],
            active=True if live else None,
        )
    )


def _show(page: Page, kind: str, as_json: bool) -> None:
    from noc_console.commands.records_out import row_of, write_columns, write_jsonl

    rows = [row_of(item) for item in page.items]
    if as_json:
        write_jsonl(rows, sys.stdout)
    elif rows:
        write_columns(kind, rows, sys.stdout)
    else:
        click.echo(f"no {kind} match", err=True)
    if page.next:
        click.echo(f"more than {len(rows)}: raise --limit, or narrow the query", err=True)
