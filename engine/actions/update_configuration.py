"""update_configuration: replace a file below one directory, with a backup and a diff, and put it back on rollback.

The file changes as a whole or not at all. Repeating it changes nothing more: what is there already is left. Links are
not followed.
"""

from __future__ import annotations

import asyncio
import difflib
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct

from engine.effects import Around
from engine.playbooks.actions import Act, Done, Failed, Idempotency, Planned, Refusal, StepAction

_PART = re.compile(r"[A-Za-z0-9_][\w.-]{0,127}", re.ASCII)
_DIFF_CHARS = 4000


class ConfigurationParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`path` is below the directory of the settings."""

    path: Annotated[str, Meta(min_length=1, max_length=512)]
    content: str


class UpdateConfiguration(StepAction):
    name = "update_configuration"
    words = "Replace a file below the allowed directory; a rollback restores it."
    params = ConfigurationParams
    gives = frozenset({"changed", "diff"})
    free: frozenset[str] = frozenset()
    one_line = frozenset({"content"})

    def __init__(self, around: Around) -> None:
        self._settings = around.settings.playbooks.configuration

    def idempotency(self, params: Any) -> Idempotency:
        return Idempotency.SAFE

    def plan(self, params: ConfigurationParams) -> Planned:
        self._place(params)
        words = f"replace {params.path} ({len(params.content)} characters)"
        return Planned(targets=(f"file:{params.path}",), words=words)

    async def run(self, act: Act, params: ConfigurationParams) -> Done:
        return await asyncio.to_thread(self._replace, act, params)

    async def rollback(self, act: Act, params: ConfigurationParams, undo: Mapping[str, Any]) -> Done:
        return await asyncio.to_thread(self._restore, act, params, undo)

    def _place(self, params: ConfigurationParams) -> Path:
        """Raises Refusal. Looks at the words only."""
        if not self._settings.directory:
            raise Refusal("no directory may be written to", "set directory in [playbooks.configuration]")
        if len(params.content.encode("utf-8", "replace")) > self._settings.max_bytes:
            raise Refusal(f"the content is larger than {self._settings.max_bytes} bytes", "raise max_bytes")
        parts = params.path.split("/")
        if not all(_PART.fullmatch(part) for part in parts):
            raise Refusal(f"{params.path!r} is not a path below the directory", "write names joined by /")
        return Path(self._settings.directory, *parts)

    def _checked(self, params: ConfigurationParams) -> Path:
        try:
            path = self._place(params)
        except Refusal as error:
            raise Failed(str(error)) from error
        root = Path(self._settings.directory).resolve()
        if path.parent.resolve() != root.joinpath(*params.path.split("/")[:-1]) or path.is_symlink():
            raise Failed(f"{params.path} leads elsewhere by a link")
        return path

    def _replace(self, act: Act, params: ConfigurationParams) -> Done:
        path = self._checked(params)
        wanted = params.content.encode()
        backup = path.with_name(f".{path.name}.{sha256(act.key.encode()).hexdigest()[:16]}.bak")
        try:
            found = _read(path, self._settings.max_bytes)
            if not backup.exists() and found is not None:
                _write(backup, found, act.key)
            if found != wanted:
                _write(path, wanted, act.key)
            before = _read(backup, self._settings.max_bytes)
        except OSError as error:
            raise Failed(f"{params.path}: {error.strerror}", again=True) from error
        undo = {"backup": backup.name if before is not None else "", "sha256": sha256(wanted).hexdigest()}
        return Done(output={"changed": before != wanted, "diff": _diff(before, wanted, params.path)}, undo=undo)

    def _restore(self, act: Act, params: ConfigurationParams, undo: Mapping[str, Any]) -> Done:
        path = self._checked(params)
        try:
            found = _read(path, self._settings.max_bytes)
            backup = path.with_name(undo["backup"]) if undo["backup"] else None
            before = _read(backup, self._settings.max_bytes) if backup is not None else None
            if found == before:
                return Done(output={"changed": False})
            if found is None or sha256(found).hexdigest() != undo["sha256"]:
                raise Failed(f"{params.path} was changed by others since; it is left as it is")
            if before is None:
                path.unlink()
            else:
                _write(path, before, act.key)
        except OSError as error:
            raise Failed(f"{params.path}: {error.strerror}", again=True) from error
        return Done(output={"changed": True})


def _read(path: Path, most: int) -> bytes | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        found = file.read(most + 1)
    if len(found) > most:
        raise Failed("the file that is there is larger than max_bytes")
    return found


def _write(path: Path, content: bytes, key: str) -> None:
    """Atomic: a new file takes the place of the old one, with its mode. Each act has a new file of its own, so that two
    at once do not get into each other's."""
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o640
    fresh = path.with_name(f".{path.name}.{sha256(key.encode()).hexdigest()[:16]}.new")
    with suppress(FileNotFoundError):
        fresh.unlink()
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())
    fresh.replace(path)


def _diff(before: bytes | None, after: bytes, name: str) -> str:
    old = (before or b"").decode("utf-8", "replace").splitlines(keepends=True)
    new = after.decode("utf-8", "replace").splitlines(keepends=True)
    return "".join(difflib.unified_diff(old, new, name, name))[:_DIFF_CHARS]


STEP = UpdateConfiguration
