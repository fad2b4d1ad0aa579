"""Questions, runs and playbooks as rows of tables. Pure but for the clock that it reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from data.nouns.playbooks import Approval, Execution
from noc_console import words
from noc_console.desk import Desk
from noc_console.safe_text import Safe, safe_text
from noc_console.screens import approvals_words as say
from noc_console.widgets.columns import Column
from noc_console.widgets.piece import Piece

WAITING_COLUMNS = (
    Column(key="left", title=Safe("LEFT"), width=5, right=True, keep=99),
    Column(key="asks", title=Safe("ASKS"), width=5, keep=60),
    Column(key="playbook", title=Safe("PLAYBOOK"), width=22, flex=6, most=40, keep=100),
    Column(key="incident", title=Safe("INC"), width=7, keep=95, descending=True),
    Column(key="sev", title=Safe("SEV"), width=3, keep=94, descending=True),
    Column(key="site", title=Safe("SITE"), width=9, flex=3, most=24, keep=80),
    Column(key="what", title=Safe("WHAT"), width=14, flex=10, keep=50, sortable=False),
    Column(key="blast", title=Safe("BLAST"), width=5, right=True, keep=90, descending=True),
    Column(key="votes", title=Safe("VOTES"), width=5, keep=92, sortable=False),
    Column(key="by", title=Safe("ASKED BY"), width=11, flex=2, most=18, keep=70),
)

RUN_COLUMNS = (
    Column(key="state", title=Safe("STATE"), width=13, keep=99),
    Column(key="playbook", title=Safe("PLAYBOOK"), width=22, flex=6, most=40, keep=100),
    Column(key="incident", title=Safe("INC"), width=7, keep=95, descending=True),
    Column(key="step", title=Safe("STEP"), width=12, flex=4, most=30, keep=90, sortable=False),
    Column(key="took", title=Safe("TOOK"), width=7, right=True, keep=80, descending=True),
    Column(key="age", title=Safe("AGE"), width=4, right=True, keep=85),
    Column(key="site", title=Safe("SITE"), width=9, flex=3, most=24, keep=60),
    Column(key="by", title=Safe("ASKED BY"), width=11, flex=2, most=18, keep=50),
    Column(key="reason", title=Safe("REASON"), width=14, flex=8, keep=40, sortable=False),
)

BOOK_COLUMNS = (
    Column(key="playbook", title=Safe("PLAYBOOK"), width=22, flex=6, most=44, keep=100),
    Column(key="mode", title=Safe("MODE"), width=8, keep=80),
    Column(key="runs", title=Safe("RUNS"), width=5, right=True, descending=True, keep=90),
    Column(key="success", title=Safe("SUCCESS"), width=7, right=True, descending=True, keep=98),
    Column(key="mean", title=Safe("MEAN"), width=7, right=True, descending=True, keep=95),
    Column(key="resolved", title=Safe("RESOLVED"), width=8, right=True, descending=True, keep=70),
    Column(key="last", title=Safe("LAST"), width=5, right=True, descending=True, keep=85),
    Column(key="words", title=Safe("WHAT IT DOES"), width=14, flex=10, keep=50, sortable=False),
)
#: Place of a state among runs: what goes on first.
_RUN_RANK = {"unknown": 0, "running": 1, "pending": 2}


class WaitingRows:
    """Cells of an approval by its id; `runs` are the executions by theirs."""

    def __init__(self, desk: Desk, approvals: Mapping[str, Approval], runs: Mapping[str, Execution]) -> None:
        self._desk, self._approvals, self._runs = desk, approvals, runs

    def cells(self, key: str) -> Sequence[Piece]:
        approval = self._approvals.get(key)
        if approval is None:
            return [Piece(Safe(""))] * len(WAITING_COLUMNS)
        incident, run = self._desk.mirror.incident(approval.incident), self._runs.get(approval.execution)
        asks = Piece(Safe("run"), "text") if approval.asks == "run" else Piece(Safe("done?"), "alarm")
        return (
            say.left(approval, self._desk.clock.now()),
            asks,
            Piece(safe_text(approval.playbook), "strong"),
            Piece(words.number(approval.incident)),
            words.severity(incident) if incident is not None else Piece(Safe("")),
            Piece(self._desk.names.site(approval.site)),
            Piece(safe_text(incident.title if incident is not None else approval.why), "dim"),
            Piece(Safe(f"{len(run.targets)}" if run is not None else "-")),
            say.votes(approval),
            Piece(say.asker(approval), "dim"),
        )

    def rank(self, key: str, column: str) -> Any:
        approval = self._approvals.get(key)
        if approval is None:
            return (0.0, "")
        incident, run = self._desk.mirror.incident(approval.incident), self._runs.get(approval.execution)
        at = approval.expires_at
        found: dict[str, Any] = {
            "left": at.timestamp() if at is not None else float("inf"),
            "asks": approval.asks,
            "playbook": approval.playbook,
            "incident": approval.incident,
            "sev": incident.priority if incident is not None else 0.0,
            "site": self._desk.names.site(approval.site),
            "blast": len(run.targets) if run is not None else 0,
            "by": approval.requested_by,
        }
        return (found[column], key)


class RunRows:
    """Cells of an execution by its id."""

    def __init__(self, desk: Desk, runs: Mapping[str, Execution]) -> None:
        self._desk, self._runs = desk, runs

    def cells(self, key: str) -> Sequence[Piece]:
        run = self._runs.get(key)
        if run is None:
            return [Piece(Safe(""))] * len(RUN_COLUMNS)
        now = self._desk.clock.now()
        return (
            say.run_state(run),
            Piece(safe_text(run.playbook), "strong"),
            Piece(words.number(run.incident)),
            Piece(say.steps_done(run)),
            Piece(say.took(run, now)),
            Piece(words.age(run.at, now), "dim"),
            Piece(self._desk.names.site(run.site)),
            Piece(say.asker(run), "dim"),
            Piece(safe_text(run.reason), "dim"),
        )

    def rank(self, key: str, column: str) -> Any:
        run = self._runs.get(key)
        if run is None:
            return (0, "")
        now = self._desk.clock.now()
        found: dict[str, Any] = {
            "state": (_RUN_RANK.get(run.state, 9), -(run.ended_at or run.at).timestamp()),
            "playbook": run.playbook,
            "incident": run.incident,
            "took": ((run.ended_at or now) - run.started_at).total_seconds() if run.started_at else 0.0,
            "age": -run.at.timestamp(),
            "site": self._desk.names.site(run.site),
            "by": run.asked_by,
        }
        return (found[column], key)


class BookRows:
    """Cells of a playbook by its name: its file's row and the figures of its runs, together."""

    def __init__(self, desk: Desk, books: Mapping[str, Mapping[str, Any]]) -> None:
        self._desk, self._books = desk, books

    def cells(self, key: str) -> Sequence[Piece]:
        book = self._books.get(key)
        if book is None:
            return [Piece(Safe(""))] * len(BOOK_COLUMNS)
        last, trouble = moment(book.get("last_at")), str(book.get("trouble") or "")
        acted = book.get("acted") or 0
        mean = book.get("mean_seconds")
        return (
            Piece(safe_text(key), "warn" if trouble else "strong"),
            Piece(safe_text(book.get("mode") or "-")),
            Piece(Safe(f"{book.get('runs') or 0:,}")),
            _rate(book.get("success_rate"), acted),
            Piece(say.duration(mean) if mean is not None else Safe("-")),
            Piece(Safe(f"{book.get('resolved') or 0:,}")),
            Piece(words.age(last, self._desk.clock.now()) if last is not None else Safe("-"), "dim"),
            Piece(safe_text(trouble or str(book.get("description") or "")), "warn" if trouble else "dim"),
        )

    def rank(self, key: str, column: str) -> Any:
        book = self._books.get(key, {})
        last = moment(book.get("last_at"))
        found: dict[str, Any] = {
            "playbook": key,
            "mode": str(book.get("mode") or ""),
            "runs": book.get("runs") or 0,
            "success": book["success_rate"] if book.get("success_rate") is not None else -1.0,
            "mean": book.get("mean_seconds") or 0.0,
            "resolved": book.get("resolved") or 0,
            "last": last.timestamp() if last is not None else 0.0,
        }
        return (found[column], key)


def _rate(rate: float | None, acted: int) -> Piece:
    """A rate of few runs says little: it is dim."""
    style = "dim" if rate is None or acted < 5 else "ok" if rate >= 0.9 else "warn" if rate < 0.5 else "text"
    return Piece(say.percent(rate), style)


def moment(value: Any) -> datetime | None:
    """A time of an answer, which is text when it came over the wire."""
    return msgspec.convert(value, datetime | None)
