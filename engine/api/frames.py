"""The feed's messages as JSON text.

Owns the form of the frames. Encodes no change again: each one's JSON is joined as it is, and a batch that several
watchers get whole is joined once. What a watcher may see was decided by its subscription.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from engine.client import Resync
from engine.service import Published


class Frames:
    """From published batches to frames of about `frame_bytes` at most."""

    def __init__(self, frame_bytes: int) -> None:
        self._frame_bytes = frame_bytes
        self._published: Published | None = None
        self._built: list[str] = []

    def of(self, published: Published) -> list[str]:
        """The frames of one batch, kept for the next watcher of the same one."""
        if self._published is not published:
            self._built = list(self._build(published))
            self._published = published
        return self._built

    def _build(self, published: Published) -> Iterator[str]:
        parts: list[bytes] = []
        size, seq = 0, published.first
        for change, encoded in zip(published.changes, published.encoded, strict=True):
            if parts and size + len(encoded) > self._frame_bytes:
                yield _changes(seq, parts)
                parts, size = [], 0
            parts.append(encoded)
            size += len(encoded)
            seq = change.seq
        # The last position covers what this watcher may not see as well: it need not be told of that again.
        if parts:
            yield _changes(published.last, parts)


def _changes(seq: int, parts: list[bytes]) -> str:
    return (b'{"type":"changes","seq":%d,"changes":[%b]}' % (seq, b",".join(parts))).decode()


def snapshot(seq: int) -> str:
    """The first message: changes after `seq` follow."""
    return f'{{"type":"snapshot","seq":{seq}}}'


def resync(found: Resync) -> str:
    return msgspec.json.encode({"type": "resync", "seq": found.seq, "reason": found.reason}).decode()


def heartbeat(seq: int) -> str:
    """Nothing to see up to `seq`."""
    return f'{{"type":"heartbeat","seq":{seq}}}'
