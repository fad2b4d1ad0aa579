"""What a long shift needs: saved views, own keys, a quiet bell, the screen in a file, rows that stay under a dialog."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from noc_console.actions import ACTIONS
from noc_console.desk import Options
from noc_console.dialogs.menu import MenuDialog
from noc_console.keymap import read_keymap
from noc_console.safe_text import Safe
from tests.console.conftest import Desktop, Opened
from tests.fakes import world


@pytest.fixture
def usual_keys() -> Iterator[None]:
    """The registry is one for the process: what a test's keymap changed is put back."""
    before = dict(ACTIONS)
    yield
    ACTIONS.update(before)


async def _until(desk: Desktop, text: str) -> None:
    """An act typed as a command goes on in a worker: look until it has."""
    for _ in range(100):
        if text in desk.screen:
            return
        await desk.live(0.1)
    raise AssertionError(f"{text!r} is not on\n{desk.screen}")


async def test_a_view_saved_under_a_name_shows_filter_and_order_again(opened: Opened, tmp_path: Path) -> None:
    async with opened(options=Options(state_dir=tmp_path)) as desk:
        await desk.press("2")
        desk.app.act("app.filter", "severity=critical")
        await _until(desk, "2 of 9 active")
        desk.app.act("app.views", "save worst")
        await _until(desk, "saved as worst")
        desk.app.act("app.filter", "site=nowhere")
        await _until(desk, "none of 9 incidents match")
        await desk.press("1")
        desk.app.act("app.views", "worst")
        await _until(desk, "Incidents > severity=critical")
        await _until(desk, "guard no-show")
        assert "low battery" not in desk.screen
        desk.app.save()
    async with opened(options=Options(state_dir=tmp_path)) as desk:
        await desk.press("v")
        await _until(desk, "incidents: severity=critical")
        assert isinstance(desk.app.screen, MenuDialog)


async def test_an_unknown_view_is_said(opened: Opened) -> None:
    async with opened() as desk:
        desk.app.act("app.views", "nothing")
        await _until(desk, "no saved view 'nothing'")


async def test_own_keys_work_and_are_shown(opened: Opened, usual_keys: None) -> None:
    keymap = read_keymap('"incident.own" = "f10"\n"incident.akc" = "a"')
    async with opened(options=Options(keymap=keymap)) as desk:
        assert "incident.akc: there is no such action" in desk.screen
        assert "f10 Own" in desk.screen
        await desk.press("f10")
        await _until(desk, "assigned")
        assert desk.client.commands[-1].verb == "assign"
        await desk.press("o")
        await desk.live()
        assert len(desk.client.commands) == 1


async def test_quiet_is_shown_with_its_end(opened: Opened) -> None:
    async with opened(size=(160, 36)) as desk:
        until = desk.clock.now() + timedelta(minutes=30)
        desk.app.act("app.quiet", "30m")
        await _until(desk, f"QUIET to {until:%H:%M}Z")
        desk.app.act("app.quiet", "off")
        await _until(desk, "the bell sounds again")
        await desk.live()
        assert "QUIET" not in desk.screen


async def test_screen_is_saved_as_picture_and_text(opened: Opened, tmp_path: Path) -> None:
    async with opened(options=Options(state_dir=tmp_path)) as desk:
        await desk.press("ctrl+s")
    picture, text = sorted(tmp_path.glob("screen-*"))  # noqa: ASYNC240  (a test may wait for a disk)
    assert "<svg" in picture.read_text()
    assert "power lost: panel" in text.read_text()


async def test_no_row_moves_under_a_dialog_and_the_frame_goes_on(opened: Opened) -> None:
    async with opened() as desk:
        frame, table = desk.app.screen, desk.app.focused
        before = list(table.keys)  # type: ignore[union-attr]
        await desk.app.push_screen(MenuDialog(Safe("Choose"), [("a", "one", "")]))
        worst = replace(desk.client.incidents[before[-1]], priority=99.0)
        desk.client.push(worst)
        desk.client.push(world.incident(9001, 0, desk.clock.now()))
        await desk.live(30.0)
        await desk.live(30.0)
        assert list(table.keys)[: len(before)] == before  # type: ignore[union-attr]
        assert f"{desk.clock.now():%H:%M:%S}" in "".join(piece.text for piece in frame._status.line)
        desk.app.pop_screen()
        await desk.live(6.0)
        assert next(iter(table.keys)) == before[-1]  # type: ignore[union-attr]


async def test_a_filter_typed_at_once_does_not_act(opened: Opened) -> None:
    """Keys behind `:` or `/` belong to the line that opens, however quickly they come."""
    async with opened() as desk:
        from textual import events

        for key, character in (("slash", "/"), ("a", "a"), ("s", "s"), ("o", "o")):
            desk.app.post_message(events.Key(key, character))
        for _ in range(50):
            await desk.pilot.pause(0.01)
        assert desk.client.commands == []
        assert "aso" in desk.screen
