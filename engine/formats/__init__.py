"""Payload formats: body → signals, pure. One module per payload; its `FORMAT` registers it.

Owns the registry. Never knows a format by name: a new file in this folder with a `FORMAT` is all it takes.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

from engine.ports import Format


@cache
def registry() -> dict[str, Format]:
    """Name → format, for every module of this folder that has a FORMAT. Raises ValueError on a name used twice."""
    found: dict[str, Format] = {}
    for module in pkgutil.iter_modules(__path__):
        registered: Format | None = getattr(import_module(f"{__name__}.{module.name}"), "FORMAT", None)
        if registered is None:
            continue
        if registered.name in found:
            raise ValueError(f"two formats are called {registered.name!r}")
        found[registered.name] = registered
    return found
