"""The console asks for the PIN when the engine wants it: typed by somebody who is there, drawn nowhere, sent once."""

from __future__ import annotations

import pytest
from textual import events

from data.records import DEFAULT_TENANT, Token
from data.scope import CAPABILITIES, Scope
from engine.client import STEP_UP, Command, Refused
from engine.pins import hash_pin
from engine.step_up import OWN_USER
from noc_console.dialogs.pin import PinDialog
from tests.console.conftest import Desktop, Opened
from tests.console.test_approvals_on_engine import ASK
from tests.console.test_approvals_on_engine import Opened as OpenPost
from tests.console.test_approvals_on_engine import post as post

WANTED = Refused("this takes your PIN", field=STEP_UP, remedy="POST /api/v1/step-up", status=403)


async def asked(desk: Desktop) -> None:
    """The engine wants the PIN for an acknowledgement, as it does for an approval."""
    desk.client.refuse_next(WANTED)
    await desk.press("2", "a")
    await desk.settled()
    assert isinstance(desk.app.screen, PinDialog) and "Your PIN" in desk.screen


async def test_the_act_goes_out_again_under_its_request_once_the_pin_was_taken(opened: Opened) -> None:
    async with opened() as desk:
        await asked(desk)
        await desk.write("tulip-77")
        assert "tulip" not in desk.screen and "********" in desk.screen
        await desk.calm("enter")
        await desk.settled()
        assert desk.client.pins == ["tulip-77"]
        first, second = desk.client.commands
        assert first == second and first.request, "the same act, not another one"
        assert "acknowledged" in desk.screen and "tulip" not in desk.screen
        assert not any("tulip" in line for lines in desk.app.histories.values() for line in lines)


async def test_a_wrong_pin_may_be_typed_again_until_it_is_locked(opened: Opened) -> None:
    async with opened() as desk:
        await asked(desk)
        for pin, words in (("rose-1", "2 more"), ("rose-2", "1 more"), ("rose-3", "try again in 15 min")):
            await desk.write(pin)
            await desk.calm("enter")
            await desk.settled()
            assert words in desk.screen and pin not in desk.screen
        await desk.calm("enter")
        assert len(desk.client.pins) == 3
        await desk.press("escape")
        await desk.settled()
        assert len(desk.client.commands) == 1
        assert "ack refused: this takes your PIN — nothing was done" in desk.screen


async def test_a_paste_is_no_pin(opened: Opened) -> None:
    async with opened() as desk:
        await asked(desk)
        desk.app.post_message(events.Paste("tulip-77\n"))
        await desk.settled()
        assert "a paste confirms nothing" in desk.screen and "*****" not in desk.screen
        await desk.calm("enter")
        assert desk.client.pins == [] and "type your PIN" in desk.screen


async def test_the_key_that_opened_it_sends_nothing(opened: Opened) -> None:
    async with opened() as desk:
        await asked(desk)
        await desk.write("tulip-77")
        await desk.press("enter")
        assert desk.client.pins == [] and "too soon" in desk.screen


async def test_who_leaves_sends_nothing(opened: Opened) -> None:
    async with opened() as desk:
        await asked(desk)
        await desk.write("tulip-77")
        await desk.press("escape")
        await desk.settled()
        assert desk.client.pins == [] and len(desk.client.commands) == 1


async def test_an_approval_on_an_engine_goes_through_the_pin(post: OpenPost) -> None:
    async with post(ASK) as desk:
        now = desk.engine.clock.now()
        kept = Token(
            id=OWN_USER,
            tenant=DEFAULT_TENANT,
            name="bob",
            secret_sha256="",
            capabilities=(),
            created_at=now,
            expires_at=now,
            pin_scrypt=hash_pin("tulip-77", log_n=4),
        )
        await desk.engine._store.save_token(kept)
        await desk.fire()
        await desk.press("4")
        await desk.until("plan unchanged")
        await desk.press("E")
        await desk.until("ARMED: y within 10 s")
        await desk.insist("y", "Your PIN")
        await desk.press(*"tulip-77")
        await desk.insist("enter", "+ success")
        assert (desk.folder / "web.conf").exists()
        other = desk.engine.client(Scope(tenant=DEFAULT_TENANT, actor="eve", capabilities=CAPABILITIES))
        with pytest.raises(Refused) as found:
            await other.command(Command(verb="kill_switch", targets=(), params={"on": True, "reason": "x"}))
        assert found.value.field == STEP_UP, "another session needs the PIN for itself"
