"""What an operator finds again after a lost connection: view, filters, sort, cursor, marks, theme.

One small JSON file, replaced in one step so that a cut in the middle leaves the old one. Holds nothing
of the engine.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct


class SavedView(Struct, frozen=True, kw_only=True):
    """`state` is what the view's `save_state` gave, as far as it says what is shown and in which order."""

    view: str
    state: dict[str, Any] = {}


class SessionState(Struct, frozen=True, kw_only=True):
    """`views` holds what each view's `save_state` gave, by view name; `named` those saved under a name."""

    view: str = "overview"
    theme: str = ""
    saved_at: datetime | None = None
    views: dict[str, dict[str, Any]] = {}
    prompts: dict[str, list[str]] = {}
    named: dict[str, SavedView] = {}


class SessionFile:
    """`path` None keeps nothing. A file that cannot be read or written does not end a shift: it is skipped."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._last = b""

    def load(self) -> SessionState:
        if self._path is None:
            return SessionState()
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=SessionState)
        except (OSError, msgspec.MsgspecError):
            return SessionState()

    def save(self, state: SessionState) -> bool:
        """Write when something but the time changed; true when the file is as `state` says."""
        body = msgspec.json.encode(msgspec.structs.replace(state, saved_at=None))
        if self._path is None or body == self._last:
            return self._path is not None
        try:
            self._write(self._path, msgspec.json.encode(state))
        except OSError:
            return False
        self._last = body
        return True

    @staticmethod
    def _write(path: Path, body: bytes) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{os.getpid()}.new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as file:
            file.write(body)
        fresh.replace(path)
