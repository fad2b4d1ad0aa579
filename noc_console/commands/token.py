"""`noc-console token`: who may use the engine from elsewhere."""

from __future__ import annotations

from typing import Any

import click

from noc_console.commands.outcome import USAGE, Failure
from noc_console.commands.start import Start, examples

_ROLES = ("viewer", "operator", "supervisor", "fraud_analyst", "admin")


@click.group("token", epilog=examples("token create --name prometheus --can ingest:write", "token list"))
def command() -> None:
    """Create, list and revoke API tokens."""


@command.command(
    "create",
    epilog=examples(
        "token create --name ana --role operator > ~/.noc-token",
        "token create --name prometheus --can ingest:write --days 365",
    ),
)
@click.option("--name", required=True, help="Whom or what it is for; stands in the audit.")
@click.option("--owner", default="", help="The person whose it is; his tokens count as one vote. Without: the name.")
@click.option("--role", type=click.Choice(_ROLES), help="A set of capabilities.")
@click.option("--can", "capabilities", multiple=True, metavar="CAPABILITY", help="One capability; repeatable.")
@click.option("--days", type=click.FloatRange(0, 365, min_open=True), default=90.0, show_default=True, help="Its life.")
@click.option("--site", "sites", multiple=True, help="Only this site; repeatable.")
@click.pass_obj
def create(start: Start, /, **wanted: Any) -> None:
    """Print a new token, once: only its hash is kept."""
    from data.records import TenantId
    from engine.api.auth import ROLES, issue
    from engine.clock import SystemClock

    settings = start.settings()
    capabilities = set(wanted["capabilities"]) | (ROLES[wanted["role"]] if wanted["role"] else set())
    try:
        token, text = issue(
            name=wanted["name"],
            capabilities=capabilities,
            now=SystemClock().now(),
            tenant=TenantId(settings.engine.tenant),
            days=wanted["days"],
            sites=wanted["sites"],
            owner=wanted["owner"],
        )
    except ValueError as error:
        raise Failure(f"{error}; give --role or --can", USAGE) from error
    from noc_console.commands.database import save_token

    save_token(settings, token)
    click.echo(text)
    may = ", ".join(token.capabilities)
    whose = f", of {token.owner}" if token.owner else ""
    click.echo(f"{token.id}{whose}: {may}; until {token.expires_at:%Y-%m-%d}; shown only now", err=True)


@command.command("list", epilog=examples("token list", "token list --json"))
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
@click.pass_obj
def list_tokens(start: Start, as_json: bool) -> None:
    """List tokens: what they may, until when, and when they were last used."""
    import sys

    from noc_console.commands.database import tokens
    from noc_console.commands.records_out import row_of, write_columns, write_jsonl

    rows = [_without_hash(row_of(token)) for token in tokens(start.settings())]
    if as_json:
        write_jsonl(rows, sys.stdout)
    elif rows:
        write_columns("tokens", rows, sys.stdout)
    else:
        click.echo("no tokens; `noc-console token create --name NAME --role operator` makes one", err=True)


@command.command("revoke", epilog=examples("token revoke 3fTq81LmXw2a"))
@click.argument("token_id", metavar="ID")
@click.pass_obj
def revoke(start: Start, token_id: str) -> None:
    """End a token; running engines refuse it within seconds."""
    from msgspec.structs import replace

    from engine.clock import SystemClock
    from noc_console.commands.database import save_token, tokens

    settings = start.settings()
    found = next((token for token in tokens(settings) if token.id == token_id), None)
    if found is None:
        raise Failure(f"there is no token {token_id!r}; `noc-console token list` shows the ids")
    if found.revoked_at is None:
        save_token(settings, replace(found, revoked_at=SystemClock().now()))
    click.echo(f"{token_id} revoked", err=True)


def _without_hash(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "secret_sha256"}
