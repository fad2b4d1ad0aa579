"""Logs: `key=value` lines, one per event, to a stream that is not the screen.

Owns their form. Text from outside is escaped, so that a log can be shown in a terminal; a secret shows as its mask.
"""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, TextIO

import structlog

#: A log of this size is set aside when the next engine starts.
FILE_MAX_BYTES = 8 * 1024 * 1024


def configure(stream: TextIO, level: int = logging.INFO) -> None:
    """Send every event of at least `level` to `stream`."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            escape,
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(stream),
    )


def log_file(folder: Path) -> TextIO:
    """`engine.log` of a folder, opened to append, readable by this user only; a large one becomes `engine.log.1`."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / "engine.log"
    if path.exists() and path.stat().st_size > FILE_MAX_BYTES:
        path.replace(folder / "engine.log.1")
    file = path.open("a", encoding="utf-8", errors="backslashreplace", buffering=1)
    path.chmod(0o600)
    return file


def escape(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Every value as printable text on one line."""
    for name, value in event.items():
        text = value if isinstance(value, str) else str(value)
        event[name] = text if text.isprintable() else text.encode("unicode_escape").decode("ascii")
    return event
