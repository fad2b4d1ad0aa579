"""One decoded alert, in whichever of the two spellings it comes.

Owns the choice between Alertmanager's alert and a generic one. Never reads a body.
"""

from __future__ import annotations

from typing import Any

from data.records import Signal
from engine.formats import alertmanager, generic
from engine.ports import Received

_TITLES = frozenset(generic.GUESSES["title"])


def signal_of(row: Any, received: Received) -> Signal:
    """An object with `labels` and no title of its own is Alertmanager's, any other generic. Raises FormatError."""
    if isinstance(row, dict) and isinstance(row.get("labels"), dict) and not row.keys() & _TITLES:
        return alertmanager.signal_of(row, received)
    return generic.signal_of(row, received)
