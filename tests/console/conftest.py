"""The console under Pilot: on a FakeClient and a clock that stands still."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from textual.pilot import Pilot

from noc_console.app import ConsoleApp
from noc_console.desk import Options
from tests.fakes.client import FakeClient
from tests.fakes.still_clock import StillClock

Opened = Callable[..., AbstractAsyncContextManager["Desktop"]]


#: How often a screen is looked at until nothing on it moves any more.
FEWEST_PAUSES, MOST_PAUSES = 3, 50
#: Rounds of the event loop; the longest way from a key to the screen has some dozens.
LOOP_TURNS = 100


class Desktop:
    """A running console: `screen` is its text, `live` draws one frame after `seconds`."""

    def __init__(self, app: ConsoleApp, pilot: Pilot[Any], client: FakeClient, clock: StillClock) -> None:
        self.app, self.pilot, self.client, self.clock = app, pilot, client, clock

    @property
    def screen(self) -> str:
        strips = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)

    def line(self, text: str) -> str:
        """The first line of the screen that holds `text`."""
        return next((line for line in self.screen.splitlines() if text in line), "")

    async def live(self, seconds: float = 1.0) -> None:
        await self.pilot.pause()
        self.clock.advance(seconds)
        self.app.desk.pump.tick()
        await self.pilot.pause()

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def type(self, text: str) -> None:
        await self.press(*text)

    async def write(self, text: str) -> None:
        """Into the field that has the cursor, in place of what is there."""
        await self.press("ctrl+u")
        await self.press(*("space" if letter == " " else letter for letter in text))

    async def calm(self, *keys: str) -> None:
        """Press after a moment of quiet, as somebody who read the dialog does."""
        for key in keys:
            self.clock.advance(1.0)
            await self.press(key)

    async def settled(self) -> None:
        """What was asked of the engine has been answered and drawn: nothing moves any more."""
        before = ""
        for number in range(MOST_PAUSES):
            await self._turns()
            if number >= FEWEST_PAUSES and self.screen == before:
                return
            before = self.screen
            await self.pilot.pause()

    async def _turns(self) -> None:
        """Let the loop go round: a pause looks at the clock, and a busy machine may do little in its time."""
        for _ in range(LOOP_TURNS):
            await asyncio.sleep(0)


@pytest.fixture
def opened() -> Opened:
    @asynccontextmanager
    async def open_console(
        count: int = 9,
        size: tuple[int, int] = (80, 24),
        options: Options | None = None,
        client: FakeClient | None = None,
    ) -> AsyncIterator[Desktop]:
        clock = StillClock()
        client = client or FakeClient(count, clock.now)
        app = ConsoleApp(client, clock, options or Options())
        async with app.run_test(size=size) as pilot:
            desktop = Desktop(app, pilot, client, clock)
            await desktop.live()
            await desktop.live()
            yield desktop

    return open_console
