"""Training: examples of what mattered → a challenger that serves if it ranks better than what serves now.

Owns the split by time, the measures and the call of the fitting. Runs in a process of its own, never beside the line:
it imports numpy, scikit-learn and XGBoost. Examples come from a file of labelled tickets, or from the store, where the
line keeps what operators did (`labels`).

The last fifth is held out: its first half calibrates (Platt), its second half is what models are judged on. The model
that serves is then fit on everything, by the same recipe and with that calibration.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from math import log
from pathlib import Path
from typing import Any, NamedTuple

from data.records import DEFAULT_TENANT, TenantId
from engine.clock import SystemClock
from engine.models.calibration import Platt
from engine.models.fitting import Fitted, fit, typical
from engine.models.manifest import Manifest, TrainedOn
from engine.models.refused import ModelRefused
from engine.models.registry import Offer, Registry
from engine.ports import Clock
from engine.priority import labels, replay
from engine.priority.features import COLUMNS, GROUPS, POSITIONS, RISING
from engine.priority.model import NAME, PriorityModel
from engine.rules import Rules
from engine.training import process
from engine.training.outcome import Outcome, TooFew

PRIMARY = "roc_auc"
#: Precision and recall are told at this probability.
THRESHOLD = 0.5
#: Fewer examples than this do not make a model; so many must have mattered, and so many not.
LEAST, LEAST_OF_EACH = 200, 20
TREES = 100
SETTINGS: dict[str, str | float | int | bool] = {"max_depth": 4, "eta": 0.09, "colsample_bytree": 0.6, "lambda": 4.0}
#: Share of the first examples that only fill the memory when tickets are replayed.
WARM_UP = 0.1
_EXAMPLES_MOST = 200_000
_TINY = 1e-6
_TOLD_EVERY = 50

Progress = Callable[[int, str], Any]


class Examples(NamedTuple):
    """In the order of time: rows of `COLUMNS`, labels 0 or 1, and how many incidents each stands for."""

    rows: Any
    labels: Any
    weights: Any
    what: str


def train(
    data_dir: Path,
    source_file: Path | None = None,
    progress: Progress = lambda done, what: None,
    clock: Clock | None = None,
    tenant: TenantId = DEFAULT_TENANT,
) -> Outcome:
    """Train on `source_file` (JSONL of `replay.Ticket`), or on what the store of `data_dir` has of `tenant`, and offer
    the result to the registry of `data_dir`. Raises TooFew, ValueError, OSError, StoreError or ModelRefused."""
    now = (clock or SystemClock()).now()
    if source_file:
        examples = from_tickets(list(replay.read(source_file)), progress)
    else:
        examples = from_store(data_dir, now, tenant)
    progress(0, f"fitting {len(examples.labels)} examples")
    recipe = fit_recipe(examples)
    registry = Registry(data_dir / "models")
    champion = _champion_scores(registry, recipe.held_rows)
    metrics = measures(recipe.held_labels, recipe.held_scores, recipe.held_weights)
    against = {} if champion is None else measures(recipe.held_labels, champion, recipe.held_weights)
    manifest = _manifest(examples, recipe, metrics, now)
    offer = Offer(raw=recipe.fitted.raw, manifest=manifest, champion_score=against.get(PRIMARY))
    verdict = registry.offer(offer, now)
    return Outcome(
        name=NAME,
        primary=PRIMARY,
        version=verdict.version,
        promoted=verdict.promoted,
        why=verdict.why,
        examples=len(examples.labels),
        held_out=len(recipe.held_labels),
        threshold=THRESHOLD,
        base_rate=round(float(recipe.held_labels.mean()), 4),
        metrics=metrics,
        baseline=manifest.baseline,
        champion=against,
    )


# -- examples


def from_tickets(
    tickets: Sequence[replay.Ticket], progress: Progress = lambda done, what: None, rules: Rules | None = None
) -> Examples:
    """Rows of the moment at which each ticket came in."""
    import numpy as np

    opened = list(replay.Replay(rules).run(tickets, lambda done: progress(done, "replaying tickets")))
    opened = opened[int(len(opened) * WARM_UP) :]
    return Examples(
        np.array([one.row for one in opened], dtype=np.float32),
        np.array([one.ticket.mattered for one in opened], dtype=np.float32),
        np.ones(len(opened), dtype=np.float32),
        "labelled tickets",
    )


def from_store(data_dir: Path, now: datetime, tenant: TenantId = DEFAULT_TENANT) -> Examples:
    """What the line kept of a tenant, oldest first. Raises StoreError."""
    import numpy as np

    found = [one for one in asyncio.run(_stored(data_dir, now, tenant)) if one.columns == labels.COLUMNS_ID]
    found.sort(key=lambda one: one.at)
    return Examples(
        np.array([replay.example_row(one) for one in found], dtype=np.float32).reshape(len(found), len(COLUMNS)),
        np.array([one.label for one in found], dtype=np.float32),
        np.array([one.weight for one in found], dtype=np.float32),
        "what operators handled first, and what incidents came to",
    )


async def _stored(data_dir: Path, now: datetime, tenant: TenantId) -> list[Any]:
    from data.ports import Select
    from data.queries import SqliteReader
    from data.scope import CAPABILITIES, Scope

    reader = SqliteReader(data_dir, limit_seconds=60.0)
    scope = Scope(tenant=tenant, actor="training", capabilities=CAPABILITIES)
    found: list[Any] = []
    try:
        after: str | None = None
        while len(found) < _EXAMPLES_MOST:
            select = Select(kind="priority_examples", limit=1000, after=after)
            page = await reader.select(scope, select, now)
            found += page.items
            after = page.next
            if after is None:
                break
    finally:
        await reader.close()
    return found


# -- fitting


class Recipe(NamedTuple):
    fitted: Fitted
    calibration: Platt
    held_rows: Any
    held_labels: Any
    held_weights: Any
    held_scores: Any


def fit_recipe(examples: Examples, without: Sequence[str] = ()) -> Recipe:
    """`without`: groups of features that are taken away, to see what they are worth. Raises TooFew."""
    import numpy as np

    total, positives = len(examples.labels), int(examples.labels.sum())
    if total < LEAST or min(positives, total - positives) < LEAST_OF_EACH:
        raise TooFew(
            f"{total} examples, {positives} of which mattered: {LEAST} are needed, {LEAST_OF_EACH} of either kind"
        )
    rows = np.array(examples.rows)
    for group in without:
        rows[:, POSITIONS[group]] = np.nan
    first, second = int(total * 0.8), int(total * 0.9)
    early = _fit(rows[:first], examples.labels[:first], examples.weights[:first])
    late = early.predict(rows[first:])
    calibration = platt(late[: second - first], examples.labels[first:second])
    held = np.array([calibration.apply(float(score)) for score in late[second - first :]])
    whole = _fit(rows, examples.labels, examples.weights)
    return Recipe(whole, calibration, rows[second:], examples.labels[second:], examples.weights[second:], held)


def _fit(rows: Any, found: Any, weights: Any) -> Fitted:
    rising = "(" + ",".join("1" if column in RISING else "0" for column in COLUMNS) + ")"
    settings = {**SETTINGS, "monotone_constraints": rising}
    return fit(rows, found, features=COLUMNS, trees=TREES, weights=weights, settings=settings)


def platt(scores: Any, found: Any) -> Platt:
    """Slope and shift on the log odds, by maximum likelihood; the slope is kept above zero."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]

    if len(set(np.asarray(found).tolist())) < 2:
        return Platt(slope=1.0, shift=0.0)
    odds = np.array([[_log_odds(float(score))] for score in scores])
    fitted = LogisticRegression(C=1e3).fit(odds, found)
    return Platt(slope=max(0.05, float(fitted.coef_[0][0])), shift=float(fitted.intercept_[0]))


