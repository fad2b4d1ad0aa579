"""`noc-console playbook`: which playbooks there are, whether files are right, what one would do, and doing it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from noc_console.commands.connection import ask, url_option
from noc_console.commands.outcome import FAILED, Failure
from noc_console.commands.start import Start, examples

if TYPE_CHECKING:
    from engine.client import CommandResult, EngineClient
    from engine.playbooks.library import Library
    from engine.settings import Settings


@click.group(
    "playbook",
    short_help="List, check, plan and run playbooks.",
    epilog=examples("playbook validate ops/*.yaml", "playbook plan restart-web 17", "playbook run restart-web 17"),
)
def command() -> None:
    """The playbooks of the folder playbooks.directory, and those that come with the product and are on
    (playbooks.shipped). A running engine takes changes when it is reloaded."""


def _library(settings: Settings) -> Library:
    from engine.clock import SystemClock
    from engine.effects import around
    from engine.playbooks.library import open_library

    return open_library(around(settings, SystemClock()))


def _shipped(on: frozenset[str], as_json: bool) -> None:
    """What comes with the product: whether it is on, and what has to be set up for it."""
    from engine.playbooks.library import shipped
    from engine.playbooks.loader import needs

    for found in shipped():
        row = {
            "name": found.name,
            "version": found.version,
            "mode": found.policy.mode,
            "on": found.name in on,
            "alerts": list(found.trigger.names) if found.trigger is not None else [],
            "needs": list(needs(found)),
            "description": found.description,
        }
        wanted = ", ".join(needs(found)) or "nothing"
        text = f"{found.name:<24} {'on' if row['on'] else 'off':<4} {found.policy.mode:<9} {found.description}"
        click.echo(json.dumps(row) if as_json else f"{text}\n{'':<24} needs {wanted}")


@command.command("list", epilog=examples("playbook list", "playbook list --json", "playbook list --shipped"))
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
@click.option("--shipped", is_flag=True, help="What comes with the product, on or off, and what each one needs.")
@click.pass_obj
def listed(start: Start, as_json: bool, shipped: bool) -> None:
    """Every playbook that is loaded, and each file that is refused with the place of what is wrong."""
    from noc_console.safe_text import safe_text

    library = _library(start.settings())
    if shipped:
        _shipped(frozenset(library.playbooks), as_json)
        return
    for name, loaded in library.playbooks.items():
        found = loaded.definition
        row = {
            "name": name,
            "version": found.version,
            "mode": found.policy.mode,
            "tenants": list(found.tenants),
            "triggered": found.trigger is not None,
            "steps": len(found.steps),
            "description": found.description,
        }
        runs = "by itself" if found.trigger is not None else "when asked"
        whose = f" (for {', '.join(found.tenants)})" if found.tenants else ""
        text = f"{name:<32} v{found.version:<4} {found.policy.mode:<9} {runs:<11} {found.description}{whose}"
        click.echo(json.dumps(row) if as_json else safe_text(text))
    for trouble in library.troubles:
        click.echo(safe_text(str(trouble)), err=True)


@command.command("show", epilog=examples("playbook show restart-web"))
@click.argument("name")
@click.pass_obj
def show(start: Start, name: str) -> None:
    """The definition as JSON, with every default, and the hash of its text."""
    import msgspec

    library = _library(start.settings())
    loaded = library.playbooks.get(name)
    if loaded is None:
        known = ", ".join(library.playbooks) or "none"
        raise Failure(f"no playbook is called {name!r}; there are: {known}", FAILED)
    click.echo(json.dumps({**msgspec.to_builtins(loaded.definition), "sha256": loaded.sha256}, indent=2))


@command.command("validate", epilog=examples("playbook validate", "playbook validate restart.yaml"))
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.pass_obj
def validate(start: Start, files: tuple[Path, ...]) -> None:
    """Check FILES, or the whole folder: shapes, names, conditions, and what the settings allow."""
    from engine.playbooks.library import read_file
    from engine.playbooks.loader import PlaybookError
    from noc_console.safe_text import safe_text

    library = _library(start.settings())
    good, troubles = len(library.playbooks), list(library.troubles)
    if files:
        good, troubles = 0, []
        for path in files:
            try:
                read_file(path, library.actions)
                good += 1
            except PlaybookError as error:
                troubles.append(error)
    for trouble in troubles:
        click.echo(safe_text(str(trouble)), err=True)
    if troubles:
        raise Failure(f"{len(troubles)} wrong, {good} right", FAILED)
    click.echo(f"{good} right")


@command.command("schema", epilog=examples("playbook schema > playbook.schema.json"))
def schema() -> None:
    """The format as a JSON schema, for editors."""
    from engine.playbooks.loader import schema as text

    click.echo(json.dumps(text(), indent=2))


@command.command("plan", epilog=examples("playbook plan restart-web 17"))
@click.argument("name")
@click.argument("incident", type=click.IntRange(1))
@url_option
@click.pass_obj
def plan(start: Start, name: str, incident: int, url: str | None, token_file: str | None) -> None:
    """The dry run of NAME on INCIDENT as JSON: parameters, targets, blast radius, hash. Nothing is done."""
    click.echo(json.dumps(ask(start, url, token_file, lambda client: _plan(client, name, incident)), indent=2))


async def _plan(client: EngineClient, name: str, incident: int) -> Any:
    import msgspec

    from engine.client import Query

    page = await client.query(Query(kind="playbooks/plan", params={"playbook": name, "incident": incident}))
    return msgspec.to_builtins(page.items[0])


@command.command("run", epilog=examples("playbook run restart-web 17", "playbook run restart-web 17 --plan HASH"))
@click.argument("name")
@click.argument("incident", type=click.IntRange(1))
@click.option("--plan", "sha256", default="", metavar="HASH", help="Only if the plan still has this hash.")
@url_option
@click.pass_obj
def run(start: Start, /, name: str, incident: int, *, sha256: str, url: str | None, token_file: str | None) -> None:
    """Ask for NAME to run on INCIDENT. Its policy may ask others first; a running engine goes on with it."""
    result = ask(start, url, token_file, lambda client: _run(client, name, incident, sha256))
    if result.refused:
        raise Failure("; ".join(result.refused.values()), FAILED)
    click.echo(result.id)


async def _run(client: EngineClient, name: str, incident: int, sha256: str) -> CommandResult:
    from engine.client import Command

    params = {"playbook": name, "plan_sha256": sha256}
    return await client.command(Command(verb="run_playbook", targets=(f"incident:{incident}",), params=params))
