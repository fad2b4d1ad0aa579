"""Methods of clustering: how like an alert is to each cluster it may join. One module per method.

Owns the registry. Never knows a method by name: a new file in this folder with a `METHOD` is all it takes.
The mechanics (window, caps, successors, which clusters are looked at) are `engine.stages.cluster`'s.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

from engine.similarity.method import Kind


@cache
def registry() -> dict[str, Kind]:
    """Name → method, for every module of this folder that has a METHOD. Raises ValueError on a name used twice."""
    found: dict[str, Kind] = {}
    for module in pkgutil.iter_modules(__path__):
        registered: Kind | None = getattr(import_module(f"{__name__}.{module.name}"), "METHOD", None)
        if registered is None:
            continue
        if registered.name in found:
            raise ValueError(f"two methods of clustering are called {registered.name!r}")
        found[registered.name] = registered
    return found
