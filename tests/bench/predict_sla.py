"""Which tickets breach their SLA: recorded tickets as events through the product's own handlers, features and recipe.

    .venv/bin/python -m tests.bench.predict_sla --train ../shared/datasets/incidents_uci498 --data DIR

Reads UCI 498 (`incident_event_log.csv*`), BPI 2013 and the helpdesk log (`events.csv*`), told apart by their columns.
The files of `--train` and then those of `--data` are played in the order of time; each row of a ticket is one
`noc.ticket` event, and what the row says is scored before anything later is known. How long tickets like it take goes
on being learned from tickets that have ended, as in the engine. The share of events that probabilities start from is
that of the newest tenth that was learned from, as in the model's file: outcomes of this log are known only days after a
ticket has ended. The model is fit on the rows of tickets opened before `--data` begins, and judged on those opened
then, as the data sets ask for. Without `--data` the last 40 % of the tickets of `--train`, by opening, are judged.

UCI: breach = made_sla of the last row. Never read: closed_code, resolved_by, resolved_at, closed_at, made_sla (but for
the label), active; rows in state Resolved or Closed are not scored. BPI, helpdesk: open longer than `--days`.
Prints one line of JSON; `interval_*` are 95 % bootstrap intervals over tickets, `priority_*` is the priority alone,
`raw_*` gradient boosting on the columns of the log as they are, fit on the same rows (`opening`: on openings alone),
and `reliability` the tenths of probability over all open rows: [cases, mean probability, share of breaches].
`--inside` judges the last 30 % of the tickets that are otherwise learned from: settings are chosen there.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from msgspec import convert

from data.records import DEFAULT_TENANT
from engine.domain.events import DomainEvent, TicketData
from engine.models.calibration import logistic
from engine.predictors import recipe, sla
from engine.predictors.memory import log_odds
from engine.predictors.predictor import Row
from engine.predictors.replay import Replay
from tests.bench.tabular import rows as rows_of

PRIORITIES = {"1": "critical", "2": "high", "3": "medium", "4": "low"}
STATES = {
    "New": "NEW",
    **dict.fromkeys(
        ("Awaiting User Info", "Awaiting Problem", "Awaiting Vendor", "Awaiting Evidence"), "ON_HOLD"
    ),
    "Resolved": "RESOLVED", "Closed": "CLOSED"}
#: Of one file alone: the share of tickets, by opening, that is learned from.
LEARNED, INSIDE = 0.6, 0.7
#: Columns of UCI 498 that are known at the row, for the baseline.
RAW = (
    "incident_state", "caller_id", "opened_by", "contact_type", "location", "category", "subcategory", "u_symptom",
    "cmdb_ci", "impact", "urgency", "priority", "assignment_group", "assigned_to", "knowledge",
    "u_priority_confirmation", "notify", "reassignment_count", "reopen_count", "sys_mod_count",
)  # fmt: skip


class Step(NamedTuple):
    """One row of the log: what the product is told of it, and what only the bench knows. `label` is set at the end."""

    at: datetime
    ticket: str
    number: int
    data: dict[str, Any]
    source: str
    scored: bool
    last: bool
    #: The columns of the log as they are, for the baseline.
    raw: tuple[str, ...] = ()


class Log(NamedTuple):
    name: str
    steps: list[Step]
    labels: dict[str, bool]


def read(folder: Path, days: float) -> Log:
    for name, reader in (("incident_event_log.csv", uci), ("events.csv", traces)):
        for path in sorted(folder.glob(f"{name}*")):
            return reader(path, days)
    raise SystemExit(f"{folder} holds neither incident_event_log.csv nor events.csv")


def uci(path: Path, _: float) -> Log:
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows_of(path):
        found[row["number"]].append(row)
    steps: list[Step] = []
    for number, rows in found.items():
        for place, row in enumerate(rows):
            at = _uci_time(row["sys_updated_at"]) if place else _uci_time(row["opened_at"])
            known = {name: "" if value == "?" else value for name, value in row.items()}
            over = known["incident_state"] in ("Resolved", "Closed")
            team, person = known["assignment_group"], known["assigned_to"]
            data = {
                "id": number,
                "state": STATES.get(known["incident_state"], "IN_PROGRESS" if person else "ASSIGNED"),
                "type": "/".join(part for part in (known["category"], known["subcategory"]) if part),
                "title": known["u_symptom"],
                "priority": PRIORITIES.get(known["priority"][:1], "medium"),
                "site": known["location"],
                "entity": known["caller_id"],
                "assignee": f"{team}/{person}" if person else team,
            }
            last = place == len(rows) - 1
            raw = tuple(row[name] for name in RAW)
            steps.append(Step(at, number, place, data, known["opened_by"] or "phone", not over, last, raw))
    labels = {number: rows[-1]["made_sla"].lower() == "false" for number, rows in found.items()}
    return Log("uci498", steps, labels)


def _uci_time(text: str) -> datetime:
    return datetime.strptime(text, "%d/%m/%Y %H:%M").replace(tzinfo=UTC)


def traces(path: Path, days: float) -> Log:
    """BPI 2013 or the helpdesk log: open longer than `days`."""
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows_of(path):
        found[row["case_id"]].append(row)
    bpi = any("support_team" in row for rows in found.values() for row in rows[:1])
    steps: list[Step] = []
    labels: dict[str, bool] = {}
    for number, rows in found.items():
        rows.sort(key=lambda row: row["timestamp"])
        opened = _time(rows[0]["timestamp"])
        ends = [index for index, row in enumerate(rows) if _ends(row, bpi)]
        end = ends[0] if bpi and ends else (ends[-1] if ends else len(rows) - 1)
        labels[number] = _time(rows[end]["timestamp"]) - opened > timedelta(days=days)
        for place, row in enumerate(rows[: end + 1]):
            at = _time(row["timestamp"])
            over = place == end
            still = not over and at - opened <= timedelta(days=days)
            data = {"id": number, "state": "RESOLVED" if over else ("IN_PROGRESS" if place else "NEW"), **_of(row, bpi)}
            raw = tuple(value for name, value in row.items() if name not in ("case_id", "timestamp"))
            steps.append(Step(at, number, place, data, "log", still, over, raw))
    return Log("bpic2013" if bpi else "helpdesk", steps, labels)


def _ends(row: dict[str, str], bpi: bool) -> bool:
    return row["status"] == "Completed" if bpi else row["activity"] in ("Resolve ticket", "Closed")


def _of(row: dict[str, str], bpi: bool) -> dict[str, Any]:
    if not bpi:
        return {"type": row["activity"], "assignee": row["resource"], "priority": "medium"}
    level = {"Major": "critical", "High": "high", "Medium": "medium", "Low": "low"}
    return {
        "type": row["product"],
        "title": row["sub_status"],
        "priority": level.get(row["impact"], "medium"),
        "site": row["org_line"],
        "entity": row["function_division"],
        "assignee": f"{row['support_team']}/{row['owner']}",
    }


def _time(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


class Scored(NamedTuple):
    """A row as it was scored."""

    row: Row
    ticket: str
    number: int
    opened: datetime
    at: datetime
    raw: tuple[str, ...] = ()


def play(logs: Sequence[Log]) -> Iterator[Scored]:
    """All rows in the order of time, through the line's handlers."""
    world = Replay()
    steps = sorted((step for log in logs for step in log.steps), key=lambda step: (step.at, step.number))
    opened: dict[str, datetime] = {}
    for number, step in enumerate(steps):
        opened.setdefault(step.ticket, step.at)
        data = convert(step.data, TicketData)
        event = DomainEvent(type="noc.ticket", source=step.source, id=f"{number}", at=step.at, data=data)
        draft = world.take(event)
        of = draft.noun("tickets", step.ticket)
        if step.scored and of is not None:
            row = sla.row(draft, sla.as_thing(of))
            yield Scored(row, step.ticket, step.number, opened[step.ticket], step.at, step.raw)
        if step.last:
            draft.discard(draft.book.nouns["tickets"], (DEFAULT_TENANT, step.ticket))
        world.keep(draft)
        if number % 20_000 == 0:
            print(f"{number:,} of {len(steps):,} rows", file=sys.stderr, flush=True)


