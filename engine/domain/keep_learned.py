"""The minute in which one more piece of what was learned of alerts is written down: see `engine.priority.keeping`."""

from __future__ import annotations

from engine.book import Draft
from engine.domain.registry import every
from engine.priority import keeping


@every(keeping.EVERY_SECONDS)
def keep_learned(draft: Draft) -> None:
    keeping.keep(draft)
