"""Training a predictor: what was scored and what came of it → a challenger that serves if it ranks better.

Owns the split by time, calibration, threshold and measures. Runs in a process of its own: it imports numpy, XGBoost and
scikit-learn. Examples are in the order of time; the first 70 % are fit, the next 15 % calibrate and set the threshold,
the last 15 % are only judged. The model that is offered is then fit on all of them by the same recipe and with that
calibration. Trees are fit beside the share of events of their own time (see `scoring`): only here, where the past is
known as a whole, that share may be of the rows around; whenever anything is judged it is the one known at the row.
"""

from __future__ import annotations

import argparse
import asyncio
import struct
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from data.nouns.predictions import PredictionExample
from data.ports import StoreError
from data.records import DEFAULT_TENANT, TenantId
from engine.clock import SystemClock
from engine.models.calibration import Platt, logistic
from engine.models.fitting import Fitted, fit, typical
from engine.models.manifest import Manifest, TrainedOn
from engine.models.refused import ModelRefused
from engine.models.registry import Offer, Registry
from engine.models.trees import Trees
from engine.ports import Clock
from engine.predictors.catalogue import PREDICTORS
from engine.predictors.examples import columns_id, unpacked
from engine.predictors.memory import log_odds
from engine.predictors.predictor import Predictor

#: Fewer examples than this make no model; so many must be of events, and so many not.
LEAST, LEAST_OF_EACH = 500, 20
FIT, CALIBRATE = 0.70, 0.85
PRIMARY = "pr_auc"
TREES = 120
SETTINGS: dict[str, str | float | int | bool] = {
    "max_depth": 3,
    "eta": 0.06,
    "min_child_weight": 8,
    "lambda": 1.0,
    "base_score": 0.5,
}
#: With fewer rows than this a smaller model is fit: shallower, and of leaves that a dozen rows are enough for.
FEW = 2000
SMALL = {**SETTINGS, "max_depth": 2, "min_child_weight": 2}
#: Rows on either side that the share of events of a row is taken from, at least, and as a part of all.
AROUND, AROUND_PART = 150, 0.05
#: A warning is worth raising where so many of them come true.
PRECISION = 0.6
_MOST = 200_000

Progress = Callable[[str, int, int], Any]


def quiet(what: str, done: int, total: int) -> None:
    """Tells nobody."""


class TooFew(ValueError):
    """There is not enough to learn from; the message says how much there is."""


class Table(NamedTuple):
    """In the order of time: rows of features, labels 0 or 1, how many cases each stands for, and the share of events
    that was known at the row."""

    rows: Any
    labels: Any
    weights: Any
    shares: Any

    def part(self, start: int, stop: int) -> Table:
        return Table(*(column[start:stop] for column in self))


class Model(NamedTuple):
    """A fit with its calibration and threshold; `judged` are the figures of the rows that were held out."""

    fitted: Fitted
    calibration: Platt
    threshold: float
    metrics: dict[str, float]
    baseline: dict[str, float]
    held: Table

    def trees(self) -> Trees:
        return Trees.load(self.fitted.raw, self.calibration)


class Report(Struct, frozen=True, kw_only=True):
    """What came of a training. `metrics`, `baseline` (the rules of thumb) and `champion` are of the same held-out
    examples; `promoted` False with `why` when nothing changed."""

    name: str
    version: str
    promoted: bool
    why: str
    examples: int
    held_out: int
    base_rate: float
    threshold: float
    metrics: dict[str, float]
    baseline: dict[str, float]
    champion: dict[str, float] = {}


# -- the recipe


def learn(of: Predictor, table: Table, tell: Progress = quiet, *, least: int = LEAST) -> Model:
    """Raises TooFew with fewer than `least` rows, or LEAST_OF_EACH of either kind."""
    _enough(of, table, least)
    total = len(table.labels)
    first, second = int(total * FIT), int(total * CALIBRATE)
    tell("fitting", 0, total)
    early = _fit(of, table.part(0, first))
    tell("fitting", first, total)
    middle, held = table.part(first, second), table.part(second, total)
    calibration = platt(_margins(early, middle), middle.labels, middle.weights)
    threshold = worth(_apply(calibration, _margins(early, middle)), middle.labels, middle.weights)
    scores = _apply(calibration, _margins(early, held))
    found = Model(
        fitted=_fit(of, table),
        calibration=calibration,
        threshold=threshold,
        metrics=measures(held.labels, scores, held.weights, threshold),
        baseline=measures(held.labels, thumb(of, held), held.weights, 0.5),
        held=held,
    )
    tell("fitting", total, total)
    return found


