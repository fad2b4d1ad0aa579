"""What the training beside the line came to is written down on it, so that the one writer keeps it.

Owns the state of each model. What somebody asked for is kept until it is done: news of the runner never take it back.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from data.nouns.models import MLModelMetrics, ModelState
from engine.book import Draft
from engine.domain.events import DomainEvent
from engine.domain.registry import on
from engine.reasons import ReasonCode

#: No sender can bring an event of this type: it is not among those of the wire.
NEWS = "engine.training"


class TrainingData(Struct, frozen=True, kw_only=True):
    """`changes` of the state of `model`; `done`: the wish that was fulfilled by it, "" for none; `metrics`: the record
    of a training that is over; `announce`: the change on the feed."""

    model: str
    changes: dict[str, Any] = {}
    done: str = ""
    metrics: MLModelMetrics | None = None
    announce: str = ""


def training_event(data: TrainingData, at: datetime) -> DomainEvent:
    return DomainEvent(type=NEWS, source="training", id="", at=at, data=data)


@on(NEWS)
def keep_training(draft: Draft, event: DomainEvent) -> None:
    data = event.data
    assert isinstance(data, TrainingData)
    known: ModelState | None = draft.noun("models", data.model)
    if known is None:
        known = ModelState(tenant=draft.tenant, id=data.model, at=draft.now, since=draft.now)
    wish = {"wish": "", "wish_by": ""} if data.done and known.wish == data.done else {}
    state = replace(known, at=draft.now, **wish, **data.changes)
    draft.put_noun(state, announce=False)
    if data.metrics is not None:
        draft.put_noun(data.metrics, announce=False)
    if data.announce:
        draft.announce_noun(state, data.announce, ReasonCode.NEW)
