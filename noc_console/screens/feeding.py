"""What an empty console says: the exact lines that make it show something."""

from __future__ import annotations

from urllib.parse import urlsplit

from noc_console.safe_text import Safe, safe_text
from noc_console.widgets.piece import Piece

Lines = list[list[Piece]]


def feeding_lines(listen: str, rows: int) -> Lines:
    """How to send alerts to `listen` (a base URL), in at most `rows` lines where that can be done."""
    address = urlsplit(listen).netloc or listen
    lines: Lines = [
        _said("Nothing is wrong that we know of: no alert has come in."),
        _said("D plays a simulated operation, of which nothing is kept. Or send an alert:"),
        [],
        _typed(f"amtool --alertmanager.url={listen} alert add Test site=Lab"),
        [],
        _said("From Prometheus, in prometheus.yml:"),
        _typed(f"alerting: {{alertmanagers: [{{static_configs: [{{targets: [{address}]}}]}}]}}"),
        [],
        _said("From Alertmanager, Grafana, PagerDuty's senders or your own (last word: generic):"),
        _typed(f"{listen}/ingest/webhook/alertmanager"),
        _typed('curl -d \'{"title": "disk full", "severity": "high"}\' \\'),
        _typed(f"  {listen}/ingest/webhook/generic"),
    ]
    return lines if len(lines) <= rows else [line for line in lines if line]


def _said(text: str) -> list[Piece]:
    return [Piece(Safe("  ")), Piece(Safe(text), "dim")]


def _typed(text: str) -> list[Piece]:
    return [Piece(Safe("  ")), Piece(safe_text(text), "strong")]
