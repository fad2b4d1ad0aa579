"""`noc-console replay`: recorded lines through the same intake as live ones."""

from __future__ import annotations

import contextlib
import math
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from noc_console.commands.connection import checked_url, own_engine, running_url, token_of
from noc_console.commands.outcome import FAILED, Failure
from noc_console.commands.progress import Progress
from noc_console.commands.recording import BadRecording, posts, rows
from noc_console.commands.sender import Answer, Sender
from noc_console.commands.start import Start, examples

if TYPE_CHECKING:
    from engine.settings import Settings

#: So fast that it never waits.
MAX = math.inf


class Speed(click.ParamType[float]):
    """`max`, or how many times faster than it was recorded."""

    name = "speed"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            speed = float(str(value).removesuffix("x")) if value != "max" else MAX
        except ValueError:
            speed = 0.0
        if not 0 < speed <= MAX:
            self.fail(f"{value!r} is neither max nor a number above 0, as in 1 or 60", param, ctx)
        return speed


@click.command(
    "replay",
    short_help="Feed recorded JSONL.",
    epilog=examples(
        "replay alerts.jsonl",
        "replay --speed 60 monday.jsonl tuesday.jsonl",
        "replay --into https://noc.example:8099 --token-file ~/.noc-token -  < alerts.jsonl",
    ),
)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=str))
@click.option("--speed", type=Speed(), default="max", show_default=True, help="max, or times its own pace.")
@click.option("--into", metavar="URL", help="A running engine, instead of the one of this machine.")
@click.option("--token-file", metavar="FILE", help="File with the token; else the variable NOC_TOKEN.")
@click.pass_obj
def command(start: Start, files: tuple[str, ...], *, speed: float, into: str | None, token_file: str | None) -> None:
    """Feed recorded JSONL through the intake: alerts, events, recorded requests; - is stdin.

    The same recording replayed twice counts once. A line that is not understood becomes a dead letter.
    """
    sources = [_source(name) for name in files]
    stop = threading.Event()
    token = token_of(token_file, start)
    with Progress("rows", sum(size for _, size in sources)) as progress:

        def feed(url: str) -> Answer:
            with contextlib.closing(Sender(url, token, stop.wait)) as sender:
                return _run([lines for lines, _ in sources], sender, Pace(speed, time.monotonic, stop.wait), progress)

        answer = _fed(start.settings(), checked_url(into) if into else None, feed, stop)
    _report(answer)


def _report(answer: Answer) -> None:
    from noc_console.safe_text import safe_text

    click.echo(f"{answer.taken + answer.rejected:,} rows: {answer.taken:,} taken, {answer.rejected:,} rejected")
    if answer.rejected:
        reason = safe_text(answer.reason) or "not given"
        click.echo(f"first reason: {reason}; `noc-console query --kind rejects` lists them", err=True)


def _fed(settings: Settings, into: str | None, feed: Callable[[str], Answer], stop: threading.Event) -> Answer:
    """Feed the engine at `into`, the one that runs here, or one that runs for as long as this takes."""
    at = into or running_url(settings)
    if at is not None:
        return feed(at)
    import asyncio

    async def beside() -> Answer:
        async with own_engine(settings, listen=True) as engine:
            click.echo(f"no engine runs on {settings.store.data_dir}: one runs for this replay", err=True)
            try:
                return await asyncio.to_thread(feed, engine.url)
            finally:
                # Interrupted: the feeding thread must not wait for an engine that is about to go.
                stop.set()

    return asyncio.run(beside())


def _source(name: str) -> tuple[Callable[[], Iterator[bytes]], int]:
    """Lines and size in bytes. Every file is opened before anything is sent: a typing error costs nothing."""
    if name == "-":
        return lambda: iter(sys.stdin.buffer), 0
    path = Path(name)
    with path.open("rb"):
        return lambda: _lines(path), path.stat().st_size


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from file


def _run(sources: list[Callable[[], Iterator[bytes]]], sender: Sender, pace: Pace, progress: Progress) -> Answer:
    taken = rejected = reached = 0
    reason = ""
    for source in sources:
        try:
            for post in posts(rows(source()), pace.speed):
                pace.until(post.at)
                answer = sender.send(post)
                taken, rejected, reason = taken + answer.taken, rejected + answer.rejected, reason or answer.reason
                reached += len(post.body)
                progress.step(post.rows, reached)
        except BadRecording as error:
            raise Failure(str(error), FAILED) from error
    return Answer(taken, rejected, reason)


class Pace:
    """Waits so that records go out at `speed` times their own pace, MAX = never. Going back in time starts over."""

    def __init__(self, speed: float, monotonic: Callable[[], float], wait: Callable[[float], object]) -> None:
        self.speed, self._monotonic, self._wait = speed, monotonic, wait
        self._first: datetime | None = None
        self._began = 0.0

    def until(self, at: datetime | None) -> None:
        if self.speed == MAX or at is None:
            return
        now = self._monotonic()
        if self._first is None or at < self._first:
            self._first, self._began = at, now
        due = self._began + (at - self._first).total_seconds() / self.speed
        if due > now:
            self._wait(due - now)
