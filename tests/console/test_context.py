"""The context tab of an incident: five categories, each item with its reason."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from engine.client import Refused
from tests.console.conftest import Desktop, Opened
from tests.console.fraud_world import OperationsClient
from tests.fakes import world

CONTEXT: list[dict[str, Any]] = [
    {
        "category": "related_alerts",
        "items": [
            {
                "what": "Panel 3 cannot synchronise",
                "reason": "same site site-040, 4 min apart",
                "subject": "alert:270",
                "at": world.NOW - timedelta(minutes=4),
            }
        ],
    },
    {"category": "recent_changes", "items": []},
    {
        "category": "similar_incidents",
        "items": [
            {
                "what": "power lost",
                "reason": "same pattern",
                "subject": "incident:12",
                "at": "2026-11-01T10:00:00Z",
                "resolved": "fuse replaced",
                "by": "bo",
                "took": "1.5 h",
            }
        ],
    },
    {"category": "affected_resources", "items": [{"what": "Panel \x1b[31m1", "reason": ""}]},
    {"category": "current_state", "items": [{"what": "devices: 2 offline", "reason": "not well: Panel 1"}]},
]


async def show(desk: Desktop) -> None:
    await desk.press("2", "enter", "e")
    await desk.settled()


def client() -> OperationsClient:
    made = OperationsClient()
    made.context = CONTEXT
    return made


async def test_categories_with_reasons(opened: Opened) -> None:
    async with opened(client=client(), size=(80, 40)) as desk:
        await show(desk)
        for title in ("Related alerts", "Recent changes", "Similar past incidents", "Affected", "State now"):
            assert title in desk.screen
        assert "A-270 Panel 3" in desk.screen and "same site site-040" in desk.screen
        assert "same pattern; resolved fuse replaced by bo in 1.5 h" in desk.screen
        assert "nobody changed anything here" in desk.screen and "no reason given" in desk.screen
        assert "4 items" in desk.screen and "\x1b" not in desk.screen


async def test_the_key_again_gathers_anew(opened: Opened) -> None:
    made = client()
    async with opened(client=made, size=(80, 40)) as desk:
        await show(desk)
        made.context = [{"category": "current_state", "items": [{"what": "all is well", "reason": "now"}]}]
        await desk.press("e")
        await desk.settled()
        assert "all is well" in desk.screen and "A-270" not in desk.screen
        assert all(q.params == {"id": 4411} for q in made.queries if q.kind.endswith("/context"))


async def test_none_and_refused_are_said(opened: Opened) -> None:
    made = OperationsClient()
    async with opened(client=made) as desk:
        await show(desk)
        assert "no context could be gathered" in desk.screen
        made.refuse_query("incidents/{id}/context", Refused("too slow"))
        await desk.press("e")
        await desk.settled()
        assert "too slow" in desk.screen
