"""The feed over a real websocket: order, resumption, who may watch, and the end of those who may not or cannot."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from msgspec.structs import replace
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from data.records import TenantId
from engine.api.auth import issue
from engine.api.feed import FeedLimits, read_url
from engine.api.frames import Frames
from engine.api.server import HttpServer, serve
from engine.api.wire import Problem
from engine.settings import ListenSettings, Settings
from tests.fakes.service import START, FakeService, FakeTokens, change
from tests.fakes.waiting import PATIENCE

Open = Callable[..., Awaitable[ClientConnection]]


class Site:
    def __init__(self) -> None:
        self.service, self.tokens = FakeService(), FakeTokens()
        self.servers: list[HttpServer] = []
        self.open: list[ClientConnection] = []

    async def serve(self, host: str = "127.0.0.1") -> None:
        listen = ListenSettings(host=host, port=0, insecure=True, origins=("https://noc.example",))
        self.servers.append(await serve(self.service, Settings(listen=listen), self.tokens))

    @property
    def port(self) -> int:
        return int(self.servers[-1].url.rpartition(":")[2])

    async def watch(self, query: str = "", path: str = "/api/v1/feed", **options: Any) -> ClientConnection:
        address = f"ws://127.0.0.1:{self.port}{path}{query}"
        self.open.append(await connect(address, proxy=None, close_timeout=1, **options))
        return self.open[-1]

    def bearer(self, *capabilities: str, tenant: str = "default", sites: tuple[str, ...] = ()) -> tuple[str, str]:
        """(token id, header value)."""
        token, text = issue(name="w", capabilities=capabilities, now=START, tenant=TenantId(tenant), sites=sites)
        self.tokens.put(token)
        self.service.clock.advance(10)
        return token.id, f"Bearer {text}"


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    found = Site()
    await found.serve()
    yield found
    for connection in found.open:
        await connection.close()
    for server in found.servers:
        await server.stop(1.0)


async def hear(connection: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE):
        found: dict[str, Any] = json.loads(await connection.recv())
        return found


async def end_of(connection: ClientConnection) -> int:
    """The closing code, once everything before it was read."""
    async with asyncio.timeout(PATIENCE):
        try:
            while True:
                await connection.recv()
        except ConnectionClosed as error:
            return error.rcvd.code if error.rcvd else 1006


async def test_first_the_position_then_changes_in_order_one_frame_a_commit(site: Site) -> None:
    site.service.publish(change())
    watcher = await site.watch()
    assert await hear(watcher) == {"type": "snapshot", "seq": 1}
    site.service.publish(change("alert_updated"), change("incident_updated", "incident:3"))
    site.service.publish(change("alert_created", "alert:9"))
    first, second = await hear(watcher), await hear(watcher)
    assert [item["seq"] for item in first["changes"]] == [2, 3] and first["seq"] == 3
    assert [item["subject"] for item in second["changes"]] == ["alert:9"] and second["seq"] == 4
    assert first["changes"][0]["record"] == {"id": 1}


async def test_a_cursor_resumes_without_a_gap(site: Site) -> None:
    for number in range(5):
        site.service.publish(change(subject=f"alert:{number}"))
    watcher = await site.watch("?cursor=2")
    assert await hear(watcher) == {"type": "snapshot", "seq": 2}
    got: list[int] = []
    while len(got) < 3:
        got += [item["seq"] for item in (await hear(watcher))["changes"]]
    assert got == [3, 4, 5]


async def test_a_cursor_that_is_too_old_is_a_resync(site: Site) -> None:
    site.service.publish(*[change() for _ in range(5)])
    site.service.oldest = 4
    watcher = await site.watch("?cursor=1", path="/ws")
    assert (await hear(watcher))["type"] == "snapshot"
    found = await hear(watcher)
    assert (found["type"], found["seq"]) == ("resync", 5) and found["reason"]


async def test_types_and_sites_narrow_it_down(site: Site) -> None:
    watcher = await site.watch("?types=alert_created,alert_updated&sites=Mall%209&sites=a,b")
    await hear(watcher)
    site.service.publish(change(site="Mall 9"), change("incident_updated", site="Mall 9"), change(site="Depot"))
    found = await hear(watcher)
    assert [(item["kind"], item["site"]) for item in found["changes"]] == [("alert_created", "Mall 9")]
    # Its position is past what it was not shown.
    assert found["seq"] == 3


async def test_a_heartbeat_carries_the_position(site: Site) -> None:
    watcher = await site.watch()
    await hear(watcher)
    site.service.clock.advance(15)
    assert await hear(watcher) == {"type": "heartbeat", "seq": 0}


async def test_a_watcher_sees_its_tenant_and_its_sites_only(site: Site) -> None:
    await site.serve("0.0.0.0")
    _, beta = site.bearer("noc:view", tenant="beta")
    _, mall = site.bearer("noc:view", sites=("Mall 9",))
    other = await site.watch(additional_headers={"authorization": beta})
    narrow = await site.watch(additional_headers={"authorization": mall})
    await hear(other), await hear(narrow)
    site.service.publish(change(site="Depot"), change(site="Mall 9"), change(tenant="beta", subject="alert:77"))
    assert [item["subject"] for item in (await hear(other))["changes"]] == ["alert:77"]
    assert [item["site"] for item in (await hear(narrow))["changes"]] == ["Mall 9"]


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
async def test_a_browser_of_another_origin_is_refused(site: Site, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await site.watch(additional_headers={"origin": origin})
    assert refused.value.response.status_code == 403
    listed = await site.watch(additional_headers={"origin": "https://noc.example"})
    assert (await hear(listed))["type"] == "snapshot"


@pytest.mark.parametrize(
    ("query", "status"),
    [("?token=noc_a", 400), ("?access_token=x", 400), ("?cursor=-1", 422), ("?cursor=x", 422), ("?what=1", 422)],
)
async def test_addresses_that_are_refused(site: Site, query: str, status: int) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await site.watch(query)
    assert refused.value.response.status_code == status
    with pytest.raises(Problem):
        read_url(query[1:].encode())


async def test_a_listener_for_other_machines_wants_a_token(site: Site) -> None:
    await site.serve("0.0.0.0")
    for header, status in (("Bearer nonsense", 401), (site.bearer("noc:ack")[1], 403)):
        with pytest.raises(InvalidStatus) as refused:
            await site.watch(additional_headers={"authorization": header})
        assert refused.value.response.status_code == status


async def test_the_token_may_be_the_first_message(site: Site) -> None:
    await site.serve("0.0.0.0")
    _, bearer = site.bearer("noc:view")
    watcher = await site.watch()
    await watcher.send(json.dumps({"type": "auth", "token": bearer.removeprefix("Bearer ")}))
    assert (await hear(watcher))["type"] == "snapshot"
    for message, code in (('{"type":"auth","token":"x"}', 4401), ("hello", 4401), ('{"type":"auth"}', 4401)):
        wrong = await site.watch()
        await wrong.send(message)
        assert await end_of(wrong) == code


async def test_who_does_not_say_in_time_who_he_is_is_cut_off(site: Site) -> None:
    await site.serve("0.0.0.0")
    site.servers[-1].app.feed.limits = FeedLimits(auth_seconds=0.05)
    assert await end_of(await site.watch()) == 4401


async def test_a_revoked_token_cuts_its_feeds_within_five_seconds(site: Site) -> None:
    await site.serve("0.0.0.0")
    id, bearer = site.bearer("noc:view")
    watcher = await site.watch(additional_headers={"authorization": bearer})
    await hear(watcher)
    site.tokens.put(replace(site.tokens.stored[id], revoked_at=START))
    site.service.clock.advance(4.9)
    assert await end_of(watcher) == 4401


async def test_a_token_that_lost_a_capability_is_cut_off_too(site: Site) -> None:
    await site.serve("0.0.0.0")
    id, bearer = site.bearer("noc:view", "noc:ack")
    watcher = await site.watch(additional_headers={"authorization": bearer})
    await hear(watcher)
    site.tokens.put(replace(site.tokens.stored[id], capabilities=("noc:view",)))
    site.service.clock.advance(4.9)
    assert await end_of(watcher) == 4403


async def test_a_client_that_talks_without_end_or_too_much_at_once(site: Site) -> None:
    loud = await site.watch()
    for _ in range(150):
        await loud.send("x")
    assert await end_of(loud) == 1008
    big = await site.watch()
    await big.send("x" * 1_100_000)
    assert await end_of(big) == 1009


async def test_a_watcher_that_reads_nothing_is_dropped_and_costs_the_others_nothing(site: Site) -> None:
    assert FeedLimits().send_seconds == 5.0
    site.servers[-1].app.feed.limits = FeedLimits(send_seconds=0.2)
    quick = await site.watch()
    await hear(quick)
    stuck = socket.create_connection(("127.0.0.1", site.port))
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stuck.sendall(
        b"GET /api/v1/feed HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    server = site.servers[-1]
    async with asyncio.timeout(PATIENCE):
        await site.service.joined.acquire()
        await site.service.joined.acquire()
    big = replace(change(), reason="x" * 200_000)
    async with asyncio.timeout(PATIENCE):
        while server.app.feed.watchers > 1:
            site.service.publish(big)
            assert (await hear(quick))["type"] == "changes"
    # Dropped, not closed in good order: nothing waits for a reader that is not there.
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stuck.close()


async def test_stopping_ends_the_feeds(site: Site) -> None:
    watcher = await site.watch()
    await hear(watcher)
    async with asyncio.timeout(PATIENCE):
        await site.servers[-1].stop(1.0)
        assert await end_of(watcher) in (1006, 1012, 1013)


def test_a_batch_is_joined_once_for_everybody_and_cut_into_frames() -> None:
    service = FakeService()
    published = service.publish(*[replace(change(), reason="x" * 1000) for _ in range(10)])
    frames = Frames(3000)
    cut = frames.of(published)
    assert frames.of(published) is cut and len(cut) > 1
    found = [json.loads(frame) for frame in cut]
    assert [item["seq"] for frame in found for item in frame["changes"]] == list(range(1, 11))
    assert [frame["seq"] for frame in found] == [frame["changes"][-1]["seq"] for frame in found]
