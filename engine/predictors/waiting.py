"""Scores that wait for their outcome: one per thing and horizon, kept so that a restart loses none.

Owns the table and its records. What one slice of a round scores goes into one record, which is written again without
what has its outcome by now, and is over when it is empty; so a thousand things cost some dozen writes per horizon.
Never says what came of a score.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple

from data.nouns.predictions import Basis, Foretold, WaitingScore, WaitingScores
from data.records import TenantId
from engine.book import Draft
from engine.predictors.examples import columns_id, packed, unpacked
from engine.predictors.predictor import Predictor, Row

#: A horizon that ended so long before a start has no outcome: nobody listened.
UNHEARD = timedelta(minutes=10)
_TABLE, _HOMES, _MEMBERS, _TOUCHED, _STORED = (
    "predictions.pending",
    "predictions.pending_homes",
    "predictions.pending_members",
    "predictions.pending_touched",
    "predictions.pending_stored",
)
_RECORDS, _HEARD_FROM = "records", "heard_from"

Key = tuple[TenantId, Foretold, str]
#: (tenant, id) of a record.
Place = tuple[TenantId, str]


class Pending(NamedTuple):
    """A score that waits for its outcome. `id` is the thing's, for its predictor."""

    id: Any
    at: datetime
    due: datetime
    row: Row
    probability: float
    share: float
    basis: Basis
    version: str
    site: str


def pending(draft: Draft) -> dict[Key, Pending]:
    """Written by `add` and `drop` only."""
    return draft.derived(_TABLE)


def add(draft: Draft, key: Key, entry: Pending) -> None:
    place = (key[0], f"{key[1]}-{draft.now:%Y%m%dT%H%M%S%f}")
    draft.set(pending(draft), key, entry)
    draft.set(draft.derived(_HOMES), key, (place, _row(key, entry)))
    _touch(draft, place, key)


def drop(draft: Draft, key: Key) -> None:
    """It has its outcome."""
    draft.discard(pending(draft), key)
    home = draft.derived(_HOMES).get(key)
    draft.discard(draft.derived(_HOMES), key)
    if home is not None:
        _touch(draft, home[0])


def _touch(draft: Draft, place: Place, key: Key | None = None) -> None:
    """A record is to be written again; `key` is new in it."""
    table = draft.derived(_TOUCHED)
    draft.set(table, place, (*table.get(place, ()), *(() if key is None else (key,))))


def keep(draft: Draft, predictors: Mapping[Foretold, Predictor]) -> None:
    """Write the records that this draft has changed; they are part of its commit."""
    homes, members = draft.derived(_HOMES), draft.derived(_MEMBERS)
    for place, added in _taken(draft).items():
        rows: dict[Key, WaitingScore] = {}
        for key in (*members.get(place, ()), *added):
            home = homes.get(key)
            if home is not None and home[0] == place:
                rows[key] = home[1]
        if rows:
            draft.set(members, place, tuple(rows))
        else:
            draft.discard(members, place)
        _write(draft, place, rows, predictors)


def keep_nothing(draft: Draft) -> None:
    """For a Book that is never stored."""
    _taken(draft)


def touched(draft: Draft) -> int:
    """How many records are to be written again."""
    return len(draft.derived(_TOUCHED))


def _taken(draft: Draft) -> dict[Place, tuple[Key, ...]]:
    """The records that were touched, each with what is new in it; they are not touched any longer."""
    table = draft.derived(_TOUCHED)
    found = dict(table)
    for place in found:
        draft.discard(table, place)
    return found


def _write(
    draft: Draft, place: Place, rows: Mapping[Key, WaitingScore], predictors: Mapping[Foretold, Predictor]
) -> None:
    tenant, id = place
    known: WaitingScores | None = draft.book.nouns["waiting_scores"].get(place)
    model = next(iter(rows))[1] if rows else known.model if known is not None else None
    if model is None:
        return  # made and ended within one draft
    record = WaitingScores(
        tenant=tenant,
        id=id,
        at=known.at if known is not None else draft.now,
        model=model,
        columns=columns_id(predictors[model].features),
        state="waiting" if rows else "over",
        rows=tuple(rows.values()),
    )
    draft.put_noun(record, announce=False)


def _row(key: Key, of: Pending) -> WaitingScore:
    return WaitingScore(
        key[2], tuple(of.id[1:]), of.at, of.due, packed(of.row), of.probability, of.share, of.basis, of.version, of.site
    )


# -- over a restart


def take_back(draft: Draft, predictors: Mapping[Foretold, Predictor], most: int) -> int:
    """Go on with making the table what it was, by up to so many scores or the record that has more → how many were.

    Before all are back nothing may be scored. Scores of other features, and those that ended while nobody listened,
    have no outcome.
    """
    stored = _stored(draft)
    taken = 0
    for place in list(islice(stored[_RECORDS], most)):
        if taken >= most:
            break
        draft.discard(stored[_RECORDS], place)
        record: WaitingScores | None = draft.book.nouns["waiting_scores"].get(place)
        if record is not None:
            _take_back(draft, record, predictors, stored[_HEARD_FROM])
            taken += max(1, len(record.rows))
    return taken


def _stored(draft: Draft) -> dict[Any, Any]:
    """The records that were there at the start and are not taken back yet, and since when somebody listens."""
    stored = draft.derived(_STORED)
    if _RECORDS not in stored:
        draft.set(stored, _RECORDS, dict.fromkeys(draft.book.nouns["waiting_scores"]))
        draft.set(stored, _HEARD_FROM, draft.now - UNHEARD)
    return stored


def _take_back(
    draft: Draft, record: WaitingScores, predictors: Mapping[Foretold, Predictor], heard_from: datetime
) -> None:
    table, homes, place = pending(draft), draft.derived(_HOMES), (record.tenant, record.id)
    is_known = record.columns == columns_id(predictors[record.model].features)
    kept = [row for row in record.rows if is_known and row.due > heard_from]
    keys = [(record.tenant, record.model, row.entity) for row in kept]
    for key, row in zip(keys, kept, strict=True):
        draft.set(table, key, _entry(record.tenant, row))
        draft.set(homes, key, (place, row))
    draft.set(draft.derived(_MEMBERS), place, tuple(keys))
    if len(kept) < len(record.rows):
        _touch(draft, place)


def _entry(tenant: TenantId, row: WaitingScore) -> Pending:
    return Pending(
        id=(tenant, *row.thing),
        at=row.at,
        due=row.due,
        row=unpacked(row.row),
        probability=row.probability,
        share=row.share,
        basis=row.basis,
        version=row.version,
        site=row.site,
    )
