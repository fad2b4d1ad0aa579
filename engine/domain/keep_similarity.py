"""The minute in which one more piece of what clustering knows is written down: see `engine.similarity.keeping`."""

from __future__ import annotations

from engine.book import Draft
from engine.domain.registry import every
from engine.similarity import keeping


@every(keeping.EVERY_SECONDS)
def keep_similarity(draft: Draft) -> None:
    keeping.keep(draft)
