"""A FakeClient all of whose texts are as bad as they get: escapes, bidi, markup, 200,000 characters in one line."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from data.records import Ack, IncidentId, Note, Reason, TimelineEntry
from engine.client import Query
from tests.fakes import answers, world
from tests.fakes.client import FakeClient
from tests.fakes.world import EVIL

LONG = EVIL + "x" * 200_000


class HostileClient(FakeClient):
    """Every text is hostile; the first incident's are also very long."""

    def __init__(self, count: int = 9, now: Callable[[], datetime] = lambda: world.NOW) -> None:
        super().__init__(count, now)
        self.incidents = {n: world.hostile(i) for n, i in self.incidents.items()}
        self.incidents[4411] = replace(self.incidents[4411], title=LONG, resolution=LONG)
        self.clusters = {n: world.hostile_cluster(c) for n, c in self.clusters.items()}
        self.alerts = {
            n: replace(
                a, title=LONG if n == 441100 else EVIL, name=EVIL, site=EVIL, entity=EVIL, entity_type=EVIL,
                source=EVIL, key=EVIL, client=EVIL, labels={EVIL: EVIL, "long": LONG}, url=EVIL,
                annotations={EVIL: LONG, "link": "https://x.example/" + EVIL},
                ack=Ack(by=EVIL, at=world.NOW, severity=a.severity, note=EVIL),
                notes=(Note(by=EVIL, at=world.NOW, text=LONG),), why=(Reason(code=EVIL, facts={EVIL: EVIL}),),
            )
            for n, a in self.alerts.items()
        }  # fmt: skip
        self.rejects = {
            r.id: replace(r, source=EVIL, format=EVIL, field=EVIL, reason=LONG, remedy=EVIL)
            for r in answers.rejects(world.NOW, EVIL * 40 + "y" * 2_000)
        }
        self.sources = [{**source, "name": EVIL + str(n)} for n, source in enumerate(self.sources)]
        self.kpis = [{"name": EVIL, "value": EVIL, "unit": EVIL, "formula": LONG}]
        self.banners, self.state = (EVIL, LONG), EVIL

    def _rows(self, query: Query) -> list[Any]:
        if query.kind == "timeline":
            made = TimelineEntry(
                tenant=world.TENANT, incident=IncidentId(query.incident or 0), at=world.NOW, kind=EVIL, actor=EVIL,
                text=LONG,
            )  # fmt: skip
            return [made, replace(made, kind="note")]
        return super()._rows(query)
