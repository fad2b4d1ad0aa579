"""The fields a query can name: their types, aliases, operators and help.

Owns the list that completion, help and the checks are made from. Never looks at a record.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from data.nouns import NOUNS
from data.query_ast import Op, QueryError
from data.records import AlertState, IncidentState, Severity

LABEL = "label."

SEVERITIES: tuple[str, ...] = tuple(severity.value for severity in Severity)
#: Every word a state field of any kind of record can hold.
STATES: tuple[str, ...] = tuple(
    dict.fromkeys(
        [state.value for state in (*AlertState, *IncidentState)]
        + ["waiting", "replayed", "discarded", "pending", "running", "done", "failed", "unknown"]
        + [state.lower() for noun in NOUNS.values() for state in noun.states]
    )
)

_ORDER = frozenset({Op.GT, Op.GE, Op.LT, Op.LE})
_SAME = frozenset({Op.EQ, Op.NE, Op.IN})
_WORDS = _SAME | {Op.RE, Op.NRE, Op.HAS, Op.GLOB, Op.NGLOB}


class FieldType(StrEnum):
    TEXT = "text"
    SEVERITY = "severity"
    STATE = "state"
    NUMBER = "number"
    DURATION = "duration"
    TIME = "time"
    FLAG = "true/false"


#: Type → the operators it takes.
OPERATORS: dict[FieldType, frozenset[Op]] = {
    FieldType.TEXT: _WORDS,
    FieldType.SEVERITY: _WORDS | _ORDER,
    FieldType.STATE: _WORDS,
    FieldType.NUMBER: _SAME | _ORDER,
    FieldType.DURATION: _ORDER,
    FieldType.TIME: _ORDER,
    FieldType.FLAG: frozenset({Op.EQ, Op.NE}),
}


class Field(Struct, frozen=True, kw_only=True):
    """One field: `kinds` are the kinds of rows that have it; for all others it reads as missing."""

    name: str
    type: FieldType
    doc: str
    aliases: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ("alerts", "incidents", "clusters")


_ALERTS = ("alerts",)
_ACTED = ("alerts", "incidents")
_MAIN = ("alerts", "incidents", "clusters")
_NOUNS = tuple(NOUNS)
_ALL = (*_MAIN, "silences", "timeline", "rejects", "audits", "effects", "events", *_NOUNS)


def _field(
    name: str, kind: FieldType, doc: str, aliases: tuple[str, ...] = (), kinds: tuple[str, ...] = _MAIN
) -> Field:
    return Field(name=name, type=kind, doc=doc, aliases=aliases, kinds=kinds)


def _text(name: str, doc: str, aliases: tuple[str, ...] = (), kinds: tuple[str, ...] = _MAIN) -> Field:
    return _field(name, FieldType.TEXT, doc, aliases, kinds)


def _number(name: str, doc: str, aliases: tuple[str, ...] = (), kinds: tuple[str, ...] = _MAIN) -> Field:
    return _field(name, FieldType.NUMBER, doc, aliases, kinds)


def _flag(name: str, doc: str, kinds: tuple[str, ...] = _MAIN) -> Field:
    return _field(name, FieldType.FLAG, doc, (), kinds)


#: All fields, in the order in which help and completion show them. Any other name is a label.
FIELDS: tuple[Field, ...] = (
    _field("severity", FieldType.SEVERITY, "critical, high, medium, low, info or C H M L I", aliases=("sev",)),
    _field(
        "state",
        FieldType.STATE,
        "open, acknowledged, returned (incidents), resolved, closed",
        kinds=(*_ACTED, "rejects", "effects", *_NOUNS),
    ),
    _text(
        "site",
        "site, site=LIS* for all that start so; of an incident any of its sites",
        kinds=(*_MAIN, "events", *_NOUNS),
    ),
    _text("name", "name of the alert; of an incident any of its names", aliases=("alertname", "type")),
    _text("title", "the line that the lists show"),
    _text("text", "title, name, site, entity, service, owner, labels; plain words search it", kinds=_ALL),
    _text("owner", 'who works on the incident; owner="" for nobody', kinds=("incidents",)),
    _number("priority", "0 to 100", aliases=("pri",), kinds=("incidents",)),
    _field("age", FieldType.DURATION, "time since it started: age<2h, age>1d12h", kinds=_ALL),
    _field("last", FieldType.DURATION, "time since the last repeat: last>10m"),
    _field(
        "opened",
        FieldType.TIME,
        "when it started: opened>=2026-11-20T14:00Z, in UTC if no zone is given",
        aliases=("started",),
        kinds=_ALL,
    ),
    _flag("acked", "acknowledged, and the acknowledgement has not lapsed", kinds=_ACTED),
    _flag("muted", "silenced, inhibited or shelved; of an incident: shelved, or all that fires is muted", kinds=_ACTED),
    _flag("silenced", "a silence mutes it now", kinds=_ALERTS),
    _flag("inhibited", "another alert mutes it", kinds=_ALERTS),
    _flag("shelved", "put aside until a time that has not come", kinds=_ACTED),
    _flag("suppressed", "a near-duplicate in its cluster; of an incident or cluster: it has such"),
    _flag("flapping", "changes state too often", kinds=_ALERTS),
    _number("count", "repeats of an alert; alerts of an incident or a cluster", aliases=("n",)),
    _text("source", "where it came in", kinds=("alerts", "rejects")),
    _text("entity", "host, device, person or thing it is about", kinds=(*_ALERTS, *_NOUNS)),
    _text("entity_type", "what the entity is", kinds=_ALERTS),
    _text("service", "service it belongs to", kinds=_ALERTS),
    _text("client", "customer", kinds=_ACTED),
    _text("key", "dedup key", kinds=("alerts", "effects")),
    _number("value", "score, probability or other figure of the record", aliases=("score",), kinds=_NOUNS),
    _number("id", "number of the alert, incident or cluster"),
    _number("incident", "number of the incident", kinds=(*_MAIN, "timeline", "effects", *_NOUNS)),
    _number("cluster", "number of the cluster; of an incident any of its clusters"),
)

BY_NAME: dict[str, Field] = {name: field for field in FIELDS for name in (field.name, *field.aliases)}
ANY_LABEL = Field(name=LABEL, type=FieldType.TEXT, doc="a label")


def canonical(name: str) -> str:
    """What was typed before the operator → the field's name, or "label." and the label's name."""
    known = BY_NAME.get(name.lower())
    if known is not None:
        return known.name
    return name if name.startswith(LABEL) else LABEL + name.removeprefix("labels.")


def field_of(name: str) -> Field:
    """The field of a canonical name; all labels share one. Raises QueryError for any other name."""
    if name.startswith(LABEL) and name != LABEL:
        return ANY_LABEL
    field = BY_NAME.get(name)
    if field is None or field.name != name:
        raise QueryError(0, f"unknown field ‘{name}’", "see the help for the list of fields")
    return field
