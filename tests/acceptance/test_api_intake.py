"""Intake over real HTTP: what is taken, what is refused and how, and that a refusal costs nothing first."""

from __future__ import annotations

import asyncio
import gzip
import hmac
import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from hashlib import sha256
from typing import Any

import httpx
import pytest

from engine.api.auth import issue
from engine.api.peers import own_uid
from engine.api.server import HttpServer, ListenRefused, check_listen, serve
from engine.ports import EnvelopeKind, Overloaded
from engine.secret import Secret
from engine.settings import LimitSettings, ListenSettings, Settings, SourceSettings
from tests.fakes.bodies import KEY, prometheus_alert, webhook_v4
from tests.fakes.service import START, FakeService, FakeTokens
from tests.fakes.waiting import PATIENCE

JSON = {"content-type": "application/json"}
Open = Callable[..., Awaitable[httpx.AsyncClient]]


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
async def open_(service: FakeService) -> AsyncIterator[Open]:
    servers: list[HttpServer] = []
    clients: list[httpx.AsyncClient] = []

    async def start(**settings: Any) -> httpx.AsyncClient:
        given = Settings(listen=ListenSettings(port=0), **settings)
        servers.append(await serve(service, given, FakeTokens()))
        clients.append(httpx.AsyncClient(base_url=servers[-1].url, trust_env=False, timeout=PATIENCE))
        return clients[-1]

    yield start
    for client in clients:
        await client.aclose()
    for server in servers:
        await server.stop()


def post(client: httpx.AsyncClient, rows: Any, **options: Any) -> Awaitable[httpx.Response]:
    return client.post("/api/v2/alerts", json=rows, **options)


async def test_prometheus_gets_an_empty_200_after_the_commit(open_: Open, service: FakeService) -> None:
    client = await open_()
    service.hold = asyncio.Event()
    request = asyncio.ensure_future(post(client, [prometheus_alert()]))
    async with asyncio.timeout(PATIENCE):
        await service.entered.acquire()
    assert not request.done() and not service.taken
    service.hold.set()
    reply = await request
    assert (reply.status_code, reply.content) == (200, b"")
    [taken] = service.taken
    assert (taken.kind, taken.source, taken.tenant, taken.id) == (EnvelopeKind.SIGNALS, "alertmanager", "default", "")
    assert service.signals()[0].name == "HighLatency"


async def test_the_valid_ones_of_a_mixed_body_are_taken_before_the_400(open_: Open, service: FakeService) -> None:
    bad = {"labels": {"a": "b"}, "startsAt": "2026-05-01T12:00:00Z", "endsAt": "2026-05-01T11:00:00Z"}
    reply = await post(await open_(), [prometheus_alert(), bad])
    assert (reply.status_code, reply.json()) == (400, "start time must be before end time")
    assert len(service.signals()) == 1 and len(service.rejects()) == 1


