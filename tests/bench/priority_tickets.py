"""Ranking of tickets on UCI 498, through the line: see `tests.bench.priority`."""

from __future__ import annotations

import csv
import lzma
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace

from data.records import Severity
from engine.models.trees import Trees
from engine.priority import training
from engine.priority.features import GROUPS
from engine.priority.model import PriorityModel
from engine.priority.replay import Opened, Replay, Ticket
from engine.rules import Rules
from tests.bench.priority import interval, say

SEVERITIES = {"1": Severity.CRITICAL, "2": Severity.HIGH, "3": Severity.MEDIUM, "4": Severity.LOW}
#: Of one file alone: the share by time that is learned from.
LEARNED = 0.7
_MISSING = "?"


def tickets(path: Path) -> list[Ticket]:
    """Each ticket as its first row had it; only its end and its label are of the last row."""
    rows: dict[str, tuple[dict[str, str], dict[str, str]]] = {}
    with lzma.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            first = rows.get(row["number"], (row, row))[0]
            rows[row["number"]] = (first, row)
    return [_ticket(number, first, last) for number, (first, last) in rows.items()]


def _ticket(number: str, first: dict[str, str], last: dict[str, str]) -> Ticket:
    def known(column: str) -> str:
        value = first.get(column, _MISSING)
        return "" if value == _MISSING else value

    seen_at = _time(first["sys_updated_at"])
    return Ticket(
        id=number,
        seen_at=seen_at,
        starts_at=_time(first["opened_at"]),
        ended_at=_time(last["sys_updated_at"]),
        mattered=last["made_sla"].lower() == "false",
        name=known("subcategory") or known("category") or "ticket",
        severity=SEVERITIES.get(known("priority")[:1], Severity.MEDIUM),
        title=known("u_symptom"),
        site=known("location"),
        service=known("assignment_group"),
        entity=known("caller_id"),
        labels={
            name: value
            for name, column in (
                ("assignee", "assigned_to"),
                ("reporter", "opened_by"),
                ("category", "category"),
                ("channel", "contact_type"),
            )
            if (value := known(column))
        },
    )


def _time(text: str) -> datetime:
    return datetime.strptime(text, "%d/%m/%Y %H:%M").replace(tzinfo=UTC)


def measure_tickets(path: Path, learned_from: Path, ablate: bool) -> dict[str, Any]:
    ranked = sorted(tickets(path), key=lambda ticket: (ticket.seen_at, ticket.id))
    if path.resolve() == learned_from.resolve() or not learned_from.exists():
        cut = int(len(ranked) * LEARNED)
        before, ranked = ranked[:cut], ranked[cut:]
    else:
        known = {ticket.id for ticket in ranked}
        before = [ticket for ticket in tickets(learned_from) if ticket.id not in known]
        before.sort(key=lambda ticket: (ticket.seen_at, ticket.id))
    # As in the data set's protocol, all of the earlier tickets are learned from, also those that were still open then:
    # leaving these out would leave out the slow ones. The memory behind the features knows only what had ended.
    say(f"{len(before)} tickets to learn from, {len(ranked)} to rank")
    examples = training.from_tickets(before)
    answer, opened = _ranked(examples, before, ranked)
    if ablate:
        answer["without"] = {group: _without(examples, opened, group) for group in GROUPS}
    return answer


def _without(examples: training.Examples, opened: Sequence[Opened], group: str) -> float:
    """`ticket_roc` of a model that was never shown one group of features."""
    from sklearn.metrics import roc_auc_score

    say(f"without {group}")
    recipe = training.fit_recipe(examples, (group,))
    model = PriorityModel(Trees.load(recipe.fitted.raw, recipe.calibration), training.typical(examples.rows))
    scores = [model.share(_blind(one.row, (group,))) for one in opened]
    return round(float(roc_auc_score([one.ticket.mattered for one in opened], scores)), 4)


def _ranked(
    examples: training.Examples, before: Sequence[Ticket], ranked: Sequence[Ticket]
) -> tuple[dict[str, Any], list[Opened]]:
    """Everything again in one replay with the model in place, so that the memory is that of the day."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    recipe = training.fit_recipe(examples)
    model = PriorityModel(Trees.load(recipe.fitted.raw, recipe.calibration), training.typical(examples.rows))
    wanted = {ticket.id for ticket in ranked}
    replayed = Replay(replace(Rules(), priority_model=model)).run([*before, *ranked])
    opened = [one for one in replayed if one.ticket.id in wanted]
    scores = np.array([one.incident.priority for one in opened])
    truth = np.array([one.ticket.mattered for one in opened], int)
    shares = np.array([model.share(one.row) for one in opened])
    people = np.array([one.row[0] for one in opened])
    answer = {
        "bench": "priority",
        "data": "incidents_uci498",
        "learned_from": len(examples.labels),
        "tickets": len(truth),
        "base_rate": round(float(truth.mean()), 4),
        "ticket_roc": round(float(roc_auc_score(truth, scores)), 4),
        "ticket_roc_interval": interval(lambda t, s: float(roc_auc_score(t, s)), truth, scores),
        "ticket_pr": round(float(average_precision_score(truth, scores)), 4),
        "ticket_brier": round(float(((shares - truth) ** 2).mean()), 4),
        "baseline_human_priority_roc": round(float(roc_auc_score(truth, people)), 4),
        "held_out_in_training": training.measures(recipe.held_labels, recipe.held_scores),
    }
    return answer, opened


def _blind(row: list[float], without: Sequence[str]) -> list[float]:
    from engine.priority.features import POSITIONS

    changed = list(row)
    for group in without:
        for position in POSITIONS[group]:
            changed[position] = float("nan")
    return changed
