"""The route table against its promises: a capability on everything, a true document, one answer for what is hidden."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from msgspec.structs import replace

from data.records import Change, TenantId
from data.scope import CAPABILITIES
from engine.acts import VERBS
from engine.api.acts import REJECT_VERBS
from engine.api.auth import ROLES, issue
from engine.api.openapi import build_document
from engine.api.reads import ChangeDocument
from engine.api.routes import PUBLIC, Route
from engine.api.server import HttpServer, serve
from engine.api.table import build_table
from engine.settings import ListenSettings, Settings
from tests.fakes import world
from tests.fakes.service import START, FakeService, FakeTokens
from tests.fakes.waiting import PATIENCE

GOLDEN = Path(__file__).parent.parent / "golden" / "routes.json"
TABLE = build_table()
READS = [route for route in TABLE if route.method == "GET" and route.path.startswith("/api/v1/") and route.out]


def test_every_route_declares_one_known_capability() -> None:
    for route in TABLE:
        known = route.capability in CAPABILITIES or route.capability == PUBLIC
        assert known, f"{route.method} {route.path}: {route.capability!r}"
        assert not route.also or route.also in CAPABILITIES


def test_only_health_is_public() -> None:
    assert {route.path for route in TABLE if route.capability == PUBLIC} == {"/-/healthy", "/-/ready"}


def test_every_verb_has_its_route_with_its_capability() -> None:
    served = {route.verb: route.capability for route in TABLE if route.verb}
    wanted = {name: verb.capability for name, verb in VERBS.items()}
    assert served == wanted | {name: found[0] for name, found in REJECT_VERBS.items()}


def test_no_route_is_there_twice() -> None:
    places = [(route.method, route.path) for route in TABLE]
    assert len(places) == len(set(places))


def test_bodies_take_no_unknown_field() -> None:
    for route in TABLE:
        if route.body is not None:
            assert route.body.__struct_config__.forbid_unknown_fields, route.path


def test_routes_by_role_are_as_written_down() -> None:
    """Whoever changes what a role may do changes the golden file, and sees it in review."""
    matrix = {
        f"{route.method} {route.path}": sorted(
            role for role, has in ROLES.items() if not has.isdisjoint((route.capability, route.also))
        )
        for route in TABLE
        if route.capability != PUBLIC
    }
    assert matrix == json.loads(GOLDEN.read_text())


def test_the_document_names_what_is_served_and_nothing_else() -> None:
    document = build_document(TABLE, "1.2.3")
    served = {(route.path, route.method.lower()) for route in TABLE if route.method != "WEBSOCKET"}
    assert {(path, method) for path, methods in document["paths"].items() for method in methods} == served
    text = msgspec.json.encode(document).decode()
    for part in text.split('"$ref":"#/components/schemas/')[1:]:
        assert part.partition('"')[0] in document["components"]["schemas"]
    for path, methods in document["paths"].items():
        for operation in methods.values():
            named = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
            assert all(f"{{{name}}}" in path for name in named) and path.count("{") == len(named)


def test_acts_that_take_a_pin_are_told_apart_in_the_document() -> None:
    paths = build_document(TABLE, "x")["paths"]
    taking = {
        path
        for path, methods in paths.items()
        for operation in methods.values()
        if any(one["name"] == "Step-Up" and one["in"] == "header" for one in operation["parameters"])
    }
    assert taking == {"/api/v1/commands", "/api/v1/approvals/{id}/approve", "/api/v1/kill_switches"}


def test_a_change_is_documented_as_it_is() -> None:
    assert ChangeDocument.__struct_fields__ == tuple(
        sorted(Change.__struct_fields__, key=ChangeDocument.__struct_fields__.index)
    )


ALPHA, BETA = TenantId("alpha"), TenantId("beta")


class Site:
    """A listener for other machines, with one incident and one alert of alpha, and tokens by name."""

    def __init__(self) -> None:
        self.service, self.tokens = FakeService(), FakeTokens()
        incidents, clusters, alerts = world.operation(1)
        self.service.pages = {
            "incidents": [replace(incidents[0], tenant=ALPHA)],
            "clusters": [replace(clusters[0], tenant=ALPHA)],
            "alerts": [replace(alerts[0], tenant=ALPHA)],
        }
        self.ids = {kind: rows[0].id for kind, rows in self.service.pages.items()}
        self.server: HttpServer

    def bearer(self, *capabilities: str, tenant: TenantId = ALPHA, sites: tuple[str, ...] = ()) -> dict[str, str]:
        token, text = issue(name="t", capabilities=capabilities, now=START, tenant=tenant, sites=sites)
        self.tokens.put(token)
        self.service.clock.advance(10)
        return {"authorization": f"Bearer {text}"}

    async def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        async with httpx.AsyncClient(base_url=self.server.url, trust_env=False, timeout=PATIENCE) as client:
            return await client.request(method, path, **options)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    found = Site()
    # Loopback in the test, but asked for tokens as any other address would.
    settings = Settings(listen=ListenSettings(host="0.0.0.0", port=0, insecure=True))
    found.server = await serve(found.service, settings, found.tokens)
    found.server.url = found.server.url.replace("0.0.0.0", "127.0.0.1")
    yield found
    await found.server.stop()


def fill(route: Route, id: object) -> str:
    return route.path.replace("{id}", str(id)).replace("{source}", "pagerduty")


@pytest.mark.parametrize("route", TABLE, ids=lambda route: f"{route.method} {route.path}")
async def test_without_a_token_and_without_the_capability_nothing_is_answered(route: Route, site: Site) -> None:
    if route.capability == PUBLIC or route.method == "WEBSOCKET" or route.by_source:
        return
    others = CAPABILITIES - {route.capability, route.also}
    body = {"json": {}} if route.method == "POST" else {}
    assert (await site.ask(route.method, fill(route, 1), **body)).status_code == 401
    refused = await site.ask(route.method, fill(route, 1), headers=site.bearer(*others), **body)
    assert refused.status_code == 403
    assert not site.service.commands and not site.service.queries and not site.service.taken


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("path", ["/ingest/webhook/generic", "/v2/enqueue"])
async def test_a_listener_for_other_machines_knows_no_webhook_that_is_not_configured(
    method: str, path: str, site: Site
) -> None:
    reply = await site.ask(method, path, json={"title": "x"}, headers=site.bearer("ingest:write"))
    assert reply.status_code in (404, 405) and not site.service.taken


@pytest.mark.parametrize("route", [route for route in READS if "{id}" in route.path], ids=lambda route: route.path)
@pytest.mark.parametrize("who", ["another tenant", "another site"])
async def test_what_is_foreign_looks_as_if_it_were_not_there(route: Route, who: str, site: Site) -> None:
    kind = route.path.split("/")[3]
    if kind not in site.ids:
        return
    foreign = (
        site.bearer("noc:view", tenant=BETA) if who == "another tenant" else site.bearer("noc:view", sites=("Moon",))
    )
    hidden = await site.ask("GET", fill(route, site.ids[kind]), headers=foreign)
    nowhere = await site.ask("GET", fill(route, 987654), headers=foreign)
    assert hidden.status_code == nowhere.status_code == 404
    assert hidden.content == nowhere.content
    own = await site.ask("GET", fill(route, site.ids[kind]), headers=site.bearer("noc:view"))
    assert own.status_code == 200


async def test_an_act_on_what_cannot_be_seen_is_the_same_404(site: Site) -> None:
    site.service.refused = {"incident:1": "not found among the incidents that are not closed"}
    reply = await site.ask("POST", "/api/v1/incidents/1/ack", headers=site.bearer("noc:ack"))
    nowhere = await site.ask("POST", "/api/v1/incidents/x/ack", headers=site.bearer("noc:ack"))
    assert reply.status_code == nowhere.status_code == 404 and reply.content == nowhere.content


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b'{"verb":"ack","verb":"close","targets":["incident:1"]}', "given twice"),
        (b'{"verb":"ack","targets":["incident:1"],"params":{"minutes":1,"minutes":9}}', "given twice"),
        (b'{"verb":"ack","params":{"a":' + b"[" * 70 + b"]" * 70 + b"}}", "nested deeper"),
    ],
)
async def test_a_command_that_says_two_things_is_refused(body: bytes, word: str, site: Site) -> None:
    headers = {**site.bearer(*CAPABILITIES), "content-type": "application/json"}
    answer = await site.ask("POST", "/api/v1/commands", content=body, headers=headers)
    assert (answer.status_code, word in answer.text) == (400, True), answer.text


@pytest.mark.parametrize("route", [route for route in TABLE if route.also], ids=lambda route: route.path)
async def test_either_capability_opens_what_two_open(route: Route, site: Site) -> None:
    site.service.pages[route.path.removeprefix("/api/v1/")] = []
    for capability in (route.capability, route.also):
        assert (await site.ask(route.method, route.path, headers=site.bearer(capability))).status_code == 200


async def test_a_command_needs_the_capability_of_its_verb(site: Site) -> None:
    body = {"verb": "merge", "targets": ["incident:1", "incident:2"]}
    refused = await site.ask("POST", "/api/v1/commands", json=body, headers=site.bearer("noc:view", "noc:ack"))
    assert refused.status_code == 403 and not site.service.commands
    taken = await site.ask("POST", "/api/v1/commands", json=body, headers=site.bearer("noc:view", "noc:manage"))
    assert taken.status_code == 200 and taken.json()["changed"] == body["targets"]


@pytest.mark.parametrize("path", ["/debug", "/docs", "/redoc", "/.env", "/api/v1/tokens", "/admin", "/api/v1/../x"])
async def test_there_is_no_other_door(path: str, site: Site) -> None:
    assert (await site.ask("GET", path, headers=site.bearer(*CAPABILITIES))).status_code == 404
