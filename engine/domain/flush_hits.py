"""The minute in which the effects of rules are written down: see `engine.stages.hits`."""

from __future__ import annotations

from engine.book import Draft
from engine.domain.registry import every
from engine.stages import hits


@every(hits.EVERY_SECONDS)
def flush_hits(draft: Draft) -> None:
    hits.flush(draft)
