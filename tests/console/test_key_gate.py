"""Keys that wait behind an opening view: nothing breaks when the app ends while they wait."""

from __future__ import annotations

from textual import events
from textual.app import App

from noc_console.key_gate import KeyGate


async def test_keys_that_wait_while_the_app_ends_are_let_go() -> None:
    app: App[None] = App()
    async with app.run_test() as pilot:
        gate = KeyGate(app)
        gate.close()
        assert gate.holds(events.Key("x", "x"))
        await pilot.exit(None)
    assert not app.screen_stack
    await gate._look()
    assert not gate._waiting


async def test_a_key_behind_nothing_goes_straight_on() -> None:
    app: App[None] = App()
    async with app.run_test():
        assert not KeyGate(app).holds(events.Key("x", "x"))
