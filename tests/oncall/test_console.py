"""What the console says of on-call: in the screen of an incident and beside the engine's health."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from engine.client import Query
from noc_console.screens.oncall_words import duty_lines, incident_lines
from noc_console.widgets.piece import Line
from tests.console.conftest import Opened, opened
from tests.fakes.client import FakeClient
from tests.fakes.line import T0
from tests.fakes.still_clock import StillClock

__all__ = ["opened"]  # the fixture

WAITING = {
    "state": "waiting",
    "why": "step 1 of 2 of grave: told ana by webhook ops",
    "next_people": ["eve"],
    "next_at": T0 + timedelta(minutes=4),
    "duty": [{"rota": "primary", "person": "ana"}],
}
TURN = {
    "rota": "primary",
    "person": "ana\x1b[31m",
    "until": "2026-05-11T07:00:00Z",
    "next": "bob",
    "ways": ["webhook ops"],
    "why": "ana's turn in primary",
}


def text(lines: list[Line]) -> str:
    return "\n".join("".join(piece.text for piece in line) for line in lines)


def test_an_incident_says_who_has_duty_who_was_told_and_who_is_next() -> None:
    said = " ".join(text(incident_lines([WAITING], T0, 200, 8)).split())
    assert "duty ana (primary)" in said
    assert "told ana by webhook ops; next eve in 4m unless acknowledged" in said


def test_an_acknowledged_one_has_no_next_step() -> None:
    row = {**WAITING, "state": "acknowledged", "why": "acknowledged by bo", "next_people": [], "next_at": None}
    said = text(incident_lines([row], T0, 200, 8))
    assert "acknowledged by bo" in said and "next" not in said


def test_nothing_is_said_where_nothing_is_set_up_and_no_policy_is_for_it() -> None:
    assert incident_lines([], T0, 80, 8) == [] == duty_lines([], 20)
    assert "told" not in text(incident_lines([{"state": "", "duty": WAITING["duty"]}], T0, 80, 8))


def test_a_rota_is_one_line_and_hostile_names_are_inert() -> None:
    said = text(duty_lines([TURN], 20))
    assert "until Mon 11 May 07:00Z, then bob; reached by webhook ops" in said
    assert "\x1b" not in said


class Duty(FakeClient):
    """Answers the reports of on-call too."""

    def _answer(self, query: Query) -> list[Any]:
        told: dict[str, list[Any]] = {
            "incidents/{id}/oncall": [{**WAITING, "next_at": self.now() + timedelta(minutes=4)}]
        }
        told["oncall/now"] = [TURN]
        return told.get(query.kind) or super()._answer(query)


async def test_it_stands_on_the_screens(opened: Opened) -> None:
    async with opened(size=(120, 40), client=Duty(9, StillClock().now)) as desk:
        await desk.press("2", "enter")
        await desk.live()
        await desk.settled()
        assert "next eve in " in desk.screen and "ana (primary)" in desk.screen
        await desk.press("escape", "9", "b")
        await desk.live()
        await desk.settled()
        assert "on call primary" in desk.screen and "then bob" in desk.screen
