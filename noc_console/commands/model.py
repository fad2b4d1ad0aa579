"""`noc-console model`: which models there are, what they are made of, what each training came to, and the way back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from noc_console.commands import train as learned
from noc_console.commands.connection import ask, running_url, url_option
from noc_console.commands.outcome import FAILED, Failure
from noc_console.commands.start import Start, examples, store_option

if TYPE_CHECKING:
    from engine.models.registry import Registry


@click.group(
    "model",
    short_help="List, show and roll back models.",
    epilog=examples("model list", "model rollback clustering"),
)
def command() -> None:
    """The models of a data directory. Where an engine runs on it, it trains and rolls back, and takes over at once."""


def _registry(start: Start, data_dir: str | None) -> Registry:
    from engine.models.registry import Registry

    return Registry(Path(start.with_store(data_dir).settings().store.data_dir) / "models")


@command.command("list", epilog=examples("model list", "model list --json"))
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
@store_option
@click.pass_obj
def listed(start: Start, as_json: bool, data_dir: str | None) -> None:
    """Every model and version; the one that serves is marked."""
    from engine.models.refused import ModelRefused

    registry = _registry(start, data_dir)
    for name in registry.names():
        for version in registry.versions(name):
            row = {"name": name, "version": version, "serves": False, "trouble": ""}
            try:
                row["serves"] = registry.champion(name) == version
                manifest = registry.manifest(name, version)
                row |= {
                    "created_at": manifest.created_at.isoformat(),
                    "metric": manifest.primary,
                    "score": manifest.metrics.get(manifest.primary),
                    "baseline": manifest.baseline.get(manifest.primary),
                }
            except ModelRefused as error:
                row["trouble"] = str(error)
            click.echo(json.dumps(row) if as_json else _line(row))


def _line(row: dict[str, object]) -> str:
    mark = "*" if row["serves"] else " "
    told = row["trouble"] or f"{row['metric']} {row['score']} against {row['baseline']}, {row['created_at']}"
    return f"{mark} {row['name']:<20} {row['version']:<8} {told}"


@command.command("show", epilog=examples("model show clustering", "model show clustering --version 0002"))
@click.argument("name")
@click.option("--version", default="", help="Instead of the one that serves.")
@store_option
@click.pass_obj
def show(start: Start, name: str, version: str, data_dir: str | None) -> None:
    """The manifest as JSON, without the golden rows, and whether the model can be loaded."""
    import msgspec

    from engine.models.refused import ModelRefused

    registry = _registry(start, data_dir)
    try:
        manifest = msgspec.to_builtins(registry.manifest(name, version))
        manifest["golden"] = len(manifest["golden"])
        try:
            registry.load(name, version)
            manifest["loads"] = True
        except ModelRefused as error:
            manifest["loads"] = f"no: {error}"
    except ModelRefused as error:
        raise Failure(str(error), FAILED) from error
    click.echo(json.dumps(manifest, indent=1, default=str))


@command.command("train", epilog=examples("model train fraud"))
@click.argument("name")
@store_option
@click.pass_obj
def train(start: Start, name: str, data_dir: str | None) -> None:
    """Learn a model anew from what the data directory holds; it serves only if it is better."""
    from engine.training.registry import trainers

    if name not in trainers():
        raise Failure(f"no model is called {name!r}; there are: {', '.join(trainers())}", FAILED)
    learned.train(start.with_store(data_dir), name)


@command.command("history", epilog=examples("model history", "model history clustering --json"))
@click.argument("name", default="")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
@store_option
@url_option
@click.pass_obj
def history(  # noqa: PLR0917 - a command's options
    start: Start, name: str, as_json: bool, data_dir: str | None, url: str | None, token_file: str | None
) -> None:
    """What each training came to, newest first, beside baseline and champion on the same held-out rows."""
    import msgspec

    from engine.client import Query
    from noc_console.safe_text import safe_text

    query = Query(kind="models/history", params={"model": name} if name else {})
    page = ask(start.with_store(data_dir), url, token_file, lambda client: client.query(query))
    for row in map(msgspec.to_builtins, page.items):
        click.echo(json.dumps(row) if as_json else safe_text(_past(row)))


def _past(row: dict[str, Any]) -> str:
    who = row.get("by") or "timetable"
    figures = ", ".join(
        f"{metric} {row[metric]:.3f}" for metric in ("pr_auc", "roc_auc", "brier") if row.get(metric) is not None
    )
    told = "; ".join(filter(None, (row.get("why", ""), figures)))
    return f"{row['at'][:16]}  {row['model']:<12} {row['result']:<12} {row.get('version', ''):<8} {who:<12} {told}"


@command.command("rollback", epilog=examples("model rollback clustering"))
@click.argument("name")
@store_option
@click.pass_obj
def rollback(start: Start, name: str, data_dir: str | None) -> None:
    """Let the champion before this one serve again."""
    from engine.clock import SystemClock
    from engine.models.refused import ModelRefused

    if running_url(start.with_store(data_dir).settings()) is not None:
        record = learned.done(start.with_store(data_dir), "rollback_model", name)
        if record["result"] != "rolled_back":
            raise Failure(record["why"], FAILED)
        return click.echo(f"{name}: {record['why']}; it serves now")
    try:
        version = _registry(start, data_dir).rollback(name, SystemClock().now())
    except (ModelRefused, OSError) as error:
        raise Failure(str(error), FAILED) from error
    return click.echo(f"{name} {version} serves from the next start of the engine")
