"""Pastes: cut and made safe wherever they land, and never the proof that somebody meant something."""

from __future__ import annotations

import pytest
from textual import events
from textual.widgets.input import Selection

from noc_console.dialogs.reject import EDIT_MOST, Body
from noc_console.dialogs.shelve import ShelveDialog
from noc_console.durations import MOST_MINUTES
from noc_console.widgets.field import MOST_FIGURE
from noc_console.widgets.prompt import Entry
from tests.console.approvals_world import ApprovalsClient, approval, definition, run
from tests.console.conftest import Opened


@pytest.mark.parametrize(
    "pasted",
    ["9" * 5_000, "\x1b]0;gone\x07\n99999999999999999999d", "²", "٣" * 30, "\n", "1e9999", "-1", "9" * 20 + ":99"],
)
@pytest.mark.parametrize("chosen", [False, True])
async def test_what_is_pasted_into_a_length_is_cut_and_checked(opened: Opened, pasted: str, chosen: bool) -> None:
    """Also over what is selected, which is another way in."""
    async with opened() as desk:
        await desk.press("2", "s", "tab")
        dialog = desk.app.screen
        assert isinstance(dialog, ShelveDialog)
        entry = dialog.focused
        assert isinstance(entry, Entry)
        entry.value = "2h"
        entry.selection = Selection(0, 2) if chosen else Selection.cursor(2)
        entry.post_message(events.Paste(pasted))
        await desk.settled()
        assert len(entry.value) <= MOST_FIGURE and entry.value.isprintable()
        await desk.calm("enter")
        # What is no length is told; whatever has been sent is one.
        minutes = [command.params["minutes"] for command in desk.client.commands]
        assert all(0 < found <= MOST_MINUTES for found in minutes)
        assert minutes or "write 15m" in desk.screen or "at most a year" in desk.screen


async def test_a_long_note_is_cut_where_it_is_pasted(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("2", "s", "tab", "tab")
        entry = desk.app.screen.focused
        assert isinstance(entry, Entry)
        entry.value = "a" * 1_990
        entry.cursor_position = 1_990
        entry.post_message(events.Paste("b" * 100))
        await desk.settled()
        assert entry.value == "a" * 1_990 + "b" * 10


async def test_a_number_that_is_pasted_at_once_lets_nothing_go(opened: Opened) -> None:
    client = ApprovalsClient()
    client.tell(run(of=definition(quorum=2)), approval(quorum=2))
    async with opened(client=client, size=(120, 36)) as desk:
        await desk.press("4")
        for _ in range(2):
            await desk.live(0.5)
            await desk.settled()
        await desk.press("enter")
        await desk.settled()
        await desk.calm("E")
        entry = desk.app.screen.focused
        assert isinstance(entry, Entry)
        entry.post_message(events.Paste("4411"))
        await desk.settled()
        assert entry.value == "" and "a paste decides nothing" in desk.screen
        await desk.calm("enter")
        await desk.settled()
        assert not client.commands


async def test_what_is_pasted_into_a_body_is_shown_inert_and_cut(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("9", "r")
        await desk.settled()
        await desk.press("e")
        await desk.settled()
        area = desk.app.screen.focused
        assert isinstance(area, Body)
        area.post_message(events.Paste(f"\x1b]0;gone\x07{'x' * 2 * EDIT_MOST}"))
        await desk.settled()
        assert "\x1b" not in area.text and "\x07" not in area.text and len(area.text) == EDIT_MOST
