"""Which slots are overloaded, which absences are long: the staffing predictor's columns, shares and recipe.

    .venv/bin/python -m tests.bench.predict_staffing --train ../shared/datasets/callcenter_bank --data DIR

Call centre (`calls.csv*`): half-hour slots with at least 5 calls; overloaded = mean wait of 60 s or more, or a quarter
of the calls given up; each slot is scored from the slots before it. Absences (`absenteeism_at_work.csv`): 8 hours or
more, from the same person's and weekday's past. Neither log knows posts or shifts, so the six columns are filled
here, by the product's own shares, as near to their meaning as the log allows (see `call_rows`, `absence_rows`);
recipe, calibration and model are the product's. The engine asks for 500 outcomes before it trains; here 300
do, as there are no more.

Without `--data` the last 40 % of the time of `--train` is judged. `persistence` is the slot before, `person`
the person's history. Prints one line of JSON with 95 % bootstrap intervals over rows.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from math import nan
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data.records import DEFAULT_TENANT
from engine.models.calibration import logistic
from engine.predictors import staffing, training
from engine.predictors.memory import TYPES, Shares, log_odds
from engine.predictors.replay import Replay
from tests.bench.tabular import rows as rows_of

SLOT = timedelta(minutes=30)
WAIT_S, GIVEN_UP, CALLS = 60.0, 0.25, 5
LEARNED, LEAST = 0.6, 300
#: Half-lives in seconds: what the last hours were like, and what a time of the day is like.
LATELY, USUALLY = 3600.0, 21 * 86_400.0


class Case(NamedTuple):
    at: datetime
    row: tuple[float, ...]
    label: bool
    plain: float
    share: float


class Slot(NamedTuple):
    at: datetime
    waits: tuple[float, ...]
    given_up: int
    agents: int
    busy_s: float

    @property
    def is_overloaded(self) -> bool:
        mean = sum(self.waits) / len(self.waits)
        return mean >= WAIT_S or self.given_up >= GIVEN_UP * len(self.waits)


def slots(files: Sequence[Path]) -> list[Slot]:
    found: dict[datetime, list[dict[str, str]]] = defaultdict(list)
    for file in files:
        for row in rows_of(file):
            if row["outcome"] in ("AGENT", "HANG"):
                at = datetime.strptime(f"{row['date']} {row['vru_exit']}", "%y%m%d %H:%M:%S").replace(tzinfo=UTC)
                found[at - (at - at.min.replace(tzinfo=UTC)) % SLOT].append(row)
    return [
        Slot(
            at,
            tuple(float(row["q_time"]) for row in rows),
            sum(row["outcome"] == "HANG" for row in rows),
            len({row["server"] for row in rows if row["server"] != "NO_SERVER"}),
            sum(float(row["ser_time"]) for row in rows),
        )
        for at, rows in sorted(found.items())
    ]


def call_rows(found: Sequence[Slot]) -> Iterator[Case]:
    """scheduled: agents of the slot before less those that this time of the day usually keeps busy. attendance_rate:
    the share of slots lately that held. time_to_shift: hours since midnight. site_criticality: work per agent in
    the slot before, of half an hour. known_absences: mean wait of the slot before in minutes. no_show_rate: how often
    this time of the day was overloaded."""
    world, before = Replay(), None
    for slot in found:
        draft = world.draft(slot.at)
        lately, usual, load = (
            Shares(draft, TYPES, LATELY),
            Shares(draft, TYPES, USUALLY),
            Shares(draft, "bench.load", USUALLY),
        )
        hour = slot.at.hour + slot.at.minute / 60.0
        own, whole = f"{hour}", usual.of((DEFAULT_TENANT, "all"), 0.3, 20.0)
        fresh = before is not None and slot.at - before.at <= SLOT
        share = usual.of((DEFAULT_TENANT, "slot", own), whole, 4.0)
        row = (
            before.agents - load.of((DEFAULT_TENANT, own), 5.0, 1.0) if before is not None and fresh else nan,
            1.0 - lately.of((DEFAULT_TENANT, "lately"), whole, 0.5),
            hour,
            before.busy_s / max(1, before.agents) / 1800.0 if before is not None and fresh else nan,
            sum(before.waits) / len(before.waits) / 60.0 if before is not None and fresh else nan,
            share,
        )
        label = slot.is_overloaded
        if len(slot.waits) >= CALLS:
            plain = float(before.is_overloaded) if before is not None and fresh else whole
            yield Case(slot.at, row, label, plain + 0.01 * share, whole)
        lately.add((DEFAULT_TENANT, "lately"), float(label))
        usual.add((DEFAULT_TENANT, "slot", own), float(label))
        usual.add((DEFAULT_TENANT, "all"), float(label))
        load.add((DEFAULT_TENANT, own), slot.busy_s / 1800.0)
        world.keep(draft)
        before = slot


def absence_rows(files: Sequence[Path]) -> Iterator[Case]:
    """attendance_rate: one less the share of the person's absences that were long; no_show_rate: that of the weekday;
    known_absences: the person's absences so far. Reasons are not read: they are known only once they are reported."""
    world, at = Replay(), datetime(2007, 7, 1, tzinfo=UTC)
    count: dict[str, int] = defaultdict(int)
    for file in files:
        for row in rows_of(file):
            at += timedelta(hours=30)
            draft = world.draft(at)
            shares = Shares(draft, TYPES, 3650 * 86_400.0)
            person, day = (DEFAULT_TENANT, "person", row["ID"]), (DEFAULT_TENANT, "day", row["Day of the week"])
            whole = shares.of((DEFAULT_TENANT, "all"), 0.35, 20.0)
            own = shares.of(person, whole, 5.0)
            values = (nan, 1.0 - own, nan, nan, float(count[row["ID"]]), shares.of(day, whole, 20.0))
            label = float(row["Absenteeism time in hours"]) >= 8.0
            yield Case(at, values, label, own, whole)
            for key in (person, day, (DEFAULT_TENANT, "all")):
                shares.add(key, float(label))
            count[row["ID"]] += 1
            world.keep(draft)


