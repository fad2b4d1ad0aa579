"""What the next shift is told."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from data.records import Ack, IncidentState
from tests.console.conftest import Opened
from tests.console.test_silences import SilencedClient


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_handover_tells_what_waits_what_has_no_owner_and_what_ends_soon(
    opened: Opened, size: tuple[int, int]
) -> None:
    client = SilencedClient()
    now = client.now()
    for place, incident in enumerate(client.incidents.values()):
        # The first waits, the second lapses and is nobody's, the third is on the shelf, the rest is in good hands.
        ack = Ack(
            by="ana", at=now, severity=incident.severity, expires_at=now + timedelta(hours=2 if place == 1 else 20)
        )
        owned = replace(incident, ack=ack, owner="eva", shelved_until=None, state=IncidentState.ACKNOWLEDGED)
        left = {"ack": None, "owner": "", "state": IncidentState.OPEN}
        special = [left, {"owner": ""}, {**left, "shelved_until": now + timedelta(hours=1)}]
        client.incidents[incident.id] = replace(owned, **special[place]) if place < len(special) else owned
    waits, lapses, shelved = list(client.incidents)[:3]
    async with opened(client=client, size=size) as desk:
        await desk.press("H")
        await desk.settled()
        assert "1 incident nobody has acknowledged" in desk.line("to do") and f"I-{waits} " in desk.screen
        assert "1 acknowledged incident without an owner" in desk.line("no owner")
        assert "2 acknowledgements and shelves that end within 8 h" in desk.line("come back")
        first, then = (f"{now + timedelta(hours=hours):%H:%M}Z I-{n} " for hours, n in ((1, shelved), (2, lapses)))
        assert 0 < desk.screen.index(first) < desk.screen.index(then)
        await desk.press("G")
        assert "1 silence that ends within 8 h" in desk.line("silences") and "works on the roof" in desk.screen
        await desk.press("escape")
        assert "to do" not in desk.screen
