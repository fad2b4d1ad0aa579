"""The `:` line: every word of it is understood, and names of things lead acts to them."""

from __future__ import annotations

import pytest

from noc_console.actions import ACTIONS
from tests.console.conftest import Opened


@pytest.mark.parametrize("view", ["1", "2", "3", "4", "9"])
async def test_acts_reach_what_is_named_from_every_screen(opened: Opened, view: str) -> None:
    async with opened() as desk:
        await desk.press(view)
        desk.app.command("ack I-4409 I-4408 30m on it")
        await desk.settled()
        assert desk.client.commands[-1].targets == ("incident:4409", "incident:4408")
        assert desk.client.commands[-1].params == {"minutes": 30, "note": "on it"}


async def test_alerts_are_named_too(opened: Opened) -> None:
    async with opened() as desk:
        desk.app.command("shelve A-441100 15m")
        await desk.settled()
        assert desk.client.commands[-1].targets == ("alert:441100",)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("inc site=LIS*", "none of 9 incidents match"),
        ("inc I-4409", "I-4409  high"),
        ("alerts A-441100", "A-441100  critical"),
        ("theme light", "Overview"),
        ("theme pink", "themes: "),
        ("q", "Leave the console?"),
        ("handover", "nobody has acknowledged"),
        ("oncall", "On call"),
        ("views nothing", "no saved view 'nothing'"),
        ("playbook", "no playbook is loaded"),
        ("close I-4408", "Close I-4408?"),
        ("silence site=x", "Silence alerts by matchers"),
        ("help", "Keys of"),
        ("nonsense", "no command"),
        ("ack I-4408 soon-ish", "acknowledged I-4408"),
        ("shelve I-4408 soon", "write 15m, 1h"),
    ],
)
async def test_lines(opened: Opened, line: str, words: str) -> None:
    async with opened() as desk:
        desk.app.command(line)
        await desk.settled()
        await desk.live(0.1)
        assert words in desk.screen


@pytest.mark.parametrize("word", sorted(action.command for action in ACTIONS.values() if action.command))
async def test_every_word_does_something_or_says_why_not(opened: Opened, word: str) -> None:
    async with opened() as desk:
        await desk.press("2")
        before = desk.screen
        desk.app.command(word)
        await desk.settled()
        assert desk.app.is_running
        assert desk.screen != before or word in {"incidents", "refresh"}
