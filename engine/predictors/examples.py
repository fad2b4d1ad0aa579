"""The row of an example as it is stored: half-precision floats, little end first. Owns this form."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from struct import pack, unpack
from zlib import crc32

_HALF_MAX = 65_504.0


def columns_id(features: Sequence[str]) -> str:
    """Names the order of the columns: rows of another order are not learned from."""
    return f"{crc32(','.join(features).encode()):08x}"


def packed(row: Sequence[float]) -> bytes:
    return pack(f"<{len(row)}e", *(value if isnan(value) else max(-_HALF_MAX, min(_HALF_MAX, value)) for value in row))


def unpacked(raw: bytes) -> tuple[float, ...]:
    """Raises struct.error when it is no row.

    >>> unpacked(packed((0.5, 2.0)))
    (0.5, 2.0)
    """
    return unpack(f"<{len(raw) // 2}e", raw)
