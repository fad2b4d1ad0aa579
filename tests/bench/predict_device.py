"""Which devices fail: recorded failures as `noc.device` events through the product's handlers, features and recipe.

    .venv/bin/python -m tests.bench.predict_device --train ../shared/datasets/backblaze_smart --data DIR [--share 0.3]

The product looks one hour ahead; the data looks 30 days (Backblaze) or one day (LANL) ahead. Time is played faster by
that factor: what is 30 days in the data is an hour to the product, so that the same half-lives and features apply.

Backblaze (`drive_intervals.csv*`): each rise of SMART 5, 187, 188, 197 or 198 is an error, the larger the more of them;
of 197 and 198 a failed synchronisation, too; what is left of 100 % shrinks with them like a battery; the first power-on
is the last maintenance. Every 30 days from 2013-07-01 each live drive is scored; it failed within 30 days, or not, and
drives whose history ends earlier are left out. `rule` counts non-zero SMART values.
LANL (`failures.csv*`): nodes go offline and come back; every day each node of systems 2, 16, 18, 19 and 20 is scored: a
failure in the next 24 hours. `rule` is failures of the last 30 days plus the lifetime's per day.

Without `--data` drives are parted by the hash of their id, nodes by time (the last fifth of it). `--share` takes that
part of the drives. Prints one line of JSON with 95 % bootstrap intervals over rows.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import exp, log1p, log2
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np

from data.records import DEFAULT_TENANT
from engine.domain.events import DeviceData, DomainEvent
from engine.models.trees import Trees
from engine.predictors import device, recipe
from engine.predictors.predictor import Row
from engine.predictors.replay import Replay
from tests.bench.tabular import rows as rows_of

FIRST = datetime(2013, 7, 1, tzinfo=UTC)
BROKEN = ("smart_5", "smart_187", "smart_188", "smart_197", "smart_198")
#: What is told of as errors: beside these spin retries, high fly writes and reallocations.
WATCHED = (*BROKEN, "smart_10", "smart_189", "smart_196")
#: Errors that one rise is told as, at most.
ERRORS = 12
SYNC = ("smart_197", "smart_198")
SYSTEMS = ("2", "16", "18", "19", "20")
#: Of rows without failure one in so many is learned from, and stands for all of them.
THIN = 4


class Told(NamedTuple):
    """News of a device, in the data's own time."""

    at: datetime
    id: str
    data: dict[str, Any]


class Look(NamedTuple):
    """A moment at which devices are scored: id → (failed within the horizon, the rule's score)."""

    at: datetime
    cases: dict[str, tuple[bool, float]]


class Log(NamedTuple):
    name: str
    horizon: timedelta
    told: list[Told]
    looks: list[Look]
    #: id and time → whether it is judged.
    judged: Callable[[str, datetime], bool]


def read(train: Path, data: Path | None, share: float) -> Log:
    for name, reader in (("drive_intervals.csv", backblaze), ("failures.csv", lanl)):
        files = [next(iter(sorted(folder.glob(f"{name}*"))), None) for folder in (train, data) if folder is not None]
        if all(files):
            return reader([file for file in files if file is not None], share)
    raise SystemExit(f"{train} holds neither drive_intervals.csv nor failures.csv")


# -- Backblaze


def backblaze(files: Sequence[Path], share: float) -> Log:
    told: list[Told] = []
    cases: dict[datetime, dict[str, tuple[bool, float]]] = defaultdict(dict)
    held: set[str] = set()
    for place, file in enumerate(files):
        drives: dict[str, list[dict[str, str]]] = defaultdict(list)
        for row in rows_of(file):
            if crc32(row["drive"].encode()) % 1000 < 1000 * share:
                drives[f"{place}-{row['drive']}"].append(row)
        for id, rows in drives.items():
            rows.sort(key=lambda row: float(row["tstart"]))
            told += _drive(id, rows)
            for at, case in _snapshots(rows):
                cases[at][id] = case
        if place:
            held |= set(drives)
    print(f"{len(told):,} events, {sum(map(len, cases.values())):,} snapshots", file=sys.stderr, flush=True)
    looks = [Look(at, cases[at]) for at in sorted(cases)]
    alone = len(files) == 1
    return Log(
        "backblaze",
        timedelta(days=30),
        sorted(told, key=lambda one: one.at),
        looks,
        lambda id, at: crc32(b"split" + id.encode()) % 2 == 0 if alone else id in held,
    )


def _clock(rows: Sequence[dict[str, str]]) -> Callable[[float], datetime]:
    began = datetime.fromisoformat(rows[0]["min_date"]).replace(tzinfo=UTC)
    first = float(rows[0]["min_hours"])
    return lambda hours: began + timedelta(hours=hours - first)


