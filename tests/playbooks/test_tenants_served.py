"""Two companies, an engine of both and a token of each: no file, run, plan, question or change of one reaches the
other over any route or the feed. And people with several tokens."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from data.records import TenantId
from data.scope import CAPABILITIES
from engine.api import alertmanager
from engine.api.auth import issue
from engine.api.table import build_table
from engine.app import Engine, build
from engine.clock import SystemClock
from engine.playbooks.settings import PlaybookSettings
from engine.settings import ListenSettings, Settings, StoreSettings
from tests.fakes.waiting import PATIENCE

NORTH, SOUTH = TenantId("default"), TenantId("south")
#: Stands in all that is of the first company.
MARK = "canary-of-north"
BOOK = """
name: %s
version: 1
description: Of %s.
tenants: [%s]
trigger: {names: [Waits]}
policy: {mode: %s, separation_of_duties: false}
steps: [{name: open, action: create_ticket, params: {title: "${alert.entity} of %s"}}]
"""
TABLE = build_table()


def books(folder: Path) -> None:
    for name, tenant in ((MARK, NORTH), ("souths", SOUTH)):
        for mode in ("auto", "approval"):
            text = BOOK % (f"{name}-{mode}", name, tenant, mode, name)
            (folder / f"{name}-{mode}.yaml").write_text(text)
    (folder / f"{MARK}-wrong.yaml").write_text(f"name: {MARK}-wrong\ntenants: [{NORTH}]\nversion: none\nsteps: []\n")
    (folder / f"{MARK}-broken.yaml").write_text(f"name: {MARK}-broken\n\t")


class Company:
    def __init__(self, engine: Engine, tenant: TenantId, token: str) -> None:
        self.tenant, self.heard = tenant, ""
        self.headers = {"authorization": f"Bearer {token}"}
        self.http = httpx.AsyncClient(base_url=engine.url, headers=self.headers, trust_env=False, timeout=PATIENCE)

    async def get(self, path: str, **params: Any) -> list[Any]:
        reply = await self.http.get(f"/api/v1/{path}", params=params)
        assert reply.status_code == 200, reply.text
        found: list[Any] = reply.json()["items"]
        return found

    async def listen(self, url: str) -> None:
        async with connect(
            f"{url.replace('http', 'ws')}/api/v1/feed?cursor=0", additional_headers=self.headers
        ) as feed:
            while True:
                self.heard += str(await feed.recv())

    async def fill(self, mark: str) -> dict[str, str]:
        """An alert, a run that is done, one that asks → an id of each kind."""
        labels = {"alertname": "Waits", "site": mark, "host": f"{mark}-host", "severity": "critical"}
        assert (await self.http.post("/api/v2/alerts", json=[{"labels": labels}])).status_code == 200
        await until(lambda: self.get("approvals", active=True), "a question")
        await until(lambda: self.get("executions", q="state=success"), "a run that is done")
        await until(lambda: self.get("playbooks"), "the records of what is loaded")
        kinds = ("incidents", "alerts", "playbooks", "executions", "approvals", "tickets")
        found = {kind: str((await self.get(kind))[0]["id"]) for kind in kinds}
        found["executions"] = (await self.get("executions", q="state=pending"))[0]["id"]
        return found


async def company(engine: Engine, tenant: TenantId, name: str, owner: str = "") -> Company:
    """By a token of this name that may do everything."""
    token, text = issue(name=name, capabilities=CAPABILITIES, now=engine.clock.now(), tenant=tenant, owner=owner)
    await engine._store.save_token(token)
    return Company(engine, tenant, text)


async def until(look: Any, what: str) -> Any:
    try:
        async with asyncio.timeout(60):
            while not (found := await look()):
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"never came: {what}") from None
    return found


@asynccontextmanager
async def companies(tmp_path: Path) -> AsyncIterator[tuple[Company, Company]]:
    folder = tmp_path / "books"
    folder.mkdir()
    books(folder)
    settings = Settings(
        store=StoreSettings(data_dir=str(tmp_path / "data"), reserve_mib=0),
        listen=ListenSettings(port=0),
        playbooks=PlaybookSettings(directory=str(folder)),
    )
    engine = build(settings, SystemClock())
    await engine.start()
    found, feeds = [], []
    try:
        for tenant in (NORTH, SOUTH):
            found.append(await company(engine, tenant, "ana"))
        feeds = [asyncio.create_task(one.listen(engine.url)) for one in found]
        yield found[0], found[1]
    finally:
        for feed in feeds:
            feed.cancel()
        await asyncio.gather(*feeds, return_exceptions=True)
        for one in found:
            await one.http.aclose()
        await engine.stop()


#: What an act wants to know, by its name: without it, it would be refused before its target is looked for.
PARAMS: dict[str, dict[str, Any]] = {
    "approve": {"plan_sha256": "0" * 64},
    "reject": {"reason": "x"},
    "cancel": {"reason": "x"},
    "hold": {"minutes": 5},
    "run_playbook": {"playbook": f"{MARK}-auto"},
    "note": {"text": "x"},
    "assign": {"owner": "x"},
}
NOBODYS = {"incidents": "987654", "alerts": "987654", "clusters": "987654", "rejects": "987654"}


async def answer(company: Company, method: str, path: str, id: str) -> tuple[int, str]:
    body = {"json": PARAMS.get(path.rpartition("/")[2], {})} if method == "POST" else {}
    reply = await company.http.request(method, re.sub(r"\{\w+\}", id, path), **body)
    text = reply.text.replace(id, "ID").replace(PARAMS["run_playbook"]["playbook"], "BOOK")
    return reply.status_code, re.sub(r'"(?:seq|at|request)":\s*("[^"]*"|\d+)', "", text)


async def told(company: Company) -> str:
    """What people decide about runs."""
    rows = [await company.get(kind, limit=1000) for kind in ("executions", "approvals", "playbooks", "kill_switches")]
    kept = ("id", "state", "votes", "reason", "expires_at", "cancelling")
    return json.dumps([[{name: row.get(name) for name in kept} for row in found] for found in rows])


async def test_nothing_of_one_company_reaches_the_other(tmp_path: Path) -> None:
    async with companies(tmp_path) as (north, south):
        theirs, own = await north.fill(MARK), await south.fill("south")
        before = await told(north)
        await lists_and_reports(south, theirs, own)
        await things_by_id(south, theirs)
        await south.http.post("/api/v1/kill_switches", json={"on": True, "reason": "x"})
        assert {run["state"] for run in await south.get("executions")} == {"success", "cancelled"}
        assert await told(north) == before, "something was changed from outside"
        plan = await north.get("playbooks/plan", execution=theirs["executions"])
        assert MARK in json.dumps(plan) and not plan[0]["changed"], "its own company may see it"
        banners = (await north.http.get("/api/v1/health")).json()["banners"]
        assert len(banners) == 2 and all(MARK in banner for banner in banners), "as what is wrong with its files"
        sha = plan[0]["sha256"]
        done = await north.http.post(f"/api/v1/approvals/{theirs['approvals']}/approve", json={"plan_sha256": sha})
        assert done.status_code == 200, f"and may approve it, whatever the other has stopped: {done.text}"
        await until(lambda: done_twice(north), "its run")
        await until(lambda: asyncio.sleep(0, "kill_switch_set" in south.heard), "the end of the feed")
        await until(lambda: asyncio.sleep(0, "approval_updated" in north.heard), "the end of the feed")
    for heard, mark in ((north.heard, MARK), (south.heard, "souths-auto")):
        assert {"execution_updated", "approval_requested", "playbook_loaded"} <= set(re.findall(r"\w+_\w+", heard))
        assert mark in heard
    assert MARK not in south.heard
    assert "souths-" not in north.heard and "kill_switch_set" not in north.heard


async def done_twice(company: Company) -> bool:
    return len(await company.get("executions", q="state=success")) == 2


async def lists_and_reports(south: Company, theirs: dict[str, str], own: dict[str, str]) -> None:
    """Every GET without an id, as it is and asked about things of the other."""
    lists = [route.path for route in TABLE if route.method == "GET" and "{" not in route.path]
    params: list[tuple[str, dict[str, Any]]] = [(path, {}) for path in lists]
    params += [(f"/api/v1/{kind}", {"incident": theirs["incidents"]}) for kind in ("executions", "approvals", "events")]
    params += [(f"/api/v1/{kind}", {"id": theirs[kind]}) for kind in ("executions", "approvals", "playbooks")]
    params += [("/api/v1/playbooks/plan", {"execution": theirs["executions"]})]
    params += [("/api/v1/playbooks/plan", {"playbook": f"{MARK}-auto", "incident": own["incidents"]})]
    params += [("/api/v1/playbooks/plan", {"playbook": "souths-auto", "incident": theirs["incidents"]})]
    params += [("/api/v1/playbooks/fitting", {"incident": number["incidents"]}) for number in (theirs, own)]
    params += [("/api/v1/playbooks/statistics", {"playbook": f"{MARK}-auto"}), ("/api/v1/events", {"limit": 1000})]
    for path, given in params:
        reply = await south.http.get(path, params=given)
        assert reply.status_code < 500, f"{path}: {reply.text}"
        text = reply.text.replace(f"'{MARK}-auto'", "")  # the question's own words may come back in a refusal
        assert MARK not in text, f"{path} {given}: {reply.text}"
    files = await south.get("playbooks/files")
    assert [row["name"] for row in files] == ["souths-approval", "souths-auto"]
    fits = await south.get("playbooks/fitting", incident=own["incidents"])
    assert {row["playbook"] for row in fits} == {"souths-approval", "souths-auto"}
    (health,) = [(await south.http.get("/api/v1/health")).json()]
    assert health["banners"] == []


async def things_by_id(south: Company, theirs: dict[str, str]) -> None:
    """Every route that names one thing, by an id of the other company and by one of nobody."""
    routes = [route for route in TABLE if re.match(r"/api/v[12]/(\w+)/\{\w+\}", route.path)]
    asked = 0
    for route in routes:
        kind = route.path.split("/")[3]
        if kind not in theirs or route.handler is alertmanager.deprecated:
            continue
        asked += 1
        nobody = NOBODYS.get(kind, "nobody-987654")
        got = await answer(south, route.method, route.path, theirs[kind])
        assert got == await answer(south, route.method, route.path, nobody), f"{route.method} {route.path}"
        assert MARK not in got[1]
    assert asked > 20


@pytest.mark.parametrize("playbook", [f"{MARK}-auto", "nobodys"])
async def test_a_company_runs_its_own_playbooks_alone(tmp_path: Path, playbook: str) -> None:
    async with companies(tmp_path) as (_, south):
        own = await south.fill("south")
        path = f"/api/v1/incidents/{own['incidents']}/run_playbook"
        refused = await south.http.post(path, json={"playbook": playbook})
        assert refused.status_code == 422 and "no playbook is called" in refused.text
        (health,) = [(await south.http.get("/api/v1/health")).json()]
        assert health["banners"] == [] and health["tenant"] == SOUTH


TWO = """
name: two
version: 1
policy: {quorum: 2}
steps: [{name: open, action: create_ticket, params: {title: "${alert.entity}"}}]
"""


async def test_people_agree_and_not_their_tokens(tmp_path: Path) -> None:
    folder = tmp_path / "books"
    folder.mkdir()
    (folder / "two.yaml").write_text(TWO)
    settings = Settings(
        store=StoreSettings(data_dir=str(tmp_path / "data"), reserve_mib=0),
        listen=ListenSettings(port=0),
        playbooks=PlaybookSettings(directory=str(folder)),
    )
    engine = build(settings, SystemClock())
    await engine.start()
    people: dict[str, Company] = {}
    try:
        for name, owner in (("ana", ""), ("ana-script", "ana"), ("bob", ""), ("bob-phone", "Bob"), ("eve", "")):
            people[name] = await company(engine, NORTH, name, owner)
        asked = people["ana-script"].http
        labels = {"alertname": "Waits", "site": "s", "host": "web-1", "severity": "high"}
        assert (await asked.post("/api/v2/alerts", json=[{"labels": labels}])).status_code == 200
        assert (await asked.post("/api/v1/incidents/1/run_playbook", json={"playbook": "two"})).status_code == 200
        (one,) = await until(lambda: people["bob"].get("approvals"), "the question")
        assert one["requested_by"] == "ana"
        answers = {}
        for name in ("ana-script", "ana", "bob", "bob-phone", "eve"):
            path, body = f"/api/v1/approvals/{one['id']}/approve", {"plan_sha256": one["plan_sha256"]}
            reply = await people[name].http.post(path, json=body)
            answers[name] = (reply.status_code, reply.json().get("detail", ""))
        assert answers["ana-script"] == answers["ana"] == (409, "whoever asked for it does not approve it")
        assert answers["bob-phone"] == (409, "Bob has approved it already")
        assert answers["bob"][0] == answers["eve"][0] == 200
        health = (await people["ana-script"].http.get("/api/v1/health")).json()
        assert (health["actor"], health["person"]) == ("ana-script", "ana")
        (run,) = await until(lambda: people["eve"].get("executions", q="state=success"), "its end")
        assert run["asked_by"] == "ana"
        audits = await people["eve"].get("audit", q="verb=approve")
        assert {row["actor"] for row in audits} == set(answers), "the audit names tokens"
    finally:
        for one_of in people.values():
            await one_of.http.aclose()
        await engine.stop()