@pytest.mark.parametrize(
    ("body", "media", "status"),
    [
        (b"[{}]", "application/json", 422),
        (b"[{", "application/json", 400),
        (b"[]", "text/plain", 415),
        (b"[]", "application/json; charset=utf-8", 200),
        (b"\x1f\x8b broken", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
    ],
)
async def test_bodies_that_alertmanager_refuses(open_: Open, body: bytes, media: str, status: int) -> None:
    reply = await (await open_()).post("/api/v2/alerts", content=body, headers={"content-type": media})
    assert reply.status_code == status
    if status in (415, 422):
        assert reply.json().keys() == {"code", "message"}


async def test_a_closed_line_answers_503_before_the_body_is_read(open_: Open, service: FakeService) -> None:
    client = await open_()
    service.wait = 7.0
    reader, writer = await asyncio.open_connection("127.0.0.1", client.base_url.port)
    writer.write(
        b"POST /api/v2/alerts HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
    )
    # Not one byte of the body is sent, and still there is an answer.
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503") and b"retry-after: 7" in head
    writer.close()


async def test_overload_while_taking_is_a_503_with_retry_after(open_: Open, service: FakeService) -> None:
    client = await open_()
    service.fail = Overloaded(2.0)
    reply = await post(client, [prometheus_alert()])
    assert (reply.status_code, reply.headers["retry-after"], reply.json()) == (503, "2", "inbox full")


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_over_the_limit_is_a_413(open_: Open, service: FakeService, chunked: bool) -> None:
    client = await open_(limits=LimitSettings(batch_body_max_bytes=2048))

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 100

    content: Any = pieces() if chunked else b" " * 4000
    reply = await client.post("/api/v2/alerts", content=content, headers={"content-type": "application/json"})
    assert reply.status_code == 413 and "2048" in reply.text and not service.taken


async def test_gzip_is_taken_and_a_bomb_is_not(open_: Open, service: FakeService) -> None:
    client = await open_()
    how = {"content-type": "application/json", "content-encoding": "gzip"}
    good = gzip.compress(json.dumps([prometheus_alert()]).encode())
    assert (await client.post("/api/v2/alerts", content=good, headers=how)).status_code == 200
    bomb = gzip.compress(b"[" + b" " * 5_000_000 + b"]")
    assert (await client.post("/api/v2/alerts", content=bomb, headers=how)).status_code in (400, 413)
    assert len(service.signals()) == 1


async def test_too_many_labels_name_the_field(open_: Open, service: FakeService) -> None:
    many = {f"l{number}": "x" for number in range(500)}
    reply = await post(await open_(), [{"labels": many}])
    assert reply.status_code == 400 and "label" in reply.text
    assert "labels" in service.rejects()[0].field


async def test_a_delivery_with_an_idempotency_key_is_taken_once(open_: Open, service: FakeService) -> None:
    client = await open_()
    for _ in range(2):
        reply = await post(client, [prometheus_alert()], headers={"Idempotency-Key": "abc"})
        assert reply.status_code == 200
    assert [item.id for item in service.taken] == ["abc"]


async def test_what_cannot_be_read_is_kept_as_a_dead_letter(open_: Open, service: FakeService) -> None:
    reply = await (await open_()).post(
        "/ingest/webhook/generic", content=b'{"title": ', headers={"content-type": "application/json"}
    )
    assert reply.status_code == 400 and reply.headers["content-type"] == "application/problem+json"
    assert reply.json()["field"] == "body" and reply.json()["remedy"]
    [letter] = service.rejects()
    assert (letter.source, letter.format, letter.body) == ("generic", "generic", '{"title": ')


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/ingest/webhook/alertmanager", webhook_v4(), 200),
        ("/ingest/webhook/grafana", {**webhook_v4(), "version": "1", "orgId": 1}, 200),
        ("/ingest/webhook/generic", {"title": "disk full", "severity": "high", "host": "db-1"}, 202),
        ("/ingest/webhook/cloudevents", None, 415),
        ("/ingest/webhook/nowhere", {}, 404),
    ],
)
async def test_webhooks_that_need_no_configuration(open_: Open, path: str, body: Any, status: int) -> None:
    assert (await (await open_()).post(path, json=body)).status_code == status


async def test_some_rows_bad_says_how_many(open_: Open, service: FakeService) -> None:
    rows = [{"title": "disk full", "severity": "high"}, {"severity": "high"}, 7]
    reply = await (await open_()).post("/ingest/webhook/generic", json=rows)
    found = reply.json()
    assert reply.status_code == 202 and found["taken"] + found["rejected"] == 3 and found["rejected"] >= 1
    assert found["keys"] and found["seq"] and found["reason"] and found["field"]
    assert len(service.rejects()) == found["rejected"]


async def test_pagerduty_senders_only_change_the_url(open_: Open, service: FakeService) -> None:
    client = await open_()
    event = {
        "routing_key": KEY,
        "event_action": "trigger",
        "dedup_key": "k",
        "payload": {"summary": "down", "source": "db-1", "severity": "critical"},
    }
    reply = await client.post("/v2/enqueue", json=event)
    assert reply.status_code == 202
    assert reply.json() == {"status": "success", "message": "Event processed", "dedup_key": "k"}
    bad = await client.post("/v2/enqueue", json={**event, "payload": {}})
    assert bad.status_code == 400 and bad.json()["status"] == "invalid event"
    cut_off = json.dumps(event)[:-3].encode()
    assert (await client.post("/v2/enqueue", content=cut_off, headers=JSON)).status_code == 400
    assert len(service.rejects()) == 2 and all(KEY not in repr(item) for item in service.taken)