def _drive(id: str, rows: Sequence[dict[str, str]]) -> Iterator[Told]:
    when, model = _clock(rows), f"{rows[0]['manufacturer']}/{rows[0]['model']}"
    start = when(float(rows[0]["tstart"]))
    installed = max(when(0.0), start - timedelta(days=3000))
    yield Told(installed, id, {"status": "maintained", "type": model, "battery": 100.0})
    before = dict.fromkeys(WATCHED, 0.0)
    for row in rows:
        at = when(float(row["tstart"]))
        values = {name: float(row[name]) for name in BROKEN if row[name]}
        counts = {name: float(row[name]) for name in WATCHED if row[name]}
        left = 100.0 * exp(-sum(map(log1p, values.values())) / 12.0)
        number = 0
        for name, value in counts.items():
            rise = value - before[name]
            for _ in range(min(ERRORS, 1 + int(log2(rise))) if rise >= 1.0 else 0):
                number += 1
                later = at + timedelta(minutes=number)
                yield Told(later, id, {"status": "error", "error": name})
            if rise >= 1.0 and name in SYNC:
                yield Told(at + timedelta(minutes=number), id, {"status": "sync_failed"})
            before[name] = value
        yield Told(at + timedelta(minutes=number + 1), id, {"status": "seen", "battery": max(0.0, left)})


