"""Reads labelled series and devices from disk, and streams them tick by tick through the shipped detector."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
_ENDINGS = (".csv", ".csv.gz", ".csv.xz")


@dataclass(frozen=True, slots=True)
class Series:
    """One file: seconds since 1970, values, labels, the timestamps as written, and where scoring begins."""

    name: str
    at: Array
    values: Array
    labels: Array
    stamps: Sequence[str]
    begins: int


@dataclass(frozen=True, slots=True)
class Streamed:
    """What the detector said of every record of every series, and what it cost."""

    scores: list[Array]
    evidence: list[Array]
    alarms: list[Array]
    points_per_second: float
    kib_per_series: float


def seconds_of(stamp: str) -> float:
    """Seconds since 1970 of a timestamp, universal time where it names no zone; plain numbers are seconds already."""
    try:
        return float(stamp)
    except ValueError:
        moment = datetime.fromisoformat(stamp.strip().replace("Z", "+00:00"))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _text(path: Path) -> str:
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes()).decode()
    return lzma.decompress(path.read_bytes()).decode() if path.suffix == ".xz" else path.read_text()


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def read_series(folder: Path) -> list[Series]:
    """Every labelled series below `folder`. Without timestamps `series.json` gives start and interval, and the first
    half is warm-up; with them the first 15 % is."""
    listed = folder / "series.json"
    about: dict[str, Any] = json.loads(listed.read_text()) if listed.exists() else {}
    paths = sorted(path for path in folder.rglob("*") if path.name.endswith(_ENDINGS))
    return [series for path in paths if (series := _one(path, folder, about)) is not None]


def _one(path: Path, folder: Path, about: dict[str, Any]) -> Series | None:
    bare = path.name.split(".csv")[0]
    name = (path.relative_to(folder).parent / bare).as_posix()
    known = about.get(name, about.get(bare, {}))
    rows = [line.split(",") for line in _text(path).splitlines() if line]
    head = [column.strip() for column in rows[0]]
    if "value" not in head or "label" not in head:
        return None
    column = {title: index for index, title in enumerate(head)}
    values = np.array([_number(row[column["value"]]) for row in rows[1:]])
    labels = np.array([_number(row[column["label"]]) > 0 for row in rows[1:]]).astype(np.int8)
    if "timestamp" in column:
        stamps = [row[column["timestamp"]] for row in rows[1:]]
        return Series(name, np.array([seconds_of(s) for s in stamps]), values, labels, stamps, int(0.15 * len(values)))
    at = known.get("start", 1_500_000_000) + known.get("interval", 60) * np.arange(len(values), dtype=np.float64)
    return Series(
        name, at, values, labels, [f"{moment:.0f}" for moment in at], known.get("n_first_half", len(values) // 2)
    )


def stream(times: Sequence[Array], values: Sequence[Array]) -> Streamed:
    """All series side by side, the k-th record of each in tick k, as numbers 0 … of one fresh detector."""
    from engine.detectors import create

    lengths = np.array([len(series) for series in values])
    order = np.argsort(-lengths, kind="stable")
    ticks, count = int(lengths.max()), len(lengths)
    table, at = np.zeros((ticks, count)), np.zeros((ticks, count))
    for place, index in enumerate(order):
        table[: lengths[index], place], at[: lengths[index], place] = values[index], times[index]
    detector, numbers = create(), np.arange(count)
    scores, evidence = np.zeros((ticks, count), dtype=np.float32), np.zeros((ticks, count), dtype=np.float32)
    alarms = np.zeros((ticks, count), dtype=np.bool_)
    widths = np.searchsorted(np.sort(-lengths), -np.arange(ticks), side="left")
    began = time.process_time()
    for tick, width in enumerate(widths.tolist()):
        verdicts = detector.step(table[tick, :width], at[tick, :width], numbers[:width])
        scores[tick, :width], evidence[tick, :width], alarms[tick, :width] = (
            verdicts.score,
            verdicts.evidence,
            verdicts.alarm,
        )
    cost = time.process_time() - began
    place_of = {int(index): place for place, index in enumerate(order)}

    def cut(matrix: Array) -> list[Array]:
        return [matrix[: lengths[index], place_of[index]].copy() for index in range(count)]

    rate = float(lengths.sum()) / max(cost, 1e-9)
    return Streamed(cut(scores), cut(evidence), cut(alarms), rate, detector.bytes_per_series / 1024.0)


def read_devices(folder: Path) -> Iterator[tuple[str, Array, Array, Array]]:
    """`(name, train, test, labels of test)` of every device below `folder`; plain or xz-compressed npz."""
    for path in sorted(path for path in folder.rglob("*") if path.name.endswith((".npz", ".npz.xz"))):
        raw = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
        with np.load(io.BytesIO(raw), allow_pickle=False) as arrays:
            name = path.relative_to(folder).as_posix().split(".npz")[0]
            yield name, arrays["train"].astype(np.float64), arrays["test"].astype(np.float64), arrays["test_label"]


def one_liner(values: Array) -> Array:
    """|x - x1| over its mean so far: the baseline that anything must beat."""
    step = np.abs(np.diff(values, prepend=values[:1]))
    step[~np.isfinite(step)] = 0.0
    mean = np.cumsum(step) / np.arange(1, len(step) + 1)
    before = np.concatenate(([0.0], mean[:-1]))
    return np.divide(step, before, out=np.zeros_like(step), where=before > 0)


def blind_grid(count: int, every: int = 600) -> Array:
    """An alarm every so many records, whatever the data say."""
    grid = np.zeros(count)
    grid[every - 1 :: every] = 1.0
    return grid
