"""Reads of the change log: forward for the feed, backward for the Log screen.

Owns the way from chunks to changes. A chunk holds the changes of one commit, so that pages of changes are cut here and
not in SQL; the work of one page is bounded whatever the filter.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Raw, Struct
from msgspec.structs import force_setattr, replace
from sqlalchemy.ext.asyncio import AsyncConnection

from data.codec import micros
from data.decode import chunk_changes, records_of
from data.nouns import NOUN_OF_SUBJECT
from data.ports import Select
from data.query_answers import CHANGE
from data.query_ast import Compare, Node, walk
from data.query_memory import Predicate, compiled_for
from data.query_values import check
from data.records import Change, Partition
from data.scope import Scope
from data.selects import RECORDS, allowed, cursor, cursor_values, with_bodies
from data.tables import OF_KIND, leases
from data.tables import changes as chunks

#: Chunks fetched by one statement, and changes looked at for one page: a filter that matches little gives short pages.
_CHUNKS = 8
_CHANGES = 10_000

#: Records looked up by one statement.
_IDS = 5000

_NULL = b"null"
_encode = msgspec.json.Encoder().encode


class _Told(Struct, frozen=True, gc=False):
    """What of the record of a change, of whatever kind, a search for text looks at."""

    title: str = ""
    name: str = ""
    site: str = ""
    entity: str = ""
    service: str = ""
    owner: str = ""
    comment: str = ""
    names: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    labels: dict[str, str] = {}


_decode_told = msgspec.json.Decoder(_Told).decode


def _text(change: Change) -> tuple[str, ...]:
    own = CHANGE.words["text"](change)
    try:
        told = _decode_told(change.record)
    except msgspec.DecodeError:
        return own
    alone = (told.title, told.name, told.site, told.entity, told.service, told.owner, told.comment)
    return (*own, *alone, *told.names, *told.sites, *told.labels.values())


#: As in memory, but a search for text finds the words of the record too.
_ANSWERS = replace(CHANGE, words={**CHANGE.words, "text": _text})


class EventLog:
    """The changes of one partition that a scope may see, on a connection of the caller."""

    def __init__(self, connection: AsyncConnection, scope: Scope, partition: Partition) -> None:
        self._connection = connection
        self._scope = scope
        self._partition = partition

    async def after(self, after: int, limit: int) -> list[Change] | None:
        """Changes with seq > `after`, oldest first; None when some were forgotten or `after` was never given out."""
        oldest, newest = await self._span()
        if after + 1 < oldest or after > newest:
            return None
        found: list[Change] = []
        position = after
        while len(found) < limit:
            rows = await self._chunks(chunks.c.last_seq > position, chunks.c.last_seq.asc())
            for row in rows:
                found += [change for change in chunk_changes(row.body, row.crc) if self._follows(change, after)]
                position = row.last_seq
            if len(rows) < _CHUNKS:
                break
        return await self._filled(found[:limit])

    async def page(self, select: Select, now: datetime) -> tuple[list[Change], str | None]:
        """Changes newest first that match, and the cursor of the next page, None at the log's beginning."""
        found, following = await self._matching(select, _test(select.where, now))
        return await self._filled(found), following

    async def _matching(self, select: Select, test: Predicate) -> tuple[list[Change], str | None]:
        before = (1 << 62) if select.after is None else int(cursor_values(select.after)[1])
        found: list[Change] = []
        looked = 0
        while looked < _CHANGES:
            rows = await self._chunks(self._up_to(before), chunks.c.last_seq.desc())
            for row in rows:
                if select.since is not None and row.at < micros(select.since):
                    return found, None
                for change in reversed(await self._read(row, select, before)):
                    if len(found) == select.limit:
                        return found, cursor(before, before)
                    before, looked = change.seq, looked + 1
                    if self._asked(select, change) and test(change):
                        found.append(change)
            if len(rows) < _CHUNKS:
                return found, None
        return found, cursor(before, before)

    async def _read(self, row: Any, select: Select, before: int) -> list[Change]:
        """The changes of a chunk below `before`; those that a search for text may look at have their record."""
        changes = [change for change in chunk_changes(row.body, row.crc) if change.seq < before]
        if _searches_text(select.where):
            await self._filled([change for change in changes if self._asked(select, change)])
        return changes

    async def _filled(self, found: list[Change]) -> list[Change]:
        """The log keeps no record for changes that only announce an alert or move counts: theirs is read now."""
        for kind, prefix in (("alerts", "alert:"), ("incidents", "incident:")):
            bare = [change for change in found if bytes(change.record) == _NULL and change.subject.startswith(prefix)]
            ids = sorted({int(change.subject.removeprefix(prefix)) for change in bare})
            records = await self._records(kind, ids)
            for change in bare:
                record = records.get(int(change.subject.removeprefix(prefix)))
                if record is not None:
                    # The change was decoded a moment ago and nobody else has it.
                    force_setattr(change, "record", record)
        return found

    async def _records(self, kind: str, ids: Sequence[int]) -> dict[int, Raw]:
        """What the scope may see of these, as JSON."""
        table = OF_KIND[kind]
        found: dict[int, Raw] = {}
        for start in range(0, len(ids), _IDS):
            some = with_bodies(kind, table, table.c.id).where(
                *allowed(self._scope, kind), table.c.id.in_(ids[start : start + _IDS])
            )
            rows = (await self._connection.execute(some)).all()
            records: list[Any] = records_of(RECORDS[kind], [row[1:] for row in rows])
            found |= {row.id: Raw(_encode(record)) for row, record in zip(rows, records, strict=True)}
        return found

    async def _span(self) -> tuple[int, int]:
        """The oldest seq that is kept, and the last one given out."""
        mine = chunks.c.partition == self._partition
        oldest = sa.select(sa.func.min(chunks.c.last_seq)).where(mine).scalar_subquery()
        first = sa.select(chunks.c.first_seq).where(mine, chunks.c.last_seq == oldest).scalar_subquery()
        span = sa.select(first, leases.c.seq).where(leases.c.partition == self._partition)
        row = (await self._connection.execute(span.execution_options(all_tenants="positions of the log"))).first()
        return (0, 0) if row is None else (row[0] or 0, row[1])

    def _up_to(self, before: int) -> Any:
        """Chunks with changes below `before`: all up to the one that holds `before - 1`."""
        holder = sa.select(sa.func.min(chunks.c.last_seq)).where(*self._own(), chunks.c.last_seq >= before - 1)
        return chunks.c.last_seq <= sa.func.coalesce(holder.scalar_subquery(), before)

    def _own(self) -> tuple[Any, ...]:
        """Chunks of the partition that hold changes of the tenant; those of several tenants have none."""
        return chunks.c.partition == self._partition, chunks.c.tenant.in_((self._scope.tenant, ""))

    async def _chunks(self, where: Any, order: Any) -> Any:
        found = sa.select(chunks).where(*self._own(), where)
        return (await self._connection.execute(found.order_by(order).limit(_CHUNKS))).all()

    def _follows(self, change: Change, after: int) -> bool:
        return change.seq > after and self._sees(change)

    def _sees(self, change: Change) -> bool:
        if change.needs and not self._scope.may(change.needs):
            return False
        noun = NOUN_OF_SUBJECT.get(change.subject.partition(":")[0])
        if noun is not None and not self._scope.may(noun.capability):
            return False
        return change.tenant == self._scope.tenant and self._scope.sees(change.site)

    def _asked(self, select: Select, change: Change) -> bool:
        return self._sees(change) and _selected(select, change)


def _test(where: Node | None, now: datetime) -> Predicate:
    """The query as a test of changes of the log. Raises QueryError for a bad tree."""
    if where is None:
        return lambda change: True
    check(where)
    return compiled_for(where, _ANSWERS, now)


def _searches_text(where: Node | None) -> bool:
    nodes = () if where is None else walk(where)
    return any(isinstance(node, Compare) and node.field == "text" for node, _ in nodes)


def _selected(select: Select, change: Change) -> bool:
    if select.incident is not None and change.subject != f"incident:{select.incident}":
        return False
    if select.cluster is not None and change.subject != f"cluster:{select.cluster}":
        return False
    if select.ids is not None and str(change.seq) not in select.ids:
        return False
    return (select.since is None or change.at >= select.since) and (select.until is None or change.at <= select.until)
