"""Operations as rows: figures of the modules, what is below a place, tickets, findings, records of any kind.

Pure but for the clock they read. Owns how each looks in a table and what is told of one in full.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from noc_console import words
from noc_console.desk import Desk
from noc_console.palette import SEVERITY_MARK, SEVERITY_STYLE
from noc_console.record_lists import noun_of
from noc_console.safe_text import Safe, safe_text
from noc_console.widgets.columns import Column
from noc_console.widgets.piece import Piece

_NONE = Piece(Safe("-"), "dim")
#: Figures that mean trouble when they are above zero.
TROUBLE = frozenset({
    "unacknowledged critical", "absent", "missed shifts", "posts short of people", "overdue", "missed", "offline",
    "in trouble", "low batteries", "SLA at risk", "SLA breached",
})  # fmt: skip

FIGURE_COLUMNS = (
    Column(key="module", title=Safe("MODULE"), width=11, keep=99),
    Column(key="name", title=Safe("WHAT"), width=23, flex=1, most=26, keep=100, sortable=False),
    Column(key="value", title=Safe("COUNT"), width=7, right=True, descending=True, keep=100),
    Column(key="trend", title=Safe("TREND"), width=15, flex=1, most=26, keep=80, sortable=False,
           help=Safe("now: as it stands; 24 h: counted over a day, beside the day before that")),
    Column(key="sla", title=Safe("STATE"), width=8, keep=90, descending=True),
)


class FigureRows:
    """Cells of a figure by its place in the engine's order."""

    def __init__(self, desk: Desk, figures: Mapping[int, Mapping[str, Any]]) -> None:
        self._desk, self._figures = desk, figures

    def cells(self, key: int) -> Sequence[Piece]:
        figure = self._figures.get(key)
        if figure is None:
            return [Piece(Safe(""))] * len(FIGURE_COLUMNS)
        value, bad = figure.get("value"), is_trouble(figure)
        first = self._figures.get(key - 1, {}).get("module") != figure["module"]
        return (
            Piece(safe_text(figure["module"]), "strong" if first else "dim"),
            Piece(safe_text(figure["name"])),
            _NONE if value is None else Piece(Safe(f"{value:,}"), "warn" if bad else "strong" if value else "dim"),
            self._trend(figure),
            _state(figure),
        )

    def _trend(self, figure: Mapping[str, Any]) -> Piece:
        value, before = figure.get("value"), figure.get("before")
        if value is None or before is None:
            return Piece(Safe("now"), "dim")
        glyphs = self._desk.glyphs
        glyph = glyphs.up if value > before else glyphs.down if value < before else glyphs.flat
        return Piece(Safe(f"24 h {glyph} was {before:,}"), "dim")

    def rank(self, key: int, column: str) -> Any:
        figure = self._figures.get(key, {})
        value = {"value": figure.get("value") or 0, "sla": is_trouble(figure)}.get(column, 0)
        return (value, -key if column in {"value", "sla"} else key)


def _state(figure: Mapping[str, Any]) -> Piece:
    """Whether somebody should look; nothing of figures that mean neither good nor bad."""
    if figure.get("value") is None or figure["name"] not in TROUBLE:
        return _NONE
    return Piece(Safe("! look"), "warn") if is_trouble(figure) else Piece(Safe("ok"), "ok")


def is_trouble(figure: Mapping[str, Any]) -> bool:
    return bool(figure.get("value")) and figure.get("name") in TROUBLE


_BELOW = Column(key="name", title=Safe("BELOW"), width=16, flex=8, most=36, keep=100)
_LEVEL = Column(key="level", title=Safe("IS A"), width=7, keep=40)
BELOW_COLUMNS = (
    _BELOW,
    _LEVEL,
    Column(key="incidents", title=Safe("INC"), width=5, right=True, descending=True, keep=95),
    Column(key="offline", title=Safe("OFFL"), width=5, right=True, descending=True, keep=80),
    Column(key="tickets", title=Safe("TICK"), width=5, right=True, descending=True, keep=85),
)
#: Of devices and people, which are not counted but seen.
ENTITY_COLUMNS = (
    _BELOW,
    _LEVEL,
    Column(key="state", title=Safe("STATE"), width=11, keep=90),
    Column(key="seen", title=Safe("SEEN"), width=5, right=True, keep=60),
)
_COUNTS = {"incidents": "incidents open incidents", "offline": "devices offline", "tickets": "tickets open"}
#: What is amiss comes first.
_ORDER = ("tampered", "offline", "sync_failed")
_STATES = {"offline": "warn", "sync_failed": "warn", "tampered": "warn", "online": "ok", "on site": "ok"}