def figures(logs: Sequence[Log], days: float, inside: bool = False, seed: int = 7) -> dict[str, Any]:
    labels = {number: label for log in logs for number, label in log.labels.items()}
    ends = {step.ticket: step.at for log in logs for step in log.steps if step.last}
    over = states(logs)
    found = list(play(logs))
    begins = _begins(logs)
    if inside:
        found = [one for one in found if one.opened < begins]
        openings = sorted({one.ticket: one.opened for one in found}.values())
        begins = openings[int(len(openings) * INSIDE)]
    learned = [one for one in found if one.opened < begins]
    # By opening: of a month's end the newest rows would be of the tickets alone that take long.
    learned.sort(key=lambda one: (one.opened, one.ticket, one.number))
    judged = [one for one in found if one.opened >= begins]
    known = np.array([labels[one.ticket] for one in learned], dtype=np.float64)
    stands_for = weights(learned)
    table = recipe.Table(
        np.array([one.row for one in learned], dtype=np.float32),
        known,
        stands_for,
        recipe.around(known, stands_for),
    )
    share = recipe.base_rate(table)
    model = recipe.learn(sla.PREDICTOR, table)
    trees = model.trees()
    truth = np.array([labels[one.ticket] for one in judged])
    margins = np.array([trees.margin(one.row) + log_odds(share) for one in judged])
    scores = np.array([model.calibration.apply(logistic(float(margin))) for margin in margins])
    opening = np.array([one.number == 0 for one in judged])
    ages = np.array([(one.at - one.opened).total_seconds() / 3600.0 for one in judged])
    lead = np.array([(ends[one.ticket] - one.at).total_seconds() / 3600.0 for one in judged])
    tickets = np.array([one.ticket for one in judged])
    line: dict[str, Any] = {"bench": "predict_sla", "data": logs[-1].name, "target_days": days}
    line |= {"learned_rows": len(learned), "judged_rows": len(judged), "features": list(sla.FEATURES)}
    for name, chosen in (("opening", opening), ("open_rows", np.ones(len(judged), dtype=bool))):
        line |= _measured(name, truth[chosen], scores[chosen], tickets[chosen], seed)
        priority = -np.array([one.row[1] for one, take in zip(judged, chosen, strict=True) if take])
        line[f"priority_{name}_roc"] = _roc(truth[chosen], priority)
    for hours in (4, 24, 72):
        line |= as_of(judged, scores, truth, ages, over, hours)
    line["brier"] = line.pop("open_rows_brier")
    line["threshold_p80"], line["lead_time_h_at_p80"] = at_precision(truth, scores, lead)
    line |= raw(learned, judged, known, truth)
    line["reliability"] = reliability(truth, scores)
    line["trained_on_base"] = round(float(table.labels.mean()), 4)
    return line


