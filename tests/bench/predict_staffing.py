"""Which slots are overloaded, which absences are long: recorded service as shifts through the product's own handlers.

    .venv/bin/python -m tests.bench.predict_staffing --train ../shared/datasets/callcenter_bank --data DIR

Both logs are told as `noc.site`, `noc.shift` and `noc.attendance` events; posts, features, memory, recipe and model are
the product's. Call centre (`calls.csv*`): a half-hour slot is a shift of 20 places at a post that needs 10, and as many
are filled as its service allows: 20 where nobody waits, fewer than 10 where it is overloaded, that is a mean wait of
60 s or more, or a quarter of the calls given up. Slots of at least 5 calls are scored when they begin, from what was so
until then. Absences (`absenteeism_at_work.csv`): a person is a post, a day a shift of 8 hours there, and filled are the
hours of the day that were worked; short is who worked none. Days are made up within the month, in the order of the log
as far as the day of the week lets them; reasons are never read, as they are known only afterwards. The engine asks for
500 outcomes before it trains; here fewer do, as there are no more.

Without `--data` the last 40 % of the time of `--train` is judged. `persistence` is the slot before, then the time of
the day; `person` the person's history. `--inside` judges the last 30 % of what is otherwise learned from: for choosing.
Prints one line of JSON with 95 % bootstrap intervals over rows.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data.records import DEFAULT_TENANT
from engine.domain.events import AttendanceData, DomainEvent, ShiftData, SiteData
from engine.domain.settings import rules_of
from engine.models.calibration import logistic
from engine.predictors import recipe, staffing
from engine.predictors.memory import RATES, Shares, log_odds
from engine.predictors.replay import Replay
from engine.predictors.scoring import PRIOR_CASES
from tests.bench.tabular import rows as rows_of

SLOT = timedelta(minutes=30)
WAIT_S, GIVEN_UP, CALLS = 60.0, 0.25, 5
LEARNED, INSIDE, LEAST = 0.6, 0.7, 250
SITE, NEEDED = "site", 10


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


class Turn(NamedTuple):
    """A shift of a post: how many places there are, and how many of them were filled. `label` None = not scored."""

    at: datetime
    post: str
    places: int
    filled: int
    label: bool | None


def call_turns(found: Sequence[Slot]) -> Iterator[Turn]:
    for slot in found:
        strain = max(sum(slot.waits) / len(slot.waits) / WAIT_S, slot.given_up / len(slot.waits) / GIVEN_UP)
        filled = int(NEEDED * (2.0 - strain)) if strain < 1.0 else NEEDED - 1 - min(9, int(4.5 * (strain - 1.0)))
        yield Turn(slot.at, "desk", 2 * NEEDED, filled, slot.is_overloaded if len(slot.waits) >= CALLS else None)


def absence_turns(files: Sequence[Path]) -> list[Turn]:
    months: dict[str, list[dict[str, str]]] = defaultdict(list)
    for file in files:
        for row in rows_of(file):
            months[row["inferred_period"]].append(row)
    found = []
    for month, rows in sorted(months.items()):
        for place, row in enumerate(rows):
            day = datetime.fromisoformat(f"{month}-04").replace(tzinfo=UTC) + timedelta(days=24 * place // len(rows))
            # Days of the log count from Sunday 1; the nearest such day, and a minute apart.
            day += timedelta(days=(int(row["Day of the week"]) - 2 - day.weekday() + 3) % 7 - 3, hours=8, minutes=place)
            hours = float(row["Absenteeism time in hours"])
            found.append(Turn(day, row["ID"], 8, max(0, int(8.0 - hours)), hours >= 8.0))
    return sorted(found, key=lambda turn: turn.at)


def play(turns: Sequence[Turn], needed: int) -> Iterator[Case]:
    """Each shift as it was scored when it began."""
    world = Replay()
    posts = dict.fromkeys((turn.post for turn in turns), needed)
    tell(world, "site", turns[0].at - timedelta(days=1), SiteData(id=SITE, posts=posts))
    for number, turn in enumerate(turns):
        end = turn.at + SLOT
        for place in range(turn.places):
            data = ShiftData(
                id=f"{number}/{place}",
                site=SITE,
                post=turn.post,
                person=f"{turn.post}/{place}",
                starts_at=turn.at,
                ends_at=end,
            )
            tell(world, "shift", turn.at - timedelta(seconds=2), data)
        case = scored(world, turn)
        if case is not None and turn.label is not None:
            yield case
        for place in range(turn.filled):
            data = AttendanceData(person=f"{turn.post}/{place}", site=SITE, shift=f"{number}/{place}")
            tell(world, "attendance", turn.at, data)
        decide(world, turn)


def tell(world: Replay, kind: str, at: datetime, data: Any) -> None:
    world.keep(world.take(DomainEvent(type=f"noc.{kind}", source="log", id="", at=at, data=data)))


def scored(world: Replay, turn: Turn) -> Case | None:
    draft = world.draft(turn.at - timedelta(seconds=1))
    shares = Shares(draft, RATES, staffing.PREDICTOR.half_life_s)
    share = shares.of((DEFAULT_TENANT, "staffing"), staffing.PREDICTOR.prior, PRIOR_CASES)
    found = None
    for key in staffing.things(draft):
        if key[2] == turn.post and (thing := staffing.thing(draft, key)) is not None:
            row = staffing.row(draft, thing)
            columns = dict(zip(staffing.FEATURES, row, strict=True))
            plain = (columns["no_show_rate.last"] < 1.0) + 0.01 * columns["no_show_rate.short_time"]
            if turn.post != "desk":
                plain = columns["no_show_rate.short_post"]
            found = Case(turn.at, row, bool(turn.label), plain, share)
    world.keep(draft)
    return found


def decide(world: Replay, turn: Turn) -> None:
    """What the round does when it is known who came: posts are learned from, and the share of events."""
    draft = world.draft(turn.at + timedelta(seconds=rules_of(world.draft(turn.at)).staffing_grace_seconds))
    for key in staffing.things(draft):
        staffing.thing(draft, key)
    if turn.label is not None:
        Shares(draft, RATES, staffing.PREDICTOR.half_life_s).add((DEFAULT_TENANT, "staffing"), float(turn.label))
    world.keep(draft)
    shifts = world.book.nouns["shifts"]
    for key in [key for key, shift in shifts.items() if shift.starts_at <= turn.at]:
        del shifts[key]


def read(train: Path, data: Path | None) -> tuple[str, str, list[Case], datetime | None]:
    """→ (data set, name of its plain rule, cases, when what is judged begins where that is given)."""
    folders = [folder for folder in (train, data) if folder is not None]
    calls = [next(iter(sorted(folder.glob("calls.csv*"))), None) for folder in folders]
    if all(calls):
        files = [file for file in calls if file is not None]
        begins = slots(files[1:])[0].at if len(files) > 1 else None
        return "callcenter", "persistence", list(play(list(call_turns(slots(files))), NEEDED)), begins
    files = [folder / "absenteeism_at_work.csv" for folder in folders]
    begins = absence_turns(files[1:])[0].at if len(files) > 1 else None
    return "absenteeism", "person", list(play(absence_turns(files), 1)), begins


def figures(
    name: str, rule: str, found: Sequence[Case], begins: datetime | None, inside: bool = False, seed: int = 7
) -> dict[str, Any]:
    begins = begins or found[int(len(found) * LEARNED)].at
    if inside:
        found = [case for case in found if case.at < begins]
        begins = found[int(len(found) * INSIDE)].at
    learned, judged = ([case for case in found if (case.at < begins) is part] for part in (True, False))
    table = recipe.Table(
        np.array([case.row for case in learned], dtype=np.float32),
        np.array([case.label for case in learned], dtype=np.float64),
        np.ones(len(learned)),
        np.array([case.share for case in learned]),
    )
    line: dict[str, Any] = {"bench": "predict_staffing", "data": name, "features": list(staffing.FEATURES)}
    line |= {"learned_rows": len(learned), "judged_rows": len(judged)}
    model = recipe.learn(staffing.PREDICTOR, table, least=min(LEAST, len(learned)))
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
    parser.add_argument("--inside", action="store_true", help="judge a part of what is otherwise learned from")
    asked = parser.parse_args()
    print(json.dumps(figures(*read(asked.train, asked.data), asked.inside)))


if __name__ == "__main__":
    main()
