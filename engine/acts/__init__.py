"""Acts of operators on the line: one file per group, one table of verbs.

An act gets a draft and the command, changes records through the draft, and says what it changed and what it
refused with the reason. It never does I/O. Adding a verb = one function with `@act` in a file of this folder.
"""

from __future__ import annotations

import importlib
import pkgutil

from engine.acts.registry import VERBS, Acting, Verb

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = ["VERBS", "Acting", "Verb"]