class BelowRows:
    """Cells of a client, site, device or person by level and id."""

    def __init__(
        self, desk: Desk, below: Mapping[tuple[str, str], Mapping[str, Any]], columns: Sequence[Column] = BELOW_COLUMNS
    ) -> None:
        self._desk, self._below, self._columns = desk, below, columns

    def cells(self, key: tuple[str, str]) -> Sequence[Piece]:
        row = self._below.get(key)
        if row is None:
            return [Piece(Safe(""))] * len(self._columns)
        return [self._cell(row, column.key) for column in self._columns]

    def _cell(self, row: Mapping[str, Any], column: str) -> Piece:
        if column == "name":
            return Piece(safe_text(row.get("name") or row["id"]), "strong")
        if column in _COUNTS:
            count = row.get(_COUNTS[column])
            return _NONE if count is None else Piece(Safe(f"{count:,}"), "text" if count else "dim")
        if column == "seen":
            seen = moment(row.get("last_seen"))
            return Piece(words.age(seen, self._desk.clock.now()), "dim") if seen else _NONE
        text = safe_text(str(row.get(column) or "-").replace("_", " "))
        return Piece(text, _STATES.get(str(row.get(column)), "dim"))

    def rank(self, key: tuple[str, str], column: str) -> Any:
        row = self._below.get(key, {})
        if column in _COUNTS:
            return (row.get(_COUNTS[column]) or 0, key)
        seen = moment(row.get("last_seen"))
        state = str(row.get("state", ""))
        value = {
            "state": f"{_ORDER.index(state) if state in _ORDER else 9}{state}",
            "level": key[0],
            "seen": str(seen or ""),
        }.get(column, "")
        return (value, str(row.get("name") or key[1]).casefold(), key)


TICKET_COLUMNS = (
    Column(key="priority", title=Safe("PRIO"), width=8, keep=92),
    Column(key="sla", title=Safe("SLA"), width=9, keep=98),
    Column(key="id", title=Safe("TICKET"), width=13, flex=2, most=28, keep=80),
    Column(key="age", title=Safe("AGE"), width=4, right=True, keep=75),
    Column(key="state", title=Safe("STATE"), width=11, keep=95),
    Column(key="site", title=Safe("SITE"), width=9, flex=1, most=16, keep=60),
    Column(key="title", title=Safe("WHAT"), width=18, flex=10, keep=100, sortable=False),
    Column(key="assignee", title=Safe("ASSIGNEE"), width=10, flex=1, most=18, keep=85),
)
_PRIORITIES = ("critical", "P1", "high", "P2", "medium", "P3", "low", "P4")


class TicketRows:
    """Cells of a ticket by its id."""

    def __init__(self, desk: Desk, tickets: Mapping[str, Any]) -> None:
        self._desk, self._tickets = desk, tickets

    def cells(self, key: str) -> Sequence[Piece]:
        ticket = self._tickets.get(key)
        if ticket is None:
            return [Piece(Safe(""))] * len(TICKET_COLUMNS)
        now = self._desk.clock.now()
        high = ticket.priority in {"critical", "P1", "high", "P2"}
        return (
            Piece(safe_text(ticket.priority), "strong" if high else "text"),
            sla(ticket, now),
            Piece(safe_text(ticket.id), "strong"),
            Piece(words.age(ticket.opened_at, now), "dim"),
            Piece(safe_text(ticket.state.replace("_", " ")), "warn" if ticket.state == "new" else "text"),
            Piece(self._desk.names.site(ticket.site)),
            Piece(self._desk.names.words(ticket.title)),
            Piece(self._desk.names.person(ticket.assignee)) if ticket.assignee else _NONE,
        )

    def rank(self, key: str, column: str) -> Any:
        ticket = self._tickets.get(key)
        if ticket is None:
            return (0, "")
        known = ticket.priority in _PRIORITIES
        value: Any = {
            "priority": _PRIORITIES.index(ticket.priority) // 2 if known else len(_PRIORITIES),
            "sla": _sla_rank(ticket),
            "id": "",
            "age": -ticket.opened_at.timestamp(),
            "state": ticket.state,
            "site": self._desk.names.site(ticket.site).casefold(),
            "assignee": self._desk.names.person(ticket.assignee).casefold(),
        }[column]
        return (value, ticket.id)


