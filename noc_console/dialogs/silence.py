"""A silence by matchers, with a live preview of what it hits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from msgspec import Struct
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.timer import Timer
from textual.widgets import Input

from data.records import Severity
from engine.client import Query, Refused, Unreachable
from noc_console import alert_words
from noc_console.dialogs.dialog import Dialog
from noc_console.directory import Directory
from noc_console.durations import read_minutes
from noc_console.palette import SEVERITY_MARK, SEVERITY_STYLE
from noc_console.reading import problem_words
from noc_console.safe_text import Safe, safe_text
from noc_console.screens.silence_proposals import Subject
from noc_console.widgets.choice_row import ChoiceRow
from noc_console.widgets.field import MOST_FIGURE, Field
from noc_console.widgets.line_view import LineView
from noc_console.widgets.one_line import OneLine
from noc_console.widgets.piece import Line, Piece

#: Wait for the typing to pause before the engine is asked.
PREVIEW_SECONDS = 0.25
SHOWN = 6


class Wanted(Struct, frozen=True):
    """A silence as asked for."""

    matchers: str
    minutes: int
    comment: str


class SilenceDialog(Dialog[Wanted]):
    """Answers what to silence. Cannot be sent while the engine does not understand the matchers."""

    LENGTHS: ClassVar[tuple[str, ...]] = ("30m", "2h", "8h", "24h")

    BINDINGS: ClassVar[list[BindingType]] = [
        *Dialog.BINDINGS,
        Binding("down,ctrl+n", "propose(1)", show=False),
        Binding("up,ctrl+p", "propose(-1)", show=False),
    ]

    def __init__(
        self, matchers: str, comment: str = "", *, subject: Subject | None = None, proposals: Sequence[str] = ()
    ) -> None:
        """`subject` is what it is meant for; `proposals` are matchers that up and down go through."""
        keys = (("enter", "silence"), ("esc", "leave"), ("tab", "next field"), ("left right", "length"))
        super().__init__(Safe("Silence alerts by matchers"), keys)
        self._matchers = Field("matchers", matchers, hint='site="Harbour 2", severity=~"low|info"')
        self._row = ChoiceRow([Safe(length) for length in self.LENGTHS], chosen=1, label=f"{'for':<10}")
        self._until = Field("or", hint="3h, 2d or until 18:30 (UTC)", most=MOST_FIGURE)
        self._comment = Field("comment", comment, hint="why; ticket or change number")
        self._end = OneLine("text")
        self._hits = LineView()
        self._hits.can_focus = False
        self._hits.styles.height = SHOWN + 1
        self._waiting: Timer | None = None
        self._understood = self._misread = False
        self._subject, self._proposals = subject, list(proposals)
        self._share = LineView()
        self._share.can_focus = False
        self._share.styles.height = 1 if subject is not None else 0

    def compose_parts(self) -> ComposeResult:
        yield self._matchers
        if self._subject is not None:
            yield self._share
        yield self._row
        yield self._until
        yield self._comment
        yield self._end
        yield self._hits

    def on_mount(self) -> None:
        self._matchers.entry.focus()
        self._show_end()

    def on_resize(self) -> None:
        self._hits.styles.height = max(1, min(SHOWN + 1, self.size.height - 11 - (self._subject is not None)))

    def on_choice_row_moved(self) -> None:
        self._until.entry.value = ""
        self._show_end()

    def on_choice_row_picked(self) -> None:
        self._accept()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if event.input is not self._matchers.entry:
            self._show_end()
            return
        self._understood = False
        if self._waiting is not None:
            self._waiting.stop()
        self._waiting = self.set_timer(PREVIEW_SECONDS, self.ask)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._accept()

    def ask(self) -> None:
        """Ask what these matchers hit; a later question replaces this one."""
        if self._waiting is not None:
            self._waiting.stop()
        self.run_worker(self._ask(self._matchers.value), group="preview", exclusive=True)

    async def _ask(self, text: str) -> None:
        try:
            page = await self.desk.client.query(Query(kind="preview", q=text))
        except (Refused, Unreachable) as error:
            self._hits.show([])
            self._misread = True
            self.problem(problem_words(error))
            return
        self._understood = True
        self._show_share(text)
        if self._misread:
            self._misread = False
            self.problem(Safe(""))
        self._hits.show(_hit_lines(page.items, self.desk.names))

    def action_propose(self, step: int) -> None:
        """Put the next proposal into the field."""
        if not self._proposals:
            return
        here = self._proposals.index(self._matchers.value) if self._matchers.value in self._proposals else -1
        entry = self._matchers.entry
        entry.value = self._proposals[(here + step) % len(self._proposals)]
        entry.cursor_position = len(entry.value)

    def _show_share(self, text: str) -> None:
        """How much of what it is meant for the matchers hit."""
        if self._subject is None:
            return
        line = share_line(self._subject, text, self._proposals)
        self._share.show([[Piece(Safe(f"{'':<10}")), *line]])

    def _minutes(self) -> int:
        return read_minutes(self._until.value or self.LENGTHS[self._row.chosen], self.desk.clock.now())

    def _show_end(self) -> None:
        try:
            end = self.desk.clock.now() + timedelta(minutes=self._minutes())
        except ValueError as error:
            self._end.show([Piece(safe_text(f"{'':<10}{error}"), "warn")])
            return
        self._end.show([Piece(Safe(f"{'':<10}until {end:%Y-%m-%d %H:%M}Z; u takes it back for 10 minutes"), "dim")])

    def _accept(self) -> None:
        if not self._understood:
            self.problem(Safe("wait for the preview, or correct the matchers"), "warn")
            return
        try:
            minutes = self._minutes()
        except ValueError as error:
            self.problem(safe_text(str(error)), "warn")
            return
        if not self._comment.value:
            self._comment.entry.focus()
            self.problem(Safe("say why: the next shift reads it"), "warn")
            return
        if self.meant_opening():
            self.dismiss(Wanted(self._matchers.value, minutes, self._comment.value))


def share_line(subject: Subject, text: str, proposals: Sequence[str]) -> list[Piece]:
    """ "hits 3 of the 12 alerts of I-4411; down: 2 others"; "" while the text is no matchers."""
    try:
        hits = subject.hits(text)
    except ValueError:
        return []
    total = len(subject.alerts)
    all_of_them = hits == total and not subject.more
    of = f"all {total:,}" if all_of_them else f"{hits:,} of the {total:,}{' latest' if subject.more else ''}"
    told = f"{'the only' if hits else 'not the only'} active alert" if total == 1 else f"{of} active alerts"
    line = [Piece(safe_text(f"hits {told} of {subject.name}"), "ok" if all_of_them else "warn")]
    others = sum(proposal != text for proposal in proposals)
    if others:
        line += [Piece(Safe("  down"), "key"), Piece(Safe(f" {_many(others, 'other')}"), "dim")]
    return line


def _hit_lines(items: Sequence[Mapping[str, Any]], names: Directory) -> list[Line]:
    """What the preview answered: the counts, then the first alerts."""
    head, *rest = items
    lines: list[Line] = [[Piece(Safe("hits now  "), "dim"), *_counts(head)]]
    for item in rest[:SHOWN]:
        alert = alert_words.alert_of(item["alert"])
        place = Safe(f" {names.site(alert.site)}  {names.words(alert.title)}")
        indent = Piece(Safe(f"{'':<10}"))
        lines.append([indent, alert_words.severity(alert), Piece(Safe(f" A-{alert.id}")), Piece(place)])
    return lines


def _counts(head: Mapping[str, Any]) -> list[Piece]:
    alerts, incidents, muted = head.get("alerts", 0), head.get("incidents", 0), head.get("muted_already", 0)
    if not alerts:
        return [Piece(Safe("nothing; it will mute what comes"), "strong")]
    by_severity = head.get("by_severity", {})
    worst = next((severity for severity in Severity if by_severity.get(severity)), Severity.INFO)
    words = f"{_many(alerts, 'alert')} in {_many(incidents, 'incident')}, worst "
    tail = f" {worst}" + (f"; {muted:,} muted already" if muted else "")
    return [Piece(Safe(words), "strong"), Piece(Safe(SEVERITY_MARK[worst]), SEVERITY_STYLE[worst]), Piece(Safe(tail))]


def _many(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
