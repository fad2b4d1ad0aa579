"""The dialogs: what they say, what is sent, and that nothing is sent by accident."""

from __future__ import annotations

import pytest
from textual import events

from data.records import Reject
from noc_console.dialogs.reject import editable
from noc_console.dialogs.silence import SilenceDialog
from tests.console.conftest import Desktop, Opened
from tests.fakes import world


async def _preview(desk: Desktop) -> None:
    """The pause in typing that the preview waits for, at once."""
    dialog = desk.app.screen
    assert isinstance(dialog, SilenceDialog)
    dialog.ask()
    await desk.settled()


async def test_silence_shows_what_it_hits(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("2", "S")
        await _preview(desk)
        assert 'alertname="power", site="Harbour 2"' in desk.screen
        assert "12 alerts in 1 incident, worst C! critical" in desk.screen and "A-441105" in desk.screen


async def test_silence_names_what_is_wrong_and_cannot_be_sent(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("2", "S")
        await desk.write("site=~(")
        await _preview(desk)
        assert "bad regex" in desk.screen and "write RE2 syntax" in desk.screen
        await desk.calm("enter")
        assert not desk.client.commands and "correct the matchers" in desk.screen


async def test_silence_is_sent_with_reason_and_length(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("2", "S")
        await desk.write('site="Harbour 2"')
        await _preview(desk)
        await desk.calm("enter")
        assert "say why" in desk.screen and not desk.client.commands
        await desk.write("CHG-7")
        await desk.press("shift+tab", "shift+tab", "right", "tab", "tab", "enter")
        await desk.live()
        sent = desk.client.commands[-1]
        assert sent.verb == "silence" and sent.targets == ()
        assert sent.params == {"matchers": 'site="Harbour 2"', "minutes": 480, "comment": "CHG-7"}
        assert "[u] undo: silenced" in desk.screen


async def test_silence_that_hits_nothing_says_so(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("2", "S")
        await desk.write("site=nowhere")
        await _preview(desk)
        assert "nothing; it will mute what comes" in desk.screen


@pytest.mark.parametrize(("key", "verb"), [("r", "resolve"), ("c", "close")])
async def test_a_held_key_or_a_paste_confirms_nothing(opened: Opened, key: str, verb: str) -> None:
    async with opened() as desk:
        await desk.press("2", key, "y")
        assert not desk.client.commands and "came too soon" in desk.screen
        for _ in range(30):
            desk.clock.advance(0.03)
            await desk.press("y")
        assert not desk.client.commands
        desk.app.screen.post_message(events.Paste("y\n"))
        await desk.settled()
        assert not desk.client.commands
        await desk.calm("y")
        assert [command.verb for command in desk.client.commands] == [verb]


async def test_enter_means_cancel_until_the_other_is_chosen(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("2", "r")
        assert "[Cancel]" in desk.screen
        await desk.calm("enter")
        assert not desk.client.commands and "[Cancel]" not in desk.screen
        await desk.press("r")
        await desk.calm("right", "enter")
        assert desk.client.commands[-1].verb == "resolve"


@pytest.mark.parametrize("key", ["s", "S", "O", "i", "r", "c", "x", "Y", "q", "question_mark", "ctrl+p"])
async def test_escape_leaves_every_dialog(opened: Opened, key: str) -> None:
    async with opened() as desk:
        await desk.press("2", key)
        await desk.settled()
        assert len(desk.app.screen_stack) == 2
        await desk.press("escape")
        await desk.settled()
        assert len(desk.app.screen_stack) == 1 and desk.app.is_running and not desk.client.commands


@pytest.mark.parametrize("size", [(60, 15), (80, 24), (200, 60)])
@pytest.mark.parametrize("key", ["s", "S", "r", "x", "Y", "q", "question_mark", "ctrl+p"])
async def test_every_dialog_fits(opened: Opened, size: tuple[int, int], key: str) -> None:
    async with opened(size=size) as desk:
        await desk.press("2", key)
        await desk.settled()
        assert "esc" in desk.screen.splitlines()[-2] or "esc" in desk.screen or "n cancel" in desk.screen


async def test_merge_lets_choose_which_stays(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("2", "space", "space", "m")
        assert "> stays  C! I-4411" in desk.screen and "u undoes it" in desk.screen
        await desk.press("j")
        assert "> stays  C! I-4410" in desk.screen
        await desk.calm("y")
        assert desk.client.commands[-1].targets == ("incident:4410", "incident:4411")


async def test_split_needs_some_chosen_and_one_left(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("2", "j", "x")
        await desk.settled()
        await desk.calm("enter")
        assert "choose alerts with space first" in desk.screen
        await desk.press("space", "space", "space", "space")
        await desk.calm("enter")
        assert "leave at least one alert behind" in desk.screen and not desk.client.commands
        await desk.press("space")
        await desk.calm("enter")
        assert desk.client.commands[-1].targets == ("alert:441000", "alert:441001", "alert:441002")


async def test_assign_may_be_empty_and_note_may_not(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("2", "i", "enter")
        assert "write something" in desk.screen
        await desk.press("escape", "O", "enter")
        assert desk.client.commands[-1].params == {"owner": ""}


async def test_copy_menu(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("2", "Y", "m")
        await desk.settled()
        assert "copied: - **I-4411** power lost" in desk.screen


async def test_help_is_made_from_the_registry(opened: Opened) -> None:
    async with opened(size=(120, 60)) as desk:
        await desk.press("2", "question_mark")
        for words in ("Keys of Incidents", "Acts", "Rows", "Everywhere", ":shelve", "ctrl+\\"):
            assert words in desk.screen


async def test_palette_finds_by_any_word_and_does_it(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("2", "ctrl+p")
        await desk.write("acknowledge")
        await desk.press("enter")
        await desk.live()
        assert desk.client.commands[-1].verb == "ack"


def test_what_cannot_be_shown_is_replaced_one_for_one() -> None:
    text, replaced = editable(world.EVIL + "\n\tplain")
    assert replaced > 5 and "\x1b" not in text and "\u202e" not in text and text.endswith("\n\tplain")
    assert editable('{"a": 1}\r\n') == ('{"a": 1}\n', 0)


def test_a_dead_letter_of_any_size_is_bounded() -> None:
    from noc_console.dialogs.reject import reject_lines

    reject = Reject(tenant=world.TENANT, source="s", format="f", at=world.NOW, field="", reason="r", remedy="",
                    body="x" * 200_000, id=1)  # fmt: skip
    assert len(reject_lines(reject, 80)) < 300