def sla(ticket: Any, now: datetime) -> Piece:
    """The SLA's clock: what is left, by how much it is over, held, or how it ended."""
    if ticket.resolved_at is not None or ticket.state in {"resolved", "closed"}:
        return Piece(Safe("missed"), "warn") if ticket.breached else Piece(Safe("met"), "ok")
    if ticket.due_at is None:
        return _NONE
    if ticket.held_since is not None:
        return Piece(Safe("held"), "dim")
    left = (ticket.due_at - now).total_seconds()
    if left <= 0:
        return Piece(Safe(f"! -{words.short(-left)}"), "alarm")
    risk = ticket.sla == "at_risk" or (ticket.at_risk_at is not None and now >= ticket.at_risk_at)
    return Piece(Safe(f"risk {words.short(left)}"), "warn") if risk else Piece(words.short(left))


def _sla_rank(ticket: Any) -> float:
    """The clock that ends first is first; those that are over or held last."""
    if ticket.state in {"resolved", "closed"} or ticket.due_at is None:
        return 9e12
    return float(ticket.due_at.timestamp()) + (1e12 if ticket.held_since is not None else 0.0)


FINDING_COLUMNS = (
    Column(key="sev", title=Safe("SEV"), width=3, descending=True, keep=98),
    Column(key="age", title=Safe("AGE"), width=4, right=True, keep=90),
    Column(key="type", title=Safe("TYPE"), width=14, flex=2, most=24, keep=70),
    Column(key="site", title=Safe("SITE"), width=9, flex=1, most=16, keep=80),
    Column(key="title", title=Safe("WHAT"), width=20, flex=10, keep=100, sortable=False),
    Column(key="state", title=Safe("STATE"), width=9, keep=92),
    Column(key="verdict", title=Safe("VERDICT"), width=11, keep=94),
    Column(key="ticket", title=Safe("TICKET"), width=6, keep=40),
)


class FindingRows:
    """Cells of a finding by its id."""

    def __init__(self, desk: Desk, findings: Mapping[str, Any]) -> None:
        self._desk, self._findings = desk, findings

    def cells(self, key: str) -> Sequence[Piece]:
        finding = self._findings.get(key)
        if finding is None:
            return [Piece(Safe(""))] * len(FINDING_COLUMNS)
        verdict = finding.disposition.replace("_", " ")
        return (
            Piece(Safe(SEVERITY_MARK[finding.severity]), SEVERITY_STYLE[finding.severity]),
            Piece(words.age(finding.at, self._desk.clock.now()), "dim"),
            Piece(safe_text(finding.type.replace("_", " "))),
            Piece(self._desk.names.site(finding.site)),
            Piece(self._desk.names.words(finding.title), "strong"),
            Piece(safe_text(finding.state), "text" if finding.state == "open" else "dim"),
            Piece(safe_text(verdict), "ok") if verdict else _NONE,
            Piece(Safe("yes" if finding.ticket else "-"), "dim"),
        )

    def rank(self, key: str, column: str) -> Any:
        finding = self._findings.get(key)
        if finding is None:
            return (0, 0.0)
        value: Any = {
            "sev": _RANKS[finding.severity.value],
            "age": -finding.at.timestamp(),
            "type": finding.type,
            "site": self._desk.names.site(finding.site).casefold(),
            "state": finding.state,
            "verdict": finding.disposition,
            "ticket": bool(finding.ticket),
        }[column]
        return (value, finding.at.timestamp())


_RANKS = {name: rank for rank, name in enumerate(("info", "low", "medium", "high", "critical"))}

RECORD_COLUMNS = (
    Column(key="id", title=Safe("ID"), width=12, flex=2, most=28, keep=95),
    Column(key="age", title=Safe("AGE"), width=4, right=True, keep=90),
    Column(key="state", title=Safe("STATE"), width=12, keep=92),
    Column(key="site", title=Safe("SITE"), width=10, flex=1, most=16, keep=80),
    Column(key="who", title=Safe("ENTITY"), width=12, flex=1, most=20, keep=70),
    Column(key="what", title=Safe("WHAT"), width=20, flex=10, keep=100),
)


