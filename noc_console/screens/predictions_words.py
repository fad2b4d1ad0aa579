"""A prediction explained, and how far its model could be believed, in lines. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from noc_console import words
from noc_console.directory import Directory
from noc_console.glyphs import Glyphs
from noc_console.safe_text import Safe, fit, safe_text, wrap
from noc_console.screens.predictions_rows import EVENTS, STATES, basis, decile, full, percent, share
from noc_console.widgets.heat_grid import style_of
from noc_console.widgets.piece import Line, Piece
from noc_console.widgets.spark import bar
from noc_console.widgets.time_axis import WallClock

Record = Mapping[str, Any]
BAR_CELLS = 12
#: Parts of the score that weigh less are not told.
LEAST_WEIGHT = 0.05
WEIGHTS = Safe("above 0 makes it likelier, below less likely; 0.7 doubles the odds")


def explained(
    found: Any, record: Record | None, names: Directory, *, cells: int, now: datetime, clock: WallClock, glyphs: Glyphs
) -> list[Line]:
    """How likely, until when, why, what to do, and how such a probability did before."""
    stands = found.state in {"open", "cleared"}
    style, bars = (style_of(found.probability), "spark") if stands else ("dim", "dim")
    lines: list[Line] = [
        [Piece(Safe(f" {percent(found.probability)} "), style), Piece(bar(found.probability, BAR_CELLS, glyphs), bars),
         *_moved(found), Piece(Safe(f"  {_until(found, now, clock)}"))],
        *_wrapped(full(found, names), cells, "strong"),
    ]  # fmt: skip
    if record is not None:
        lines += _wrapped(accuracy(found, record), cells, "dim")
    for reason in found.reasons[:1]:
        lines += _item("why", names.words(reason), cells)
    if found.action:
        lines += _item("do", names.words(found.action), cells, "ok")
    lines += [line for reason in found.reasons[1:] for line in _item("why", names.words(reason), cells)]
    if found.acted:
        at = f" at {clock(found.acted_at.timestamp()):%H:%M}" if found.acted_at else ""
        lines += _item("done", f"{found.acted}{at}", cells, "ok")
    lines += _item("enter", target_words(found), cells, "dim")
    return [*lines, *_weights(found.contributions, cells)]


def _weights(parts: Sequence[Any], cells: int) -> list[Line]:
    """What made it likelier or less likely, the heaviest first; what weighs nothing is not told."""
    told = sorted((part for part in parts if abs(part.weight) >= LEAST_WEIGHT), key=lambda part: -abs(part.weight))
    lines: list[Line] = []
    for part in told:
        lines += _item(f"{part.weight:+.1f}", f"{part.name.replace('_', ' ')}: {part.words}", cells, "dim")
    return [*lines, *_wrapped(WEIGHTS, cells, "dim")] if lines else []


def target_words(found: Any) -> str:
    """What enter opens."""
    if found.incident is not None:
        return f"opens incident I-{found.incident}; o the {found.entity_kind} itself"
    return f"opens the {found.entity_kind} {found.entity}"


def accuracy(found: Any, record: Record) -> Safe:
    """How probabilities of this size did before, by what they are made."""
    by = basis(record)
    row = decile(found.probability, record)
    if not row["n"] or row["observed"] is None:
        return safe_text(f"by {by}; none of {row['low']:.0%}-{row['high']:.0%} has ended yet")
    return safe_text(f"by {by}; of {row['n']:,} of {row['low']:.0%}-{row['high']:.0%} it came in {row['observed']:.0%}")


def _moved(found: Any) -> list[Piece]:
    """How far it went since it was made."""
    change = found.probability - found.first
    if abs(change) < 0.005:
        return []
    return [Piece(Safe(f" {change:+.0%} since made"), "warn" if change > 0 else "ok")]


def _until(found: Any, now: datetime, clock: WallClock) -> str:
    made = f"made {clock(found.made_at.timestamp()):%H:%M}"
    if found.state == "open":
        seconds = (found.due_at - now).total_seconds()
        ahead = f"{words.short(seconds)} left" if seconds > 0 else "due now"
        return f"by {clock(found.due_at.timestamp()):%H:%M}, {ahead}, {made}"
    told = STATES.get(found.state, found.state)
    lead = f", {words.short(found.lead_s)} after the warning" if found.lead_s is not None else ""
    return f"{safe_text(told)}{lead}, {made}"


def reliability_lines(record: Record, cells: int, glyphs: Glyphs) -> list[Line]:
    """By tenths of probability: how many, what was said, what came. The bar is what came, the mark what was said."""
    room = max(10, min(40, cells - 32))
    lines: list[Line] = [
        [Piece(Safe(" SAID        N   MEAN   CAME  "), "header"), Piece(Safe("0" + " " * (room - 4) + "100"), "header")]
    ]
    for row in record["reliability"]:
        span = f" {row['low']:>4.0%}-{row['high']:<4.0%} {row['n']:>5,}"
        head = Safe(f"{span}  {share(row['mean_p']):>5}  {share(row['observed']):>5}  ")
        if not row["n"] or row["observed"] is None:
            lines.append([Piece(head, "dim")])
            continue
        off = abs(row["observed"] - row["mean_p"]) > 0.15 and row["n"] >= 20
        lines.append([Piece(head, "warn" if off else "text"), *_bar(row["observed"], row["mean_p"], room, glyphs)])
    return lines


def _bar(observed: float, said: float, cells: int, glyphs: Glyphs) -> list[Piece]:
    line = [*bar(observed, cells, glyphs)]
    place = max(0, min(cells - 1, round(said * cells) - 1))
    return [
        Piece(Safe("".join(line[:place])), "spark"),
        Piece(glyphs.bar, "key"),
        Piece(Safe("".join(line[place + 1 :])), "spark"),
    ]


def record_facts(record: Record) -> list[tuple[str, Safe]]:
    """Everything that is known of how one model did, label and words."""
    model = EVENTS.get(record["model"], record["model"])
    site = f" at {record['site']}" if record["site"] else ""
    made = record["made"]
    facts = [
        ("foretells", f"{model}{site}, the last {record['days']} days"),
        ("by", f"{basis(record)}{_heuristic(record)}"),
        ("made", f"{made:,}: {record['open']:,} open, {record['cleared']:,} withdrawn, {record['acted']:,} acted on"),
        ("outcomes", f"{record['hit']:,} came, {record['false_alarm']:,} did not, {record['prevented']:,} prevented; "
                     f"{record['missed']:,} came unforetold"),
        ("right", f"{_told(record['precision'])}: of the warnings, those that came true (precision)"),
        ("caught", f"{_told(record['recall'])}: of what came, what was foretold (recall)"),
        ("error", _error(record)),
        ("base rate", f"{_told(record['base_rate'])} of {record['cases']:,.0f} cases, {record['events']:,} events"),
        ("ahead", f"median {_hours(record['median_lead_h'])}; "
                  f"where 80% of the warnings are right: {_hours(record['lead_time_h_at_p80'])}"),
        ("prevented", f"{_told(record['prevention_rate'])}: {record['prevention_formula']}"),
        ("caveat", f"{record['prevention_caveat']} ({_told(record['prevention_by_chance'])})"),
        ("shifted", record["drift"]["words"] + (" - look into it" if record["drift"]["warning"] else "")),
    ]  # fmt: skip
    return [(label, safe_text(str(text))) for label, text in facts]


def _error(record: Record) -> str:
    if record["brier"] is None or record["baseline_brier"] is None:
        return "unknown: the squared error (Brier), 0 is best"
    better = "" if record["brier"] < record["baseline_brier"] else ": no better"
    beside = f"by always saying the base rate {record['baseline_brier']:.3f}"
    return f"{record['brier']:.3f} squared (Brier), {beside}{better}"


def _told(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.0%}"


def _hours(value: float | None) -> str:
    return "unknown" if value is None else words.short(value * 3600)


def _heuristic(record: Record) -> str:
    return "" if record["basis"] == "model" else ": weights set by hand until then"


#: What a reason is about, where its name is longer than the label's room.
_LABELS = {"prediction": "foretold"}


def why_facts(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, Safe]]:
    """The engine's reasons as label and words."""
    facts: list[tuple[str, Safe]] = []
    about = ""
    for row in rows:
        same = str(row.get("about", "")) == about
        about = str(row.get("about", ""))
        if abs((row.get("facts") or {}).get("log_odds", 1.0)) < LEAST_WEIGHT:
            continue
        kind = about.partition(":")[0]
        facts.append(("" if same else fit(safe_text(_LABELS.get(kind, kind)), 9), safe_text(str(row.get("words", "")))))
    return facts


def _item(label: str, text: str, cells: int, style: str = "text") -> list[Line]:
    head = Safe(f" {safe_text(label):<6} ")
    parts = wrap(safe_text(text), max(16, cells - len(head) - 1))
    first: Line = [Piece(head, "dim"), Piece(parts[0], style)]
    return [first, *([Piece(Safe(" " * len(head))), Piece(part, style)] for part in parts[1:])]


def _wrapped(text: Safe, cells: int, style: str) -> list[Line]:
    return [[Piece(Safe(" ")), Piece(part, style)] for part in wrap(text, max(20, cells - 2))]
