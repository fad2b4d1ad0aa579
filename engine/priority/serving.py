"""Serving: the champion of the name "priority" as what the line ranks by, or nothing. Reads files: not on the line."""

from __future__ import annotations

from engine.models.serving import Models
from engine.priority.model import NAME, PriorityModel


def priority_model(models: Models) -> PriorityModel | None:
    """None while nothing is trained, and for a model of other features, which a banner says: then the formula ranks."""
    served = models.serve(NAME)
    if served is None:
        return None
    try:
        return PriorityModel.of(served)
    except ValueError as error:
        models.refuse(NAME, f"{error}; the formula ranks")
        return None
