"""The manifest beside a model: what it is, what it was made of, how good it was, and how to tell that it is whole.

Owns the shape and its checks. Never reads the model itself.
"""

from __future__ import annotations

from datetime import datetime
from math import isfinite, nan
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from engine.models.calibration import Calibration
from engine.models.refused import ModelRefused

MAX_BYTES = 4 << 20
#: How far a score may be from the one that XGBoost itself gave when the model was trained.
PARITY = 3e-6

Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Version = Annotated[str, Meta(pattern=r"^(?:\d{4,8}|shipped)$")]
Text = Annotated[str, Meta(max_length=4096)]


class TrainedOn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The data: what and whose it is, and how much of it; `positives` of `rows` had the label."""

    what: Text
    licence: Text = ""
    rows: int = 0
    positives: int = 0
    held_out: int = 0


class Golden(Struct, frozen=True, array_like=True):
    """A row (null = missing) and what XGBoost made of it, before calibration."""

    row: tuple[float | None, ...]
    score: float

    def values(self) -> list[float]:
        return [nan if value is None else value for value in self.row]


class Manifest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`sha256` and `size` are of the model's file. `primary` names the metric by which a challenger is judged, higher
    is better; `metrics` and `baseline` are of the same held-out rows, the baseline's without a model. `facts` are
    what the learner needs beside its trees (counts, medians), plain JSON."""

    name: Name
    version: Version
    created_at: datetime
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
    size: Annotated[int, Meta(ge=1)]
    features: Annotated[tuple[Text, ...], Meta(min_length=1, max_length=4096)]
    trained_on: TrainedOn
    primary: Text
    metrics: dict[str, float]
    baseline: dict[str, float]
    golden: Annotated[tuple[Golden, ...], Meta(min_length=1, max_length=1000)]
    threshold: float | None = None
    calibration: Calibration | None = None
    settings: dict[str, str | float | int | bool] = {}
    versions: dict[str, str] = {}
    facts: dict[str, Any] = {}
    note: Text = ""


def decode(raw: bytes) -> Manifest:
    """Raises ModelRefused."""
    if len(raw) > MAX_BYTES:
        raise ModelRefused("size", f"the manifest has {len(raw)} bytes, at most {MAX_BYTES} are read")
    try:
        manifest = msgspec.json.decode(raw, type=Manifest)
    except (ValueError, RecursionError) as error:
        raise ModelRefused("malformed", f"the manifest cannot be read: {error}") from error
    if manifest.calibration is not None:
        manifest.calibration.check()
    if not all(map(isfinite, (*manifest.metrics.values(), *(golden.score for golden in manifest.golden)))):
        raise ModelRefused("nan", "the manifest holds a value that is not a number")
    if any(len(golden.row) != len(manifest.features) for golden in manifest.golden):
        raise ModelRefused("malformed", "a golden row is not as wide as the features")
    return manifest


def encode(manifest: Manifest) -> bytes:
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1)
