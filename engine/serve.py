"""Running the engine as a process: start, signals, reload, an orderly end.

Owns the event loop of a headless engine. Never decides what the engine does.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.clock import SystemClock
from engine.config import ConfigError, diff
from engine.logs import configure
from engine.ports import Overloaded

if TYPE_CHECKING:
    from engine.app import Engine
    from engine.settings import Settings

Say = Callable[[str], object]


def serve(load: Callable[[], Settings], say: Say) -> None:
    """Run until SIGTERM or SIGINT, then drain. `load` reads the configuration: now, and at every SIGHUP.

    `say` gets lines for people: where it listens, what a reload changed. Raises what the start raises, and
    KeyboardInterrupt after a drain that SIGINT asked for.
    """
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        number = runner.run(_serve(load, say))
    if number == signal.SIGINT:
        raise KeyboardInterrupt


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's where it is installed; None = the standard one."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _serve(load: Callable[[], Settings], say: Say) -> int:
    from engine.app import build

    settings = load()
    configure(sys.stderr)
    engine = build(settings, SystemClock())
    signals = Signals()
    await engine.start()
    try:
        say(f"engine {settings.engine.name} listens on {engine.url}, data in {settings.store.data_dir}")
        while (number := await signals.next()) == signals.RELOAD:
            settings = await _reload(engine, settings, load, say)
        say("stopping: taking no more, finishing what was taken")
        return number
    finally:
        signals.close()
        await engine.stop()


async def _reload(engine: Engine, old: Settings, load: Callable[[], Settings], say: Say) -> Settings:
    """Build new, swap, keep the old on error."""
    try:
        fresh = load()
        changed = diff(old, fresh)
        await engine.reload(fresh)
    except (ConfigError, ValueError, Overloaded) as error:
        say(f"configuration not taken, the old one stays: {error}")
        return old
    for entry in changed:
        say(f"{entry.key}: {entry.old} → {entry.new}" + (" (at the next start)" if entry.restart else ""))
    say(f"configuration read again, {len(changed)} changed")
    return fresh


class Signals:
    """Signals as something to await; the last handlers come back with `close`."""

    RELOAD = getattr(signal, "SIGHUP", -1)

    def __init__(self) -> None:
        self._queue: asyncio.Queue[int] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._numbers = [number for name in ("SIGTERM", "SIGINT", "SIGHUP") if (number := getattr(signal, name, None))]
        for number in self._numbers:
            if sys.platform == "win32":
                signal.signal(number, lambda got, _: self._loop.call_soon_threadsafe(self._queue.put_nowait, got))
            else:
                self._loop.add_signal_handler(number, self._queue.put_nowait, number)

    async def next(self) -> int:
        return await self._queue.get()

    def close(self) -> None:
        """A second Ctrl-C during the drain ends the process at once."""
        for number in self._numbers:
            if sys.platform != "win32":
                self._loop.remove_signal_handler(number)