def _enough(of: Predictor, table: Table, least: int) -> None:
    total, events = len(table.labels), int(table.labels.sum()) if len(table.labels) else 0
    if total < least or min(events, total - events) < LEAST_OF_EACH:
        raise TooFew(
            f"{of.name}: {total} outcomes, {events} of them events; {least} are needed, {LEAST_OF_EACH} of either "
            "kind. Until then rules of thumb predict"
        )


def _fit(of: Predictor, table: Table) -> Fitted:
    import numpy as np

    offsets = np.log(local := around(table.labels, table.weights)) - np.log1p(-local)
    return fit(
        table.rows,
        table.labels,
        features=of.features,
        trees=TREES if len(table.labels) >= FEW else TREES // 2,
        weights=table.weights,
        settings={**(SETTINGS if len(table.labels) >= FEW else SMALL), "monotone_constraints": _ways(of)},
        offsets=offsets,
    )


def _ways(of: Predictor) -> str:
    """Of each column whether it may only rise (1), only fall (-1), or both (0)."""
    ways = (1 if name in of.rising else -1 if name in of.falling else 0 for name in of.features)
    return f"({','.join(map(str, ways))})"


def around(labels: Any, weights: Any) -> Any:
    """The share of events among the rows before and after each row, shrunk towards that of all."""
    import numpy as np

    total = len(labels)
    reach = max(AROUND, int(total * AROUND_PART))
    came = np.concatenate([[0.0], np.cumsum(labels * weights)])
    cases = np.concatenate([[0.0], np.cumsum(weights)])
    place = np.arange(total)
    low, high = np.maximum(0, place - reach), np.minimum(total, place + reach)
    whole = came[-1] / cases[-1]
    mean = cases[-1] / total
    found = (came[high] - came[low] + 10.0 * mean * whole) / (cases[high] - cases[low] + 10.0 * mean)
    return np.clip(found, 1e-5, 1.0 - 1e-5)


def _margins(fitted: Fitted, table: Table) -> Any:
    """Log odds of each row, beside the share of events that was known at it."""
    import numpy as np

    plain = np.clip(np.asarray(fitted.predict(table.rows), dtype=np.float64), 1e-7, 1.0 - 1e-7)
    shares = np.clip(np.asarray(table.shares, dtype=np.float64), 1e-6, 1.0 - 1e-6)
    return np.log(plain) - np.log1p(-plain) + np.log(shares) - np.log1p(-shares)


def platt(margins: Any, labels: Any, weights: Any) -> Platt:
    """Slope and shift on the log odds by Newton's method, held near (1, 0) where there are few events."""
    import numpy as np

    columns = np.stack([margins, np.ones(len(margins))], axis=1)
    start = np.array([1.0, 0.0])
    found, before = start, _loss(columns, labels, weights, start)
    for _ in range(50):
        chance = 1.0 / (1.0 + np.exp(-np.clip(columns @ found, -30.0, 30.0)))
        # A normal prior of standard deviation 0.5 around (1, 0).
        slopes = columns.T @ (weights * (labels - chance)) - (found - start) / 0.25
        bend = (columns * (weights * chance * (1.0 - chance))[:, None]).T @ columns + np.eye(2) / 0.25
        step = np.linalg.solve(bend, slopes)
        # Where a whole step overshoots, half of it is taken, and half of that.
        while (after := _loss(columns, labels, weights, found + step)) > before and float(np.abs(step).max()) > 1e-6:
            step = step / 2.0
        if float(np.abs(step).max()) <= 1e-6:
            break
        found, before = found + step, after
    slope, shift = map(float, found)
    return Platt(slope=min(5.0, max(0.05, slope)), shift=shift)


def _loss(columns: Any, labels: Any, weights: Any, found: Any) -> float:
    """What `platt` makes as small as it can: the cross entropy, and the distance from (1, 0)."""
    import numpy as np

    margins = columns @ found
    entropy = weights @ (np.logaddexp(0.0, margins) - labels * margins)
    return float(entropy + ((found - np.array([1.0, 0.0])) ** 2).sum() / 0.5)


