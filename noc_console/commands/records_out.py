"""Records on stdout: JSON lines, CSV, and columns for people.

Owns what may leave to a file, a spreadsheet or a terminal. Text from outside goes out inert: JSON escapes every
control and direction character, CSV cells never start a formula, columns pass `safe_text`.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

import msgspec

from noc_console.safe_text import ACTIVE

#: A cell that starts so is a formula to a spreadsheet; the last two open one behind a line break.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

#: What people see of each kind, in this order; other kinds show their first fields.
COLUMNS: dict[str, tuple[str, ...]] = {
    "incidents": ("id", "priority", "severity", "state", "site", "alerts", "owner", "last_at", "title"),
    "alerts": ("id", "severity", "state", "name", "site", "entity", "count", "last_at", "title"),
    "clusters": ("id", "severity", "incident", "site", "alerts", "suppressed", "last_at", "title"),
    "silences": ("id", "matchers", "ends_at", "created_by", "comment"),
    "events": ("seq", "at", "kind", "subject", "site", "reason"),
    "audits": ("seq", "at", "actor", "verb", "subject", "outcome"),
    "tokens": ("id", "name", "capabilities", "sites", "pin", "expires_at", "revoked_at"),
    "rejects": ("id", "at", "source", "field", "reason", "remedy"),
}


def row_of(record: Any) -> dict[str, Any]:
    """A record as plain values, times as RFC 3339 text."""
    made = json.loads(msgspec.json.encode(record))
    return made if isinstance(made, dict) else {"value": made}


def json_line(row: Any) -> str:
    text = json.dumps(row, ensure_ascii=False, separators=(",", ":"))
    return ACTIVE.sub(lambda found: json.dumps(found[0])[1:-1], text)


def write_jsonl(rows: Iterable[dict[str, Any]], out: TextIO) -> None:
    for row in rows:
        out.write(json_line(row) + "\n")


class CsvWriter:
    """Writes the header before the first row; later rows keep its columns."""

    def __init__(self, out: TextIO, columns: Sequence[str] = ()) -> None:
        self._writer = csv.writer(out, lineterminator="\n")
        self._columns = list(columns)
        if columns:
            self._writer.writerow(columns)

    def write(self, rows: Iterable[dict[str, Any]]) -> None:
        for row in rows:
            if not self._columns:
                self._columns = list(row)
                self._writer.writerow(self._columns)
            self._writer.writerow([cell(row.get(column)) for column in self._columns])


def cell(value: Any) -> str:
    """One CSV cell. Text gets an apostrophe in front when a spreadsheet would take it for a formula."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    text = value if isinstance(value, str) else json_line(value)
    guarded = f"'{text}" if text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA[:4]) else text
    return ACTIVE.sub(lambda found: found[0] if found[0] in "\n\t" else "\ufffd", guarded)


def write_columns(kind: str, rows: Sequence[dict[str, Any]], out: TextIO) -> None:
    """A table as wide as the terminal; the last column takes the rest."""
    from noc_console.safe_text import fit, safe_text, width

    names = COLUMNS.get(kind) or tuple(rows[0])[:6] if rows else ()
    lines = [[safe_text(_words(row.get(name))) for name in names] for row in rows]
    table = [[safe_text(name.upper()) for name in names], *lines]
    widths = [min(40, max(width(line[at]) for line in table)) for at in range(len(names))]
    room = shutil.get_terminal_size().columns if out.isatty() else 10_000
    for line in table:
        cells = [fit(text, wide) for text, wide in zip(line[:-1], widths, strict=False)]
        out.write("  ".join([*cells, line[-1]]).rstrip()[:room] + "\n")


def _words(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.0f}"
    if isinstance(value, list):
        return ", ".join(_words(item) for item in value)
    return str(value) if not isinstance(value, dict) else json_line(value)


