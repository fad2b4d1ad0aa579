"""The outbox: effects are leased to a runner, settled by it, and orphans become unknown.

Owns the statements on `effects` beside the commit that creates them. Runs on the writer's connection, inside a
transaction of the caller.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import json
from msgspec.structs import replace

from data.codec import EFFECTS, effect_row, micros
from data.decode import record_of
from data.records import Effect
from data.statements import insert_once, upsert, write

#: Claims of one effect after which it is taken back no more: whatever kills its runner is to be looked at.
REPEATS = 20

#: The key up to its second "/", the whole key when it has none: whom the effect goes to.
_LANE = (
    "CASE WHEN key LIKE '%/%/%'"
    " THEN substr(key, 1, instr(key, '/') + instr(substr(key, instr(key, '/') + 1), '/') - 1) ELSE key END"
)
#: Of each lane that nobody works in and that is not held, the oldest due effect that is the first of its incident.
_DUE = f"""
WITH
  waiting AS (
    SELECT rowid AS place, tenant, key, state, incident, created_at, due_at, {_LANE} AS lane
    FROM effects WHERE state IN ('pending', 'running')
  ),
  firsts AS (
    SELECT *, row_number() OVER (
      PARTITION BY tenant, lane, coalesce(incident, key) ORDER BY created_at, place
    ) AS turn FROM waiting
  ),
  heads AS (
    SELECT place, created_at, row_number() OVER (PARTITION BY lane ORDER BY created_at, place) AS turn
    FROM firsts
    WHERE turn = 1 AND state = 'pending' AND (due_at IS NULL OR due_at <= ?)
      AND lane NOT IN (SELECT lane FROM waiting WHERE state = 'running')
      AND lane NOT IN (SELECT value FROM json_each(?))
  )
SELECT effects.body FROM heads JOIN effects ON effects.rowid = heads.place
WHERE heads.turn = 1 ORDER BY heads.created_at, heads.place LIMIT ?
"""
_ORPHANS = "SELECT body FROM effects WHERE state = 'running' AND leased_until <= ?"
_CLAIMED = "SELECT body FROM effects WHERE state = 'running'"
_ATTEMPT = "SELECT attempt FROM effects WHERE tenant = ? AND key = ?"


def add(connection: sqlite3.Connection, effects: Sequence[Effect]) -> None:
    """New effects, each once for its key; one in another state than pending replaces what is stored."""
    fresh = [effect_row(effect) for effect in effects if effect.state == "pending"]
    changed = [effect_row(effect) for effect in effects if effect.state != "pending"]
    write(connection, insert_once, EFFECTS, fresh)
    write(connection, upsert, EFFECTS, changed)


def waiting(connection: sqlite3.Connection, now: datetime, held: Sequence[str] = ()) -> bool:
    """Whether there is anything to claim or to take back: a poll that finds nothing must not cost a write."""
    clock = micros(now)
    return bool(
        connection.execute(_DUE, (clock, _list(held), 1)).fetchone()
        or connection.execute(_ORPHANS, (clock,)).fetchone()
    )


def take_back(connection: sqlite3.Connection, now: datetime, repeatable: Sequence[str]) -> None:
    """Effects whose runner let its lease lapse: unknown, or due again when their action may be repeated."""
    _taken_back(connection, _effects(connection, _ORPHANS, micros(now)), repeatable)


def disown(connection: sqlite3.Connection, repeatable: Sequence[str]) -> int:
    """As `take_back`, of every claim whether its lease has lapsed or not → how many there were."""
    claimed = _effects(connection, _CLAIMED)
    _taken_back(connection, claimed, repeatable)
    return len(claimed)


def _taken_back(connection: sqlite3.Connection, effects: Sequence[Effect], repeatable: Sequence[str]) -> None:
    settled = [
        replace(effect, state="pending" if _again(effect, repeatable) else "unknown", leased_until=None)
        for effect in effects
    ]
    write(connection, upsert, EFFECTS, [effect_row(effect) for effect in settled])


def _again(effect: Effect, repeatable: Sequence[str]) -> bool:
    return effect.action in repeatable and effect.attempt < REPEATS


def claim(
    connection: sqlite3.Connection, now: datetime, limit: int, lease_seconds: float, held: Sequence[str] = ()
) -> list[Effect]:
    """Lease up to `limit` due effects, one per lane, oldest first; none of the lanes `held`."""
    until = now + timedelta(seconds=lease_seconds)
    claimed = [
        replace(effect, state="running", attempt=effect.attempt + 1, leased_until=until)
        for effect in _effects(connection, _DUE, micros(now), _list(held), limit)
    ]
    write(connection, upsert, EFFECTS, [effect_row(effect) for effect in claimed])
    return claimed


def settle(connection: sqlite3.Connection, effect: Effect) -> None:
    """Store how it ended, unless a later attempt was begun in the meantime."""
    row = connection.execute(_ATTEMPT, (effect.tenant, effect.key)).fetchone()
    if row is None or row[0] <= effect.attempt:
        write(connection, upsert, EFFECTS, [effect_row(effect)])


def _list(lanes: Sequence[str]) -> str:
    return json.encode(lanes).decode()


def _effects(connection: sqlite3.Connection, sql: str, *values: int | str) -> list[Effect]:
    return [record_of(Effect, body) for (body,) in connection.execute(sql, values)]