def _apply(calibration: Platt, margins: Any) -> Any:
    import numpy as np

    return np.array([calibration.apply(logistic(float(margin))) for margin in margins])


def worth(scores: Any, labels: Any, weights: Any) -> float:
    """The lowest threshold at which PRECISION of the warnings come true; one half where none is."""
    import numpy as np

    order = np.argsort(-scores, kind="stable")
    right, cases = np.cumsum((labels * weights)[order]), np.cumsum(weights[order])
    good = np.flatnonzero((right >= PRECISION * cases) & (np.arange(len(order)) >= 9))
    return float(min(0.9, max(0.2, scores[order[good[-1]]]))) if len(good) else 0.5


def thumb(of: Predictor, table: Table) -> Any:
    """What the rules of thumb make of these rows."""
    import numpy as np

    rows, shares = table.rows, table.shares
    return np.array(
        [
            logistic(of.margin(tuple(map(float, row)), float(share), None))
            for row, share in zip(rows, shares, strict=True)
        ]
    )


def measures(labels: Any, scores: Any, weights: Any, threshold: float) -> dict[str, float]:
    """PR-AUC (average precision), ROC-AUC, Brier, precision and recall at `threshold`; empty when only one kind is
    there."""
    from sklearn import metrics  # type: ignore[import-untyped]

    if len(set(labels.tolist())) < 2:
        return {}
    raised = scores >= threshold
    found = {
        "pr_auc": metrics.average_precision_score(labels, scores, sample_weight=weights),
        "roc_auc": metrics.roc_auc_score(labels, scores, sample_weight=weights),
        "brier": metrics.brier_score_loss(labels, scores, sample_weight=weights),
        "precision": metrics.precision_score(labels, raised, sample_weight=weights, zero_division=0.0),
        "recall": metrics.recall_score(labels, raised, sample_weight=weights),
        "base_rate": float((labels * weights).sum() / weights.sum()),
    }
    return {name: round(float(value), 4) for name, value in found.items()}


# -- from examples to the registry


def train(  # noqa: PLR0917 - what a training is of
    name: str,
    data_dir: Path,
    file: Path | None = None,
    tell: Progress = quiet,
    clock: Clock | None = None,
    tenant: TenantId = DEFAULT_TENANT,
) -> Report:
    """Train on `file` (JSONL of prediction examples, or of the domain events they can be made from), or on what the
    store of `data_dir` has of `tenant`, and offer the result to its registry. Raises TooFew, ValueError, OSError,
    StoreError or ModelRefused."""
    of = PREDICTORS[name]  # type: ignore[index]
    now = (clock or SystemClock()).now()
    examples = _read(of, file, tell) if file is not None else asyncio.run(_stored(name, data_dir, now, tenant))
    table = table_of(of, examples)
    model = learn(of, table, tell)
    registry = Registry(data_dir / "models")
    champion = _champion(of, registry, model.held)
    manifest = _manifest(of, table, model, now)
    verdict = registry.offer(Offer(raw=model.fitted.raw, manifest=manifest, champion_score=champion.get(PRIMARY)), now)
    return Report(
        name=name,
        version=verdict.version,
        promoted=verdict.promoted,
        why=verdict.why,
        examples=len(table.labels),
        held_out=len(model.held.labels),
        base_rate=round(float(table.labels.mean()), 4),
        threshold=model.threshold,
        metrics=model.metrics,
        baseline=model.baseline,
        champion=champion,
    )


def table_of(of: Predictor, examples: Sequence[PredictionExample]) -> Table:
    """Those of this predictor and its features that nobody had acted on, oldest first."""
    import numpy as np

    wanted = columns_id(of.features)
    found = [one for one in examples if one.model == of.name and one.columns == wanted and not one.acted]
    found.sort(key=lambda one: one.at)
    rows = np.array([_row(of, one) for one in found], dtype=np.float32).reshape(len(found), len(of.features))
    return Table(
        rows,
        np.array([one.label for one in found], dtype=np.float64),
        np.array([one.weight for one in found], dtype=np.float64),
        np.array([one.recent for one in found], dtype=np.float64),
    )


