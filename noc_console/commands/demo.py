"""`noc-console demo`: the console on a simulated operation, in a folder that goes when it ends."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from noc_console.commands.outcome import USAGE, Failure
from noc_console.commands.start import Start, examples

if TYPE_CHECKING:
    from engine.settings import Settings
    from engine.simulator.source import Play, SimulatorSource
    from noc_console.commands.console import Look

#: Kept beside the simulator's own table, which `--help` must not import; a test holds them equal.
SCENARIOS = ("quiet", "normal", "storm", "power", "network", "firmware", "illness", "fraud", "intrusion")


@click.command(
    "demo",
    short_help="The console on a simulated operation.",
    epilog=examples("demo", "demo --scenario storm --speed 10", "demo --seed 7 --truth truth.jsonl"),
)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same operation.")
@click.option("--speed", type=click.FloatRange(0.1, 600), default=1.0, show_default=True, help="1 = real time.")
@click.option(
    "--scenario", type=click.Choice(SCENARIOS), default="normal", show_default=True, help="What kind of day it is."
)
@click.option(
    "--scale", type=click.FloatRange(0.1, 10), default=1.0, show_default=True, help="1 = 50 sites, 1,500 devices."
)
@click.option("--truth", metavar="FILE", type=click.Path(dir_okay=False), help="Write what really happened as JSONL.")
@click.pass_obj
def command(start: Start, *, seed: int, speed: float, scenario: str, scale: float, truth: str | None) -> int:
    """Show the console on a simulated operation: sites, people, devices, and what goes wrong there.

    The last hours are there at once, then it goes on live. Nothing of it is kept: the folder is removed at the end.

    \b
    quiet      the routine alone        firmware   a roll-out gone bad
    normal     a handful of causes      illness    teams that fall ill
    storm      weather and outages      fraud      many false check-ins
    power      sites that go dark       intrusion  denied badges, alarms
    network    switches and a provider
    """
    from engine.simulator.source import Play
    from noc_console.commands.console import Look

    return play(start, Look(), Play(seed=seed, scale=scale, scenario=scenario), speed=speed, truth=truth)


def play(start: Start, look: Look, what: Play | None = None, *, speed: float = 1.0, truth: str | None = None) -> int:
    """The console on the simulated operation until the operator leaves it → its exit code."""
    from engine.simulator.source import Play
    from noc_console.commands.console import check_terminal

    check_terminal(look)
    with tempfile.TemporaryDirectory(prefix="noc-demo-") as folder, written(truth) as file:
        what = what or Play()
        return _show(settings_of(start.with_store(folder), what.scale), what, speed, look, file)


def settings_of(start: Start, scale: float = 1.0) -> Settings:
    """The operator's own settings, on the folder given and a free port of loopback; playbooks act on the simulation."""
    from msgspec.structs import replace

    from engine.simulator.outside import settings_for
    from noc_console.commands.connection import alone

    return replace(alone(start.settings()), playbooks=settings_for(scale))


@contextmanager
def written(path: str | None) -> Iterator[Any]:
    """The file of truth records, open for writing; None for none. Raises Failure when it cannot be written."""
    if path is None:
        yield None
        return
    try:
        file = Path(path).open("wb")
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror}", USAGE) from error
    with file:
        yield file


def source_of(settings: Settings, play: Play, clock: Any, file: Any) -> SimulatorSource:
    """The simulator as the engine's source; what becomes certain is appended to `file`."""
    from data.records import TenantId
    from engine.simulator import truth
    from engine.simulator.source import SimulatorSource

    def write(records: Sequence[truth.Record]) -> None:
        if file is not None and records:
            file.writelines(truth.lines(records))
            file.flush()

    return SimulatorSource(play, clock, TenantId(settings.engine.tenant), write)


def _show(settings: Settings, what: Play, speed: float, look: Look, file: Any) -> int:
    import logging

    from msgspec.structs import replace

    from engine.clock import SystemClock
    from engine.logs import configure, log_file
    from engine.simulator import truth
    from engine.simulator.outside import outside_of
    from engine.simulator.pace import PacedClock
    from noc_console.commands.connection import local_scope, own_url
    from noc_console.commands.console import options_of, show
    from noc_console.embedded import EngineThread

    folder = Path(settings.store.data_dir)
    clock = PacedClock(SystemClock(), speed)
    source = source_of(settings, what, clock, file)
    outside = outside_of(source)
    with log_file(folder) as log, EngineThread(settings, clock=clock, inputs=[source], outside=outside) as engine:
        configure(log, logging.INFO)
        options = options_of(settings.console, look, url=own_url(settings), remote=False)
        code = show(engine.client(local_scope(settings)), replace(options, state_dir=folder), clock)
    if file is not None:
        file.writelines(truth.lines(source.standing()))
    return code
