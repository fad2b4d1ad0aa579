"""Training a predictor: what was scored and what came of it → a challenger that serves if it ranks better.

Owns the way from stored examples, in the order of time, to the registry of models; how a model is made of them is
`recipe`. Runs in a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import struct
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from data.nouns.predictions import PredictionExample
from data.records import DEFAULT_TENANT, TenantId
from engine.clock import SystemClock
from engine.models.calibration import logistic
from engine.models.fitting import typical
from engine.models.manifest import Manifest, TrainedOn
from engine.models.refused import ModelRefused
from engine.models.registry import Offer, Registry
from engine.ports import Clock
from engine.predictors.catalogue import PREDICTORS
from engine.predictors.examples import columns_id, unpacked
from engine.predictors.memory import log_odds
from engine.predictors.predictor import Predictor
from engine.predictors.recipe import PRIMARY, Model, Progress, Table, base_rate, learn, measures, quiet
from engine.training import process
from engine.training.outcome import Outcome

#: Examples that are read, at most.
_MOST = 200_000


def train(  # noqa: PLR0917 - what a training is of
    name: str,
    data_dir: Path,
    file: Path | None = None,
    tell: Progress = quiet,
    clock: Clock | None = None,
    tenant: TenantId = DEFAULT_TENANT,
) -> Outcome:
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
    return Outcome(
        name=name,
        primary=PRIMARY,
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


def main(arguments: Sequence[str] | None = None) -> int:
    """As a process: progress as lines of JSON on stderr, the Outcome or {"error": …} on stdout."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("name", choices=sorted(PREDICTORS))
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--from", dest="file", type=Path, help="JSONL of prediction examples, or of domain events")
    asked = parser.parse_args(arguments)
    return process.run(lambda: train(asked.name, asked.data_dir, asked.file, process.tell))


if __name__ == "__main__":
    sys.exit(main())