def _begins(logs: Sequence[Log]) -> datetime:
    """When what is judged begins: with `--data`, else after the first LEARNED of the tickets."""
    if len(logs) > 1:
        return min(step.at for step in logs[-1].steps if step.number == 0)
    openings = sorted(step.at for step in logs[0].steps if step.number == 0)
    return openings[int(len(openings) * LEARNED)]


def weights(found: Sequence[Scored]) -> Any:
    """Tickets with many rows count less for each: a row stands for 1/sqrt(rows of its ticket)."""
    count: dict[str, int] = defaultdict(int)
    for one in found:
        count[one.ticket] += 1
    return np.array([count[one.ticket] ** -0.5 for one in found])


def states(logs: Sequence[Log]) -> dict[str, list[tuple[datetime, bool]]]:
    """Of each ticket from when on it is open (True) or over."""
    found: dict[str, list[tuple[datetime, bool]]] = defaultdict(list)
    for step in sorted((step for log in logs for step in log.steps), key=lambda step: (step.at, step.number)):
        found[step.ticket].append((step.at, step.scored))
    return found


def as_of(
    judged: Sequence[Scored],
    scores: Any,
    truth: Any,
    ages: Any,
    over: Mapping[str, Sequence[tuple[datetime, bool]]],
    hours: float,
) -> dict[str, Any]:
    """The newest row of each ticket that is still open at this age: neither resolved nor closed."""
    newest: dict[str, int] = {}
    for place, one in enumerate(judged):
        if ages[place] <= hours:
            newest[one.ticket] = place
    kept = []
    for ticket, place in newest.items():
        at = judged[place].opened + timedelta(hours=hours)
        if [is_open for since, is_open in over[ticket] if since <= at][-1]:
            kept.append(place)
    if len(set(truth[kept].tolist())) < 2:
        return {}
    found = {"roc": _roc(truth[kept], scores[kept]), "n": len(kept), "base": round(float(truth[kept].mean()), 4)}
    return {f"at_{hours:g}h_{name}": value for name, value in found.items()}


