"""A line with rotas and policies, and what it told whom."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from data.nouns.oncall import Escalation, Page
from data.records import Effect
from data.scope import CAPABILITIES, Scope
from engine.oncall.rules import OnCall, compile_oncall
from engine.oncall.settings import Contact, OnCallSettings, PolicySettings, RotaSettings, StepSettings
from engine.rules import Rules, incident_test
from tests.fakes.line import ANA, Line

#: ana has the week that T0 (Monday 4 May 2026, noon UTC) is in, bob the next.
PRIMARY = RotaSettings(name="primary", people=("ana", "bob"), starts="2026-05-04", time_zone="Europe/Berlin")
SECOND = RotaSettings(name="second", people=("eve",), starts="2026-05-04")
PEOPLE = {"ana": Contact(webhook="ops"), "bob": Contact(webhook="ops"), "eve": Contact(email="eve@example.org")}
STEPS = (StepSettings(notify=("rota:primary",), minutes=5), StepSettings(notify=("rota:second",), minutes=10))


def oncall(*, steps: tuple[StepSettings, ...] = STEPS, policy: dict[str, Any] | None = None, **given: Any) -> OnCall:
    settings = OnCallSettings(
        people=PEOPLE,
        rotas=(PRIMARY, SECOND),
        policies=(PolicySettings(name="grave", steps=steps, **(policy or {"repeat": 0})),),
        **given,
    )
    made = compile_oncall(settings, incident_test)
    assert made is not None
    return made


class World:
    def __init__(self, rules: OnCall | None = None, **given: Any) -> None:
        self.line = Line(rules=Rules(oncall=rules or oncall(), **given))

    def pages(self) -> list[Page]:
        return [one for (kind, *_), one in self.line.store.nouns.items() if kind == "pages"]

    def told(self) -> list[tuple[str, str]]:
        """(person, kind) of the pages that were sent, in order."""
        return [(one.person, one.kind) for one in self.pages() if one.state == "sent"]

    def effects(self) -> list[Effect]:
        return [one for one in self.line.store.effects.values() if one.action == "page"]

    def escalation(self, id: str = "I1") -> Escalation:
        found: Escalation
        (found,) = [
            one for (kind, _, name), one in self.line.store.nouns.items() if kind == "escalations" and name == id
        ]
        return found

    def at(self, moment: datetime) -> World:
        self.line.now = moment
        return self


def limited(*sites: str) -> Scope:
    return Scope(tenant=ANA.tenant, actor="ana", capabilities=CAPABILITIES, sites=frozenset(sites))
