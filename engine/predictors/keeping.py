"""Keeping: what predictors remember is written down piece by piece, and comes back after a start.

Owns the pieces. One piece of one table is looked at each minute, and written if it differs from what is stored: after a
power cut the last minutes of what was remembered are missing, never a prediction. Scores that wait for their outcome
are kept as they are made (`engine.predictors.waiting`).
"""

from __future__ import annotations

from zlib import crc32

from data.nouns.priority import Learned
from data.records import TenantId
from engine.book import Draft
from engine.predictors.memory import KEPT, Key, Numbers

EVERY_SECONDS = 60.0
#: About so many rows are in a piece.
PIECE_ROWS = 1000
_RESTORED = "predictions.restored"


def ensure(draft: Draft) -> None:
    """Before the tables are first used: take back what was kept."""
    if _RESTORED in draft.book.derived:
        return
    for piece in sorted(draft.all_nouns("learned"), key=lambda piece: piece.at):
        if piece.table in KEPT:
            table = draft.derived(piece.table)
            for key, values in piece.rows:
                draft.set(table, tuple(key), tuple(values))
    draft.derived(_RESTORED)


def keep(draft: Draft) -> None:
    """Write the piece whose turn it is."""
    turns = [(name, number) for name in KEPT for number in range(_pieces(draft, name))]
    name, number = turns[int(draft.now.timestamp() // EVERY_SECONDS) % len(turns)]
    pieces = _pieces(draft, name)
    rows: dict[str, list[tuple[Key, Numbers]]] = {}
    for key, value in draft.derived(name).items():
        if crc32("\x1f".join(key).encode("utf-8", "replace")) % pieces == number:
            rows.setdefault(key[0], []).append((key, value))
    for tenant, found in rows.items():
        id = f"{name}/{number}"
        before: Learned | None = draft.book.nouns["learned"].get((TenantId(tenant), id))
        if before is None or before.rows != tuple(found):
            record = Learned(tenant=TenantId(tenant), id=id, at=draft.now, table=name, rows=tuple(found))
            draft.put_noun(record, announce=False)


def _pieces(draft: Draft, name: str) -> int:
    return 1 + len(draft.derived(name)) // PIECE_ROWS
