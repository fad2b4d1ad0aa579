"""Alertmanager's fingerprint of a label set, for answers that other tools compare with Alertmanager's own.

Owns FNV-1a with 64 bits. It is not the dedup key: that one is `engine.stages.normalise.dedup_key`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

_OFFSET = 14695981039346656037
_PRIME = 1099511628211
_MODULUS = 1 << 64
_MASK = _MODULUS - 1
#: After each name and value: a byte that no UTF-8 text has.
_SEPARATOR = b"\xff"


def fingerprint(labels: Mapping[str, str]) -> str:
    """16 hex digits: FNV-1a over name, 0xFF, value, 0xFF of each label sorted by name's bytes.

    A byte only touches the lowest byte of the state before everything is multiplied, so the rest of the state
    passes a label unchanged but for a power of the prime: a label is hashed once per lowest byte, and remembered.

    >>> fingerprint({"severity": "warning", "job": "foo"})
    '9266ef3da838ad95'
    """
    digest = _OFFSET
    for name, value in sorted(labels.items()):
        low = digest & 255
        end, factor = _pass(low, name, value)
        digest = ((digest - low) * factor + end) & _MASK
    return f"{digest:016x}"


@lru_cache(maxsize=8192)
def _pass(digest: int, name: str, value: str) -> tuple[int, int]:
    """→ the state after one label that began at `digest`, and the power of the prime that it took."""
    chunk = name.encode() + _SEPARATOR + value.encode() + _SEPARATOR
    for byte in chunk:
        digest = ((digest ^ byte) * _PRIME) & _MASK
    return digest, pow(_PRIME, len(chunk), _MODULUS)
