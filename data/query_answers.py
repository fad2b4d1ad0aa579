"""What each kind of record answers when a query asks for a field.

Owns the reading of fields, labels and flags, with expiry computed from `now`. A field that is not listed for a kind
reads as missing: "" for text, false for flags, never for numbers and times. Never parses a query.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any

from msgspec import Struct

from data.matchers import matcher_text
from data.nouns import NOUNS, Noun
from data.records import Alert, Audit, Change, Cluster, Effect, Incident, Reject, Silence, TimelineEntry

Words = tuple[str, ...]


class Answers(Struct, frozen=True, kw_only=True):
    """The fields of one kind of record.

    `word` gives one text, `words` several of which any may match; numbers alike. `label` reads a label by
    name, as one text or several. Flags take the record and now.
    """

    word: Mapping[str, Callable[[Any], str]] = {}
    words: Mapping[str, Callable[[Any], Words]] = {}
    number: Mapping[str, Callable[[Any], float]] = {}
    numbers: Mapping[str, Callable[[Any], tuple[int, ...]]] = {}
    time: Mapping[str, Callable[[Any], datetime]] = {}
    flag: Mapping[str, Callable[[Any, datetime], bool]] = {}
    label: Callable[[str], Callable[[Any], Words]] = lambda name: lambda record: ()


def _attributes(*names: str, **renamed: str) -> dict[str, Callable[[Any], Any]]:
    """Fields that are attributes of the record, by their own or by another name."""
    return {name: attrgetter(attribute) for name, attribute in {**{name: name for name in names}, **renamed}.items()}


def _coming(at: datetime | None, now: datetime) -> bool:
    return at is not None and at > now


def _acked(record: Any, now: datetime) -> bool:
    return record.ack is not None and (record.ack.expires_at is None or record.ack.expires_at > now)


def _shelved(record: Any, now: datetime) -> bool:
    return _coming(record.shelved_until, now)


def _alert_muted(alert: Any, now: datetime) -> bool:
    return _coming(alert.silenced_until, now) or bool(alert.inhibited_by) or _coming(alert.shelved_until, now)


def _incident_muted(incident: Any, now: datetime) -> bool:
    return _coming(incident.shelved_until, now) or 0 < incident.firing <= incident.muted


def alert_text(alert: Any) -> Words:
    return (alert.title, alert.name, alert.site, alert.entity, alert.service, *alert.labels.values())


def sites(group: Any) -> Words:
    return group.sites or (group.site,)


def incident_text(incident: Any) -> Words:
    return (incident.title, incident.owner, *incident.names, *sites(incident))


def cluster_text(cluster: Any) -> Words:
    return (cluster.title, *cluster.names, *sites(cluster))


def alert_label(name: str) -> Callable[[Any], Words]:
    return lambda alert: (alert.labels.get(name, ""),)


def group_label(name: str) -> Callable[[Any], Words]:
    """Incidents and clusters have no labels of their own, but they know the names of their alerts."""
    return attrgetter("names") if name == "alertname" else lambda group: ()


def _columns(*names: str) -> Callable[[str], Callable[[Any], Words]]:
    """Logs have no labels: their columns can be asked for by name instead."""

    def label(name: str) -> Callable[[Any], Words]:
        return (lambda record: (getattr(record, name),)) if name in names else (lambda record: ())

    return label


def _joined(*names: str) -> dict[str, Callable[[Any], Words]]:
    return {"text": attrgetter(*names)}


def _silence_text(silence: Any) -> Words:
    return (silence.comment, silence.created_by, silence.ticket, *map(matcher_text, silence.matchers))


ALERT = Answers(
    word=_attributes(
        "severity", "state", "name", "title", "site", "source", "entity", "entity_type", "service", "client", "key"
    ),
    words={"text": alert_text},
    number=_attributes("count", "id", "incident", "cluster"),
    time=_attributes(opened="starts_at", last="last_at"),
    flag={
        "acked": _acked,
        "silenced": lambda alert, now: _coming(alert.silenced_until, now),
        "inhibited": lambda alert, now: bool(alert.inhibited_by),
        "shelved": _shelved,
        "suppressed": lambda alert, now: alert.suppressed,
        "flapping": lambda alert, now: alert.flapping,
        "muted": _alert_muted,
    },
    label=alert_label,
)

INCIDENT = Answers(
    word=_attributes("severity", "state", "title", "owner", "client"),
    words={"site": sites, "name": attrgetter("names"), "text": incident_text},
    number=_attributes("priority", "id", count="alerts", incident="id"),
    numbers=_attributes(cluster="clusters"),
    time=_attributes(opened="opened_at", last="last_at"),
    flag={
        "acked": _acked,
        "shelved": _shelved,
        "suppressed": lambda incident, now: incident.suppressed > 0,
        "muted": _incident_muted,
    },
    label=group_label,
)

CLUSTER = Answers(
    word=_attributes("severity", "title"),
    words={"site": sites, "name": attrgetter("names"), "text": cluster_text},
    number=_attributes("id", "incident", count="alerts", cluster="id"),
    time=_attributes(opened="opened_at", last="last_at"),
    flag={"suppressed": lambda cluster, now: cluster.suppressed > 0},
    label=group_label,
)

SILENCE = Answers(
    words={"text": _silence_text},
    time=_attributes(opened="starts_at"),
    label=_columns("created_by", "comment", "ticket"),
)

TIMELINE = Answers(
    words=_joined("kind", "actor", "text"),
    number=_attributes("incident"),
    time=_attributes(opened="at"),
    label=_columns("kind", "actor"),
)

REJECT = Answers(
    word=_attributes("source", "state"),
    words=_joined("source", "format", "field", "reason", "remedy", "body"),
    time=_attributes(opened="at"),
    label=_columns("format", "field", "reason"),
)

AUDIT = Answers(
    words=_joined("actor", "origin", "verb", "subject", "outcome"),
    time=_attributes(opened="at"),
    label=_columns("actor", "origin", "verb", "subject", "outcome"),
)

EFFECT = Answers(
    word=_attributes("key", "state"),
    words=_joined("key", "action", "result"),
    numbers={"incident": lambda effect: () if effect.incident is None else (effect.incident,)},
    time=_attributes(opened="created_at"),
    label=_columns("action"),
)

CHANGE = Answers(
    word=_attributes("site"),
    words=_joined("kind", "subject", "site", "reason"),
    time=_attributes(opened="at"),
    label=_columns("kind", "subject", "reason"),
)

def _plain(value: Any) -> Words:
    """An attribute as texts: lists give their texts, mappings their values, times and records nothing."""
    if value is None:
        return ()
    if isinstance(value, bool):
        return ("true" if value else "false",)
    if isinstance(value, str):
        return (value,)
    if isinstance(value, int | float):
        return (f"{value:g}",)
    if isinstance(value, tuple | list):
        return tuple(part for part in value if isinstance(part, str))
    if isinstance(value, dict):
        return tuple(part for part in value.values() if isinstance(part, str))
    return ()


def _attribute(name: str) -> Callable[[Any], Words]:
    return lambda record: _plain(getattr(record, name, None))


def of_noun(noun: Noun) -> Answers:
    """A kind of `data.nouns`: its columns by their common names, every attribute as a label."""
    names = tuple(name for name in noun.record.__struct_fields__ if name != "tenant")
    word: dict[str, Callable[[Any], str]] = {}
    words: dict[str, Callable[[Any], Words]] = {
        "text": lambda record: tuple(text for name in names for text in _plain(getattr(record, name)))
    }
    if noun.sites:
        words["site"] = attrgetter(noun.sites)
    elif noun.site:
        word["site"] = noun.site_of
    if noun.entity:
        word["entity"] = attrgetter(noun.entity)
    if noun.state:
        word["state"] = noun.state_of
    if noun.severity:
        word["severity"] = attrgetter(noun.severity)
    for name in ("title", "owner", "client", "service", "source"):
        if name in names:
            word[name] = attrgetter(name)
    called = tuple(name for name in ("name", "type", "kind") if name in names)
    if called:
        words["name"] = lambda record: tuple(getattr(record, name) for name in called)
    number = {"value": noun.value_of} if noun.value else {}
    numbers: dict[str, Callable[[Any], tuple[int, ...]]] = {}
    if noun.incident:
        attribute = noun.incident
        numbers["incident"] = lambda record: (
            () if getattr(record, attribute) is None else (getattr(record, attribute),)
        )
    return Answers(
        word=word, words=words, number=number, numbers=numbers, time={"opened": noun.time_of}, label=_attribute
    )


OF_RECORD: dict[type, Answers] = {
    **{noun.record: of_noun(noun) for noun in NOUNS.values()},
    Alert: ALERT,
    Incident: INCIDENT,
    Cluster: CLUSTER,
    Silence: SILENCE,
    TimelineEntry: TIMELINE,
    Reject: REJECT,
    Audit: AUDIT,
    Effect: EFFECT,
    Change: CHANGE,
}
