"""The remote client against the real listener: the same records, the same errors, the feed by cursor."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from data.records import DEFAULT_TENANT as TENANT
from data.records import Change, Reject, TimelineEntry
from data.scope import Scope
from engine.api.auth import issue
from engine.api.server import serve
from engine.client import Command, Page, Query, Refused, Resync, Unreachable, View
from engine.local import LocalClient
from engine.ports import Overloaded
from engine.remote import RemoteClient
from engine.settings import ListenSettings, Settings
from tests.fakes import world
from tests.fakes.service import START, FakeService, FakeTokens, change
from tests.fakes.waiting import PATIENCE


class Site:
    def __init__(self, service: FakeService, tokens: FakeTokens, url: str) -> None:
        self.service, self.tokens, self.url = service, tokens, url
        self.clients: list[RemoteClient] = []

    def client(self, *capabilities: str, insecure: bool = False) -> RemoteClient:
        token, text = issue(name="console", capabilities=capabilities, now=START)
        self.tokens.put(token)
        self.service.clock.advance(10)
        self.clients.append(RemoteClient(self.url, text, insecure=insecure))
        return self.clients[-1]


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    service, tokens = FakeService(), FakeTokens()
    incidents, clusters, alerts = world.operation(3)
    service.pages = {
        "incidents": list(incidents),
        "clusters": list(clusters),
        "alerts": list(alerts),
        "timeline": [TimelineEntry(tenant=TENANT, incident=incidents[0].id, at=START, kind="opened", text="\x1b[31m")],
        "rejects": [
            Reject(
                tenant=TENANT,
                source="s",
                format="f",
                at=START,
                field="a",
                reason="b",
                remedy="c",
                body="d",
                id=4,
            )
        ],
        "events": [replace(change(), seq=1)],
        "kpis": [{"name": "noise", "value": 0.5}],
        "sources": [{"name": "alertmanager", "rows": 3}],
    }
    server = await serve(service, Settings(listen=ListenSettings(host="0.0.0.0", port=0, insecure=True)), tokens)
    found = Site(service, tokens, server.url.replace("0.0.0.0", "127.0.0.1"))
    yield found
    for client in found.clients:
        await client.close()
    await server.stop(1.0)


@pytest.mark.parametrize(
    "kind", ["incidents", "clusters", "alerts", "timeline", "rejects", "events", "kpis", "sources"]
)
async def test_records_arrive_as_they_left(site: Site, kind: str) -> None:
    remote = site.client("noc:view")
    grant = await _scope(site, remote)
    local: Page = await LocalClient(site.service, grant).query(Query(kind=kind))
    assert list((await remote.query(Query(kind=kind))).items) == list(local.items)


async def _scope(site: Site, client: RemoteClient) -> Scope:
    await client.query(Query(kind="kpis"))
    return site.service.queries[-1][0]


async def test_every_part_of_a_query_gets_there(site: Site) -> None:
    query = Query(
        kind="incidents",
        q='severity>=high and site="Harbour 2" & more=%',
        sort="-priority",
        after="cur+/=",
        limit=17,
        id="",
        incident=3,
        cluster=4,
        active=False,
        since=datetime(2026, 1, 1, tzinfo=UTC),
        until=START + timedelta(microseconds=7),
        total=True,
    )
    page = await site.client("noc:view").query(query)
    assert site.service.queries[-1][1] == query and page.total == 3


async def test_acts_and_their_results(site: Site) -> None:
    client = site.client("noc:view", "noc:ack", "noc:manage")
    site.service.refused = {"incident:2": "it is closed"}
    result = await client.command(
        Command(verb="ack", targets=("incident:1", "incident:2"), params={"minutes": 5}, request="once")
    )
    assert (result.changed, result.refused) == (("incident:1",), {"incident:2": "it is closed"})
    assert site.service.commands[-1][1].request == "once" and site.service.commands[-1][1].params == {"minutes": 5}
    await client.command(Command(verb="close", targets=("incident:1",)))
    assert site.service.commands[-1][1].request


async def test_refusals_keep_their_words(site: Site) -> None:
    client = site.client("noc:view", "noc:ack")
    site.service.fail = Refused("unknown column 'x'", field="sort", remedy="see the list", status=422)
    with pytest.raises(Refused) as refused:
        await client.query(Query(kind="alerts", sort="x"))
    error = refused.value
    assert (error.reason, error.field, error.remedy, error.status) == (
        "unknown column 'x'",
        "sort",
        "see the list",
        422,
    )
    site.service.fail = None
    with pytest.raises(Refused) as forbidden:
        await client.command(Command(verb="merge", targets=("incident:1", "incident:2")))
    assert forbidden.value.status == 403 and "noc:manage" in forbidden.value.reason


async def test_overload_is_the_same_from_near_and_far(site: Site) -> None:
    client = site.client("noc:view", "noc:ack")
    scope = await _scope(site, client)
    site.service.fail = Overloaded(3.0)
    errors = []
    for way in (client, LocalClient(site.service, scope)):
        with pytest.raises(Refused) as refused:
            await way.command(Command(verb="ack", targets=("incident:1",)))
        errors.append((refused.value.reason, refused.value.remedy, refused.value.status))
    assert errors[0] == errors[1]


async def test_nobody_there_and_somebody_else_there(site: Site, unused_tcp_port: int) -> None:
    nobody = RemoteClient(f"http://127.0.0.1:{unused_tcp_port}")
    for attempt in (nobody.health(), nobody.query(Query(kind="alerts")), anext(aiter(nobody.watch(View())))):
        with pytest.raises(Unreachable):
            await attempt
    await nobody.close()
    site.service.fail = RuntimeError("bug")
    with pytest.raises(Unreachable):
        await site.client("noc:view").health()


async def test_health_says_where_it_came_from(site: Site) -> None:
    found = await site.client("noc:view", "noc:ack").health()
    assert (found.url, found.state, found.capabilities) == (site.url, "live", ("noc:ack", "noc:view"))


async def test_watching_and_resuming_by_cursor(site: Site) -> None:
    client = site.client("noc:view")
    site.service.publish(change(subject="alert:1"))
    watch = client.watch(View(), 0)
    first = await _next(watch)
    assert isinstance(first, list) and isinstance(first[0], Change)
    assert (first[0].seq, bytes(first[0].record)) == (1, b'{"id":1}')
    site.service.publish(change(subject="alert:2"), change(subject="alert:3"))
    assert [item.seq for item in await _next(watch) if isinstance(item, Change)] == [2, 3]
    await watch.aclose()
    site.service.publish(change(subject="alert:4"))
    again = client.watch(View(), 3)
    assert [item.subject for item in await _next(again) if isinstance(item, Change)] == ["alert:4"]
    await again.aclose()


async def test_a_view_gets_there(site: Site) -> None:
    client = site.client("noc:view")
    watch = client.watch(View(kinds=("alert_created",), sites=("a, b", "c")), 0)
    waiting = asyncio.ensure_future(_next(watch))
    async with asyncio.timeout(PATIENCE):
        await site.service.joined.acquire()
    site.service.publish(change(site="a"), change("alert_updated", site="c"), change(site="a, b"))
    assert [item.site for item in await waiting if isinstance(item, Change)] == ["a, b"]
    await watch.aclose()


async def test_a_cursor_that_is_too_old_and_a_token_that_is_revoked(site: Site) -> None:
    client = site.client("noc:view")
    site.service.publish(*[change() for _ in range(5)])
    site.service.oldest = 5
    watch = client.watch(View(), 1)
    assert isinstance(await _next(watch), Resync)
    for id, token in list(site.tokens.stored.items()):
        site.tokens.stored[id] = replace(token, revoked_at=START)
    waiting = asyncio.ensure_future(_next(watch))
    site.service.clock.advance(4.9)
    with pytest.raises(Refused) as refused:
        await waiting
    assert refused.value.status == 401
    with pytest.raises(Refused) as again:
        await _next(client.watch(View()))
    assert again.value.status == 401


async def _next(watch: AsyncIterator[Sequence[Change] | Resync]) -> Sequence[Change] | Resync:
    async with asyncio.timeout(PATIENCE):
        return await anext(watch)


@pytest.mark.parametrize(
    ("url", "token"),
    [
        ("ftp://127.0.0.1", ""),
        ("127.0.0.1:8099", ""),
        ("http://user:secret@127.0.0.1", ""),
        ("http://127.0.0.1/?token=x", ""),
        ("http://noc.example:8099", "noc_a_b_c"),
    ],
)
def test_addresses_that_are_refused(url: str, token: str) -> None:
    with pytest.raises(Refused):
        RemoteClient(url, token)


async def test_a_certificate_that_nobody_vouches_for_is_refused(unused_tcp_port: int) -> None:
    client = RemoteClient(f"https://127.0.0.1:{unused_tcp_port}")
    context = client._tls
    assert context is not None and context.check_hostname and context.verify_mode.name == "CERT_REQUIRED"
    await client.close()