async def test_cloudevents_in_three_modes_and_ndjson(open_: Open, service: FakeService) -> None:
    client = await open_()
    event = {
        "specversion": "1.0",
        "type": "noc.alert",
        "source": "/x",
        "id": "1",
        "data": {"title": "t", "severity": "low"},
    }
    structured = {"content-type": "application/cloudevents+json"}
    assert (await client.post("/ingest/events", content=json.dumps(event), headers=structured)).status_code == 202
    batch = json.dumps([{**event, "id": "2"}, {**event, "id": "3"}])
    how = {"content-type": "application/cloudevents-batch+json"}
    assert (await client.post("/ingest/events", content=batch, headers=how)).json()["taken"] == 2
    binary = {
        "content-type": "application/json",
        "ce-specversion": "1.0",
        "ce-type": "noc.alert",
        "ce-source": "/x",
        "ce-id": "4",
    }
    assert (await client.post("/ingest/events", content=json.dumps(event["data"]), headers=binary)).status_code == 202
    lines = json.dumps(prometheus_alert()) + "\n" + json.dumps({"title": "u"}) + "\n{\n"
    reply = await client.post("/ingest/events", content=lines, headers={"content-type": "application/x-ndjson"})
    assert (reply.json()["taken"], reply.json()["rejected"]) == (2, 1)
    # The same event again, in another mode, is the same event.
    assert (await client.post("/ingest/events", content=json.dumps(event), headers=structured)).status_code == 202
    ids = [item.id for item in service.taken if item.id]
    assert len(ids) == len(set(ids)) == 4
    assert (await client.post("/ingest/events", content=b"x", headers={"content-type": "text/csv"})).status_code == 415


def signed(body: bytes, secret: str) -> dict[str, str]:
    return {"x-signature": "sha256=" + hmac.new(secret.encode(), body, sha256).hexdigest()}


async def test_a_signed_source_takes_signed_bodies_once(open_: Open, service: FakeService) -> None:
    source = SourceSettings(format="generic", hmac=Secret("new", "x"), hmac_previous=Secret("old", "x"))
    client = await open_(sources={"ci": source})
    body = b'{"title": "build broken"}'
    assert (await client.post("/ingest/webhook/ci", content=body)).status_code == 401
    assert (await client.post("/ingest/webhook/ci", content=body, headers=signed(body, "wrong"))).status_code == 401
    # Another spelling of the same JSON is other bytes.
    assert (
        await client.post("/ingest/webhook/ci", content=b" " + body, headers=signed(body, "new"))
    ).status_code == 401
    assert not service.taken
    for _ in range(2):
        again = {**signed(body, "new"), "idempotency-key": str(len(service.taken))}
        assert (await client.post("/ingest/webhook/ci", content=body, headers=again)).status_code == 202
    assert len(service.taken) == 1
    assert (await client.post("/ingest/webhook/ci", content=body, headers=signed(body, "old"))).status_code == 202


async def test_a_source_with_a_token(open_: Open, service: FakeService) -> None:
    source = SourceSettings(format="generic", token=Secret("t0p", "x"), token_previous=Secret("t00", "x"))
    client = await open_(sources={"ci": source})
    for text, status in (("t0p", 202), ("t00", 202), ("t1", 401), ("", 401)):
        given = {"authorization": f"Bearer {text}"} if text else {}
        assert (await client.post("/ingest/webhook/ci", json={"title": "x"}, headers=given)).status_code == status


async def test_a_source_for_one_network(open_: Open, service: FakeService) -> None:
    client = await open_(sources={"far": SourceSettings(format="generic", allow=("10.0.0.0/8",))})
    assert (await client.post("/ingest/webhook/far", json={"title": "x"})).status_code == 401


async def test_the_babbler_is_told_in_words_its_kind_understands(open_: Open, service: FakeService) -> None:
    client = await open_(limits=LimitSettings(source_rate=1.0, source_burst=1.0))
    for path, body, status in (
        ("/ingest/webhook/generic", {"title": "x"}, 429),
        ("/ingest/webhook/alertmanager", webhook_v4(), 503),
        ("/ingest/webhook/grafana", webhook_v4(), 503),
        ("/api/v2/alerts", [prometheus_alert()], 503),
    ):
        assert (await client.post(path, json=body)).status_code < 300
        refused = await client.post(path, json=body)
        assert refused.status_code == status and int(refused.headers["retry-after"]) >= 1, path
        service.clock.advance(30)
        assert (await client.post(path, json=body)).status_code < 300