def _log_odds(score: float) -> float:
    score = min(1.0 - _TINY, max(_TINY, score))
    return log(score / (1.0 - score))


def measures(found: Any, scores: Any, weights: Any = None) -> dict[str, float]:
    """ROC AUC, PR AUC, Brier, and precision and recall at the threshold .5; empty when only one kind is there."""
    from sklearn import metrics  # type: ignore[import-untyped]

    if len(set(found.tolist())) < 2:
        return {}
    chosen = scores >= THRESHOLD
    measured = {
        "roc_auc": metrics.roc_auc_score(found, scores, sample_weight=weights),
        "pr_auc": metrics.average_precision_score(found, scores, sample_weight=weights),
        "brier": metrics.brier_score_loss(found, scores, sample_weight=weights),
        "precision": metrics.precision_score(found, chosen, sample_weight=weights, zero_division=0.0),
        "recall": metrics.recall_score(found, chosen, sample_weight=weights),
    }
    return {name: round(float(value), 4) for name, value in measured.items()}


# -- what goes with the model


def _manifest(examples: Examples, recipe: Recipe, metrics: dict[str, float], now: datetime) -> Manifest:
    severity = recipe.held_rows[:, COLUMNS.index("severity")]
    baseline = measures(recipe.held_labels, severity / 5.0, recipe.held_weights)
    return Manifest(
        name=NAME,
        version="0000",
        created_at=now,
        sha256="0" * 64,
        size=1,
        features=COLUMNS,
        trained_on=TrainedOn(
            what=examples.what,
            rows=len(examples.labels),
            positives=int(examples.labels.sum()),
            held_out=len(recipe.held_labels),
        ),
        primary=PRIMARY,
        metrics=metrics,
        baseline=baseline,
        golden=recipe.fitted.golden,
        calibration=recipe.calibration,
        settings=recipe.fitted.settings,
        versions=recipe.fitted.versions,
        facts={"typical": typical(examples.rows), "groups": list(GROUPS)},
    )


def _champion_scores(registry: Registry, rows: Any) -> Any:
    """What serves now makes of the held-out rows; None when nothing that fits does."""
    import numpy as np

    try:
        if not registry.versions(NAME):
            return None
        model = PriorityModel.of(registry.load(NAME))
    except (ModelRefused, ValueError):
        return None
    return np.array([model.share([float(value) for value in row]) for row in rows])


def main(arguments: Sequence[str] | None = None) -> int:
    """As a process: progress as lines of JSON on stderr, the Outcome or {"error": …} on stdout."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--from", dest="file", type=Path, help="JSONL of labelled tickets")
    asked = parser.parse_args(arguments)
    return process.run(lambda: train(asked.data_dir, asked.file, process.teller("tickets", _TOLD_EVERY)))


if __name__ == "__main__":
    sys.exit(main())
