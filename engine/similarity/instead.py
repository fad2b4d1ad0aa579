"""Cosine in the place of a method whose model does not serve: the same ranking, and every reason says so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec.structs import replace

from data.records import Alert
from engine.similarity.cosine import Cosine
from engine.similarity.method import Candidate, Ranking

if TYPE_CHECKING:
    from engine.rules import Rules
    from engine.similarity.features import Vector

_REASON_CHARS = 200


class Instead(Cosine):
    """`reason`: why the configured method does not work."""

    def __init__(self, reason: str) -> None:
        self.reason = reason[:_REASON_CHARS]

    def rank(self, alert: Alert, vector: Vector, candidates: Iterator[Candidate], rules: Rules) -> Ranking:
        found = super().rank(alert, vector, candidates, rules)
        return replace(found, facts={**found.facts, "fallback": self.reason})