async def test_one_prometheus_in_a_storm_is_not_slowed_down(open_: Open, service: FakeService) -> None:
    client = await open_()
    rows = [prometheus_alert(instance=f"i{number}") for number in range(1000)]
    service.add_alert = lambda *given: None  # type: ignore[method-assign,assignment,misc,return-value]
    for _ in range(30):
        assert (await post(client, rows)).status_code == 200
    assert len(service.signals()) == 30_000


async def test_a_page_in_a_browser_cannot_send(open_: Open, service: FakeService) -> None:
    client = await open_()
    for given in ({"origin": "http://evil.example"}, {"origin": "null"}, {"host": "evil.example"}):
        assert (await post(client, [prometheus_alert()], headers=given)).status_code == 403
    assert not service.taken


async def test_what_nobody_expected_is_an_id_and_no_trace(
    open_: Open, service: FakeService, capsys: pytest.CaptureFixture[str]
) -> None:
    client = await open_()
    service.fail = RuntimeError("the password is hunter2")
    for path in ("/api/v1/alerts", "/api/v1/health"):
        reply = await client.get(path)
        assert reply.status_code == 500 and reply.headers["content-type"] == "application/problem+json"
        assert "hunter2" not in reply.text and "Traceback" not in reply.text
        assert reply.json()["instance"].removeprefix("urn:noc:") in capsys.readouterr().out


@pytest.mark.parametrize(
    ("listen", "opens"),
    [
        (ListenSettings(), True),
        (ListenSettings(host="::1"), True),
        (ListenSettings(host="0.0.0.0"), False),
        (ListenSettings(host="10.0.0.1"), False),
        (ListenSettings(host="0.0.0.0", insecure=True), True),
        (ListenSettings(host="0.0.0.0", tls_cert="c"), False),
        (ListenSettings(host="0.0.0.0", tls_cert="c", tls_key="k"), True),
    ],
)
def test_other_machines_are_served_with_tls_or_on_request_only(listen: ListenSettings, opens: bool) -> None:
    if opens:
        check_listen(Settings(listen=listen))
    else:
        with pytest.raises(ListenRefused, match="tls_cert"):
            check_listen(Settings(listen=listen))


async def test_a_taken_port_is_an_error_and_not_the_end_of_the_process(service: FakeService, open_: Open) -> None:
    client = await open_()
    port = client.base_url.port
    with pytest.raises(OSError, match=str(port)):
        await serve(service, Settings(listen=ListenSettings(port=port or 0)), FakeTokens())


async def test_a_token_has_its_own_share_of_requests(service: FakeService) -> None:
    token, text = issue(name="p", capabilities=["ingest:write", "noc:view"], now=START)
    listen = ListenSettings(host="0.0.0.0", port=0, insecure=True)
    settings = Settings(listen=listen, limits=LimitSettings(token_rate=1.0, token_burst=2.0))
    server = await serve(service, settings, FakeTokens(token))
    url = server.url.replace("0.0.0.0", "127.0.0.1")
    headers = {"authorization": f"Bearer {text}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=PATIENCE) as client:
        for _ in range(2):
            assert (await post(client, [prometheus_alert()])).status_code == 200
        for path, status in (("/api/v2/alerts", 503), ("/api/v1/health", 429)):
            refused = await client.get(path)
            assert refused.status_code == status and int(refused.headers["retry-after"]) >= 1
        # A token is a source of its own name.
        assert {item.source for item in service.taken} == {"p"}
    await server.stop()


CURL = shutil.which("curl")


@pytest.mark.real
@pytest.mark.skipif(CURL is None or own_uid() != 0, reason="needs curl, and root to become another user")
async def test_another_user_of_this_machine_sends_but_neither_reads_nor_acts(open_: Open, service: FakeService) -> None:
    client = await open_()

    async def curl(user: int, path: str, *more: str) -> str:
        words = ("-s", "-o", "/dev/null", "-w", "%{http_code}", *more, str(client.base_url.join(path)))
        process = await asyncio.create_subprocess_exec(
            CURL or "", *words, user=user, cwd="/", stdout=asyncio.subprocess.PIPE, env={}
        )
        return (await process.communicate())[0].decode()

    alerts = ("-H", "content-type: application/json", "-d", json.dumps([prometheus_alert()]))
    for user, read in ((0, "200"), (65_534, "403")):
        assert await curl(user, "/api/v1/incidents") == read
        assert await curl(user, "/api/v1/incidents/1/ack", "-X", "POST") == read
        assert await curl(user, "/api/v2/alerts", *alerts) == "200"
    assert len(service.commands) == 1
