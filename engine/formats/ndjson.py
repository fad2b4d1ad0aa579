"""One JSON object per line: CloudEvents, Alertmanager alerts and generic alerts, mixed.

Owns the way from line to format. A bad line costs only itself and is named by its number.
"""

from __future__ import annotations

from engine.formats import alert_rows, cloudevents, strict_json
from engine.formats.intake import merged, reject, within
from engine.ports import FormatError, Parsed, Received


class NdJson:
    """A line with `specversion` is a CloudEvent, one with `labels` and no title an Alertmanager alert."""

    name = "ndjson"

    def parse(self, received: Received) -> Parsed:
        lines = strict_json.body_of(received).split(b"\n")
        return merged([_parse_line(line, number, received) for number, line in enumerate(lines, 1) if line.strip()])


def _parse_line(line: bytes, number: int, received: Received) -> Parsed:
    try:
        row = strict_json.decode(line)
        if isinstance(row, dict) and "specversion" in row:
            return cloudevents.parse_event(row, received, f"line {number}")
        return Parsed(signals=[alert_rows.signal_of(row, received)])
    except FormatError as error:
        text = line.decode(errors="replace")
        return Parsed(rejects=[reject(received, NdJson.name, within(f"line {number}", error), text)])


FORMAT = NdJson()
