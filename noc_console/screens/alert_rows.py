"""Alerts as rows of a table: columns, cells, sorting. Pure but for the clock it reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from data.records import RANK, Alert
from noc_console import alert_words, words
from noc_console.desk import Desk
from noc_console.safe_text import Safe, safe_text
from noc_console.widgets.columns import Column
from noc_console.widgets.last_known import LastKnown
from noc_console.widgets.piece import Piece

STATE_HELP = Safe("new, or what is true of it that matters most: silenced, inhibited by another one, repeat of another")
SEVERITY_HELP = Safe("C! critical  H high  M medium  L low  i info")

# fmt: off
ALERT_COLUMNS = (
    Column(key="sev", title=Safe("SEV"), width=4, descending=True, keep=98, help=SEVERITY_HELP),
    Column(key="id", title=Safe("ID"), width=8, flex=1, most=10, descending=True, keep=60),
    Column(key="flag", title=Safe("STATE"), width=9, keep=95, help=STATE_HELP),
    Column(key="age", title=Safe("AGE"), width=4, right=True, descending=True, keep=92, help=Safe("since it began")),
    Column(key="count", title=Safe("SEEN"), width=4, right=True, descending=True, keep=70,
           help=Safe("how many times it was told")),
    Column(key="site", title=Safe("SITE"), width=8, flex=2, most=20, keep=50),
    Column(key="what", title=Safe("WHAT"), width=28, wish=44, flex=20, keep=100),
    Column(key="entity", title=Safe("ENTITY"), width=12, flex=4, most=24, keep=30),
    Column(key="last", title=Safe("LAST"), width=5, right=True, keep=40, help=Safe("since it was heard last")),
    Column(key="flags", title=Safe("ALSO"), width=20, flex=1, most=40, keep=10, sortable=False,
           help=Safe("what else is true of it")),
)
# fmt: on


class AlertRows:
    """Cells of an alert by its number, from a mapping that the screen fills. Ended ones are dim."""

    def __init__(self, desk: Desk, alerts: Mapping[int, Alert]) -> None:
        self._desk, self._alerts = desk, alerts
        self._gone = LastKnown[int, Alert]()

    def cells(self, key: int) -> Sequence[Piece]:
        alert = self._gone.keep(key, self._alerts.get(key))
        if alert is None:
            return [Piece(Safe(""))] * len(ALERT_COLUMNS)
        now = self._desk.clock.now()
        found = alert_words.flags(alert, now)
        quiet = quiet_style(alert)
        severity = alert_words.severity(alert)
        return (
            severity if alert.ended_at is None else severity._replace(style="dim"),
            Piece(alert_words.number(alert.id), quiet),
            Piece(found[0].word, found[0].style),
            Piece(words.age(alert.starts_at, now), quiet),
            Piece(Safe(str(alert.count)), quiet),
            Piece(self._desk.names.site(alert.site), quiet),
            Piece(self._desk.names.words(alert.title), quiet),
            Piece(safe_text(alert.entity or "-"), "dim"),
            Piece(words.age(alert.last_at, now), "dim"),
            Piece(Safe(", ".join(flag.word for flag in found[1:])), "dim"),
        )

    def rank(self, key: int, column: str) -> Any:
        alert = self._alerts.get(key)
        if alert is None:
            return (0, 0)
        if column in {"site", "what"}:
            names = self._desk.names
            return ((names.site(alert.site) if column == "site" else names.words(alert.title)).casefold(), -alert.id)
        return (_RANKS[column](alert), -alert.id)


def quiet_style(alert: Alert) -> str:
    """What is over or folded away stands back."""
    return "dim" if alert.ended_at is not None or alert.suppressed else "text"


_RANKS: dict[str, Any] = {
    "sev": lambda a: (a.ended_at is None, RANK[a.severity]),
    "id": lambda a: a.id,
    "flag": lambda a: a.state.value,
    "age": lambda a: -a.starts_at.timestamp(),
    "count": lambda a: a.count,
    "entity": lambda a: a.entity.casefold(),
    "last": lambda a: -a.last_at.timestamp(),
}
