"""Keeping: what the line has learned of its alerts is written down piece by piece, and comes back after a start.

Owns which tables of `Book.derived` are kept. One piece of one table is looked at each minute, and written if it differs
from what is stored: after a power cut the last minutes are missing, which is no harm. Never holds the line for long.
"""

from __future__ import annotations

from typing import Any
from zlib import crc32

from data.nouns.priority import Learned
from data.records import Alert
from engine.book import Draft

TYPES, PAIRS, ENTITIES, WHOLE = "novelty.types", "novelty.pairs", "novelty.entities", "novelty.whole"
OUTCOMES = "priority.outcomes"
KEPT = (TYPES, PAIRS, ENTITIES, WHOLE, OUTCOMES)
EVERY_SECONDS = 60.0
#: About so many rows are in a piece.
PIECE_ROWS = 2000
#: So many alerts are learned from again after a start.
UNKEPT_MOST = 20_000
_RESTORED = "priority.restored"

Key = tuple[str, ...]
Numbers = tuple[float, ...]


def ensure(draft: Draft) -> bool:
    """Before the tables are first used: take back what was kept. Returns whether that was now."""
    if _RESTORED in draft.book.derived:
        return False
    restore(draft)
    return True


def unkept(draft: Draft) -> list[Alert]:
    """Alerts in memory that came after the last piece was written, oldest first."""
    written = max((piece.at for piece in draft.all_nouns("learned")), default=None)
    found = draft.book.alerts.values()
    late = [alert for alert in found if alert.incident and (written is None or alert.received_at > written)]
    return sorted(late, key=lambda alert: alert.id)[-UNKEPT_MOST:]


def restore(draft: Draft) -> None:
    pieces: list[Learned] = [piece for piece in draft.all_nouns("learned") if piece.table in KEPT]
    for piece in sorted(pieces, key=lambda piece: piece.at):
        table = draft.derived(piece.table)
        for key, values in piece.rows:
            draft.set(table, tuple(key), _value(piece.table, values))
    draft.derived(_RESTORED)


def keep(draft: Draft) -> None:
    """Write the piece whose turn it is."""
    turns = [(name, number) for name in KEPT for number in range(_pieces(draft, name))]
    name, number = turns[int(draft.now.timestamp() // EVERY_SECONDS) % len(turns)]
    pieces = _pieces(draft, name)
    rows: dict[str, list[tuple[Key, Numbers]]] = {}
    for key, value in draft.derived(name).items():
        key = key if isinstance(key, tuple) else (key,)
        if crc32("\x1f".join(key).encode("utf-8", "replace")) % pieces == number:
            rows.setdefault(key[0], []).append((key, _numbers(value)))
    for tenant, found in rows.items():
        record = Learned(tenant=tenant, id=f"{name}/{number}", at=draft.now, table=name, rows=tuple(found))  # type: ignore[arg-type]
        before = draft.book.nouns["learned"].get((record.tenant, record.id))
        if before is None or before.rows != record.rows:
            draft.put_noun(record, announce=False)


def _pieces(draft: Draft, name: str) -> int:
    return 1 + len(draft.derived(name)) // PIECE_ROWS


def _numbers(value: Any) -> Numbers:
    return tuple(map(float, value)) if isinstance(value, tuple) else (float(value),)


def _value(name: str, values: Numbers) -> Any:
    if name in (TYPES, PAIRS):
        return values[0]
    if name == WHOLE:
        from engine.priority.novelty import Whole

        return Whole(int(values[0]), *values[1:])
    if name == OUTCOMES:
        from engine.priority.memory import Outcome

        return Outcome(int(values[0]), *values[1:])
    return values
