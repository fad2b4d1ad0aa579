"""Records of training: where each model stands, and what every training of it came to. Owns their shape only."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from data.nouns.base import Noun
from data.nouns.fraud import FRAUD_VIEW
from data.records import TenantId

#: promoted and kept: a challenger was made; too_few, failed and cancelled: none was; rolled_back: an older one serves.
Result = Literal["promoted", "kept", "too_few", "failed", "cancelled", "rolled_back"]


class ModelState(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A model by its name. `state` is idle or running. `wish` is what somebody asked for and has not got yet: train,
    cancel or rollback. `since` is when the engine first knew of it; with `last_at`, the beginning of its last training,
    it says when the next one is due. `result` and `why` are the last one's; `version` is what serves, "" = nothing."""

    tenant: TenantId
    id: str
    at: datetime
    since: datetime
    state: str = "idle"
    wish: str = ""
    wish_by: str = ""
    began_at: datetime | None = None
    last_at: datetime | None = None
    result: str = ""
    why: str = ""
    version: str = ""


class MLModelMetrics(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One training, or a way back. `pr_auc`, `roc_auc`, `precision` and `recall` at `threshold`, and `brier` are of
    `held_out` rows that came after those that were learned from; `baseline` and `champion` are measured on the same
    rows. None = not measured. `by` is who asked, "" = the timetable."""

    tenant: TenantId
    id: str
    at: datetime
    model: str
    result: Result
    why: str = ""
    version: str = ""
    by: str = ""
    seconds: float = 0.0
    examples: int = 0
    held_out: int = 0
    base_rate: float | None = None
    threshold: float | None = None
    pr_auc: float | None = None
    roc_auc: float | None = None
    precision: float | None = None
    recall: float | None = None
    brier: float | None = None
    primary: str = ""
    metrics: dict[str, float] = {}
    baseline: dict[str, float] = {}
    champion: dict[str, float] = {}


NOUNS = (
    Noun(
        kind="models",
        subject="model",
        record=ModelState,
        words="Models that are learned, and where their training stands.",
        at="at",
        event="model_training",
        state="state",
        states=("idle", "running"),
    ),
    Noun(
        kind="model_metrics",
        subject="model_metric",
        record=MLModelMetrics,
        words="What each training of a model came to, beside its baseline.",
        at="at",
        # Figures of the fraud model among them: /api/v1/models/history gives everybody those of the others.
        capability=FRAUD_VIEW,
        entity="model",
        state="result",
        states=("promoted", "kept", "too_few", "failed", "cancelled", "rolled_back"),
        value="pr_auc",
        held=False,
        keep_days=730.0,
    ),
)
