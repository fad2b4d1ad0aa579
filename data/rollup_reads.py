"""Reads of rollups: which series there are, the buckets of one of them, the last few of many.

Owns the statements. Every statement binds the tenant and keeps to the sites of the scope. Buckets are
looked up by key, slot by slot: what is missing is a gap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import json

from data import tables
from data.rollups import Series, Stored
from data.scope import Scope
from data.slots import FIVE_MINUTES

_labels = json.Decoder(dict[str, str]).decode


_COLUMNS = tuple(tables.metric_series.c[name] for name in ("number", "id", "name", "site", "labels", "last_at", "last"))


def series_of(row: Sequence[Any]) -> Series:
    number, id, name, site, labels, last_at, last = row
    return Series(number=number, id=id, name=name, site=site, labels=_labels(labels), last_at=last_at, last=last)


def series(
    scope: Scope, *, id: str = "", name: str = "", text: str = "", after: str = "", limit: int = 200
) -> sa.Select[Any]:
    """Series in the order of their ids, those after `after`: all, the one of that id, those of that name, those that
    have every word of `text`. A word is looked for in name and labels, whatever its case; "label=word" in one label,
    or the name, from its beginning; a word after "!" must be absent. Needs `data.query_sql.install_functions`."""
    table = tables.metric_series
    found = sa.select(*_COLUMNS).where(*_allowed(scope), table.c.id > after).order_by(table.c.id).limit(limit)
    if id:
        found = found.where(table.c.id == id)
    if name:
        found = found.where(table.c.name == name)
    return found.where(*map(_has, text.split()))


def _has(word: str) -> sa.ColumnElement[bool]:
    table, wanted = tables.metric_series, word.removeprefix("!")
    label, equals, value = wanted.partition("=")
    labels = sa.cast(table.c.labels, sa.Text)
    if equals and label == "name":
        where, needle = "=" + table.c.name, f"={value}"
    elif equals:
        where, needle = labels, f'"{_inside(label)}":"{_inside(value)}'
    else:
        where, needle = table.c.name + " " + labels, _inside(wanted)
    if needle.isascii():
        found = sa.func.instr(sa.func.lower(where), needle.lower()) > 0
    else:
        found = sa.func.contains_folded(needle, where, type_=sa.Integer) == 1
    return sa.not_(found) if word.startswith("!") else found


def _inside(text: str) -> str:
    """As it stands within a text of JSON."""
    return json.encode(text).decode()[1:-1]


def buckets(scope: Scope, id: str, wanted: Mapping[int, Sequence[int]]) -> sa.Select[Any]:
    """Rows of (resolution, at, count, sum, min, max, sketch) of the slots wanted of each resolution."""
    table, of = tables.metric_rollups, tables.metric_series
    number = sa.select(of.c.number).where(*_allowed(scope), of.c.id == id).scalar_subquery()
    columns = (table.c.count, table.c.sum, table.c.min, table.c.max, table.c.sketch)
    parts = []
    for resolution, starts in wanted.items():
        slots = _each(starts)
        parts.append(
            sa.select(sa.literal(resolution), table.c.at, *columns).where(
                table.c.resolution == resolution, table.c.at.in_(slots), table.c.series == number
            )
        )
    return parts[0] if len(parts) == 1 else sa.union_all(*parts)  # type: ignore[return-value]


def stored(rows: Sequence[Sequence[Any]]) -> dict[int, dict[int, Stored]]:
    """Rows of `buckets` by resolution and time."""
    found: dict[int, dict[int, Stored]] = {}
    for resolution, at, *figures in rows:
        found.setdefault(resolution, {})[at] = Stored(*figures)
    return found


def latest(scope: Scope, ids: Sequence[str], starts: Sequence[int]) -> sa.Select[Any]:
    """Rows of (id, last, last_at, at, average) of the five-minute slots of these series; `at` is null for a series
    that has none of them."""
    table, of = tables.metric_rollups, tables.metric_series
    slots = sa.and_(table.c.resolution == FIVE_MINUTES, table.c.at.in_(_each(starts)), table.c.series == of.c.number)
    return (
        sa.select(of.c.id, of.c.last, of.c.last_at, table.c.at, table.c.sum / table.c.count)
        .select_from(of.outerjoin(table, slots))
        .where(*_allowed(scope), of.c.id.in_(_each(ids)))
    )


def _each(values: Sequence[Any]) -> sa.Select[Any]:
    listed = sa.func.json_each(json.encode(values).decode()).table_valued("value")
    return sa.select(listed.c.value)


def _allowed(scope: Scope) -> tuple[sa.ColumnElement[bool], ...]:
    table = tables.metric_series
    mine = table.c.tenant == scope.tenant
    return (mine,) if scope.sites is None else (mine, table.c.site.in_(sorted(scope.sites)))
