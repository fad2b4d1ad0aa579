"""What each group of figures is worth to the learned method of clustering, and how it says why.

Owns the table of `clustering.py --ablation`. Each scenario in turn is left out; a model fit on the pairs of the others
and of the made-up recordings judges its labelled pairs. That is done with all groups of figures, and without one at a
time: `lost` is the average precision that is missing then, the mean over scenarios, `worst` where it is felt most.
The pairs are collected once, so a group is taken from the model alone: what it would meet without it is not replayed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from data.records import Alert
from engine.reason_words import reason_words
from engine.rules import Rules
from engine.similarity import figures, training
from engine.similarity.method import Method, Streaming
from engine.similarity.recording import Line
from engine.similarity.scratch import Scratch
from engine.similarity.teacher import Pair

Judged = dict[str, list[float]]


def table(recordings: dict[str, Sequence[Line]]) -> dict[str, Any]:
    """Names of scenarios → their lines."""
    pairs = training.collect(list(recordings.values()))
    whole = _judged(pairs, len(recordings), ())
    groups = {name: _judged(pairs, len(recordings), columns) for name, columns in figures.GROUPS.items()}
    rows = {
        name: {
            key: round(sum(values) / len(values), 4)
            for key, values in (("average_precision", found["average_precision"]), ("roc_auc", found["roc_auc"]))
        }
        for name, found in {"all": whole, **groups}.items()
    }
    for name, found in groups.items():
        both = zip(whole["average_precision"], found["average_precision"], strict=True)
        lost = [all_of_them - without for all_of_them, without in both]
        rows[name]["lost"] = round(sum(lost) / len(lost), 4)
        rows[name]["worst"] = round(max(lost), 4)
    base = [
        training.judge(some, [pair.cosine for pair in some])["average_precision"] for some in pairs[: len(recordings)]
    ]
    return {"groups": rows, "cosine_average_precision": round(sum(base) / len(base), 4)}


def _judged(pairs: Sequence[Sequence[Pair]], given: int, drop: Sequence[str]) -> Judged:
    """By scenario that is left out."""
    found: Judged = {"average_precision": [], "roc_auc": []}
    for held in range(given):
        fitted = training.fit_pairs([one for at, some in enumerate(pairs) if at != held for one in some], drop)
        scores = fitted.predict([training.dropped(pair.row, drop) for pair in pairs[held]])
        judged = training.judge(pairs[held], [float(score) for score in scores])
        for key, values in found.items():
            values.append(judged[key])
    return found


def whys(lines: Sequence[Line], method: Method | Streaming, most: int = 3) -> list[str]:
    """One reason of each kind as the product prints it: of alerts whose truth is known, the last of the kind."""
    scratch = Scratch(Rules(method=method))
    found: dict[str, str] = {}
    for alert in _taken(scratch, lines):
        reason = alert.why[-1]
        kind = "by rule" if "rule" in reason.facts else reason.code.value
        found[kind] = f"{alert.title}: {reason_words(reason)}"
    return [found[kind] for kind in sorted(found)][:most]


def _taken(scratch: Scratch, lines: Sequence[Line]) -> Iterator[Alert]:
    for line in lines:
        alert = scratch.take_signal(scratch.signal(line.row))
        if alert is not None and line.truth and alert.why:
            yield alert
