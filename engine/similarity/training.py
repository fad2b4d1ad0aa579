"""Training: labelled recordings → a model of the learned method, judged on what it has not seen.

    python -m engine.similarity.training --models DIR [--truth LABEL] [--out DIR] RECORDING.jsonl...

Owns the protocol: the pairs of the last third of the time (of whole recordings, where there are three or more) are held
out; the challenger, the champion and cosine rank the same held-out pairs, and average precision decides. The model
that is kept is fit on everything after that. Runs as a process of its own, with limits on memory; progress as lines
of JSON on stderr, the result on stdout. Never runs in the engine's process.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec

from engine.clock import SystemClock
from engine.models.fitting import Fitted, fit
from engine.models.manifest import Manifest, TrainedOn
from engine.models.refused import ModelRefused
from engine.models.registry import Offer, Registry
from engine.models.trees import Trees
from engine.rules import Rules
from engine.similarity import figures, quality, scenarios
from engine.similarity.recording import Line, read, replay
from engine.similarity.scratch import Scratch
from engine.similarity.teacher import Pair, Teacher
from engine.similarity.xgboost_similarity import APART_MOST, MODEL
from engine.training.outcome import Outcome, Tell

PRIMARY = "average_precision"
MEMORY_BYTES = 3 << 30
TREES = 60
#: What a day and an hour say of eight attacks is chance; they are figures for recordings of months.
SETTINGS: dict[str, str | float | int | bool] = {"min_child_weight": 10}
#: What is asked of a leaf, per pair, where that is less: a first hundred of pairs must be able to teach something.
_LEAF_SHARE = 0.02
#: A model is explored on at most so many alerts of a recording: the rest teaches enough by the truth.
_EXPLORED = 30_000
#: Fewer alerts with a known incident than this are not learned from.
FEWEST = 50
#: From so many pairs that nothing ties, none of them the same, such pairs are known to be of two incidents.
FEWEST_APART = 1000
#: Made-up recordings that are always learned beside those given, so that a model of one operation keeps its manners.
_SCENARIOS = (11, 12, 13)


class Trained(NamedTuple):
    """The challenger, and how good it, cosine and the champion are on the same held-out pairs."""

    offer: Offer
    metrics: dict[str, float]
    baseline: dict[str, float]
    champion: dict[str, float] | None


class Scores(Protocol):
    """A model that was fit."""

    def predict(self, rows: Any) -> Any: ...


def quiet(what: str, done: int, total: int) -> None:
    """Tells nobody."""


def train(  # noqa: PLR0913 - what a training may be told, by name
    recordings: Sequence[Sequence[Line]],
    *,
    what: str,
    now: datetime,
    licence: str = "",
    champion: Trees | None = None,
    join_at: float | None = None,
    drop: Sequence[str] = (),
    parents: Mapping[str, str] | None = None,
    tell: Tell = quiet,
) -> Trained:
    """`parents`: device → what it hangs on. Raises ModelRefused when there is too little to learn from."""
    labelled = sum(bool(line.truth) for lines in recordings for line in lines)
    if labelled < FEWEST:
        raise ModelRefused("data", f"{labelled} alerts with a true incident, at least {FEWEST} are needed")
    pairs = collect(recordings, drop=drop, parents=parents, tell=tell)
    learned, held = _split(pairs, len(recordings))
    tell("fitting", 0, 1)
    judged = Trees.load(fit_pairs(learned, drop).raw)
    metrics = judge(held, judged.score([dropped(pair.row, drop) for pair in held]))
    baseline = judge(held, [pair.cosine for pair in held])
    before = None if champion is None else judge(held, champion.score([pair.row for pair in held]))
    everyone = [pair for some in pairs for pair in some]
    fitted = fit_pairs(everyone, drop)
    manifest = Manifest(
        name=MODEL,
        version="0000",
        created_at=now,
        sha256="0" * 64,
        size=1,
        features=figures.FEATURES,
        trained_on=TrainedOn(
            what=what,
            licence=licence,
            rows=len(everyone),
            positives=sum(pair.same for pair in everyone),
            held_out=len(held),
        ),
        primary=PRIMARY,
        metrics=metrics,
        baseline=baseline,
        golden=fitted.golden,
        threshold=join_at if join_at is not None else metrics["threshold"],
        settings=fitted.settings,
        versions=fitted.versions,
        facts=apart_facts(everyone, fitted, drop),
    )
    score = None if before is None else before[PRIMARY]
    offer = Offer(raw=fitted.raw, manifest=manifest, champion_score=score)
    return Trained(offer, metrics, baseline, before)


def collect(
    recordings: Sequence[Sequence[Line]],
    *,
    drop: Sequence[str] = (),
    parents: Mapping[str, str] | None = None,
    tell: Tell = quiet,
) -> list[list[Pair]]:
    """The pairs of each recording, and of the made-up ones after them: as the truth joins, and as a model does that
    learned from those."""
    everything = [*recordings, *(scenarios.recording(seed) for seed in _SCENARIOS)]
    around = [parents] * len(recordings) + [None] * len(_SCENARIOS)
    first = [
        _pairs(lines, None, f"reading {number + 1}", tell, linked)
        for number, (lines, linked) in enumerate(zip(everything, around, strict=True))
    ]
    walker = Trees.load(fit_pairs([pair for pairs in first for pair in pairs], drop).raw)
    more = [
        _pairs(lines[-_EXPLORED:], walker, f"exploring {number + 1}", tell, linked)
        for number, (lines, linked) in enumerate(zip(everything, around, strict=True))
    ]
    return [[*one, *other] for one, other in zip(first, more, strict=True)]


def _pairs(
    lines: Sequence[Line], explore: Trees | None, what: str, tell: Tell, parents: Mapping[str, str] | None
) -> list[Pair]:
    truth: dict[str, str] = {}
    teacher = Teacher(truth, explore)
    told = _Telling(lines, what, tell)
    replay(Scratch(Rules(method=teacher), lean=True, parents=parents), told, truth)
    return teacher.pairs


class _Telling:
    """The lines, told of as they are taken."""

    def __init__(self, lines: Sequence[Line], what: str, tell: Tell) -> None:
        self._lines, self._what, self._tell = lines, what, tell

    def __iter__(self) -> Any:
        for number, line in enumerate(self._lines):
            if number % 1000 == 0:
                self._tell(self._what, number, len(self._lines))
            yield line


def _split(pairs: list[list[Pair]], given: int) -> tuple[list[Pair], list[Pair]]:
    """Learned and held out. Of three recordings or more the last is held out whole; of fewer, the last third of the
    time of each. Made-up ones are learned."""
    learned = [pair for some in pairs[given:] for pair in some]
    if given >= 3:
        return [*learned, *(pair for some in pairs[: given - 1] for pair in some)], pairs[given - 1]
    held: list[Pair] = []
    for some in pairs[:given]:
        times = sorted(pair.at for pair in some if pair.weight == 1.0 and pair.same)
        cut = times[2 * len(times) // 3] if times else 0.0
        learned += [pair for pair in some if pair.at < cut]
        held += [pair for pair in some if pair.at >= cut]
    return learned, held


def fit_pairs(pairs: Sequence[Pair], drop: Sequence[str] = ()) -> Fitted:
    """A model of these; of `drop`ped figures nothing is known to it. Raises ModelRefused."""
    import numpy as np

    rows = [dropped(pair.row, drop) for pair in pairs]
    labels = [pair.same for pair in pairs]
    if len(set(labels)) < 2:
        raise ModelRefused("data", "all pairs are of one kind: there is nothing to tell apart")
    weights = np.array([pair.weight for pair in pairs], dtype=np.float32)
    used = {**SETTINGS, "min_child_weight": min(float(SETTINGS["min_child_weight"]), _LEAF_SHARE * len(rows))}
    return fit(rows, labels, features=figures.FEATURES, trees=TREES, weights=weights, settings=used)


def apart_facts(pairs: Sequence[Pair], fitted: Scores, drop: Sequence[str]) -> dict[str, Any]:
    """Of the manifest: the most that the model gives to pairs that nothing ties; {} where few were seen, or some are
    the same."""
    found = [pair for pair in pairs if pair.apart]
    if len(found) < FEWEST_APART or any(pair.same for pair in found):
        return {}
    most = max(fitted.predict([dropped(pair.row, drop) for pair in found]))
    return {APART_MOST: round(float(most), 4), "apart": len(found)}


def dropped(row: Sequence[float], drop: Sequence[str]) -> Sequence[float]:
    """The row without these figures."""
    if not drop:
        return row
    return [float("nan") if name in drop else value for name, value in zip(figures.FEATURES, row, strict=True)]


def judge(held: Sequence[Pair], scores: Sequence[float]) -> dict[str, float]:
    """Of the pairs that labels speak of: average precision, ROC AUC, base rate, Brier score, and the threshold of the
    best F1 with its precision and recall."""
    labelled = [(pair.same, score) for pair, score in zip(held, scores, strict=True) if pair.weight == 1.0]
    if not any(same for same, _ in labelled):
        raise ModelRefused("data", "no incident is left to be held out: more labelled alerts are needed")
    if all(same for same, _ in labelled):
        raise ModelRefused("data", "all held-out pairs are of one kind: more labelled alerts are needed")
    same, given = [pair[0] for pair in labelled], [pair[1] for pair in labelled]
    weights = [1.0] * len(given)
    best, threshold = _threshold(same, given)
    precision, recall = quality.at_threshold(same, given, threshold)
    area = round(quality.average_precision(same, given, weights), 4)
    return {
        "average_precision": area,
        "pr_auc": area,
        "roc_auc": round(quality.roc_auc(same, given), 4),
        "precision": round(precision, 4),
        "recall": round(recall, 4),
        "base_rate": round(sum(same) / len(same), 4),
        "brier": round(sum((score - label) ** 2 for label, score in labelled) / len(same), 4),
        "f1": round(best, 4),
        "threshold": round(min(0.8, max(0.2, threshold)), 3),
        "pairs": float(len(same)),
    }


def _threshold(labels: Sequence[bool], scores: Sequence[float]) -> tuple[float, float]:
    """The best F1 over thresholds, and where it is."""
    whole, right = sum(labels), 0
    best, at = 0.0, 0.5
    for taken, (score, label) in enumerate(sorted(zip(scores, labels, strict=True), reverse=True), 1):
        right += label
        f1 = 2 * right / (taken + whole)
        if f1 > best:
            best, at = f1, score
    return best, at


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--models", type=Path, required=True, help="folder of the registry")
    parser.add_argument("--truth", default="", help="label or field that names the true incident")
    parser.add_argument("--what", default="recordings of this operation")
    parser.add_argument("--licence", default="")
    parser.add_argument("--join-at", type=float, default=None)
    wanted = parser.parse_args()
    _limit()
    now = SystemClock().now()
    try:
        print(json.dumps(_run(wanted, now)))
    except (ModelRefused, OSError) as error:
        print(json.dumps({"error": str(error)}))
        return 1
    return 0


def _run(wanted: argparse.Namespace, now: datetime) -> dict[str, Any]:
    recordings = []
    for path in wanted.files:
        with path.open("rb") as file:
            recordings.append(list(read(file, wanted.truth)))
    found = learn(
        recordings, wanted.models, what=wanted.what, licence=wanted.licence, join_at=wanted.join_at, tell=_tell, now=now
    )
    return {**msgspec.to_builtins(found), "model": MODEL, "champion": found.champion or None}


def learn(
    recordings: Sequence[Sequence[Line]],
    models: Path,
    *,
    what: str,
    licence: str = "",
    join_at: float | None = None,
    parents: Mapping[str, str] | None = None,
    tell: Tell = quiet,
    now: datetime | None = None,
) -> Outcome:
    """Train and offer the result to the registry in the folder `models`. Raises ModelRefused, OSError."""
    now = now or SystemClock().now()
    registry = Registry(models)
    trained = train(
        recordings,
        what=what,
        licence=licence,
        now=now,
        champion=_champion(registry),
        join_at=join_at,
        parents=parents,
        tell=tell,
    )
    verdict = registry.offer(trained.offer, now)
    manifest = trained.offer.manifest
    return Outcome(
        name=MODEL,
        version=verdict.version,
        promoted=verdict.promoted,
        why=verdict.why,
        primary=PRIMARY,
        examples=manifest.trained_on.rows,
        held_out=int(trained.metrics["pairs"]),
        metrics=trained.metrics,
        baseline=trained.baseline,
        champion=trained.champion or {},
        threshold=manifest.threshold,
        base_rate=trained.metrics["base_rate"],
    )


def _champion(registry: Registry) -> Trees | None:
    try:
        served = registry.load(MODEL)
    except ModelRefused:
        return None
    return served.trees if served.manifest.features == figures.FEATURES else None


def _tell(what: str, done: int, total: int) -> None:
    print(json.dumps({"what": what, "done": done, "total": total}), file=sys.stderr, flush=True)


def _limit() -> None:
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


if __name__ == "__main__":
    sys.exit(main())
