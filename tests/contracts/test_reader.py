"""What every reader promises: the tenant's rows only, pages that neither skip nor repeat, a feed without a hole."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from msgspec.structs import replace
from sqlalchemy.exc import DBAPIError

from data import tables
from data.nouns import NOUNS
from data.ports import Select, StoreError, Touch
from data.queries import SqliteReader
from data.query import parse
from data.records import AlertId, IncidentState, Severity
from data.scope import Scope
from data.selects import LISTINGS, InvalidSelect
from tests.fakes.nouns import sample
from tests.fakes.stored import (
    NOW,
    ZERO,
    alert,
    audit,
    changes,
    cluster,
    commit,
    effect,
    ended,
    entry,
    incident,
    later,
    reject,
    scope,
    silence,
)
from tests.fakes.stores import StoreKind
from tests.fakes.tenant_guard import TenantGuard

OTHER = "other"
ALERTS = 23


@pytest.fixture
async def reader(kind: StoreKind, store: Any, tmp_path: Path) -> AsyncIterator[Any]:
    opened = kind.reader(tmp_path)
    yield opened
    await opened.close()


@pytest.fixture
async def epoch(store: Any) -> int:
    """The lease on a store that two tenants have filled."""
    taken: int = await store.acquire(ZERO, "one", NOW, 30.0)
    for tenant, first in (("default", 0), (OTHER, 100)):
        await store.commit(
            commit(
                taken,
                alerts=[alert(first + number, tenant=tenant) for number in range(1, ALERTS + 1)]
                + [ended(first + 50, tenant=tenant)],
                clusters=[cluster(first + number, tenant=tenant, closed=number > 3) for number in range(1, 6)],
                incidents=[incident(first + number, tenant=tenant) for number in range(1, 6)]
                + [incident(first + 6, tenant=tenant, state=IncidentState.RESOLVED, resolved_at=NOW)],
                silences=[silence("a", tenant=tenant), silence("b", tenant=tenant, ends_at=later(-1))],
                timeline=[entry(first + number, tenant=tenant) for number in (1, 1, 2)],
                rejects=[reject(tenant=tenant), reject(tenant=tenant, state="replayed")],
                effects=[effect("a", tenant=tenant, incident=first + 1)],
                audits=[audit("ack", tenant=tenant), audit("note", tenant=tenant)],
                nouns=[
                    sample(noun, id, tenant, later(number))
                    for noun in NOUNS.values()
                    for number, id in enumerate(("a", "b", "c", "d"))
                ],
                changes=changes(1 if first == 0 else 11, 10, tenant=tenant),
            )
        )
    return taken


async def rows(reader: Any, kind: str, by: Scope | None = None, **fields: Any) -> list[Any]:
    return list((await reader.select(by or scope(), Select(kind=kind, **fields), NOW)).items)


async def ids(reader: Any, kind: str, by: Scope | None = None, **fields: Any) -> list[Any]:
    return [row.id for row in await rows(reader, kind, by, **fields)]


async def walk(reader: Any, **fields: Any) -> list[Any]:
    """All rows, page after page."""
    found: list[Any] = []
    after = None
    while True:
        page = await reader.select(scope(), Select(after=after, **fields), NOW)
        found += page.items
        after = page.next
        if after is None:
            return found
        assert len(page.items) == fields["limit"]


@pytest.mark.parametrize("name", [*LISTINGS, "events"])
async def test_a_tenant_sees_its_own_rows_and_all_of_them(reader: Any, epoch: int, name: str) -> None:
    mine, other = await rows(reader, name), await rows(reader, name, scope(OTHER))
    assert len(mine) == len(other) > 0
    assert {row.tenant for row in mine} == {"default"}
    assert {row.tenant for row in other} == {OTHER}
    assert await rows(reader, name, scope("nobody")) == []


@pytest.mark.parametrize("name", list(LISTINGS))
async def test_ids_of_another_tenant_are_not_found(reader: Any, epoch: int, name: str) -> None:
    # Silences and effects have ids that both tenants use; what is found is one's own.
    for found in await rows(reader, name, ids=("101", "a", "1", "x'--")):
        assert found.tenant == "default"


async def test_every_statement_binds_the_tenant(reader: Any, epoch: int) -> None:
    guard = TenantGuard(reader.engine)
    for by in (scope(), scope(sites=frozenset({"site-1"}))):
        for name, listing in LISTINGS.items():
            for sort in listing.sorts:
                query = parse("site=site-1 or x") if name in {"alerts", "incidents", "clusters"} else None
                await rows(reader, name, by, sort=sort, total=True, where=query, active=True)
        for name in ("alerts", "clusters", "timeline", "effects", "incidents"):
            await rows(reader, name, by, incident=1, cluster=1)
        await rows(reader, "events", by)
        await reader.changes(by, ZERO, 0, 10)
        counting = TenantGuard(SimpleNamespace(sync_engine=reader.counting.engine))
        lists = [Select(kind=name, total=True) for name in LISTINGS]
        await reader.totals(by, lists, NOW)
        assert counting.seen > len(lists) / 2
    await reader.tokens()
    assert guard.seen > 100
    assert guard.across == {"positions of the log", "a token names its tenant"}


async def test_what_is_sent_is_shown_to_those_who_manage_all_sites(reader: Any, epoch: int) -> None:
    """It holds addresses, and incidents of any site."""
    viewer = replace(scope(), capabilities=frozenset({"noc:view"}))
    for by, params in (
        (scope(), {"to": "ops"}),
        (scope(sites=frozenset({"site-1"})), {}),
        (viewer, {}),
    ):
        (found,) = await rows(reader, "effects", by)
        assert (found.key, found.params) == ("a", params)


async def test_sites_narrow_every_kind(reader: Any, epoch: int) -> None:
    by = scope(sites=frozenset({"site-1"}))
    assert {row.site for row in await rows(reader, "alerts", by)} == {"site-1"}
    assert await ids(reader, "incidents", by) == [1, 5]
    assert sorted(await ids(reader, "clusters", by)) == [1, 5]
    assert {row.incident for row in await rows(reader, "timeline", by)} == {1}
    assert [row.incident for row in await rows(reader, "effects", by)] == [1]
    assert await rows(reader, "rejects", by) == await rows(reader, "audits", by) == []
    assert len(await rows(reader, "events", by)) == 10
    assert await rows(reader, "events", scope(sites=frozenset({"site-2"}))) == []
    assert await reader.totals(by, [Select(kind="alerts"), Select(kind="incidents")], NOW) == [
        len(await ids(reader, "alerts", by)),
        2,
    ]


async def test_an_incident_is_seen_from_any_of_its_sites(reader: Any, epoch: int) -> None:
    assert len(await ids(reader, "incidents", scope(sites=frozenset({"site-9"})))) == 6
    assert await ids(reader, "incidents", scope(sites=frozenset())) == []


@pytest.mark.parametrize(
    ("name", "sort"), [(name, way + sort) for name in LISTINGS for sort in LISTINGS[name].sorts for way in ("", "-")]
)
@pytest.mark.parametrize("limit", [3])
async def test_pages_hold_every_row_once_and_in_order(
    reader: Any, epoch: int, name: str, sort: str, limit: int
) -> None:
    whole = await rows(reader, name, sort=sort)
    assert await walk(reader, kind=name, sort=sort, limit=limit) == whole
    backwards = await rows(reader, name, sort=sort.removeprefix("-") if sort.startswith("-") else f"-{sort}")
    assert backwards == whole[::-1]


async def test_lists_have_an_order_of_their_own(reader: Any, epoch: int) -> None:
    alerts, incidents = await rows(reader, "alerts"), await rows(reader, "incidents")
    assert [row.id for row in alerts] == sorted((row.id for row in alerts), reverse=True)
    assert [row.priority for row in incidents] == sorted((row.priority for row in incidents), reverse=True)
    last = [row.last_at for row in await rows(reader, "clusters")]
    assert last == sorted(last, reverse=True)


@pytest.mark.parametrize(
    ("sort", "of"),
    [
        ("-severity", lambda row: -list(Severity).index(row.severity)),
        ("-count", lambda row: row.count),
        ("-last_at", lambda row: row.last_at),
        ("-opened_at", lambda row: row.starts_at),
        ("-priority", lambda row: float(row.incident % 5) * 10.5),
    ],
)
async def test_sorts_mean_what_they_say(reader: Any, epoch: int, sort: str, of: Any) -> None:
    values = [of(row) for row in await rows(reader, "alerts", sort=sort)]
    assert values == sorted(values, reverse=True)
    assert len(set(values)) > 1


async def test_pages_are_stable_while_rows_come_and_move(store: Any, reader: Any, epoch: int) -> None:
    before = await ids(reader, "alerts")
    first = await reader.select(scope(), Select(kind="alerts", limit=5), NOW)
    await store.commit(
        commit(epoch, alerts=[alert(number) for number in (200, 201)], touches=[Touch(AlertId(3), 99, NOW, NOW)])
    )
    rest = await reader.select(scope(), Select(kind="alerts", limit=500, after=first.next), NOW)
    assert [row.id for row in [*first.items, *rest.items]] == before


async def test_a_page_knows_its_place_and_the_total(reader: Any, epoch: int) -> None:
    page = await reader.select(scope(), Select(kind="alerts", limit=4, active=True, total=True), NOW)
    assert (len(page.items), page.total, page.seq) == (4, ALERTS, 20)
    assert (await reader.select(scope(), Select(kind="alerts"), NOW)).total is None


async def test_active_means_not_over(reader: Any, epoch: int) -> None:
    assert 50 not in await ids(reader, "alerts", active=True)
    assert await ids(reader, "alerts", active=False) == [50]
    assert 6 not in await ids(reader, "incidents", active=True)
    assert await ids(reader, "incidents", active=False) == [6]
    assert sorted(await ids(reader, "clusters", active=True)) == [1, 2, 3]
    assert await ids(reader, "silences", active=True) == ["a"]
    assert [row.state for row in await rows(reader, "rejects", active=True)] == ["waiting"]
    assert await rows(reader, "effects", active=False) == []


async def test_rows_of_one_incident_or_cluster(reader: Any, epoch: int) -> None:
    assert {row.incident for row in await rows(reader, "alerts", incident=2)} == {2}
    assert {row.cluster for row in await rows(reader, "alerts", cluster=2)} == {2}
    assert await ids(reader, "clusters", incident=2) == [2]
    assert await ids(reader, "incidents", cluster=2) == [2]
    assert len(await rows(reader, "timeline", incident=1)) == 2
    assert await rows(reader, "alerts", cluster=999) == []
    with pytest.raises(InvalidSelect, match="incident"):
        await rows(reader, "silences", incident=1)


async def test_a_span_of_time(reader: Any, epoch: int) -> None:
    assert await ids(reader, "alerts", since=later(10), until=later(12)) == [12, 11, 10]


async def test_the_query_language_filters_pages(reader: Any, epoch: int) -> None:
    found = await walk(reader, kind="alerts", where=parse("severity=critical and site=site-1"), limit=2)
    assert {(row.severity, row.site) for row in found} == {(Severity.CRITICAL, "site-1")}


@pytest.mark.parametrize("after", ["x", "äöü", "bnVsbA", "W10", "WzEsMiwzXQ", "e30"])
async def test_a_forged_cursor_is_refused(reader: Any, epoch: int, after: str) -> None:
    for name in ("alerts", "events"):
        with pytest.raises(InvalidSelect, match="after"):
            await rows(reader, name, after=after)


async def test_unknown_kinds_and_sorts_are_refused_with_what_there_is(reader: Any, epoch: int) -> None:
    with pytest.raises(InvalidSelect, match="alerts, incidents"):
        await rows(reader, "leases")
    with pytest.raises(InvalidSelect, match="priority"):
        await rows(reader, "incidents", sort="body; DROP TABLE alerts")


async def test_changes_are_gapless_and_of_the_tenant(store: Any, reader: Any, epoch: int) -> None:
    assert [change.seq for change in await reader.changes(scope(), ZERO, 0, 100)] == list(range(1, 11))
    assert [change.seq for change in await reader.changes(scope(OTHER), ZERO, 0, 100)] == list(range(11, 21))
    assert [change.seq for change in await reader.changes(scope(), ZERO, 4, 3)] == [5, 6, 7]
    for number in range(21, 61):
        await store.commit(commit(epoch, changes=changes(number, 1)))
    assert [change.seq for change in await reader.changes(scope(), ZERO, 9, 100)] == [10, *range(21, 61)]
    assert await reader.changes(scope(), ZERO, 60, 100) == []


async def test_a_commit_of_two_tenants_is_split_when_read(store: Any, reader: Any, epoch: int) -> None:
    await store.commit(commit(epoch, changes=(*changes(21, 1), *changes(22, 1, tenant=OTHER), *changes(23, 1))))
    assert [change.seq for change in await reader.changes(scope(), ZERO, 20, 100)] == [21, 23]
    assert [change.seq for change in await reader.changes(scope(OTHER), ZERO, 20, 100)] == [22]
    assert [change.seq for change in await rows(reader, "events", limit=3)] == [23, 21, 10]


async def test_a_position_that_was_never_given_out_asks_to_resync(reader: Any, epoch: int) -> None:
    assert await reader.changes(scope(), ZERO, 21, 10) is None


async def test_a_change_carries_its_record_untouched(reader: Any, epoch: int) -> None:
    (change,) = await reader.changes(scope(), ZERO, 6, 1)
    assert change == changes(7, 1)[0]


async def test_the_log_pages_backwards(store: Any, reader: Any, epoch: int) -> None:
    for number in range(21, 61):
        await store.commit(commit(epoch, at=later(number), changes=changes(number, 1, at=later(number))))
    expected = [*range(60, 20, -1), *range(10, 0, -1)]
    for limit in (1, 7, 50):
        assert [change.seq for change in await walk(reader, kind="events", limit=limit)][:50] == expected
    assert [row.seq for row in await rows(reader, "events", since=later(58))] == [60, 59, 58]
    assert [row.seq for row in await rows(reader, "events", until=later(22), limit=2)] == [22, 21]
    assert [row.seq for row in await rows(reader, "events", ids=("7",))] == [7]


async def test_totals_are_those_of_the_lists(reader: Any, epoch: int) -> None:
    asked: list[dict[str, Any]] = [{"kind": name} for name in LISTINGS]
    asked += [{"kind": "alerts", "active": True}, {"kind": "incidents", "where": parse("state=open and site=site-1")}]
    asked += [{"kind": "alerts", "since": NOW, "until": later(10)}] * 20
    wanted = []
    for select in asked:
        found = await reader.select(scope(), Select(**select, limit=1, total=True), NOW)
        wanted.append(found.total)
    assert await reader.totals(scope(), [Select(**select) for select in asked], NOW) == wanted
    assert await reader.totals(scope(), [], NOW) == []


async def test_counting_that_takes_too_long_is_stopped(store: Any, tmp_path: Path) -> None:
    epoch = await store.acquire(ZERO, "one", NOW, 30.0)
    await store.commit(commit(epoch, alerts=[alert(number) for number in range(1, 5001)]))
    reader = SqliteReader(tmp_path / "data", limit_seconds=0.0)
    try:
        with pytest.raises(StoreError, match="the counts took more than 0 s"):
            await reader.totals(scope(), [Select(kind="alerts", where=parse("nowhere"))] * 16, NOW)
    finally:
        await reader.close()


async def test_a_read_that_takes_too_long_is_stopped_and_says_which(store: Any, tmp_path: Path) -> None:
    epoch = await store.acquire(ZERO, "one", NOW, 30.0)
    await store.commit(commit(epoch, alerts=[alert(number) for number in range(1, 5001)]))
    reader = SqliteReader(tmp_path / "data", limit_seconds=0.0)
    try:
        with pytest.raises(StoreError, match="page of alerts took more than 0 s") as caught:
            await rows(reader, "alerts", sort="-count")
        assert caught.value.retryable
        # The connection is as good as before.
        assert len(await rows(reader, "alerts", limit=2)) == 2
    finally:
        await reader.close()


async def test_a_reader_cannot_write(reader: Any, epoch: int) -> None:
    async with reader.engine.connect() as connection:
        with pytest.raises(DBAPIError, match="readonly"):
            await connection.execute(sa.delete(tables.alerts))


async def test_a_reader_before_there_is_a_database_says_so(kind: StoreKind, tmp_path: Path) -> None:
    reader = kind.reader(tmp_path)
    with pytest.raises(StoreError, match="no database"):
        await rows(reader, "alerts")
    await reader.close()
