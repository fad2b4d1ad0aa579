"""Keeping: what the learned method knows of the stream is written down piece by piece, and comes back after a start.

Owns which tables of `engine.similarity.stream` are kept, and how. One piece is looked at each minute and written if it
differs from what is stored: after a power cut the last minutes are missing, which is no harm. Never holds the line for
longer than a piece takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from data.nouns.priority import Learned
from data.records import TenantId
from engine.book import Draft
from engine.similarity.stream import PAIRS, PLACES, TYPES, WHOLE, WORDS, Place

KEPT = (TYPES, PLACES, PAIRS, WORDS, WHOLE)
EVERY_SECONDS = 60.0
#: So many rows of a table are a piece. A row of pairs is a type with up to 64 partners.
PIECE_ROWS = {PAIRS: 50}
_PIECE_ROWS = 1000
_RESTORED = "similarity.restored"

Row = tuple[tuple[str, ...], tuple[float, ...]]


def ensure(draft: Draft) -> None:
    """Before the tables are first used: take back what was kept."""
    if _RESTORED in draft.book.derived:
        return
    draft.derived(_RESTORED)
    pieces: list[Learned] = [piece for piece in draft.all_nouns("learned") if piece.table in KEPT]
    for piece in sorted(pieces, key=lambda piece: piece.at):
        table = draft.derived(piece.table)
        for key, values in piece.rows:
            _put(draft, piece.table, table, key, values)


def keep(draft: Draft) -> None:
    """Write the piece whose turn it is. Rows keep their places in a table, so pieces are cut by place."""
    if WHOLE not in draft.book.derived:
        return
    turns = [(name, number) for name in KEPT for number in range(_pieces(draft, name))]
    name, number = turns[int(draft.now.timestamp() // EVERY_SECONDS) % len(turns)]
    size = PIECE_ROWS.get(name, _PIECE_ROWS)
    rows: dict[str, list[Row]] = {}
    for key, value in islice(draft.derived(name).items(), number * size, (number + 1) * size):
        for row in _rows(name, key, value):
            rows.setdefault(row[0][0], []).append(row)
    for tenant, found in rows.items():
        record = Learned(tenant=TenantId(tenant), id=f"{name}/{number}", at=draft.now, table=name, rows=tuple(found))
        before = draft.book.nouns["learned"].get((record.tenant, record.id))
        if before is None or before.rows != record.rows:
            draft.put_noun(record, announce=False)


def _pieces(draft: Draft, name: str) -> int:
    return 1 + len(draft.derived(name)) // PIECE_ROWS.get(name, _PIECE_ROWS)


def _rows(name: str, key: Any, value: Any) -> Iterator[Row]:
    if name == WHOLE:
        yield (key,), (float(value),)
    elif name == PAIRS:
        yield from (((*key, other), (float(count),)) for other, count in value.items())
    elif name == PLACES:
        yield key, (value.at, value.burst, float(value.alerts), value.first)
    elif name == TYPES:
        yield key, (float(value[0]), value[1])
    else:
        yield key, (float(value),)


def _put(draft: Draft, name: str, table: dict[Any, Any], key: tuple[str, ...], values: tuple[float, ...]) -> None:
    """The same the other way. What came together in the last two minutes is not kept."""
    if name == WHOLE:
        draft.set(table, key[0], int(values[0]))
    elif name == PAIRS:
        partners = table.get(key[:2])
        if partners is None:
            partners = {}
            draft.set(table, key[:2], partners)
        draft.set(partners, key[2], int(values[0]))
    elif name == PLACES:
        draft.set(table, key, Place(values[0], values[1], int(values[2]), values[3], ()))
    elif name == TYPES:
        draft.set(table, key, (int(values[0]), values[1]))
    else:
        draft.set(table, key, int(values[0]))
