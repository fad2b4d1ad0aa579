"""The registry: which versions of a model a data directory holds, which one serves, and how that changes.

    <data-dir>/models/<name>/index.json            champion, and how it came to be one
    <data-dir>/models/<name>/<version>/            model.json, manifest.json

Owns these files and the rule of succession: a challenger replaces the champion only when it is better on the same
held-out rows. A model that ships with the product serves where a directory has none. Never trains, never scores.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from engine.models import child
from engine.models.loading import MANIFEST, MODEL, Served, load, read_manifest
from engine.models.manifest import Manifest, Version, encode
from engine.models.refused import ModelRefused

SHIPPED = Path(__file__).parent / "shipped"
INDEX = "index.json"
CHECKED = "checked.json"
#: Versions that are kept beside the champion and the one before it.
KEPT = 10
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")
_NUMBER = re.compile(r"\d{4,8}\Z")

Checker = Callable[[Path], None]


class Step(Struct, frozen=True, kw_only=True):
    """A change of the champion: to which version ("shipped" = the product's own), when and why."""

    version: Version
    at: datetime
    why: Annotated[str, Meta(max_length=1000)]


class Index(Struct, frozen=True, kw_only=True):
    champion: Version = "shipped"
    steps: tuple[Step, ...] = ()


class Offer(Struct, frozen=True, kw_only=True):
    """A challenger: the model's bytes, its manifest (name, version, sha256 and size are filled in), and the champion's
    value of the primary metric on the same held-out rows; None = there is no champion, and the challenger is measured
    by the manifest's baseline."""

    raw: bytes
    manifest: Manifest
    champion_score: float | None = None


class Verdict(Struct, frozen=True, kw_only=True):
    """What became of a challenger."""

    version: str
    promoted: bool
    why: str


class Registry:
    """The models of one data directory. Every write replaces a file whole, so a reader never sees half of one."""

    def __init__(self, folder: Path, *, shipped: Path = SHIPPED, check: Checker = child.check) -> None:
        self.folder = folder
        self._shipped = shipped
        self._check = check

    # -- looking

    def names(self) -> list[str]:
        """Models that are here or ship with the product."""
        found: set[str] = set()
        for folder in (self.folder, self._shipped):
            if folder.is_dir():
                found |= {entry.name for entry in folder.iterdir() if entry.is_dir() and _NAME.match(entry.name)}
        return sorted(found)

    def versions(self, name: str) -> list[str]:
        """Oldest first; "shipped" stands first where the product has one."""
        home = self._home(name)
        own = sorted(entry.name for entry in home.iterdir() if _NUMBER.match(entry.name)) if home.is_dir() else []
        return [*(["shipped"] if (self._shipped / name / MANIFEST).exists() else []), *own]

    def index(self, name: str) -> Index:
        """Raises ModelRefused when it cannot be read."""
        try:
            return msgspec.json.decode((self._home(name) / INDEX).read_bytes(), type=Index)
        except FileNotFoundError:
            return Index()
        except (OSError, ValueError) as error:
            raise ModelRefused("malformed", f"{INDEX} of {name} cannot be read: {error}") from error

    def champion(self, name: str) -> str:
        """The version that serves. Raises ModelRefused."""
        return self.index(name).champion

    def manifest(self, name: str, version: str = "") -> Manifest:
        """Of the champion, unless a version is named. Raises ModelRefused."""
        return read_manifest(self._place(name, version or self.champion(name)))

    def load(self, name: str, version: str = "") -> Served:
        """The champion, or the version that is named. Raises ModelRefused.

        What comes from the data directory is loaded by a child process first, once per file.
        """
        version = version or self.champion(name)
        place = self._place(name, version)
        if version != "shipped":
            self._checked(place)
        return load(place)

    # -- changing

    def offer(self, offer: Offer, now: datetime) -> Verdict:
        """Store the challenger, and let it serve if its primary metric is above the champion's, or above the baseline's
        where there is no champion. Raises ModelRefused when it cannot be loaded as it is, OSError when it cannot be
        written."""
        name = offer.manifest.name
        challenger = offer.manifest.metrics.get(offer.manifest.primary)
        if challenger is None:
            raise ModelRefused("malformed", f"the manifest lacks its primary metric {offer.manifest.primary}")
        version = self._store(name, offer)
        try:
            self._checked(self._place(name, version))
        except ModelRefused:
            shutil.rmtree(self._place(name, version), ignore_errors=True)
            raise
        of, bar = "champion", offer.champion_score
        if bar is None:
            of, bar = "baseline", offer.manifest.baseline.get(offer.manifest.primary)
        better = bar is None or challenger > bar
        words = f"{offer.manifest.primary} {challenger:.4f}"
        words += "" if bar is None else f" against the {of}'s {bar:.4f}"
        if better:
            self._promote(name, version, now, words)
        self._prune(name)
        return Verdict(version=version, promoted=better, why=words)

    def rollback(self, name: str, now: datetime, why: str = "rolled back") -> str:
        """Let the champion before this one serve again → its version. Raises ModelRefused when there is none."""
        index = self.index(name)
        if not index.steps:
            raise ModelRefused("missing", f"{name} has had no other champion")
        before = index.steps[-2].version if len(index.steps) > 1 else "shipped"
        if before not in self.versions(name):
            raise ModelRefused("missing", f"version {before} of {name} is no longer here")
        self._write(name, Index(champion=before, steps=(*index.steps[:-2], Step(version=before, at=now, why=why))))
        return before

    # -- inside

    def _home(self, name: str) -> Path:
        if not _NAME.match(name):
            raise ModelRefused("missing", f"no model is called {name[:64]!r}")
        return self.folder / name

    def _place(self, name: str, version: str) -> Path:
        home = self._home(name)
        if version == "shipped":
            return self._shipped / name
        if not _NUMBER.match(version):
            raise ModelRefused("missing", f"no version is called {version[:64]!r}")
        return home / version

    def _checked(self, place: Path) -> None:
        """Have a child load it, unless it did so with this very file before."""
        manifest = read_manifest(place)
        mark = place / CHECKED
        try:
            if mark.read_text("ascii") == manifest.sha256:
                return
        except (OSError, ValueError):
            pass
        self._check(place)
        try:
            mark.write_text(manifest.sha256, "ascii")
        except OSError:
            return  # it is checked again next time

    def _store(self, name: str, offer: Offer) -> str:
        home = self._home(name)
        home.mkdir(parents=True, exist_ok=True)
        numbers = [int(entry.name) for entry in home.iterdir() if _NUMBER.match(entry.name)]
        version = f"{max(numbers, default=0) + 1:04d}"
        digest = sha256(offer.raw).hexdigest()
        manifest = replace(offer.manifest, version=version, sha256=digest, size=len(offer.raw))
        draft = home / f".{version}.{os.getpid()}"
        draft.mkdir()
        _durable(draft / MODEL, offer.raw)
        _durable(draft / MANIFEST, encode(manifest))
        draft.rename(home / version)
        return version

    def _promote(self, name: str, version: str, now: datetime, why: str) -> None:
        steps = (*self.index(name).steps, Step(version=version, at=now, why=why))
        self._write(name, Index(champion=version, steps=steps[-100:]))

    def _write(self, name: str, index: Index) -> None:
        draft = self._home(name) / f".{INDEX}.{os.getpid()}"
        _durable(draft, msgspec.json.encode(index))
        draft.replace(self._home(name) / INDEX)

    def _prune(self, name: str) -> None:
        """Forget old versions that neither serve nor served last."""
        index = self.index(name)
        safe = {index.champion, *(step.version for step in index.steps[-2:])}
        own = [version for version in self.versions(name) if version != "shipped"]
        for version in own[:-KEPT]:
            if version not in safe:
                shutil.rmtree(self._place(name, version), ignore_errors=True)


def _durable(path: Path, raw: bytes) -> None:
    with path.open("wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())
