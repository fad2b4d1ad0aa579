"""`noc-console train`: learn from labelled recordings or from what operators did, in a process of its own.

Where an engine runs on the data directory it trains, and this command shows how far it is; a recording is learned from
here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from noc_console.commands.connection import connected, running_url
from noc_console.commands.outcome import FAILED, Failure
from noc_console.commands.progress import Progress
from noc_console.commands.start import Start, examples, store_option

if TYPE_CHECKING:
    from engine.client import EngineClient

#: How often a running engine is asked how far a training is.
_ASK_SECONDS = 0.5


@click.group(
    "train",
    short_help="Train the models.",
    epilog=examples("train clustering", "train clustering --from labelled.jsonl --truth incident"),
)
def command() -> None:
    """Train a model; it serves only if it beats the one that serves now, on the same held-out rows."""


@command.command("clustering", epilog=examples("train clustering", "train clustering --from labelled.jsonl"))
@click.option("--from", "files", metavar="FILE", multiple=True, type=click.Path(exists=True, dir_okay=False))
@click.option("--truth", metavar="LABEL", default="", help="Label or field that names the true incident.")
@store_option
@click.pass_obj
def clustering(start: Start, files: tuple[str, ...], truth: str, data_dir: str | None) -> None:
    """Learn which alerts are of one incident: from labelled recordings, else from operators' merges and splits."""
    from engine.models import child

    if not files:
        return train(start.with_store(data_dir), "clustering")
    folder = Path(start.with_store(data_dir).settings().store.data_dir)
    arguments = [*files, "--models", str(folder / "models"), "--truth", truth]
    arguments += ["--what", ", ".join(Path(name).name for name in files)]
    told(_work(child.CLUSTERING, arguments, "alerts"), "cosine")
    return None


@command.command("fraud", epilog=examples("train fraud", "train fraud --from judged.jsonl"))
@click.option("--from", "file", metavar="FILE", type=click.Path(exists=True, dir_okay=False))
@store_option
@click.pass_obj
def fraud(start: Start, file: str | None, data_dir: str | None) -> None:
    """Learn which attendance is fraud: from analysts' verdicts here, or from exported fraud scores with verdicts."""
    from engine.models import child

    if file is None:
        return train(start.with_store(data_dir), "fraud")
    folder = start.with_store(data_dir).settings().store.data_dir
    told(_work(child.FRAUD, [folder, "--from", file], "cases"), "heuristic")
    return None


@command.command("priority", epilog=examples("train priority", "train priority --from tickets.jsonl"))
@click.option("--from", "file", metavar="FILE", type=click.Path(exists=True, dir_okay=False))
@store_option
@click.pass_obj
def priority(start: Start, file: str | None, data_dir: str | None) -> None:
    """Learn what matters: from what operators handled first here and what came of it, or from labelled tickets."""
    from engine.models import child

    if file is None:
        return train(start.with_store(data_dir), "priority")
    folder = start.with_store(data_dir).settings().store.data_dir
    told(_work(child.PRIORITY, [folder, "--from", file], "tickets"), "severity")
    return None


@command.command("sla", epilog=examples("train sla", "train sla --from events.jsonl"))
@click.option("--from", "file", metavar="FILE", type=click.Path(exists=True, dir_okay=False))
@store_option
@click.pass_obj
def sla(start: Start, file: str | None, data_dir: str | None) -> None:
    """Learn which tickets breach their SLA: from outcomes kept here, or from recorded domain events."""
    _predictor(start.with_store(data_dir), "sla", file)


@command.command("device", epilog=examples("train device", "train device --from events.jsonl"))
@click.option("--from", "file", metavar="FILE", type=click.Path(exists=True, dir_okay=False))
@store_option
@click.pass_obj
def device(start: Start, file: str | None, data_dir: str | None) -> None:
    """Learn which devices go offline: from outcomes kept here, or from recorded domain events."""
    _predictor(start.with_store(data_dir), "device", file)


@command.command("staffing", epilog=examples("train staffing", "train staffing --from events.jsonl"))
@click.option("--from", "file", metavar="FILE", type=click.Path(exists=True, dir_okay=False))
@store_option
@click.pass_obj
def staffing(start: Start, file: str | None, data_dir: str | None) -> None:
    """Learn which posts are short of people: from outcomes kept here, or from recorded domain events."""
    _predictor(start.with_store(data_dir), "staffing", file)


