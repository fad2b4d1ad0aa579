"""The moment in which incidents that grew are asked again for their likely cause: see `engine.root_cause`."""

from __future__ import annotations

from engine.book import Draft
from engine.domain.registry import every
from engine.root_cause import settling


@every(settling.EVERY_SECONDS)
def settle_roots(draft: Draft) -> None:
    settling.settle(draft)
