"""`noc-console token`: who may use the engine from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from noc_console.commands.outcome import USAGE, Failure
from noc_console.commands.start import Start, examples

if TYPE_CHECKING:
    from data.records import Token
    from engine.settings import Settings

_ROLES = ("viewer", "operator", "supervisor", "fraud_analyst", "admin")


@click.group("token", epilog=examples("token create --name prometheus --can ingest:write", "token list"))
def command() -> None:
    """Create, list and revoke API tokens; set the PIN that approvals take."""


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
@click.option("--pin", "with_pin", is_flag=True, help="Ask for a PIN too: its approvals take it.")
@click.pass_obj
def create(start: Start, /, **wanted: Any) -> None:
    """Print a new token, once: only its hash is kept."""
    from msgspec.structs import replace

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

    if wanted["with_pin"]:
        token = replace(token, pin_scrypt=_asked_pin())
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
    from noc_console.commands.records_out import write_columns, write_jsonl

    rows = [_shown(token) for token in tokens(start.settings())]
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


@command.command(
    "pin", epilog=examples("token pin ana", "token pin --own-user", "token pin 3fTq81LmXw2a --remove")
)
@click.argument("name", required=False, metavar="NAME|ID")
@click.option("--own-user", is_flag=True, help="Of whoever comes without a token: this machine's own user.")
@click.option("--remove", is_flag=True, help="Approvals take none any more.")
@click.pass_obj
def pin(start: Start, name: str | None, own_user: bool, remove: bool) -> None:
    """Set the PIN that approvals and the kill switch take; asked for twice, or read from a pipe."""
    from msgspec.structs import replace

    from noc_console.commands.database import save_token, tokens

    if own_user == (name is not None):
        raise Failure("whose PIN: give a token's name or id, or --own-user", USAGE)
    settings = start.settings()
    known = tokens(settings)
    token = _own_user(settings, known) if own_user else _named(name or "", known)
    save_token(settings, replace(token, pin_scrypt="" if remove else _asked_pin()))
    told = "approvals take no PIN" if remove else "approvals and the kill switch take this PIN"
    click.echo(f"{token.id} ({token.name}): {told}", err=True)


def _named(name: str, known: Sequence[Token]) -> Token:
    found = [token for token in known if name in (token.id, token.name) and token.revoked_at is None]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(token.id for token in found)
        raise Failure(f"several tokens are called {name!r}: give one of {ids}", USAGE)
    raise Failure(f"there is no token {name!r}; `noc-console token list` shows them")


def _own_user(settings: Settings, known: Sequence[Token]) -> Token:
    """What keeps the PIN of who comes without a token. It has no secret, so nobody comes in with it."""
    from data.records import TenantId, Token
    from engine.clock import SystemClock
    from engine.login import login_name
    from engine.step_up import OWN_USER

    tenant, now = TenantId(settings.engine.tenant), SystemClock().now()
    there = next((token for token in known if token.id == OWN_USER and token.tenant == tenant), None)
    return there or Token(
        id=OWN_USER,
        tenant=tenant,
        name=login_name(),
        secret_sha256="",
        capabilities=(),
        created_at=now,
        expires_at=now + timedelta(days=36_500),
    )


def _asked_pin() -> str:
    """The hash of a PIN that was typed twice unseen, or is the first line of a pipe."""
    import sys

    from engine.pins import hash_pin

    if sys.stdin.isatty():
        text = click.prompt("PIN", hide_input=True, confirmation_prompt=True, err=True)
    else:
        text = sys.stdin.readline().rstrip("\r\n")
    try:
        return hash_pin(text)
    except ValueError as error:
        raise Failure(str(error), USAGE) from error


def _shown(token: Token) -> dict[str, Any]:
    """Without its hashes: whether it has a PIN is all there is to know."""
    from noc_console.commands.records_out import row_of

    hashes = ("secret_sha256", "pin_scrypt")
    row = {name: value for name, value in row_of(token).items() if name not in hashes}
    return {**row, "pin": "yes" if token.pin_scrypt else "no"}
