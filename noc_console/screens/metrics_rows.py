"""Series and anomalies as rows of tables. Pure but for the clock they read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from noc_console import words
from noc_console.desk import Desk
from noc_console.glyphs import Glyphs
from noc_console.safe_text import Safe, safe_text
from noc_console.screens.metrics_words import LETTERS, UNKNOWN_LETTER, Unit, kind_words, unit_of
from noc_console.widgets.columns import Column
from noc_console.widgets.piece import Piece

#: Five-minute averages that a spark is made of, and how many of them one cell shows.
SPARK_SLOTS, SPARK_JOINED = 48, 4
#: Labels that name what a series is about, the first that there is.
ENTITY_LABELS = ("device", "entity", "host", "instance", "person")

SERIES_COLUMNS = (
    Column(key="name", title=Safe("SERIES"), width=17, flex=2, most=40, keep=100),
    Column(key="site", title=Safe("SITE"), width=8, flex=4, most=20, keep=80),
    Column(key="entity", title=Safe("ABOUT"), width=13, flex=5, most=30, keep=90,
           help=Safe("device, host or person, without the id of the site beside it; other labels where there is none")),
    Column(key="last", title=Safe("LAST"), width=7, right=True, descending=True, keep=98),
    Column(key="age", title=Safe("AGE"), width=4, right=True, keep=50),
    Column(key="spark", title=Safe("LAST 4 H"), width=12, keep=60, sortable=False,
           help=Safe("averages of 20 minutes, each series on its own scale; a dot where there was no sample")),
    Column(key="odd", title=Safe("ANOMALY"), width=13, flex=2, most=22, descending=True, keep=95,
           help=Safe("what goes on now, and by how many spreads the value is off")),
)  # fmt: skip


class SeriesRow(Struct):
    """One series. `averages` are its last five-minute averages, oldest first, None where there was no sample. `place`
    is its place by name and what it is about."""

    id: str
    name: str
    labels: Mapping[str, str]
    site: str
    last: float | None
    last_at: datetime | None
    averages: Sequence[float | None] = ()
    place: int = 0

    @property
    def unit(self) -> Unit:
        return unit_of(self.name, self.labels)

    @property
    def about(self) -> str:
        """What it is about; else its labels."""
        named = next((self.labels[name] for name in ENTITY_LABELS if self.labels.get(name)), "")
        if named:
            return named
        return " ".join(f"{name}={value}" for name, value in self.labels.items() if name not in {"site", "unit"})

    @property
    def here(self) -> str:
        """What it is about, at its site: an id that begins with the site's goes on without that."""
        return self.about.removeprefix(f"{self.site}-") if self.site else self.about


class SeriesRows:
    """Cells of a series by its id. `odd` are the anomalies that go on, by the id of their series."""

    def __init__(self, desk: Desk, rows: Mapping[str, SeriesRow], odd: Mapping[str, Any]) -> None:
        self._desk, self._rows, self._odd = desk, rows, odd

    def cells(self, key: str) -> Sequence[Piece]:
        row = self._rows.get(key)
        if row is None:
            return [Piece(Safe(""))] * len(SERIES_COLUMNS)
        about = self._desk.names.words(row.here)
        odd = self._odd.get(key)
        now = self._desk.clock.now()
        return (
            Piece(safe_text(row.name), "strong"),
            Piece(self._desk.names.site(row.site), "text" if row.site else "dim"),
            Piece(about if about else Safe("-"), "text" if about else "dim"),
            Piece(row.unit.value(row.last)),
            Piece(words.age(row.last_at, now) if row.last_at else Safe("-"), "dim"),
            Piece(own_spark(row.averages, self._desk.glyphs), "spark"),
            Piece(Safe("-"), "dim")
            if odd is None
            else Piece(Safe(f"! {kind_words(odd.kind)} {odd.score:.3g}"), "warn"),
        )

    def rank(self, key: str, column: str) -> Any:
        row = self._rows.get(key)
        if row is None:
            return (0.0, 0)
        if column == "odd":
            odd = self._odd.get(key)
            return (-1.0 if odd is None else odd.score, -row.place)
        if column == "last":
            return (float("-inf") if row.last is None else row.last, -row.place)
        if column == "age":
            return (-row.last_at.timestamp() if row.last_at else 0.0, row.place)
        names = self._desk.names
        text = {"name": row.name, "site": names.site(row.site), "entity": names.words(row.here)}[column]
        return (text.casefold(), row.place)


