"""Grouping accuracy of dedup by text: log lines as alerts through the intake of a source without stable labels.

    python -m tests.bench.dedup --data ../shared/datasets/loghub2k

Reads every `*_2k.log_structured.csv.xz` (also .gz or plain) in the folder: each line is sent as a generic alert of one
source whose settings say that its key is its masked text; the dedup key that the intake gives is the predicted group.
A line counts when its group is exactly the set of lines of its EventId. `baseline` in the same run: numbers masked,
then equal text. `grouping_accuracy` is the mean over the files, `interval` a bootstrap over them, `per_file` each
one. `base_rate` is the accuracy of one group for all lines.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import lzma
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from data.records import DEFAULT_TENANT
from engine.formats import generic
from engine.formats.intake import IntakeSettings
from engine.masking.templates import Miner
from engine.ports import Received
from engine.stages.normalise import IntakeRules
from tests.fakes.headless import ROOT

DATA = ROOT.parent / "shared" / "datasets" / "loghub2k"
NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
_OPEN: dict[str, Callable[..., IO[str]]] = {".xz": lzma.open, ".gz": gzip.open, ".csv": open}  # type: ignore[dict-item]


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if "log_structured.csv" in path.name and path.suffix in _OPEN)


def lines(path: Path) -> tuple[list[str], list[str]]:
    """Messages and their true groups."""
    with _OPEN[path.suffix](path, "rt", encoding="utf-8", errors="replace", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row["Content"] for row in rows], [row["EventId"] for row in rows]


def keys(messages: Iterable[str], system: str) -> list[str]:
    """The dedup keys that the intake gives, line by line."""
    settings = IntakeSettings(rules=IntakeRules(), text=Miner())
    found = []
    for message in messages:
        received = Received(body=b"", headers={}, source=system, tenant=DEFAULT_TENANT, now=NOW, settings=settings)
        found.append(generic.signal_of({"message": message or "-"}, received).key)
    return found


def accuracy(predicted: Sequence[str], true: Sequence[str]) -> float:
    """Share of the lines whose predicted group is exactly their true one."""
    groups: dict[str, set[int]] = defaultdict(set)
    events: dict[str, set[int]] = defaultdict(set)
    for number, (group, event) in enumerate(zip(predicted, true, strict=True)):
        groups[group].add(number)
        events[event].add(number)
    right = sum(len(members) for members in groups.values() if members == events[true[min(members)]])
    return right / len(true)


def interval(values: Sequence[float], rounds: int = 2000) -> list[float]:
    """95 % bootstrap interval of the mean."""
    dice = random.Random(1)
    means = sorted(sum(dice.choices(values, k=len(values))) / len(values) for _ in range(rounds))
    return [round(means[int(share * rounds)], 4) for share in (0.025, 0.975)]


def measure(folder: Path) -> dict[str, Any]:
    per_file, plain, single = {}, [], []
    for path in files(folder):
        system = path.name.split("_2k")[0]
        messages, events = lines(path)
        per_file[system] = round(accuracy(keys(messages, system), events), 4)
        plain.append(accuracy([re.sub(r"0x[0-9a-f]+|\d+", "#", message) for message in messages], events))
        single.append(accuracy(["" for _ in messages], events))
    if not per_file:
        raise SystemExit(f"{folder} holds no *_2k.log_structured.csv files")
    values = list(per_file.values())
    return {
        "benchmark": "dedup",
        "grouping_accuracy": round(sum(values) / len(values), 4),
        "interval": interval(values),
        "baseline": round(sum(plain) / len(plain), 4),
        "base_rate": round(sum(single) / len(single), 4),
        "files": len(values),
        "per_file": per_file,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    wanted = parser.parse_args()
    if not wanted.data.is_dir():
        raise SystemExit(f"{wanted.data} is not there: name the folder with --data")
    print(json.dumps(measure(wanted.data)))


if __name__ == "__main__":
    main()
