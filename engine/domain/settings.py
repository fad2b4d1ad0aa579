"""The domain's rules of a draft. Never compiles them."""

from __future__ import annotations

from engine.book import Draft
from engine.domain.rules import DomainRules


def rules_of(draft: Draft) -> DomainRules:
    """The domain's part of the draft's rules."""
    return draft.rules.domain
