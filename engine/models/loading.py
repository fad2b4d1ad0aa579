"""One model from its folder: manifest, size and SHA-256 before anything is parsed, then the trees, then the proof
that they score as XGBoost scored them.

Owns the only way by which a model gets into a process. Never writes, and never leaves a half-checked model behind.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from engine.models import xgboost_json
from engine.models.manifest import MAX_BYTES, PARITY, Manifest, decode
from engine.models.refused import ModelRefused
from engine.models.trees import Trees

MODEL, MANIFEST = "model.json", "manifest.json"


class Served(NamedTuple):
    """A model that may be used, and where it came from."""

    trees: Trees
    manifest: Manifest


def load(folder: Path) -> Served:
    """Raises ModelRefused: missing, size, sha256, malformed, nan or parity."""
    manifest = read_manifest(folder)
    raw = read_model(folder, manifest)
    trees = Trees.load(raw, manifest.calibration)
    if trees.features != manifest.features:
        raise ModelRefused("malformed", "the model's features are not those of its manifest")
    _prove(trees, manifest)
    return Served(trees, manifest)


def read_manifest(folder: Path) -> Manifest:
    """Raises ModelRefused."""
    return decode(_read(folder / MANIFEST, MAX_BYTES))


def read_model(folder: Path, manifest: Manifest) -> bytes:
    """The model's bytes, once they are those that the manifest names. Raises ModelRefused."""
    raw = _read(folder / MODEL, xgboost_json.MAX_BYTES)
    if len(raw) != manifest.size:
        raise ModelRefused("size", f"{MODEL} has {len(raw)} bytes, its manifest says {manifest.size}")
    if sha256(raw).hexdigest() != manifest.sha256:
        raise ModelRefused("sha256", f"{MODEL} is not the file that its manifest names (SHA-256)")
    return raw


def _read(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(most + 1)
    except FileNotFoundError as error:
        raise ModelRefused("missing", f"{path.name} is missing in {path.parent.name}") from error
    except OSError as error:
        raise ModelRefused("missing", f"{path.name} cannot be read: {error.strerror}") from error
    if len(raw) > most:
        raise ModelRefused("size", f"{path.name} has more than {most} bytes")
    return raw


def _prove(trees: Trees, manifest: Manifest) -> None:
    """The golden rows score as they did in XGBoost, one by one and together."""
    rows = [golden.values() for golden in manifest.golden]
    plain = Trees.of(trees)
    for scores in (plain.score(rows), [plain.score_one(row) for row in rows]):
        worst = max(abs(score - golden.score) for score, golden in zip(scores, manifest.golden, strict=True))
        if not worst < PARITY * max(1.0, max(abs(golden.score) for golden in manifest.golden)):
            raise ModelRefused("parity", f"scores differ by {worst:.2g} from those at training")