class RecordRows:
    """Cells of a record of any kind by its id."""

    def __init__(self, desk: Desk, kind: str, records: Mapping[Any, Any]) -> None:
        self._desk, self._kind, self._records = desk, kind, records

    def cells(self, key: Any) -> Sequence[Piece]:
        record = self._records.get(key)
        if record is None:
            return [Piece(Safe(""))] * len(RECORD_COLUMNS)
        at = time_of(self._kind, record)
        letter = {"incidents": "I-", "alerts": "A-"}.get(self._kind, "")
        return (
            Piece(safe_text(f"{letter}{record.id}"), "strong"),
            Piece(words.age(at, self._desk.clock.now()), "dim") if at else _NONE,
            Piece(safe_text(_first(record, "state", "status", "kind") or "-")),
            Piece(self._desk.names.site(_first(record, "site", "on_site"))),
            Piece(self._desk.names.person(_first(record, "entity", "person", "owner", "assignee")), "dim"),
            Piece(what(record)),
        )

    def rank(self, key: Any, column: str) -> Any:
        record = self._records.get(key)
        if record is None:
            return (0, "")
        at = time_of(self._kind, record)
        value: Any = -at.timestamp() if column == "age" and at else 0.0
        if column not in {"age", "id"}:
            place = [found.key for found in RECORD_COLUMNS].index(column)
            return (str(self.cells(key)[place].text).casefold(), str(key))
        return (value, str(key)) if column == "age" else (0.0, str(key))


def what(record: Any) -> Safe:
    """The record in words."""
    found = _first(record, "title", "name", "words", "type", "post", "method")
    if not found and hasattr(record, "checkpoints"):
        done = sum(point.scanned_at is not None for point in record.checkpoints)
        found = f"{done} of {len(record.checkpoints)} checkpoints"
    return safe_text(found or "-")


def time_of(kind: str, record: Any) -> datetime | None:
    """When it began."""
    field = {"incidents": "opened_at", "alerts": "starts_at"}.get(kind)
    try:
        found = getattr(record, field or noun_of(kind).at, None)
    except KeyError:
        return None
    return found if isinstance(found, datetime) else None


def _first(record: Any, *fields: str) -> str:
    """The first of these attributes that says something."""
    for field in fields:
        value = getattr(record, field, "")
        if value:
            return str(getattr(value, "value", value)).replace("_", " ") if field != "site" else str(value)
    return ""


def facts(record: Any, now: datetime) -> list[tuple[str, Safe]]:
    """All that is known of a record, label and words; histories and evidence one line each."""
    told: list[tuple[str, Safe]] = []
    for field in sorted(record.__struct_fields__, key=lambda field: field not in {"title", "name", "state"}):
        value = getattr(record, field)
        if field in {"tenant", "stamps", "settled", "history", "evidence", "id"} or value in ("", None, (), {}, False):
            continue
        label = field.removesuffix("_at").replace("_", " ")[:9]
        told.append((label, safe_text(_in_words(value, now))))
    said = [*_evidence(record), *_history(record)]
    return [*told[:2], *said, *told[2:]]


def _evidence(record: Any) -> list[tuple[str, Safe]]:
    evidence = getattr(record, "evidence", {})
    return [("evidence", safe_text(f"{str(name).replace('_', ' ')}: {value}")) for name, value in evidence.items()]


def _history(record: Any) -> list[tuple[str, Safe]]:
    told = []
    for step in getattr(record, "history", ()):
        parts = (step.state.replace("_", " "), f"to {step.assignee}" if step.assignee else "", step.note)
        told.append((f"{step.at:%H:%M:%S}", safe_text(f"{step.by or 'engine'}: {'; '.join(p for p in parts if p)}")))
    return told


def _in_words(value: Any, now: datetime) -> str:
    if isinstance(value, datetime):
        passed = (now - value).total_seconds()
        return f"{value:%Y-%m-%d %H:%M:%S}Z, {words.short(passed)} ago" if passed >= 0 else _future(value, -passed)
    if isinstance(value, tuple) and value and hasattr(value[0], "__struct_fields__"):
        return words.many(len(value), "entry", "entries")
    if isinstance(value, tuple | list):
        return ", ".join(str(part) for part in value)
    if isinstance(value, dict):
        return ", ".join(f"{key}={part}" for key, part in value.items())
    return str(getattr(value, "value", value))


def _future(at: datetime, seconds: float) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}Z, in {words.short(seconds)}"


def moment(value: Any) -> datetime | None:
    """Aware datetime; a line carries it as text."""
    return msgspec.convert(value, datetime | None)
