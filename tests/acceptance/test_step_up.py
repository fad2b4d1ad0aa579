"""Approvals and the kill switch over the wire: tokens with and without a PIN, on a real engine and its files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from data.records import DEFAULT_TENANT, Token
from data.scope import CAPABILITIES
from engine.api.auth import issue, scope_of
from engine.app import Engine, build
from engine.client import STEP_UP, Command, Query, Refused
from engine.clock import SystemClock
from engine.local import LocalClient
from engine.pins import hash_pin
from engine.playbooks.settings import PlaybookSettings
from engine.ports import Envelope, EnvelopeKind
from engine.remote import RemoteClient
from engine.settings import ListenSettings, MetricsSettings, Settings, StoreSettings
from tests.fakes.line import unlike

PIN = "canary-tulip-77"
BOOK = """
name: ask
version: 1
policy: {separation_of_duties: false}
steps: [{name: tell, action: send_notification, params: {text: done}}]
"""
#: Questions that are asked; more than one person may answer in a minute.
QUESTIONS = 14


class Site:
    """`one` has a PIN, `two` has the same, `three` has none."""

    def __init__(self, engine: Engine, texts: dict[str, str], tokens: dict[str, Token]) -> None:
        self.engine, self._texts, self.tokens = engine, texts, tokens
        self.clients: list[RemoteClient] = []

    def client(self, name: str) -> RemoteClient:
        self.clients.append(RemoteClient(self.engine.url, self._texts[name]))
        return self.clients[-1]

    def http(self, name: str) -> httpx.AsyncClient:
        headers = {"authorization": f"Bearer {self._texts[name]}"}
        return httpx.AsyncClient(base_url=self.engine.url, headers=headers, trust_env=False, timeout=60)

    async def asked(self, client: RemoteClient | LocalClient) -> list[Any]:
        return [one for one in (await client.query(Query(kind="approvals"))).items if one.state == "open"]


def approving(asked: Any) -> Command:
    return Command(verb="approve", targets=(f"approval:{asked.id}",), params={"plan_sha256": asked.plan_sha256})


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    books = tmp_path / "playbooks"
    books.mkdir()
    (books / "ask.yaml").write_text(BOOK)
    settings = Settings(
        store=StoreSettings(data_dir=str(tmp_path / "data"), synchronous="normal", reserve_mib=0),
        listen=ListenSettings(port=0),
        metrics=MetricsSettings(own=False),
        playbooks=PlaybookSettings(directory=str(books)),
    )
    engine = build(settings, SystemClock())
    await engine.start()
    texts, tokens = {}, {}
    for name in ("one", "two", "three"):
        token, texts[name] = issue(name=name, capabilities=CAPABILITIES, now=engine.clock.now())
        tokens[name] = token
        await engine._store.save_token(replace(token, pin_scrypt="" if name == "three" else hash_pin(PIN, log_n=4)))
    found = Site(engine, texts, tokens)
    signals = [unlike(f"s{number}", site=f"site {number}") for number in range(QUESTIONS)]
    await engine.service.take(
        Envelope(kind=EnvelopeKind.SIGNALS, tenant=DEFAULT_TENANT, source="test", payload=signals)
    )
    three = found.client("three")
    for incident in (await three.query(Query(kind="incidents"))).items:
        run = Command(verb="run_playbook", targets=(f"incident:{incident.id}",), params={"playbook": "ask"})
        await three.command(run)
    yield found
    for client in found.clients:
        await client.close()
    await engine.stop()


async def refused(client: RemoteClient, command: Command) -> Refused:
    with pytest.raises(Refused) as found:
        await client.command(command)
    return found.value


async def test_an_approval_waits_for_the_pin_and_then_counts(site: Site, tmp_path: Path) -> None:
    one, another = site.client("one"), site.client("one")
    first, second, *_ = await site.asked(one)
    assert len(await site.asked(one)) == QUESTIONS
    assert (await refused(one, approving(first))).field == STEP_UP
    with pytest.raises(Refused, match="not the PIN"):
        await one.step_up("canary-wrong-1")
    assert (await refused(one, approving(first))).field == STEP_UP
    assert await one.step_up(PIN) == 300.0
    assert (await one.command(approving(first))).changed
    assert (await refused(another, approving(second))).field == STEP_UP, "another session of the same token"
    assert (await site.client("three").command(approving(second))).changed, "no PIN is set for it"
    await site.engine.idle()
    for path in (tmp_path / "data").rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert PIN.encode() not in content and b"canary-wrong-1" not in content, path
            assert one._proof.encode() not in content, path


async def test_the_kill_switch_takes_it_both_ways(site: Site) -> None:
    one = site.client("one")
    on = Command(verb="kill_switch", targets=(), params={"on": True, "reason": "drill"})
    off = Command(verb="kill_switch", targets=(), params={"on": False, "reason": "over"})
    assert (await refused(one, on)).field == STEP_UP
    assert (await refused(one, off)).field == STEP_UP
    await one.step_up(PIN)
    assert (await one.command(on)).changed and (await one.command(off)).changed


@pytest.mark.parametrize("path", ["commands", "approvals"])
async def test_a_stolen_proof_is_of_no_use_to_another_token(site: Site, path: str) -> None:
    one = site.client("one")
    asked, *_ = await site.asked(one)
    await one.step_up(PIN)
    if path == "commands":
        given = approving(asked)
        where, body = "/api/v1/commands", {"verb": given.verb, "targets": given.targets, "params": given.params}
    else:
        where, body = f"/api/v1/approvals/{asked.id}/approve", {"plan_sha256": asked.plan_sha256}
    async with site.http("two") as thief, site.http("one") as owner:
        stolen = await thief.post(where, json=body, headers={"step-up": one._proof})
        assert (stolen.status_code, stolen.json()["field"]) == (403, STEP_UP)
        assert (await thief.post(where, json={**body, "proof": one._proof})).status_code == 422
        assert (await thief.post(where, json=body, headers=[(b"step-up", b"\xc3\xa9" * 9)])).status_code in (400, 403)
        assert (await owner.post(where, json=body, headers={"step-up": one._proof})).status_code == 200


async def test_who_may_not_approve_is_told_so_and_not_asked_for_a_pin(site: Site) -> None:
    engine = site.engine
    token, text = issue(name="viewer", capabilities=["noc:view"], now=engine.clock.now())
    await engine._store.save_token(replace(token, pin_scrypt=hash_pin(PIN, log_n=4)))
    asked, *_ = await site.asked(site.client("three"))
    viewer = RemoteClient(engine.url, text)
    site.clients.append(viewer)

    async def known() -> bool:
        try:
            await viewer.health()
        except Refused:
            return False
        return True

    async with asyncio.timeout(60):
        while not await known():  # the list of tokens is believed for two seconds
            await engine.clock.sleep(0.05)
    found = await refused(viewer, approving(asked))
    assert (found.status, found.field) == (403, "") and "playbook:approve" in found.reason


async def test_a_thousand_approvals_by_a_script_are_refused(site: Site) -> None:
    """Without a proof all of them; with one all but those that one person may give in a minute."""
    one = site.client("one")
    asked = await site.asked(one)
    everything = tuple(f"approval:{one.id}" for one in asked)
    many = (everything * 1000)[:1000]
    bulk = Command(verb="approve", targets=many, params={"plan_sha256": asked[0].plan_sha256})
    assert (await refused(one, bulk)).field == STEP_UP
    script = site.engine.client(scope_of(site.tokens["one"], "script"))
    for number in range(1000):
        with pytest.raises(Refused) as found:
            await script.command(approving(asked[number % len(asked)]))
        assert found.value.field == STEP_UP
    assert len(await site.asked(one)) == QUESTIONS
    await one.step_up(PIN)
    taken = 0
    for target in asked:
        taken += not (await one.command(approving(target))).refused
    assert taken == 10
    assert len(await site.asked(one)) == QUESTIONS - 10


async def test_what_an_act_makes_can_be_named_afterwards(site: Site) -> None:
    """A request's id becomes part of a name, and a name that no target can be is out of everybody's reach."""
    run = {"verb": "run_playbook", "targets": ["incident:1"], "params": {"playbook": "ask"}}
    async with site.http("three") as http:
        for request in ("x\x1b[31m", "x\n", "k" * 256):
            refused = await http.post("/api/v1/commands", json={**run, "request": request})
            assert (refused.status_code, refused.json()["field"]) == (422, "request"), request
        made = (await http.post("/api/v1/commands", json={**run, "request": "k" * 255})).json()["id"]
        cancelled = await http.post(f"/api/v1/executions/{made}/cancel", json={"reason": "drill"})
        assert cancelled.json()["changed"] == [f"execution:{made}"]
