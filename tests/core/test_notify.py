"""Who hears of what: notices follow what happened to an incident, never its alerts, and never while it is muted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from data.records import DEFAULT_TENANT, Effect, IncidentId, IncidentState, Severity, Signal, SignalStatus, Told
from data.scope import CAPABILITIES, Scope
from engine import pipeline
from engine.book import Batch, Book, Draft
from engine.client import Command
from engine.ports import Envelope, EnvelopeKind
from engine.rules import Rules, compile_rules
from engine.settings import NotifySettings, Settings, WebhookSettings
from engine.stages.apply import Asked

START = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
ALL = ("opened", "severity_rose", "acknowledged", "returned", "resolved")
ANA = Scope(tenant=DEFAULT_TENANT, actor="ana", capabilities=CAPABILITIES)
ONE = IncidentId(1)


def webhook(name: str = "ops", **fields: Any) -> WebhookSettings:
    return WebhookSettings(**{"name": name, "url": "https://hooks.example/", "on": ALL, **fields})


def rules_for(*webhooks: WebhookSettings) -> Rules:
    return compile_rules(Settings(notify=NotifySettings(webhooks=webhooks)))


class Line:
    """The line on a Book in memory; `told` are the notices so far as (webhook, event)."""

    def __init__(self, *webhooks: WebhookSettings) -> None:
        self.rules = rules_for(*webhooks)
        self.book, self.now = Book(), START
        self.effects: list[Effect] = []

    def put(self, kind: EnvelopeKind, payload: Any, seconds: float = 1.0) -> Any:
        self.now += timedelta(seconds=seconds)
        draft = Draft(self.book, self.rules, DEFAULT_TENANT, self.now)
        pipeline.run(draft, Envelope(kind=kind, tenant=DEFAULT_TENANT, source="test", payload=payload))
        Batch(self.book).absorb(draft)
        self.effects += draft.effects
        return draft.result

    def fire(self, *signals: Signal) -> None:
        self.put(EnvelopeKind.SIGNALS, [replace(one, starts_at=self.now, ends_at=self.later(3600)) for one in signals])

    def heal(self, *signals: Signal) -> None:
        healed = [
            replace(one, status=SignalStatus.RESOLVED, starts_at=self.now, ends_at=self.now) for one in signals
        ]
        self.put(EnvelopeKind.SIGNALS, healed)

    def act(self, verb: str, *targets: str, **params: Any) -> Any:
        command = Command(verb=verb, targets=targets, params=params)
        return self.put(EnvelopeKind.COMMAND, Asked(command=command, scope=ANA))

    def tick(self, seconds: float) -> None:
        self.put(EnvelopeKind.TICK, None, seconds)

    def later(self, seconds: float) -> datetime:
        return self.now + timedelta(seconds=seconds)

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(effect.params["webhook"], effect.params["event"]) for effect in self.effects]

    @property
    def events(self) -> list[str]:
        return [effect.params["event"] for effect in self.effects]


def signal(entity: str = "a", severity: Severity = Severity.CRITICAL, name: str = "Down", site: str = "LIS1") -> Signal:
    return Signal(
        source="test",
        key=f"{name}/{entity}",
        name=name,
        severity=severity,
        status=SignalStatus.FIRING,
        title=f"{name} at {entity}",
        site=site,
        entity=entity,
        entity_type="host",
        service="",
        client="",
        correlation="",
        starts_at=START,
        ends_at=START,
        labels={"alertname": name, "instance": entity, "site": site},
        annotations={},
    )


def test_nothing_is_told_when_nobody_listens() -> None:
    line = Line()
    line.fire(signal())
    line.heal(signal())
    assert line.effects == [] and line.book.incidents[ONE].notices == {}


def test_opened_acknowledged_and_resolved_are_told_once_each() -> None:
    line = Line(webhook())
    line.fire(signal())
    line.fire(signal())
    line.act("ack", "incident:1")
    line.heal(signal())
    line.tick(1)
    assert line.events == ["opened", "acknowledged", "resolved"]


def test_a_notice_says_what_happened_and_has_a_key_of_its_own() -> None:
    line = Line(webhook())
    line.fire(signal())
    (effect,) = line.effects
    incident = line.book.incidents[ONE]
    assert (effect.key, effect.action, effect.incident) == ("webhook/ops/1/opened/1", "webhook", 1)
    assert effect.created_at == line.now and effect.state == "pending"
    told = effect.params["incident"]
    assert (told["id"], told["severity"], told["state"], told["site"]) == (1, "critical", "open", "LIS1")
    assert told["priority"] == incident.priority > 0
    assert told["opened_at"] == START.isoformat().replace("+00:00", "Z")


def test_a_hundred_alerts_are_one_notice() -> None:
    line = Line(webhook())
    line.fire(*(signal(f"host-{number}") for number in range(100)))
    opened = line.events.count("opened")
    assert opened == len(line.book.incidents) < 15 and set(line.events) == {"opened"}


@pytest.mark.parametrize(
    ("on", "events"),
    [
        (("opened",), ["opened"]),
        (("returned",), ["returned"]),
        (("resolved",), ["resolved"]),
        (("acknowledged", "resolved"), ["resolved"]),
        (("opened", "severity_rose", "resolved"), ["opened", "resolved"]),
        (ALL, ["opened", "returned", "resolved"]),
    ],
)
def test_only_what_was_asked_for_is_told(on: Sequence[str], events: list[str]) -> None:
    line = Line(webhook(on=tuple(on)))
    line.fire(signal())
    line.heal(signal())
    line.act("resolve", "incident:1")
    assert line.events == events


@pytest.mark.parametrize(
    ("when", "told"),
    [
        ("", True),
        ("severity>=high", True),
        ("severity=low", False),
        ("site=LIS*", True),
        ("site=OPO*", False),
        ("age<1h", True),
        ("age>1h", False),
        ("not muted=true", True),
        ("priority>1", True),
    ],
)
def test_the_query_decides_on_the_incident(when: str, told: bool) -> None:
    line = Line(webhook(when=when))
    line.fire(signal())
    assert bool(line.events) is told


def test_each_webhook_decides_for_itself() -> None:
    line = Line(webhook("a"), webhook("b", when="severity=low"), webhook("c", on=("resolved",)))
    line.fire(signal())
    line.act("resolve", "incident:1")
    assert line.told == [("a", "opened"), ("a", "resolved"), ("c", "resolved")]


def test_a_rising_severity_is_told_to_who_had_not_heard() -> None:
    line = Line(webhook())
    line.fire(signal(severity=Severity.LOW))
    assert line.events == []
    line.fire(signal(severity=Severity.CRITICAL))
    assert line.events == ["severity_rose"]
    assert line.book.incidents[ONE].notices == {"ops": Told("severity_rose")}


def test_who_was_told_hears_the_end_though_the_query_no_longer_holds() -> None:
    line = Line(webhook(when="severity=critical"))
    line.fire(signal(severity=Severity.CRITICAL))
    line.fire(signal(severity=Severity.LOW))
    assert line.book.incidents[ONE].severity is Severity.LOW
    line.act("resolve", "incident:1")
    assert line.events == ["opened", "resolved"]


def silence(line: Line, minutes: float = 10.0) -> None:
    matchers = [{"name": "site", "value": "LIS1", "isRegex": False, "isEqual": True}]
    result = line.act(
        "silence", matchers=matchers, starts_at=line.now, ends_at=line.later(60 * minutes), comment="planned work"
    )
    assert result.changed, result


def test_a_silenced_incident_is_told_when_the_silence_ends() -> None:
    line = Line(webhook())
    silence(line)
    line.fire(signal())
    line.tick(60)
    assert line.events == [] and line.book.incidents[ONE].notices == {"ops": Told("", "opened")}
    line.tick(600)
    line.tick(1)
    assert line.events == ["opened"]
    line.tick(1)
    assert line.events == ["opened"]


def test_a_silenced_incident_that_ends_is_never_told() -> None:
    line = Line(webhook())
    silence(line)
    line.fire(signal())
    line.heal(signal())
    line.act("ack", "incident:1")
    line.tick(700)
    assert line.book.incidents[ONE].state is IncidentState.RESOLVED and line.events == []


def test_a_shelved_incident_keeps_quiet_until_it_is_back() -> None:
    line = Line(webhook())
    line.fire(signal(severity=Severity.HIGH))
    line.act("shelve", "incident:1", minutes=10)
    line.fire(signal(severity=Severity.CRITICAL))
    assert line.events == ["opened"]
    line.tick(700)
    assert line.events == ["opened", "severity_rose"]


def test_the_end_of_a_shelved_incident_is_told_to_who_knows_of_it() -> None:
    line = Line(webhook())
    line.fire(signal())
    line.act("shelve", "incident:1", minutes=10)
    line.act("resolve", "incident:1")
    assert line.events == ["opened", "resolved"]


def test_a_merged_incident_is_over_for_who_was_told() -> None:
    line = Line(webhook())
    line.fire(signal("a"))
    line.fire(signal("b", name="Flood", site="OPO2"))
    line.act("merge", "incident:1", "incident:2")
    assert [(effect.incident, effect.params["event"]) for effect in line.effects] == [
        (1, "opened"),
        (2, "opened"),
        (2, "resolved"),
    ]
    assert line.effects[-1].params["incident"]["merged_into"] == 1
    undo = next(iter(line.book.undos))
    line.act("undo", f"undo:{undo}")
    assert (line.effects[-1].incident, line.effects[-1].params["event"]) == (2, "opened")
    assert len({effect.key for effect in line.effects}) == len(line.effects)


def test_what_fires_again_is_told_again() -> None:
    line = Line(webhook())
    line.fire(signal())
    line.heal(signal())
    line.tick(5)
    line.fire(signal())
    assert line.events[:2] == ["opened", "returned"]
    assert line.events.count("opened") == 2
    assert len({effect.key for effect in line.effects}) == len(line.effects)


def test_a_dropped_draft_has_told_nothing() -> None:
    line = Line(webhook())
    line.fire(signal())
    before = line.book.incidents[ONE]
    draft = Draft(line.book, line.rules, DEFAULT_TENANT, line.later(1))
    asked = Asked(command=Command(verb="resolve", targets=("incident:1",)), scope=ANA)
    pipeline.run(draft, Envelope(kind=EnvelopeKind.COMMAND, tenant=DEFAULT_TENANT, source="t", payload=asked))
    assert [effect.params["event"] for effect in draft.effects] == ["resolved"]
    draft.drop()
    assert line.book.incidents[ONE] is before


def test_long_texts_are_cut() -> None:
    line = Line(webhook())
    line.fire(replace(signal(), title="x" * 50_000, site="y" * 50_000))
    assert len(str(line.effects[0].params)) < 5000
