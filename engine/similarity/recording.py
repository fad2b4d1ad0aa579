"""Labelled recordings: lines of JSON, one alert each, of which one label names the true incident.

Owns reading them and keeping the truth away from the line: the label is taken off before the alert is taken in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from data.records import Alert
from engine.formats import strict_json
from engine.models.refused import ModelRefused
from engine.ports import FormatError
from engine.similarity.scratch import Scratch

#: Labels that are taken for the truth where none is named, in this order.
TRUTHS = ("truth", "true_incident", "incident_truth", "ground_truth", "incident_id", "incident")


class Line(NamedTuple):
    """An alert as it will be taken in, and the incident that it is of; "" = it belongs to nothing."""

    row: dict[str, Any]
    truth: str


def read(lines: Iterable[bytes], truth: str = "") -> Iterator[Line]:
    """Lines that hold no object are passed over. The truth is a label or a field of this name."""
    for line in lines:
        if not line.strip():
            continue
        try:
            row = strict_json.decode(line)
        except FormatError:
            continue
        if isinstance(row, dict):
            yield _split(row, (truth,) if truth else TRUTHS)


def _split(row: dict[str, Any], names: tuple[str, ...]) -> Line:
    labels = dict(row["labels"]) if isinstance(row.get("labels"), dict) else None
    for name in names:
        for holder in (labels, row):
            if holder is not None and name in holder:
                value = holder[name]
                kept = {key: known for key, known in row.items() if key != name or holder is labels}
                if labels is not None:
                    kept["labels"] = {key: known for key, known in labels.items() if key != name or holder is row}
                return Line(kept, "" if value is None else str(value).strip().lstrip("-"))
    return Line(row, "")


class Taken(NamedTuple):
    """What a scratch engine made of a recording: for each alert its truth and its incident; rows that were refused."""

    truths: list[str]
    homes: list[int]
    rows: int
    refused: int


def replay(scratch: Scratch, lines: Iterable[Line], truth: dict[str, str] | None = None) -> Taken:
    """Take the lines in; `truth` is filled with dedup key → incident before each alert is clustered."""
    truths: dict[int, str] = {}
    rows = refused = 0
    for line in lines:
        rows += 1
        try:
            signal = scratch.signal(line.row)
        except FormatError:
            refused += 1
            continue
        if truth is not None and (line.truth or signal.key not in truth):
            truth[signal.key] = line.truth
        alert: Alert | None = scratch.take_signal(signal)
        if alert is not None and alert.incident:
            truths[alert.id] = line.truth or truths.get(alert.id, "")
    if rows == refused:
        raise ModelRefused("malformed", f"none of {rows} lines is an alert")
    numbers = [number for number in truths if number in scratch.homes]
    return Taken([truths[number] for number in numbers], [scratch.homes[number] for number in numbers], rows, refused)
