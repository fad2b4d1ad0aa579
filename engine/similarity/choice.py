"""Which method of clustering an engine works with, and what it does when the model of the chosen one is refused.

Owns the fallback to cosine. Never loads a model twice: that is `engine.models.serving`'s.
"""

from __future__ import annotations

from pathlib import Path

from engine.models.registry import Registry
from engine.models.serving import Models
from engine.similarity import registry, xgboost_similarity
from engine.similarity.instead import Instead
from engine.similarity.method import Method, Streaming


def method_of(name: str, folder: Path) -> Method | Streaming:
    """The method of this name with the model of this data directory. Raises ValueError when it cannot be made."""
    return _made(name, Models(Registry(folder / "models")))


def chosen(name: str, models: Models) -> Method | Streaming:
    """The same, with cosine in the place of one that cannot be made; `models` keeps the reason for the banner, and each
    incident says so."""
    try:
        return _made(name, models)
    except ValueError as error:
        reason = models.troubles.setdefault(xgboost_similarity.MODEL, str(error))
        return Instead(reason)


def _made(name: str, models: Models) -> Method | Streaming:
    if name == xgboost_similarity.NAME:
        return xgboost_similarity.of(models)
    known = registry()
    if name not in known:
        raise ValueError(f"no method of clustering is called {name!r}; there are: {', '.join(sorted(known))}")
    return known[name].make()