def raw(learned: Sequence[Scored], judged: Sequence[Scored], known: Any, truth: Any) -> dict[str, Any]:
    """Gradient boosting with its defaults on the columns as they are, age and time of the row beside them."""
    from sklearn.ensemble import HistGradientBoostingClassifier  # type: ignore[import-untyped]
    from sklearn.metrics import average_precision_score, brier_score_loss  # type: ignore[import-untyped]

    codes: dict[tuple[int, str], int] = {}

    def columns(found: Sequence[Scored]) -> Any:
        return np.array([
            [float(v) if v.isdigit() else codes.setdefault((n, v), len(codes)) for n, v in enumerate(one.raw)]
            + [(one.at - one.opened).total_seconds(), one.opened.hour, one.opened.weekday(), one.at.hour]
            for one in found
        ])  # fmt: skip

    answer = {}
    fit_on, judged_on = columns(learned), columns(judged)
    first = tuple(np.array([one.number == 0 for one in part]) for part in (learned, judged))
    for name, (a, b) in (("opening", first), ("open_rows", tuple(np.ones(len(one), bool) for one in first))):
        model = HistGradientBoostingClassifier(random_state=1).fit(fit_on[a], known[a])
        scores = model.predict_proba(judged_on[b])[:, 1]
        answer[f"raw_{name}_roc"] = _roc(truth[b], scores)
        answer[f"raw_{name}_pr"] = round(float(average_precision_score(truth[b], scores)), 4)
        answer[f"raw_{name}_brier"] = round(float(brier_score_loss(truth[b], scores)), 4)
    return answer


def reliability(truth: Any, scores: Any) -> list[list[float]]:
    tenth = np.minimum(9, (scores * 10).astype(int))
    return [
        [int((tenth == n).sum()), round(float(scores[tenth == n].mean()), 3), round(float(truth[tenth == n].mean()), 3)]
        if (tenth == n).any()
        else [0]
        for n in range(10)
    ]


def _measured(name: str, truth: Any, scores: Any, tickets: Any, seed: int) -> dict[str, Any]:
    from sklearn.metrics import average_precision_score, brier_score_loss  # type: ignore[import-untyped]

    low, high = interval(truth, scores, tickets, seed)
    base = float(truth.mean())
    return {
        f"{name}_n": len(truth),
        f"{name}_base": round(base, 4),
        f"{name}_roc": _roc(truth, scores),
        f"{name}_pr": round(float(average_precision_score(truth, scores)), 4),
        f"interval_{name}_roc": [low, high],
        f"{name}_brier": round(float(brier_score_loss(truth, scores)), 4),
        f"{name}_brier_of_base": round(base * (1.0 - base), 4),
        f"{name}_mean_p": round(float(scores.mean()), 4),
    }


def _roc(truth: Any, scores: Any) -> float:
    from sklearn.metrics import roc_auc_score

    return round(float(roc_auc_score(truth, scores)), 4)


def interval(truth: Any, scores: Any, tickets: Any, seed: int, rounds: int = 100) -> tuple[float, float]:
    """95 % of the ROC-AUC over resampled tickets."""
    random = np.random.default_rng(seed)
    names, of = np.unique(tickets, return_inverse=True)
    found = []
    for _ in range(rounds):
        counts = np.bincount(random.integers(0, len(names), len(names)), minlength=len(names))[of]
        found.append(_weighted_roc(truth, scores, counts))
    low, high = np.quantile(found, [0.025, 0.975])
    return round(float(low), 4), round(float(high), 4)


def _weighted_roc(truth: Any, scores: Any, counts: Any) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(truth, scores, sample_weight=counts))


def at_precision(truth: Any, scores: Any, lead: Any) -> tuple[float | None, float | None]:
    """The lowest threshold at which eight of ten are right, and the median hours until the end of what is right."""
    order = np.argsort(-scores, kind="stable")
    right = np.cumsum(truth[order])
    good = np.flatnonzero(right >= 0.8 * np.arange(1, len(order) + 1))
    if not len(good):
        return None, None
    chosen = order[: good[-1] + 1]
    hours = lead[chosen][truth[chosen]]
    return round(float(scores[order[good[-1]]]), 4), round(float(np.median(hours)), 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--days", type=float, default=None, help="BPI, helpdesk: open longer than so many days")
    parser.add_argument("--inside", action="store_true", help="judge a part of what is otherwise learned from")
    asked = parser.parse_args()
    folders = [asked.train, *([asked.data] if asked.data else [])]
    first = read(folders[0], asked.days or 7.0)
    days = asked.days or (46.0 if first.name == "helpdesk" else 7.0)
    logs = [read(folder, days) for folder in folders]
    print(json.dumps(figures(logs, days, asked.inside)))


if __name__ == "__main__":
    main()
