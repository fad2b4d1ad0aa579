"""Training the fraud model: judged cases → a challenger that serves if it ranks better than what serves now.

Owns where cases come from and what a training reports. Runs in a process of its own: `engine.fraud.fitting` imports
numpy and XGBoost. Only cases that an analyst confirmed or dismissed count: what nobody looked at has no label, so the
model learns to tell fraud among what was looked at. The last fifth, by time, is held out and judges.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from math import nan
from pathlib import Path
from typing import Any

import msgspec

from data.nouns.fraud import FraudPrediction
from data.records import DEFAULT_TENANT, TenantId
from engine.clock import SystemClock
from engine.fraud import heuristics
from engine.fraud.features import FEATURES
from engine.fraud.fitting import Fit, Table, fit
from engine.fraud.metrics import bootstrap, measure
from engine.fraud.model import MODEL
from engine.models.manifest import Manifest, TrainedOn
from engine.models.refused import ModelRefused
from engine.models.registry import Offer, Registry, Verdict
from engine.ports import Clock
from engine.training import process
from engine.training.outcome import Outcome, TooFew

HELD_OUT = 0.20
#: Of each kind: fewer cannot be parted by time.
LEAST_OF_EACH = 10
PRIMARY = "pr_auc"
_CASES_MOST = 500_000
_STRONG, _SOFT = heuristics.WEIGHTS, heuristics.SOFT

Progress = Callable[[int, str], Any]

def train(
    data_dir: Path,
    source_file: Path | None = None,
    progress: Progress = lambda done, what: None,
    clock: Clock | None = None,
    tenant: TenantId = DEFAULT_TENANT,
) -> Outcome:
    """Train on `source_file` (JSONL of fraud scores with verdicts, as exported), or on what the store of `data_dir`
    has of `tenant`, and offer the result to its registry. Raises TooFew, ValueError, OSError, StoreError or
    ModelRefused."""
    now = (clock or SystemClock()).now()
    cases = read(source_file) if source_file is not None else asyncio.run(_stored(data_dir, now, tenant))
    return train_on(cases, Registry(data_dir / "models"), now, progress)


def train_on(
    cases: Sequence[FraudPrediction], registry: Registry, now: datetime, progress: Progress = lambda done, what: None
) -> Outcome:
    """The same on these cases, in any order. Raises TooFew where there are not enough of either kind."""
    judged = sorted(
        (case for case in cases if case.verdict in {"confirmed", "dismissed"} and len(case.features) == len(FEATURES)),
        key=lambda case: case.at,
    )
    _enough(judged)
    table = _table(judged)
    cut = int(len(judged) * (1.0 - HELD_OUT))
    held = table.part(cut, len(judged))
    progress(0, f"fitting {cut} judged cases, {len(judged) - cut} are held out")
    made = fit(table.part(0, cut), progress=lambda what, share: progress(int(share * cut), what))
    scores = made.trees().score(held.rows)
    metrics = _measured(held.labels, scores, made.threshold)
    baseline = _measured(held.labels, [_heuristic(case) for case in judged[cut:]], 0.8)
    champion = _champion(registry, held)
    verdict = _offer(registry, made, table, (metrics, baseline, champion), len(held.rows), now)
    return Outcome(
        name=MODEL,
        primary=PRIMARY,
        version=verdict.version,
        promoted=verdict.promoted,
        why=verdict.why,
        examples=len(judged),
        held_out=len(held.rows),
        base_rate=sum(held.labels) / len(held.labels),
        threshold=made.threshold,
        metrics=metrics,
        interval=bootstrap(held.labels, scores),
        baseline=baseline,
        champion=champion,
    )


def read(path: Path) -> list[FraudPrediction]:
    """One fraud score per line. Raises ValueError that names the line."""
    decoder = msgspec.json.Decoder(FraudPrediction)
    found = []
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                try:
                    found.append(decoder.decode(line))
                except msgspec.DecodeError as error:
                    raise ValueError(f"{path.name}, line {number}: {error}") from error
    return found


async def _stored(data_dir: Path, now: datetime, tenant: TenantId) -> list[FraudPrediction]:
    from data.ports import Select
    from data.queries import SqliteReader
    from data.scope import CAPABILITIES, Scope

    reader = SqliteReader(data_dir, limit_seconds=60.0)
    scope = Scope(tenant=tenant, actor="training", capabilities=CAPABILITIES)
    found: list[FraudPrediction] = []
    after: str | None = None
    try:
        while len(found) < _CASES_MOST:
            select = Select(kind="fraud_scores", limit=1000, after=after, active=False)
            page = await reader.select(scope, select, now)
            found += page.items
            after = page.next
            if after is None:
                break
    finally:
        await reader.close()
    return found


def _enough(judged: Sequence[FraudPrediction]) -> None:
    frauds = sum(case.verdict == "confirmed" for case in judged)
    if len(judged) < heuristics.LABELLED_LEAST or min(frauds, len(judged) - frauds) < LEAST_OF_EACH:
        raise TooFew(
            f"{len(judged)} cases are judged, {frauds} of them fraud; {heuristics.LABELLED_LEAST} and at least "
            f"{LEAST_OF_EACH} of each kind are needed. Until then the heuristic scores"
        )


def _table(judged: Sequence[FraudPrediction]) -> Table:
    return Table(
        features=FEATURES,
        rows=[[nan if value is None else value for value in case.features] for case in judged],
        labels=[int(case.verdict == "confirmed") for case in judged],
    )


def _measured(labels: Sequence[int], scores: Sequence[float], threshold: float) -> dict[str, float]:
    if len(set(labels)) < 2:
        raise TooFew("the newest fifth of the cases is all of one kind: judge more")
    return measure(labels, scores, threshold)


def _heuristic(case: FraudPrediction) -> float:
    """What the heuristic makes of what is stored of a case: its anomalies at full strength, and the soft signs."""
    doubt = 1.0
    for kind in case.anomalies:
        doubt *= 1.0 - _STRONG.get(kind, 0.0)
    for name, (limit, weight, _) in _SOFT.items():
        value = case.features[FEATURES.index(name)]
        if value is not None and value > limit:
            doubt *= 1.0 - weight
    return 1.0 - doubt


def _champion(registry: Registry, held: Table) -> dict[str, float]:
    """How what serves now does on the held-out cases; empty when nothing that fits serves."""
    try:
        served = registry.load(MODEL)
    except ModelRefused:
        return {}
    if served.trees.features != FEATURES:
        return {}
    return _measured(held.labels, served.trees.score(held.rows), served.manifest.threshold or 0.5)


def _offer(  # noqa: PLR0917 - what a manifest says
    registry: Registry,
    made: Fit,
    table: Table,
    measures: tuple[dict[str, float], dict[str, float], dict[str, float]],
    held_out: int,
    now: datetime,
) -> Verdict:
    metrics, baseline, champion = measures
    manifest = Manifest(
        name=MODEL,
        version="0000",
        created_at=now,
        sha256="0" * 64,
        size=1,
        features=FEATURES,
        trained_on=TrainedOn(
            what="attendance events that analysts judged",
            rows=len(table.rows),
            positives=sum(table.labels),
            held_out=held_out,
        ),
        primary=PRIMARY,
        metrics=metrics,
        baseline=baseline,
        golden=made.golden,
        threshold=made.threshold,
        calibration=made.calibration,
        settings=made.settings,
        versions=made.versions,
    )
    return registry.offer(Offer(raw=made.raw, manifest=manifest, champion_score=champion.get(PRIMARY)), now)


def main(arguments: Sequence[str] | None = None) -> int:
    """As a process: progress as lines of JSON on stderr, the Outcome or {"error": …} on stdout."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--from", dest="file", type=Path, help="JSONL of fraud scores with verdicts")
    asked = parser.parse_args(arguments)
    return process.run(lambda: train(asked.data_dir, asked.file, process.teller("cases")))


if __name__ == "__main__":
    sys.exit(main())