def _snapshots(rows: Sequence[dict[str, str]]) -> Iterator[tuple[datetime, tuple[bool, float]]]:
    when, step = _clock(rows), timedelta(days=30)
    start, end = when(float(rows[0]["tstart"])), when(float(rows[-1]["tstop"]))
    failed = rows[-1]["fails"] == "1"
    at = FIRST + step * max(0, -((FIRST - start) // step))
    place = 0
    while at < end:
        while place + 1 < len(rows) and when(float(rows[place + 1]["tstart"])) <= at:
            place += 1
        if failed or end - at >= step:
            rule = sum(bool(rows[place][name]) and float(rows[place][name]) > 0 for name in BROKEN)
            yield at, (failed and end - at <= step, float(rule))
        at += step


# -- LANL


def lanl(files: Sequence[Path], _: float) -> Log:
    down: dict[str, list[tuple[datetime, datetime, str]]] = defaultdict(list)
    begins: datetime | None = None
    for place, file in enumerate(files):
        for row in rows_of(file):
            if row["system"] in SYSTEMS:
                start, fixed = _time(row["started"]), _time(row["fixed"] or row["started"])
                down[f"{row['system']}/{row['node']}"].append((start, max(start, fixed), row["machine_type"]))
                begins = min(begins or start, start) if place else begins
    first = min(spans[0][0] for spans in map(sorted, down.values()))
    last = max(span[0] for spans in down.values() for span in spans)
    judged_from = begins or first + (last - first) * 0.8
    told, cases = [], defaultdict(dict)  # type: ignore[var-annotated]
    for id, spans in down.items():
        spans.sort()
        system = id.partition("/")[0]
        told.append(Told(spans[0][0] - timedelta(days=1), id, {"status": "online", "type": f"{system}"}))
        for start, fixed, _kind in spans:
            told.append(Told(start, id, {"status": "offline"}))
            told.append(Told(fixed, id, {"status": "online"}))
        _days(id, [start for start, _, _ in spans], last, cases)
    looks = [Look(at, cases[at]) for at in sorted(cases)]
    return Log("lanl", timedelta(days=1), sorted(told, key=lambda one: one.at), looks, lambda _, at: at >= judged_from)


def _days(id: str, starts: Sequence[datetime], last: datetime, cases: dict[datetime, Any]) -> None:
    """Every midnight from the first failure on."""
    born = starts[0]
    day = born.replace(hour=0, minute=0) + timedelta(days=1)
    ahead = behind = 0
    while day < last:
        while ahead < len(starts) and starts[ahead] < day:
            ahead += 1
        while behind < ahead and starts[behind] < day - timedelta(days=30):
            behind += 1
        came = ahead < len(starts) and starts[ahead] < day + timedelta(days=1)
        life = max(1.0, (day - born).total_seconds() / 86_400.0)
        cases[day][id] = (came, (ahead - behind) + ahead / life)
        day += timedelta(days=1)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# -- playing


class Rows(NamedTuple):
    rows: list[Row]
    labels: list[bool]
    rules: list[float]
    shares: list[float]
    weights: list[float]
    ids: list[str]


def play(log: Log) -> tuple[Rows, Rows]:
    """→ (what is learned from, what is judged), both in the order of time."""
    world, factor = Replay(), device.HORIZON / log.horizon
    start = min(log.told[0].at, log.looks[0].at)
    learned, judged = (Rows([], [], [], [], [], []) for _ in range(2))
    waiting: list[tuple[tuple[str, str], bool]] = []
    came, cases = 0.0, 0.0
    place = 0
    for look in log.looks:
        now = start + (look.at - start) * factor
        while place < len(log.told) and log.told[place].at < look.at:
            one = log.told[place]
            at = start + (one.at - start) * factor
            event = DomainEvent(type="noc.device", source="log", id="", at=at, data=DeviceData(id=one.id, **one.data))
            world.keep(world.take(event))
            place += 1
        draft = world.draft(now)
        for id, label in waiting:
            device.PREDICTOR.outcome(draft, id, label)
        cases, came = 0.98 * cases + len(waiting), 0.98 * came + sum(label for _, label in waiting)
        share = (came + 0.003 * 1000.0) / (cases + 1000.0)
        waiting = []
        for name, (label, rule) in look.cases.items():
            key = (DEFAULT_TENANT, name)
            is_judged = log.judged(name, look.at)
            if not is_judged:
                waiting.append((key, label))
            if not (is_judged or label or crc32(f"{name}{look.at}".encode()) % THIN == 0):
                continue
            of = draft.book.nouns["devices"].get(key)
            if of is None or of.state == "offline":
                continue
            into = judged if is_judged else learned
            weight = 1.0 if is_judged or label else float(THIN)
            into.rows.append(device.row(draft, device.as_thing(of)))
            into.labels.append(label)
            into.rules.append(rule)
            into.shares.append(share)
            into.weights.append(weight)
            into.ids.append(name)
        world.keep(draft)
        print(f"{look.at:%Y-%m-%d} {len(learned.rows):,} {len(judged.rows):,}", file=sys.stderr, flush=True)
    return learned, judged


def figures(log: Log, seed: int = 7) -> dict[str, Any]:
    learned, judged = play(log)
    table = recipe.Table(
        np.array(learned.rows, dtype=np.float32),
        np.array(learned.labels, dtype=np.float64),
        np.array(learned.weights),
        np.array(learned.shares),
    )
    model = recipe.learn(device.PREDICTOR, table)
    truth = np.array(judged.labels)
    plain = np.clip(np.array(Trees.of(model.trees()).score(np.array(judged.rows, dtype=np.float32))), 1e-7, 1 - 1e-7)
    margins = np.log(plain) - np.log1p(-plain) + np.log(judged.shares) - np.log1p(-np.array(judged.shares))
    scores = 1.0 / (1.0 + np.exp(-(model.calibration.slope * margins + model.calibration.shift)))
    line: dict[str, Any] = {"bench": "predict_device", "data": log.name, "features": list(device.FEATURES)}
    line |= {"learned_rows": len(table.labels), "judged_rows": len(truth), "events": int(truth.sum())}
    line["base"] = round(float(truth.mean()), 5)
    line |= _measured("", truth, scores, seed)
    line |= _measured("rule_", truth, np.array(judged.rules), seed)
    line["brier"] = round(float(((scores - truth) ** 2).mean()), 6)
    line["brier_of_base"] = round(float(truth.mean() * (1 - truth.mean())), 6)
    if log.name == "lanl":
        systems = np.array([id.partition("/")[0] for id in judged.ids])
        for system in SYSTEMS:
            chosen = systems == system
            if truth[chosen].any():
                line |= _measured(f"system_{system}_", truth[chosen], scores[chosen], seed, bootstraps=0)
                line |= _measured(f"rule_{system}_", truth[chosen], np.array(judged.rules)[chosen], seed, bootstraps=0)
    return line


def _measured(prefix: str, truth: Any, scores: Any, seed: int, bootstraps: int = 50) -> dict[str, Any]:
    from sklearn.metrics import average_precision_score, roc_auc_score  # type: ignore[import-untyped]

    found: dict[str, Any] = {
        f"{prefix}roc": round(float(roc_auc_score(truth, scores)), 4),
        f"{prefix}pr": round(float(average_precision_score(truth, scores)), 4),
        f"{prefix}recall_at_fpr1": recall_at(truth, scores, 0.01),
    }
    if bootstraps:
        random, rounds = np.random.default_rng(seed), []
        for _ in range(bootstraps):
            chosen = random.integers(0, len(truth), len(truth))
            if truth[chosen].any():
                rounds.append(average_precision_score(truth[chosen], scores[chosen]))
        low, high = np.quantile(rounds, [0.025, 0.975])
        found[f"{prefix}interval_pr"] = [round(float(low), 4), round(float(high), 4)]
    return found


def recall_at(truth: Any, scores: Any, rate: float) -> float:
    """Share of the events that score above all but so many of the others; straight lines through what is tied."""
    from sklearn.metrics import roc_curve

    false, true, _ = roc_curve(truth, scores)
    found = next(
        (a[1] + (b[1] - a[1]) * (rate - a[0]) / (b[0] - a[0]) if b[0] > a[0] else b[1])
        for a, b in pairwise(zip(false, true, strict=True))
        if b[0] >= rate
    )
    return round(float(found), 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--share", type=float, default=1.0, help="Backblaze: the part of the drives that is taken")
    asked = parser.parse_args()
    print(json.dumps(figures(read(asked.train, asked.data, asked.share))))


if __name__ == "__main__":
    main()
