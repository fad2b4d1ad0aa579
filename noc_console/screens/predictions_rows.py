"""Predictions as rows: how likely, how soon, and a lane of how the probability went and until when it holds. Pure but
for the clock they read.

A lane reads from left to right: blocks for the probability as it was said, a rule until the end of the horizon, and
what became of it: o it came, x it did not, p prevented, ! it came unforetold, c withdrawn.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

from noc_console import words
from noc_console.desk import Desk
from noc_console.directory import Directory
from noc_console.glyphs import Glyphs
from noc_console.safe_text import Safe, safe_text
from noc_console.widgets.columns import Column
from noc_console.widgets.heat_grid import style_of
from noc_console.widgets.lanes import LANE, Window, overlay
from noc_console.widgets.piece import Piece

#: Model → the event that it foretells.
EVENTS = {"sla": "SLA breach", "device": "device offline", "staffing": "staffing gap"}
#: State → what stands in the lane and in words; open ones have no mark.
MARKS = {"hit": "o", "false_alarm": "x", "prevented": "p", "missed": "!", "cleared": "c"}
STATES = {
    "open": "open", "cleared": "withdrawn", "hit": "came true", "false_alarm": "did not come",
    "prevented": "prevented", "missed": "not foretold",
}  # fmt: skip
OVER = frozenset({"hit", "false_alarm", "prevented", "missed"})
ABOUT = attrgetter("at")

COLUMNS = (
    Column(key="p", title=Safe("P"), width=5, right=True, descending=True, keep=100,
           help=Safe("calibrated probability; ~ = the model's probabilities have drifted")),
    Column(key="left", title=Safe("LEFT"), width=5, right=True, keep=98, help=Safe("until the end of the horizon")),
    Column(key="what", title=Safe("FORETOLD"), width=14, keep=95),
    Column(key="about", title=Safe("ABOUT"), width=13, flex=14, most=40, keep=97),
    Column(key="site", title=Safe("SITE"), width=9, flex=3, most=20, keep=80),
    Column(key=LANE, title=Safe("COURSE"), width=18, flex=5, keep=90, sortable=False,
           help=Safe("what was said, a rule until the horizon ends; o came, x did not, p prevented, c withdrawn")),
    Column(key="such", title=Safe("SUCH CAME"), width=9, right=True, keep=60, sortable=False,
           help=Safe("of ended predictions about as likely as this one, how many came true, of how many")),
    Column(key="by", title=Safe("BY"), width=9, keep=50),
    Column(key="state", title=Safe("STATE"), width=12, keep=70),
)  # fmt: skip


class PredictionRows:
    """Cells of a prediction by its id. `records` are the models' records by their names, `window` gives the lanes'."""

    def __init__(
        self, desk: Desk, held: Mapping[str, Any], records: Mapping[str, Any], window: Callable[[], Window]
    ) -> None:
        self._desk, self._held, self._records, self._window = desk, held, records, window

    def cells(self, key: str) -> Sequence[Piece]:
        found = self._held.get(key)
        if found is None:
            return [Piece(Safe(""))] * len(COLUMNS)
        window, now = self._window(), self._desk.clock.now()
        over = found.state in OVER
        said = found.probability if window.is_now else said_at(found, window.cursor)
        record = self._records.get(found.model)
        doubt = "~" if record is not None and record["drift"]["warning"] else ""
        style = "dim" if over or found.state == "cleared" else style_of(said or 0.0)
        return (
            Piece(Safe("-" if said is None else f"{percent(said)}{doubt}"), style),
            left(found, now),
            Piece(safe_text(EVENTS.get(found.model, found.model)), "dim" if over else "text"),
            Piece(here(found, self._desk.names), "dim" if over else "strong"),
            Piece(self._desk.names.site(found.site), "text" if found.site else "dim"),
            Piece(lane(found, window, now, self._desk.glyphs), "dim" if over else "spark"),
            Piece(such(found.probability, record), "dim"),
            Piece(Safe("model") if found.basis == "model" else Safe("heuristic"), "dim"),
            state(found),
        )

    def rank(self, key: str, column: str) -> Any:
        found = self._held.get(key)
        if found is None:
            return (0, 0.0)
        over = found.state in OVER
        if column == "p":
            return (not over and found.state != "cleared", not over, found.probability)
        value: Any = {
            "left": found.due_at.timestamp(),
            "what": found.model,
            "about": here(found, self._desk.names).casefold(),
            "site": self._desk.names.site(found.site).casefold(),
            "by": found.basis,
            "state": found.state,
        }[column]
        return (over, value) if column == "left" else (value, -found.probability)


def decile(probability: float, record: Mapping[str, Any]) -> Mapping[str, Any]:
    """The row of reliability that a probability belongs to."""
    rows: Sequence[Mapping[str, Any]] = record["reliability"]
    return next((row for row in rows if row["low"] <= probability < row["high"]), rows[-1])


def such(probability: float, record: Mapping[str, Any] | None) -> Safe:
    """What came of those that were as likely: share and number."""
    row = decile(probability, record) if record is not None else None
    if row is None or not row["n"] or row["observed"] is None:
        return Safe("-")
    return Safe(f"{row['observed']:.0%} of {row['n']:,}")


def here(found: Any, names: Directory) -> Safe:
    """What it is about, beside the name of its site: a name that begins with that goes on without it."""
    told, site = about(found), names.site(found.site)
    return Safe(told.removeprefix(f"{site} ")) if found.site else told


def about(found: Any) -> Safe:
    """What it is about, for a list: a ticket by number and title, all else by name where it has one; the site stands
    beside it."""
    if found.entity_kind == "ticket":
        return safe_text(f"{found.entity} {found.entity_name}".rstrip())
    told = found.entity_name or found.entity
    return safe_text(told.replace(f" at {found.site}", "") if found.site else told)


def full(found: Any, names: Directory) -> Safe:
    """One line that says it all: what, of what, where."""
    site = f" at {names.site(found.site)}" if found.site else ""
    named = about(found)
    id = "" if found.entity in named else f" ({found.entity})"
    return safe_text(f"{EVENTS.get(found.model, found.model)}: {found.entity_kind} {named}{id}{site}")


def percent(probability: float) -> Safe:
    """Never all or nothing: what is nearly sure is said to be so."""
    if 0.995 <= probability < 1:
        return Safe(">99%")
    return Safe("<1%") if 0 < probability < 0.005 else Safe(f"{probability:.0%}")


def said_at(found: Any, moment: float) -> float | None:
    """The probability that stood at that moment; None before it was made, the last one after its end."""
    if moment < found.made_at.timestamp():
        return None
    place = bisect_right(found.history, moment, key=lambda chance: chance.at.timestamp())
    if place:
        at_end = place == len(found.history)
        return float(found.probability if at_end and found.state not in OVER else found.history[place - 1].probability)
    return float(found.first)


def left(found: Any, now: datetime) -> Piece:
    """Until the horizon ends."""
    seconds = (found.due_at - now).total_seconds()
    if found.state in OVER:
        return Piece(Safe("-"), "dim")
    return Piece(words.short(seconds) if seconds > 0 else Safe("due"), "warn" if seconds < 15 * 60 else "text")


def state(found: Any) -> Piece:
    if found.acted and found.state == "open":
        return Piece(Safe("acted on"), "ok")
    styles = {"open": "text", "hit": "warn", "missed": "warn", "prevented": "ok"}
    return Piece(safe_text(STATES.get(found.state, found.state)), styles.get(found.state, "dim"))


def lane(found: Any, window: Window, now: datetime, glyphs: Glyphs) -> Safe:
    """The course of one prediction over the window."""
    cells = [" "] * window.cells
    begin, end = found.made_at.timestamp(), found.due_at.timestamp()
    ended = found.validated_at or found.cleared_at
    spoken = min(now.timestamp(), ended.timestamp() if ended else end)
    steps = len(glyphs.ramp) - 1
    if found.state != "missed":
        for cell in range(max(0, window.cell(begin)), min(window.cells, window.cell(end) + 1)):
            at = max(begin, window.begins(cell))
            if at <= spoken:
                said = said_at(found, at) or 0.0
                cells[cell] = glyphs.ramp[max(1, min(steps, round(said * steps)))]
            elif not ended or found.state == "cleared":
                cells[cell] = glyphs.rule
        _put(
            cells, window.cell(end), "]" if not ended or found.state == "cleared" else cells_at(cells, window.cell(end))
        )
    mark = MARKS.get(found.state)
    if mark:
        came = found.event_at or (found.cleared_at if found.state == "cleared" else found.validated_at) or found.due_at
        _put(cells, window.cell(came.timestamp()), mark)
    return overlay(cells, window, glyphs.bar)


def cells_at(cells: Sequence[str], cell: int) -> str:
    return cells[cell] if 0 <= cell < len(cells) else " "


def _put(cells: list[str], cell: int, text: str) -> None:
    if 0 <= cell < len(cells):
        cells[cell] = text


RECORD_COLUMNS = (
    Column(key="model", title=Safe("FORETELLS"), width=14, descending=True, keep=100),
    Column(key="by", title=Safe("BY"), width=22, flex=1, most=30, keep=96,
           help=Safe("a trained model, or a heuristic until there are enough outcomes")),
    Column(key="made", title=Safe("MADE"), width=5, right=True, descending=True, keep=80,
           help=Safe("warnings of the last 30 days")),
    Column(key="hit", title=Safe("CAME"), width=4, right=True, descending=True, keep=90,
           help=Safe("what was foretold came true")),
    Column(key="false_alarm", title=Safe("FALSE"), width=5, right=True, descending=True, keep=88,
           help=Safe("it did not come")),
    Column(key="missed", title=Safe("UNTOLD"), width=6, right=True, descending=True, keep=86,
           help=Safe("it came, and nobody was warned")),
    Column(key="prevented", title=Safe("AVERTED"), width=7, right=True, descending=True, keep=84,
           help=Safe("somebody acted, and it did not come")),
    Column(key="precision", title=Safe("RIGHT"), width=5, right=True, descending=True, keep=94,
           help=Safe("of the warnings, how many came true (precision); what was averted is left out")),
    Column(key="recall", title=Safe("CAUGHT"), width=6, right=True, descending=True, keep=92,
           help=Safe("of what came, how much was foretold (recall)")),
    Column(key="brier", title=Safe("ERROR/SIMPLE"), width=12, right=True, keep=70,
           help=Safe("squared error of the probabilities, 0 is best (Brier); behind the slash that of always saying "
                     "how often it happens")),
    Column(key="lead", title=Safe("AHEAD"), width=6, right=True, descending=True, keep=60,
           help=Safe("median time from warning to event, of those that came")),
    Column(key="drift", title=Safe("SHIFTED"), width=8, keep=65, descending=True,
           help=Safe("how far its probabilities have moved from what they were when it was learned (drift)")),
)  # fmt: skip


class RecordRows:
    """Cells of a model's record by its name."""

    def __init__(self, records: Mapping[str, Mapping[str, Any]]) -> None:
        self._records = records

    def cells(self, key: str) -> Sequence[Piece]:
        row = self._records.get(key)
        if row is None:
            return [Piece(Safe(""))] * len(RECORD_COLUMNS)
        drift = row["drift"]
        counts = [count(row[name]) for name in ("made", "hit", "false_alarm", "missed", "prevented")]
        return (
            Piece(safe_text(EVENTS.get(key, key)), "strong"),
            Piece(basis(row), "text" if row["basis"] == "model" else "dim"),
            *counts,
            Piece(share(row["precision"]), "strong"),
            Piece(share(row["recall"]), "strong"),
            Piece(Safe("-" if row["brier"] is None else f"{number(row['brier'])}/{number(row['baseline_brier'])}")),
            Piece(hours(row["median_lead_h"])),
            Piece(Safe("! drifts"), "warn") if drift["warning"] else Piece(_drift(drift), "dim"),
        )

    def rank(self, key: str, column: str) -> Any:
        row = self._records.get(key, {})
        if column == "drift":
            return (abs(row.get("drift", {}).get("value") or 0.0), key)
        name = {"lead": "median_lead_h", "model": "", "by": ""}.get(column, column)
        value = row.get(name) if name else -list(EVENTS).index(key) if key in EVENTS else -9.0
        return (-1.0 if value is None else value, key)


def basis(row: Mapping[str, Any]) -> Safe:
    """By what the probabilities are made, and how far it is to a model."""
    labelled, needed = row["labelled"], row["needed"]
    if row["basis"] == "model":
        return safe_text(f"model {row['version']}")
    return Safe(f"heuristic, {labelled:,} of {needed:,} cases")


def _drift(drift: Mapping[str, Any]) -> Safe:
    return Safe("unknown") if drift["value"] is None else Safe(f"{drift['value']:+.1f} sd")


def count(value: int) -> Piece:
    return Piece(Safe(f"{value:,}"), "text" if value else "dim")


def share(value: float | None) -> Safe:
    return Safe("-") if value is None else Safe(f"{value:.0%}")


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def hours(value: float | None) -> Safe:
    return Safe("-") if value is None else words.short(value * 3600)
