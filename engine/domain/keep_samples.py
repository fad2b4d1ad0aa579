"""Where rollups hook into the line: see `engine.metrics.intake`."""

from __future__ import annotations

from collections.abc import Sequence

from engine.book import Draft
from engine.domain.events import DomainEvent
from engine.domain.registry import after, every
from engine.domain.samples import sample_sink
from engine.metrics import intake


@sample_sink
def keep_samples(draft: Draft, events: Sequence[DomainEvent]) -> None:
    intake.keep(draft, events)


@after(intake.OWN)
def keep_own(draft: Draft, events: Sequence[DomainEvent]) -> None:
    intake.keep_own(draft, events)


@every(intake.ROLL_SECONDS)
def roll(draft: Draft) -> None:
    intake.roll(draft)
