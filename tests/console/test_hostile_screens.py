"""Every field of every record as bad as it gets, on every screen and dialog: only text is drawn, nothing ends."""

from __future__ import annotations

import re

import pytest

from tests.console.conftest import Desktop, Opened
from tests.fakes.hostile import HostileClient
from tests.fakes.world import EVIL

BAD = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b-\u200f\ufeff]")


def _clean(desk: Desktop) -> None:
    found = BAD.search(desk.screen)
    assert found is None, repr(desk.screen[max(0, found.start() - 40) : found.end() + 20])
    assert desk.app.is_running and desk.app._exception is None


ROUTES = (
    ("2", "enter", "tab", "d", "enter", "tab", "tab", "escape", "w", "tab", "tab", "escape"),
    ("3", "enter", "j", "enter", "escape", "escape", "x"),
    ("3", "enter", "j", "S"),
    ("2", "S"),
    ("2", "s"),
    ("2", "O"),
    ("2", "x", "space"),
    ("2", "r"),
    ("2", "space", "space", "m"),
    ("2", "Y", "r"),
    ("9", "w", "t", "t", "m", "k", "enter"),
    ("9", "s", "r", "enter", "e"),
    ("9", "r", "d"),
    ("9", "b", "K"),
    ("2", "question_mark"),
)


CASES = [*((80, route) for route in ROUTES), *((160, route) for route in ROUTES[:2])]


@pytest.mark.parametrize(("width", "route"), CASES, ids=[f"{width}-{'-'.join(route)}" for width, route in CASES])
async def test_nothing_but_text_is_drawn(opened: Opened, route: tuple[str, ...], width: int) -> None:
    async with opened(client=HostileClient(), size=(width, 30)) as desk:
        await desk.app.feed.ask()
        desk.client.push(*list(desk.client.incidents.values())[:4], kind=EVIL)
        await desk.live()
        for key in route:
            await desk.press(key)
            await desk.settled()
            _clean(desk)
        await desk.live(3)
        _clean(desk)