def _row(of: Predictor, one: PredictionExample) -> tuple[float, ...]:
    try:
        row = unpacked(one.row)
    except struct.error as error:
        raise ValueError(f"example {one.id} has no row") from error
    if len(row) != len(of.features):
        raise ValueError(f"example {one.id} has {len(row)} values for {len(of.features)} features")
    return row


def _read(of: Predictor, path: Path, tell: Progress) -> list[PredictionExample]:
    """One example or CloudEvent per line. Raises ValueError that names the line."""
    from engine.predictors.replay import examples_of

    decoder = msgspec.json.Decoder(PredictionExample)
    with path.open("rb") as file:
        lines = [line for line in file if line.strip()]
    if lines and b'"specversion"' in lines[0]:
        return examples_of(of, lines, tell)
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            found.append(decoder.decode(line))
        except msgspec.DecodeError as error:
            raise ValueError(f"{path.name}, line {number}: {error}") from error
    return found


async def _stored(name: str, data_dir: Path, now: datetime, tenant: TenantId) -> list[PredictionExample]:
    from data.ports import Select
    from data.queries import SqliteReader
    from data.query_ast import Compare, Op
    from data.scope import CAPABILITIES, Scope

    reader = SqliteReader(data_dir, limit_seconds=60.0)
    scope = Scope(tenant=tenant, actor="training", capabilities=CAPABILITIES)
    where = Compare(field="state", op=Op.EQ, value=name)
    found: list[PredictionExample] = []
    after: str | None = None
    try:
        while len(found) < _MOST:
            select = Select(kind="prediction_examples", where=where, limit=1000, after=after)
            page = await reader.select(scope, select, now)
            found += page.items
            after = page.next
            if after is None:
                break
    finally:
        await reader.close()
    return found


def _champion(of: Predictor, registry: Registry, held: Table) -> dict[str, float]:
    """How what serves now does on the held-out examples; empty when nothing that fits serves."""
    import numpy as np

    try:
        if not registry.versions(of.name):
            return {}
        served = registry.load(of.name)
    except ModelRefused:
        return {}
    if served.trees.features != of.features:
        return {}
    calibration = served.trees.calibration
    margins = [
        served.trees.margin(row) + log_odds(float(share)) for row, share in zip(held.rows, held.shares, strict=True)
    ]
    chances = [logistic(margin) for margin in margins]
    scores = np.array([calibration.apply(chance) if calibration is not None else chance for chance in chances])
    return measures(held.labels, scores, held.weights, served.manifest.threshold or 0.5)


def _manifest(of: Predictor, table: Table, model: Model, now: datetime) -> Manifest:
    return Manifest(
        name=of.name,
        version="0000",
        created_at=now,
        sha256="0" * 64,
        size=1,
        features=of.features,
        trained_on=TrainedOn(
            what=f"outcomes of what was scored: whether it {of.event} in the horizon",
            rows=len(table.labels),
            positives=int(table.labels.sum()),
            held_out=len(model.held.labels),
        ),
        primary=PRIMARY,
        metrics=model.metrics,
        baseline=model.baseline,
        golden=model.fitted.golden,
        threshold=model.threshold,
        calibration=model.calibration,
        settings=model.fitted.settings,
        versions=model.fitted.versions,
        facts={"typical": typical(table.rows), "base_rate": base_rate(table)},
    )


def base_rate(table: Table) -> float:
    """The share of events among the newest tenth."""
    newest = table.part(int(0.9 * len(table.labels)), len(table.labels))
    share = float((newest.labels * newest.weights).sum() / newest.weights.sum())
    return min(0.999, max(1e-5, round(share, 6)))


def main(arguments: Sequence[str] | None = None) -> int:
    """As a process: progress as lines of JSON on stderr, the Report or {"error": …} on stdout."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("name", choices=sorted(PREDICTORS))
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--from", dest="file", type=Path, help="JSONL of prediction examples, or of domain events")
    asked = parser.parse_args(arguments)
    try:
        report: Any = train(asked.name, asked.data_dir, asked.file, _told)
    except (StoreError, ModelRefused, ValueError, OSError) as error:
        report = {"error": str(error)}
    print(msgspec.json.encode(report).decode())
    return int(isinstance(report, dict))


def _told(what: str, done: int, total: int) -> None:
    print(msgspec.json.encode({"what": what, "done": done, "total": total}).decode(), file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