def own_spark(averages: Sequence[float | None], glyphs: Glyphs) -> Safe:
    """Neighbours joined, on the series' own scale from its least to its greatest; a steady one is drawn low."""
    joined: list[float | None] = []
    for place in range(0, len(averages), SPARK_JOINED):
        there = [value for value in averages[place : place + SPARK_JOINED] if value is not None]
        joined.append(sum(there) / len(there) if there else None)
    known = [value for value in joined if value is not None]
    if not known:
        return Safe("")
    low, high = min(known), max(known)
    top = len(glyphs.ramp) - 1
    room = high - low
    return Safe(
        "".join(
            glyphs.dot
            if value is None
            else glyphs.ramp[1 + (round((value - low) / room * (top - 1)) if room > 0 else 0)]
            for value in joined
        )
    )


ANOMALY_COLUMNS = (
    Column(key="at", title=Safe("BEGAN"), width=12, descending=True, keep=100),
    Column(key="letter", title=Safe(""), width=1, keep=96, sortable=False, help=Safe("its letter above the plot")),
    Column(key="kind", title=Safe("KIND"), width=14, keep=99),
    Column(key="score", title=Safe("SCORE"), width=6, right=True, descending=True, keep=98,
           help=Safe("how many spreads the value was away from what was expected")),
    Column(key="value", title=Safe("VALUE"), width=9, right=True, descending=True, keep=90),
    Column(key="expected", title=Safe("EXPECTED"), width=9, right=True, descending=True, keep=80),
    Column(key="lasted", title=Safe("LASTED"), width=7, right=True, descending=True, keep=85),
)  # fmt: skip


class Anomaly(Struct, frozen=True):
    """A stretch of a series that was not as usual; `ended_at` None = it goes on."""

    id: str
    at: datetime
    ended_at: datetime | None
    kind: str
    score: float
    value: float | None
    expected: float | None


class AnomalyRows:
    """Cells of an anomaly by its id. `unit` and `clock` are those of the series that is plotted."""

    def __init__(self, desk: Desk, found: Mapping[str, Anomaly]) -> None:
        self._desk, self._found = desk, found
        self.unit = Unit("", "plain")
        self.clock: Callable[[float], datetime] | None = None

    def cells(self, key: str) -> Sequence[Piece]:
        found = self._found.get(key)
        if found is None:
            return [Piece(Safe(""))] * len(ANOMALY_COLUMNS)
        at = self.clock(found.at.timestamp()) if self.clock else found.at
        end = found.ended_at
        return (
            Piece(Safe(f"{at:%d %b %H:%M}"), "dim" if end else "strong"),
            Piece(LETTERS.get(found.kind, UNKNOWN_LETTER), "text" if end else "warn"),
            Piece(kind_words(found.kind), "text" if end else "warn"),
            Piece(Safe(f"{found.score:.1f}")),
            Piece(self.unit.value(found.value)),
            Piece(self.unit.value(found.expected), "dim"),
            Piece(words.short((end - found.at).total_seconds()), "dim") if end else Piece(Safe("goes on"), "warn"),
        )

    def rank(self, key: str, column: str) -> Any:
        found = self._found.get(key)
        if found is None:
            return 0.0
        end = found.ended_at or self._desk.clock.now()
        value: Any = {
            "at": found.at.timestamp(),
            "kind": found.kind,
            "score": found.score,
            "value": found.value or 0.0,
            "expected": found.expected or 0.0,
            "lasted": (end - found.at).total_seconds(),
        }[column]
        return value
