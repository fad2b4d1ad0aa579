"""Faults of the Nezha data set as deviations of its pods' figures: see `tests.bench.root_cause`."""

from __future__ import annotations

import csv
import gzip
import json
import lzma
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.bench.root_cause import Deviation, Fault, say

NAME = "microservice_faults_nezha"
WINDOW_SECONDS, BEFORE_SECONDS = 240.0, 1800.0
#: A mean deviation over the window from which on it is an alert.
ALERT_AT = 2.0
#: Words in a figure's name → +1 when more is worse, -1 when less is, 0 when both are.
_DIRECTION = (("success", -1), ("cpu", 1), ("memory", 1), ("latency", 1), ("_", 1))
_POD = re.compile(r"-[0-9a-f]{6,10}-[0-9a-z]{5}$")


def is_in(data: Path) -> bool:
    return any(_days(data))


def _days(data: Path) -> list[Path]:
    return sorted(path.parent for path in (*data.glob("*/faults.json"), *data.glob("faults.json")))


def faults(data: Path) -> Iterator[Fault]:
    for day in _days(data):
        say(f"{day.name} …")
        figures, pods = _pods(day / "pod_metrics.csv.xz")
        edges = _edges(day)
        depends_on = _depends_on(day, list(pods))
        for number, fault in enumerate(json.loads((day / "faults.json").read_text("utf-8"))):
            at = float(fault["timestamp"])
            found = [one for pod, table in pods.items() for one in _of_pod(pod, figures, table, at)]
            found += _of_edges(edges, list(pods), at)
            yield Fault(day.name, number, fault["pod"], found, depends_on)


def service(pod: str) -> str:
    """The name without the parts that the scheduler gave it."""
    return _POD.sub("", pod)


def _pods(path: Path) -> tuple[list[str], dict[str, Any]]:
    rows: dict[str, list[list[float]]] = {}
    with lzma.open(path, "rt", encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        head = next(reader)
        for row in reader:
            rows.setdefault(row[1], []).append([_number(row[0]), *map(_number, row[2:])])
    return head[2:], {pod: np.array(sorted(found)) for pod, found in rows.items()}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _edges(day: Path) -> tuple[list[str], Any] | None:
    """Latency of calls as the caller sees it, by "caller_callee"; not every day has them."""
    path = day / "source_50.csv.gz"
    if not path.exists():
        return None
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        head = next(reader)
        return head[1:], np.array([[_number(value) for value in row] for row in reader])


def _depends_on(day: Path, pods: list[str]) -> dict[str, list[str]]:
    path = day / "dependency.csv"
    if not path.exists():
        return {}
    found: dict[str, list[str]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            callees = [pod for pod in pods if service(pod) == row["Target"]]
            for caller in (pod for pod in pods if service(pod) == row["Source"]):
                found.setdefault(caller, []).extend(callees)
    return found


def _of_pod(pod: str, figures: list[str], table: Any, at: float) -> Iterator[Deviation]:
    off = deviations(table, at)
    if off is None:
        return
    for position, figure in enumerate(figures):
        score = _mean_off(off[:, position], _direction(figure))
        if figure.startswith("Node") or score < ALERT_AT:
            continue  # what the node does is not the pod's
        yield Deviation(pod, "pod", figure, score, at + 60.0)


def _of_edges(edges: tuple[list[str], Any] | None, pods: list[str], at: float) -> list[Deviation]:
    off = deviations(edges[1], at) if edges is not None else None
    if off is None or edges is None:
        return []
    found = []
    for position, name in enumerate(edges[0]):
        callee = name.partition("_")[2]
        score = _mean_off(off[:, position], 1)
        if score >= ALERT_AT:
            found += [
                Deviation(pod, "pod", f"call latency {name}", score, at + 60.0)
                for pod in pods
                if service(pod) == callee
            ]
    return found


def _direction(figure: str) -> int:
    figure = figure.lower()
    return next((sign for word, sign in _DIRECTION if word in figure), 0)


def _mean_off(column: Any, sign: int) -> float:
    known = column[~np.isnan(column)]
    if not len(known):
        return 0.0
    return float(np.mean(np.abs(known) if sign == 0 else np.maximum(0.0, sign * known)))


def deviations(table: Any, at: float) -> Any:
    """Rows of the window in standard deviations of the time before it; None where there is too little of either."""
    times = table[:, 0]
    before = table[(times >= at - BEFORE_SECONDS) & (times < at)][:, 1:]
    window = table[(times >= at) & (times <= at + WINDOW_SECONDS)][:, 1:]
    if len(before) < 5 or not len(window):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        middle = np.nanmedian(before, axis=0)
        spread = np.nanmedian(np.abs(before - middle), axis=0) * 1.4826
        wide = np.nanstd(before, axis=0) * 0.5
    floor = np.maximum(np.abs(middle) * 0.02, 1e-6)
    return (window - middle) / np.fmax(np.fmax(spread, wide), floor)
