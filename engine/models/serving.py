"""Models in service: the champion of each name, or the reason why there is none.

Owns falling back: a model that is refused never stops anything, its learner goes on without it and says so. Loading
reads files and may start a child process: call `serve` where waiting is allowed, never on the line.
"""

from __future__ import annotations

from engine.models.loading import Served
from engine.models.refused import ModelRefused
from engine.models.registry import Registry


class Models:
    """`troubles`: name → why its champion does not serve. Each becomes a banner."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.troubles: dict[str, str] = {}
        self._served: dict[str, Served | None] = {}

    def serve(self, name: str) -> Served | None:
        """The champion; where it is refused, the one that ships with the product; else None."""
        if name not in self._served:
            self._served[name] = self._load(name)
        return self._served[name]

    def refuse(self, name: str, reason: str) -> None:
        """A model that loaded but failed in use: it serves no more until it is loaded again."""
        self._served[name] = None
        self.troubles[name] = reason

    def reload(self, name: str) -> Served | None:
        """Look again: a new champion may have been trained."""
        self._served.pop(name, None)
        self.troubles.pop(name, None)
        return self.serve(name)

    def forget(self) -> None:
        """Look again at all of them: champions may have been trained or rolled back."""
        self._served.clear()
        self.troubles.clear()

    def banners(self) -> list[str]:
        return [f"model {name}: {reason}" for name, reason in sorted(self.troubles.items())]

    def _load(self, name: str) -> Served | None:
        try:
            return self.registry.load(name)
        except ModelRefused as error:
            if not self.registry.versions(name):
                return None  # nothing was ever trained: no trouble
            self.troubles[name] = str(error)
        return self._shipped(name)

    def _shipped(self, name: str) -> Served | None:
        if "shipped" not in self.registry.versions(name):
            self.troubles[name] += "; working without a model"
            return None
        try:
            served = self.registry.load(name, "shipped")
        except ModelRefused as error:
            self.troubles[name] += f"; working without a model ({error})"
            return None
        self.troubles[name] += "; the one that ships with the product serves"
        return served
