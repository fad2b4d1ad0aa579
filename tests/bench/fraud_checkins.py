"""Badge sharing in real check-ins: injected as the data's protocol says, found by the product's own features.

For one event in a hundred of all, of people with at least 20 check-ins, a copy of another person's event within 30
minutes is added under their id. Every event is then scored from what came before it. A check-in is made at the reader
of its venue, so the venue stands for the device; positions are compared with the person's own places, because nobody
has a site here.
"""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from math import isnan
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

from engine.fraud.features import FEATURES, Observation, learn, observe
from engine.fraud.fitting import Table, fit
from engine.fraud.history import FraudState
from engine.fraud.metrics import bootstrap, measure, top
from tests.bench.tabular import rows

SEED = 7
RATE = 0.01
LEAST = 20
AROUND_S = 1800.0
#: The hour of the day at 75° west.
ZONE_S = -5 * 3600.0
_PUBLISHED = {"speed_rule_pr": 0.078, "distance_pr": 0.020, "lightgbm_pr": 0.169}


class CheckIn(NamedTuple):
    at: float
    user: str
    lat: float
    lon: float
    venue: str
    injected: int = 0


def run(train: Path, data: Path) -> dict[str, Any]:
    """Fit on `train`, report `data`; one file is parted by people, six tenths to fit on."""
    before, after = read(train), read(data)
    if train.resolve() == data.resolve():
        before = [event for event in before if crc32(event.user.encode()) // 1000 % 10 < 6]
        after = [event for event in after if crc32(event.user.encode()) // 1000 % 10 >= 6]
    fitted = table(inject(before))
    known, unaware = table(inject(after)), table(after)
    made = fit(fitted)
    scores = made.trees().score(known.rows)
    untouched = made.trees().score(unaware.rows)
    alone = _without(fitted, "device_persons_24h"), _without(known, "device_persons_24h")
    without = fit(alone[0]).trees().score(alone[1].rows)
    speed = FEATURES.index("speed_kmh")
    by_speed = [0.0 if isnan(row[speed]) else row[speed] for row in known.rows]
    figures = measure(known.labels, scores, made.threshold)
    alarms = 1000.0 * sum(score >= made.threshold for score in untouched) / len(untouched)
    surely = 1000.0 * sum(score >= 0.8 for score in untouched) / len(untouched)
    return {
        "gowalla_pr": round(figures["pr_auc"], 4),
        "false_alarms_per_1000": round(alarms, 3),
        "gowalla": {
            **{name: round(value, 4) for name, value in figures.items()},
            "interval": [round(bound, 4) for bound in bootstrap(known.labels, scores)],
            "recall_at_1": round(top(known.labels, scores, 0.01)["recall"], 3),
            "threshold": round(made.threshold, 4),
            "alarms_at_0.8_per_1000": round(surely, 3),
            "pr_without_simultaneous_presence": round(_pr(known.labels, without), 4),
            "events": len(known.labels),
            "baseline": {"speed_rule_pr": round(_pr(known.labels, by_speed), 4), "published": _PUBLISHED},
            "settings": {name: made.settings[name] for name in ("trees", "max_depth", "scale_pos_weight")},
        },
    }


def read(path: Path) -> list[CheckIn]:
    """Oldest first; lines that are none are left out."""
    return sorted(_events(path))


def _events(path: Path) -> Iterator[CheckIn]:
    for row in rows(path):
        try:
            at = datetime.fromisoformat(row["time"])
            place = float(row["lat"]), float(row["lon"])
        except (ValueError, TypeError):
            continue
        stamp = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
        yield CheckIn(stamp, row["user"], *place, row["venue"])


def inject(events: Sequence[CheckIn], seed: int = SEED) -> list[CheckIn]:
    """`events` with copies. Which of two events of the same second comes first is drawn, so that it tells nothing."""
    drawn = random.Random(seed)
    times = [event.at for event in events]
    visits = Counter(event.user for event in events)
    chosen = [event for event in events if visits[event.user] >= LEAST]
    added = []
    for victim in drawn.sample(chosen, min(len(chosen), round(len(events) * RATE))):
        near = events[bisect_left(times, victim.at - AROUND_S) : bisect_right(times, victim.at + AROUND_S)]
        others = [event for event in near if event.user != victim.user]
        if others:
            added.append(drawn.choice(others)._replace(user=victim.user, injected=1))
    mixed = [*events, *added]
    drawn.shuffle(mixed)
    return sorted(mixed, key=lambda event: event.at)


def observation(event: CheckIn) -> Observation:
    local = event.at + ZONE_S
    return Observation(
        tenant="checkins",
        person=event.user,
        at=event.at,
        hour=local % 86_400.0 / 3600.0,
        day_type=int(local // 86_400.0 + 3) % 7,
        site=event.venue,
        kind="visit",
        lat=event.lat,
        lon=event.lon,
        device=f"reader {event.venue}",
    )


def table(events: Sequence[CheckIn]) -> Table:
    """The features of each event, from what came before it."""
    state = FraudState()
    found = []
    for event in events:
        seen = observation(event)
        features = observe(state, seen)
        found.append(features.values)
        learn(state, seen, features)
    return Table(features=FEATURES, rows=found, labels=[event.injected for event in events])


def _without(given: Table, name: str) -> Table:
    gone = given.features.index(name)
    return Table(
        features=(*given.features[:gone], *given.features[gone + 1 :]),
        rows=[(*row[:gone], *row[gone + 1 :]) for row in given.rows],
        labels=given.labels,
    )


def _pr(labels: Sequence[int], scores: Sequence[float]) -> float:
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(labels, scores))
