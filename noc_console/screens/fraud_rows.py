"""Fraud scores as rows and as an explanation. Pure but for the clock they read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from noc_console import words
from noc_console.desk import Desk
from noc_console.directory import Directory
from noc_console.glyphs import Glyphs
from noc_console.safe_text import Safe, safe_text, wrap
from noc_console.widgets.columns import Column
from noc_console.widgets.heat_grid import style_of
from noc_console.widgets.piece import Line, Piece
from noc_console.widgets.spark import bar

HEURISTICS = "heuristics"
BAR_CELLS = 10

SCORE_COLUMNS = (
    Column(key="score", title=Safe("SCORE"), width=6, right=True, descending=True, keep=100),
    Column(key="age", title=Safe("AGE"), width=4, right=True, keep=95),
    Column(key="person", title=Safe("PERSON"), width=14, flex=3, most=24, keep=98),
    Column(key="site", title=Safe("SITE"), width=12, flex=3, most=24, keep=96),
    Column(key="pattern", title=Safe("PATTERN"), width=18, flex=6, most=60, keep=90),
    Column(key="verdict", title=Safe("VERDICT"), width=9, keep=92),
    Column(key="by", title=Safe("SCORED BY"), width=10, keep=60),
    Column(key="ticket", title=Safe("TICKET"), width=6, keep=40),
)

_VERDICTS = {
    "open": Piece(Safe("waits"), "text"),
    "confirmed": Piece(Safe("! fraud"), "warn"),
    "dismissed": Piece(Safe("honest"), "ok"),
    "unjudged": Piece(Safe("unjudged"), "dim"),
}


class ScoreRows:
    """Cells of a score by its id."""

    def __init__(self, desk: Desk, scores: Mapping[str, Any], names: Directory) -> None:
        self._desk, self._scores, self._names = desk, scores, names

    def cells(self, key: str) -> Sequence[Piece]:
        score = self._scores.get(key)
        if score is None:
            return [Piece(Safe(""))] * len(SCORE_COLUMNS)
        return (
            Piece(Safe(f"{score.score:.0%}"), style_of(score.score)),
            Piece(words.age(score.at, self._desk.clock.now()), "dim"),
            Piece(self._names.person(score.person), "strong"),
            Piece(self._names.site(score.site)),
            Piece(pattern(score)),
            _VERDICTS.get(score.verdict, Piece(safe_text(score.verdict))),
            Piece(Safe("heuristics") if score.model == HEURISTICS else Safe("model"), "dim"),
            Piece(Safe("yes" if score.ticket else "-"), "dim"),
        )

    def rank(self, key: str, column: str) -> Any:
        score = self._scores.get(key)
        if score is None:
            return (0, "")
        value: Any = {
            "score": score.score,
            "age": -score.at.timestamp(),
            "person": self._names.person(score.person).casefold(),
            "site": self._names.site(score.site).casefold(),
            "pattern": pattern(score),
            "verdict": score.verdict,
            "by": score.model,
            "ticket": bool(score.ticket),
        }[column]
        return (value, score.at.timestamp())


def pattern(score: Any) -> Safe:
    """What it looks like, the named checks first."""
    named = [name.replace("_", " ") for name in score.anomalies] or [score.kind.replace("_", " ")]
    return safe_text(", ".join(named) or "-")


def explained(score: Any, names: Directory, cells: int, glyphs: Glyphs) -> list[Line]:
    """Whose score, by what, and each contribution with its points, in words."""
    by = "heuristics: it ranks, it is no probability" if score.model == HEURISTICS else f"model {score.model}"
    when = f"{score.at:%d %b %H:%M}Z"
    lines: list[Line] = [
        [Piece(Safe(f" {score.score:.0%} "), style_of(score.score)), *_words(pattern(score), "strong")],
        _words(safe_text(f"{names.person(score.person)} at {names.site(score.site)}, {when}")),
        *([Piece(Safe(" ")), Piece(part, "dim")] for part in wrap(safe_text(f"by {by}"), cells - 2)),
        [],
    ]
    for reason in score.reasons:
        lines += contribution(reason.words, reason.points, cells, glyphs)
    if not score.reasons:
        lines.append(_words(Safe("nothing about this event counts against it"), "ok"))
    lines += [[], *verdict_lines(score, cells)]
    return lines


def contribution(text: str, points: float, cells: int, glyphs: Glyphs) -> list[Line]:
    """A bar of the points of a hundred, their number, the words."""
    head = Safe(f" {bar(abs(points) / 100, BAR_CELLS, glyphs)} {points:+4.0f}  ")
    parts = wrap(safe_text(text), max(16, cells - len(head) - 1))
    style = "warn" if points >= 50 else "ok" if points < 0 else "text"
    first: Line = [Piece(head, style), Piece(parts[0])]
    return [first, *([Piece(Safe(" " * len(head))), Piece(part)] for part in parts[1:])]


def verdict_lines(score: Any, cells: int) -> list[Line]:
    """What was found of it, or what is asked for."""
    if score.verdict == "open":
        keys = (("c", " confirm  "), ("x", " dismiss  "), ("enter", " all and history"))
        return [
            [Piece(Safe(" ")), *(p for key, what in keys for p in (Piece(Safe(key), "key"), Piece(Safe(what), "dim")))]
        ]
    by = f" by {score.verdict_by}" if score.verdict_by else ""
    at = f", {score.verdict_at:%d %b %H:%M}Z" if score.verdict_at else ""
    note = f": {score.verdict_note}" if score.verdict_note else ""
    text = safe_text(f"{score.verdict}{by}{at}{note}")
    return [[Piece(Safe(" ")), Piece(part, "strong")] for part in wrap(text, cells - 2)]


def model_words(rows: Sequence[Mapping[str, Any]], *, short: bool = False) -> Safe:
    """One line: what scores now, how far it is from a model; unless `short`, how well the scores did."""
    if not rows:
        return Safe("nothing scored yet; heuristics until 100 verdicts")
    labelled, needed = int(rows[0].get("labelled_for_training", 0)), int(rows[0].get("labelled_needed", 100))
    models = [row for row in rows if row.get("is_model")]
    shown = max(models or rows, key=lambda row: row.get("scored", 0))
    how = f"precision {share(shown.get('precision'))}, recall {share(shown.get('recall_of_judged'))}"
    if short:
        return safe_text(f"model {shown['model']}" if models else f"heuristics, {labelled} of {needed} verdicts given")
    if models:
        return safe_text(f"model {shown['model']}: {how}, Brier {number(shown.get('brier'))}")
    return safe_text(f"heuristics until {needed} verdicts, {labelled} given; {how}")


def model_facts(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, Safe]]:
    """All figures of each model, label and words."""
    facts: list[tuple[str, Safe]] = []
    for row in rows:
        kind = "a trained model" if row.get("is_model") else "weights, not a trained model: its scores only rank"
        facts += [
            ("scored by", safe_text(f"{row['model']}, {kind}")),
            ("events", Safe(f"{row['scored']:,} in 90 days, {row['flagged']:,} scored 80% or more")),
            ("verdicts", Safe(f"{row['judged']:,}, {row['confirmed']:,} of them fraud")),
            ("precision", Safe(f"{share(row.get('precision'))} of those flagged and judged were fraud")),
            ("recall", Safe(f"{share(row.get('recall_of_judged'))} of the fraud among the judged was flagged")),
            ("Brier", Safe(f"{number(row.get('brier'))} (0 is best, 0.25 is a coin)")),
        ]
    labelled = int(rows[0].get("labelled_for_training", 0)) if rows else 0
    needed = int(rows[0].get("labelled_needed", 100)) if rows else 100
    left = max(0, needed - labelled)
    told = f"{left} verdicts more until a model can be trained" if left else "enough verdicts to train a model"
    return [*facts, ("training", Safe(f"{labelled} of {needed} verdicts: {told}"))]


def share(value: Any) -> str:
    return "unknown" if value is None else f"{float(value):.0%}"


def number(value: Any) -> str:
    return "unknown" if value is None else f"{float(value):.3f}"


def _words(text: Safe, style: str = "text") -> list[Piece]:
    return [Piece(Safe(" ")), Piece(text, style)]