def _predictor(start: Start, name: str, file: str | None) -> None:
    from engine.models import child

    if file is None:
        return train(start, name)
    told(_work(child.PREDICTORS, [name, start.settings().store.data_dir, "--from", file], "rows"), "rules")
    return None


def train(start: Start, name: str) -> None:
    """Train the model of this name from what the data directory holds: by the engine that runs on it, else by a child
    of this command. Prints the figures beside the baseline's. Raises Failure."""
    from engine.models import child
    from engine.training.registry import trainers

    settings = start.settings()
    baseline = trainers()[name].baseline
    if running_url(settings) is not None:
        record = done(start, "train", name)
        if record["result"] not in {"promoted", "kept"}:
            raise Failure(f"{record['why']}; --from FILE learns from a recording", FAILED)
        return told({**record, "promoted": record["result"] == "promoted"}, baseline)
    words = [name, settings.store.data_dir, "--tenant", settings.engine.tenant]
    words += ["--memory-mib", str(settings.training.memory_mib)]
    return told(_work(child.TRAINING, words, "rows"), baseline)


def done(start: Start, verb: str, name: str) -> dict[str, Any]:
    """Have the running engine do this with a model, and wait → its record of what came of it. Raises Failure."""
    return asyncio.run(_by_engine(start, verb, name))


async def _by_engine(start: Start, verb: str, name: str) -> dict[str, Any]:
    """Ctrl-C leaves the engine at its work."""
    from engine.clock import SystemClock

    clock = SystemClock()
    async with connected(start, None, None) as client:
        before = (await _state(client, name)).get("last")
        await _wish(client, verb, name)
        with Progress("steps") as progress:
            so_far = 0
            while True:
                found = await _state(client, name)
                if found["last"] != before and found["state"] == "idle":
                    break
                reached = int((found["progress"] or {}).get("done", 0))
                progress.step(max(0, reached - so_far))
                so_far = reached
                await clock.sleep(_ASK_SECONDS)
    record: dict[str, Any] = found["last"]
    return {"metrics": {}, "baseline": {}, "champion": {}, "why": "", "version": "", **record}


async def _state(client: EngineClient, name: str) -> dict[str, Any]:
    import msgspec

    from engine.client import Query

    page = await client.query(Query(kind="models/training"))
    found = [msgspec.to_builtins(row) for row in page.items]
    state = next((row for row in found if row["model"] == name), None)
    if state is None:
        raise Failure(f"the engine knows no model {name!r}", FAILED)
    return {"last": None, "progress": None, **state}


async def _wish(client: EngineClient, verb: str, name: str) -> None:
    """Ask for something to be done with a model. Raises Failure with why not."""
    from engine.client import Command

    result = await client.command(Command(verb=verb, targets=(f"model:{name}",)))
    if result.refused:
        raise Failure("; ".join(result.refused.values()), FAILED)


def _work(module: str, arguments: list[str], unit: str) -> dict[str, Any]:
    from engine.models import child
    from engine.models.refused import ModelRefused

    with Progress(unit) as progress:
        try:
            return child.work(module, arguments, _stepping(progress))
        except ModelRefused as error:
            raise Failure(f"{error}; --from FILE learns from a recording", FAILED) from error


def _stepping(progress: Progress) -> Callable[[dict[str, Any]], None]:
    done: dict[str, int] = {}

    def step(line: dict[str, Any]) -> None:
        what, reached = str(line.get("what")), 0
        with suppress(TypeError, ValueError):
            reached = int(line.get("done", 0))
        progress.step(max(0, reached - done.get(what, 0)))
        done[what] = reached

    return step


def told(result: dict[str, Any], baseline: str) -> None:
    """The figures side by side, then what became of the challenger."""
    columns = {"challenger": result["metrics"], baseline: result["baseline"], "champion": result["champion"]}
    shown = {name: figures for name, figures in columns.items() if figures}
    click.echo(f"{'held out':<20}" + "".join(f"{name:>12}" for name in shown))
    for metric in result["metrics"]:
        click.echo(f"{metric:<20}" + "".join(_figure(figures.get(metric)) for figures in shown.values()))
    change = "is the champion now" if result["promoted"] else "was kept aside: what served before goes on"
    click.echo(f"version {result['version']} {change} ({result['why']})")


def _figure(value: float | None) -> str:
    return f"{'-':>12}" if value is None else f"{value:>12g}"
