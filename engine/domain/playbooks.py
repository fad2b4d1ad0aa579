"""Playbooks on the tick: what `engine.playbooks.clock` settles."""

from __future__ import annotations

from engine.book import Draft
from engine.domain.registry import every
from engine.playbooks.clock import settle


@every(1.0)
def look_at_playbooks(draft: Draft) -> None:
    settle(draft)
