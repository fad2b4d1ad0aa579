"""A value that must never be printed, and where it came from.

Owns the masking. Never keeps a secret in a form that repr, str, a log line, JSON or a diff could show.
"""

from __future__ import annotations

from hmac import compare_digest
from typing import NoReturn

MASK = "********"


class Secret:
    """Text that only `reveal()` gives out. `origin` names the variable or file it was read from."""

    __slots__ = ("_text", "origin")

    def __init__(self, text: str, origin: str) -> None:
        self._text = text
        self.origin = origin

    def reveal(self) -> str:
        return self._text

    def matches(self, given: str) -> bool:
        """Whether `given` is the secret, in a time that does not depend on where they differ."""
        return compare_digest(self._text.encode(), given.encode("utf-8", "surrogateescape"))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.origin == other.origin and self.matches(other._text)

    def __hash__(self) -> int:
        return hash(self.origin)

    def __repr__(self) -> str:
        return f"Secret({self.origin})"

    def __str__(self) -> str:
        return MASK

    def __bool__(self) -> bool:
        return bool(self._text)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not copied out of its process")


def masked(value: object) -> str:
    """Encoder hook (msgspec, json) that writes a Secret as its mask. Raises TypeError for anything else."""
    if isinstance(value, Secret):
        return MASK
    raise TypeError(f"{type(value).__name__} cannot be encoded")