def read(train: Path, data: Path | None) -> tuple[str, str, list[Case], datetime | None]:
    """→ (data set, name of its plain rule, cases, when what is judged begins where that is given)."""
    folders = [folder for folder in (train, data) if folder is not None]
    calls = [next(iter(sorted(folder.glob("calls.csv*"))), None) for folder in folders]
    if all(calls):
        files = [file for file in calls if file is not None]
        begins = slots(files[1:])[0].at if len(files) > 1 else None
        return "callcenter", "persistence", list(call_rows(slots(files))), begins
    files = [folder / "absenteeism_at_work.csv" for folder in folders]
    found = list(absence_rows(files))
    begins = found[sum(1 for _ in rows_of(files[0]))].at if len(files) > 1 else None
    return "absenteeism", "person", found, begins


def figures(name: str, rule: str, found: Sequence[Case], begins: datetime | None, seed: int = 7) -> dict[str, Any]:
    begins = begins or found[int(len(found) * LEARNED)].at
    learned, judged = ([case for case in found if (case.at < begins) is part] for part in (True, False))
    table = training.Table(
        np.array([case.row for case in learned], dtype=np.float32),
        np.array([case.label for case in learned], dtype=np.float64),
        np.ones(len(learned)),
        np.array([case.share for case in learned]),
    )
    line: dict[str, Any] = {"bench": "predict_staffing", "data": name, "features": list(staffing.FEATURES)}
    line |= {"learned_rows": len(learned), "judged_rows": len(judged)}
    model = training.learn(staffing.PREDICTOR, table, least=min(LEAST, len(learned)))
    trees = model.trees()
    truth = np.array([case.label for case in judged])
    margins = [trees.margin(case.row) + log_odds(case.share) for case in judged]
    scores = np.array([model.calibration.apply(logistic(margin)) for margin in margins])
    line |= {"base": round(float(truth.mean()), 4)}
    prefix = "overload" if name == "callcenter" else "long"
    line |= _measured(prefix, truth, scores, seed)
    line |= _measured(rule, truth, np.array([case.plain for case in judged]), seed)
    line["brier"] = round(float(((scores - truth) ** 2).mean()), 4)
    line["brier_of_base"] = round(float(truth.mean() * (1.0 - truth.mean())), 4)
    return line


def _measured(prefix: str, truth: Any, scores: Any, seed: int) -> dict[str, Any]:
    from sklearn.metrics import average_precision_score, roc_auc_score  # type: ignore[import-untyped]

    random, found = np.random.default_rng(seed), []
    for _ in range(200):
        chosen = random.integers(0, len(truth), len(truth))
        if 0 < truth[chosen].sum() < len(truth):
            found.append(roc_auc_score(truth[chosen], scores[chosen]))
    low, high = np.quantile(found, [0.025, 0.975])
    return {
        f"{prefix}_roc": round(float(roc_auc_score(truth, scores)), 4),
        f"{prefix}_pr": round(float(average_precision_score(truth, scores)), 4),
        f"interval_{prefix}_roc": [round(float(low), 4), round(float(high), 4)],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--data", type=Path)
    asked = parser.parse_args()
    print(json.dumps(figures(*read(asked.train, asked.data))))


if __name__ == "__main__":
    main()
