"""Issues of the PetShop data set as deviations from its run without an issue: see `tests.bench.root_cause`."""

from __future__ import annotations

import csv
import gzip
import json
import lzma
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.bench.root_cause import DATASETS, Deviation, Fault, say

NAME = "petshop_rca"
AFTER_SECONDS = 300.0
ALERT_AT = 0.5
LATENCIES = ("Average", "p50", "p90")

Table = dict[tuple[str, str, str], Any]


def is_in(data: Path) -> bool:
    return next(data.rglob("target.json"), None) is not None


def faults(data: Path) -> Iterator[Fault]:
    for number, target in enumerate(sorted(data.rglob("target.json"))):
        issue, traffic = target.parent, _traffic(target)
        reference = _reference(traffic)
        graph = _graph(traffic)
        if reference is None:
            say(f"{issue}: no run without an issue")
            continue
        said = json.loads(target.read_text("utf-8"))
        alarm = said["target"]
        metrics = next(issue.glob("metrics.csv*"))
        times, table = _table(metrics)
        rows = times <= float(alarm["timestamp"]) + AFTER_SECONDS
        at = float(alarm["timestamp"])
        found = [
            Deviation(node, _type(node), alarm["metric"], score, at)
            for node in _reached(graph, alarm["node"])
            if (score := _off(reference[1], table, node, alarm["metric"], rows)) >= ALERT_AT
        ]
        yield Fault(f"{traffic.name}/{issue.parent.name}", number, said["root_cause"]["node"], found, graph)


def _traffic(target: Path) -> Path:
    """The folder that has the call graph."""
    return next((folder for folder in target.parents if (folder / "graph.csv.gz").exists()), target.parents[2])


def _reference(traffic: Path) -> tuple[Any, Table] | None:
    """The run without an issue: of this traffic, else of its namesake in the data set beside this project."""
    for folder in (traffic, DATASETS / NAME / traffic.name, DATASETS / NAME / "low_traffic"):
        found = next((folder / "noissue").glob("metrics.csv*"), None) if (folder / "noissue").is_dir() else None
        if found is not None:
            return _table(found)
    return None


def _table(path: Path) -> tuple[Any, Table]:
    opener: Any = lzma.open if path.suffix == ".xz" else gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    columns = list(zip(rows[0][1:], rows[1][1:], rows[2][1:], strict=True))
    values = [[_number(cell) for cell in row] for row in rows[3:] if row and _number(row[0]) == _number(row[0])]
    table = np.array(values)
    return table[:, 0], {column: table[:, position + 1] for position, column in enumerate(columns)}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _graph(traffic: Path) -> dict[str, list[str]]:
    """Caller → callees."""
    for folder in (traffic, DATASETS / NAME / traffic.name):
        path = folder / "graph.csv.gz"
        if path.exists():
            with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
                rows = list(csv.reader(file))
            return {
                row[0]: [name for name, cell in zip(rows[0][1:], row[1:], strict=True) if _number(cell) > 0]
                for row in rows[1:]
            }
    return {}


def _reached(graph: dict[str, list[str]], start: str) -> list[str]:
    found = {start: None}
    waiting = [start]
    for node in waiting:
        for callee in graph.get(node, ()):
            if callee not in found:
                found[callee] = None
                waiting.append(callee)
    return list(found)


def _type(node: str) -> str:
    """The tracer's own word for what it only sees from outside."""
    return "remote" if node.endswith("_remote") else "service"


def _off(reference: Table, table: Table, node: str, metric: str, rows: Any) -> float:
    statistics = LATENCIES if metric == "latency" else ("Average",)
    sign = -1.0 if metric == "availability" else 1.0
    scores = [0.0]
    for statistic in statistics:
        key = (node, metric, statistic)
        if key in reference and key in table:
            scores.append(_largest(reference[key], table[key][rows], sign))
    return max(scores)


def _largest(usual: Any, now: Any, sign: float) -> float:
    usual, now = usual[~np.isnan(usual)], now[~np.isnan(now)]
    if len(usual) < 5 or not len(now):
        return 0.0
    middle = float(np.median(usual))
    spread = max(
        float(np.median(np.abs(usual - middle))) * 1.4826, float(np.std(usual)) * 0.3, abs(middle) * 0.02, 1e-4
    )
    return max(0.0, float(np.max(sign * (now - middle))) / spread)
