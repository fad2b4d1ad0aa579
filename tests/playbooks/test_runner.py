"""A whole engine: files in a folder, an alert comes in, the outbox works, people approve, what is left is seen."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from data.records import DEFAULT_TENANT
from data.scope import CAPABILITIES, Scope
from engine.app import Engine, build
from engine.client import Command, Query, Refused
from engine.clock import SystemClock
from engine.playbooks.settings import ConfigurationSettings, PlaybookSettings
from engine.ports import Envelope, EnvelopeKind
from engine.settings import Settings, StoreSettings
from tests.fakes.line import signal
from tests.fakes.waiting import PATIENCE

ANA = Scope(tenant=DEFAULT_TENANT, actor="ana", capabilities=CAPABILITIES)
BOB = Scope(tenant=DEFAULT_TENANT, actor="bob", capabilities=CAPABILITIES)
MEND = """
name: mend
version: 1
trigger: {severity: high}
policy: {mode: auto}
steps:
  - name: write
    action: update_configuration
    params: {path: web.conf, content: "host ${alert.entity}\\n"}
  - name: open
    action: create_ticket
    params: {title: "Look at ${alert.entity}", note: "changed ${steps.write.changed}"}
verification: {condition: 'incident.alerts >= 1', resolves: true}
"""
ASK = """
name: ask
version: 1
steps: [{name: give, action: assign_resource, params: {assignee: bo}}]
"""


def settings_of(tmp_path: Path) -> Settings:
    books, files = tmp_path / "playbooks", tmp_path / "files"
    books.mkdir(exist_ok=True)
    files.mkdir(exist_ok=True)
    (books / "mend.yaml").write_text(MEND)
    (books / "ask.yaml").write_text(ASK)
    (books / "bad.yaml").write_text("name: bad\nversion: 0\nsteps: []\n")
    settings = Settings(
        store=StoreSettings(data_dir=str(tmp_path / "data"), synchronous="normal", reserve_mib=0),
        playbooks=PlaybookSettings(directory=str(books), configuration=ConfigurationSettings(directory=str(files))),
    )
    return replace(settings, metrics=replace(settings.metrics, own=False))


async def until(engine: Engine, kind: str, state: str) -> Any:
    """The first record of this kind in this state, once there is one."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        page = await engine.client(ANA).query(Query(kind=kind, q=f"state={state}"))
        if page.items:
            return page.items[0]
        await engine.clock.sleep(0.05)
    found = await engine.client(ANA).query(Query(kind=kind))
    raise AssertionError(f"no {kind} is {state}: {found.items}")


async def alert(engine: Engine, key: str, **given: Any) -> None:
    now = engine.clock.now()
    row = replace(signal(key, **given), starts_at=now, ends_at=now.replace(year=now.year + 1))
    await engine.service.take(Envelope(kind=EnvelopeKind.SIGNALS, tenant=DEFAULT_TENANT, source="test", payload=[row]))


async def test_from_an_alert_to_a_verified_incident(tmp_path: Path) -> None:
    engine = build(settings_of(tmp_path), SystemClock(), listen=False)
    await engine.start()
    try:
        await alert(engine, "web-1")
        run = await until(engine, "executions", "success")
        assert [step.state for step in run.steps] == ["done", "done"]
        assert (tmp_path / "files" / "web.conf").read_text() == "host web-1\n"
        (ticket,) = (await engine.client(ANA).query(Query(kind="tickets"))).items
        assert "changed true" in ticket.history[0].note
        (incident,) = (await engine.client(ANA).query(Query(kind="incidents"))).items
        assert incident.state == "resolved" and run.resolved
        (figures,) = (await engine.client(ANA).query(Query(kind="playbooks/statistics"))).items
        assert (figures["runs"], figures["resolved"]) == (1, 1)
        assert run.unattended and not run.asked_people
        (rate,) = [
            line
            for line in (await engine.client(ANA).query(Query(kind="kpis"))).items
            if line["name"] == "auto-resolved"
        ]
        assert rate["value"] == 100.0 and "1 of 1" in rate["formula"]
        health = await engine.client(ANA).health()
        assert any("bad.yaml:2: version" in banner for banner in health.banners)
    finally:
        await engine.stop()


async def test_a_question_outlives_a_restart_and_the_plan_is_the_one_that_was_shown(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    (tmp_path / "playbooks" / "mend.yaml").unlink()
    engine = build(settings, SystemClock(), listen=False)
    await engine.start()
    try:
        await alert(engine, "web-1")
        query = Query(kind="playbooks/plan", params={"playbook": "ask", "incident": 1})
        (shown,) = (await engine.client(ANA).query(query)).items
        command = Command(
            verb="run_playbook",
            targets=("incident:1",),
            params={"playbook": "ask", "plan_sha256": shown["sha256"]},
        )
        result = await engine.client(ANA).command(command)
        assert result.changed and not result.refused
    finally:
        await engine.stop()
    edited = ASK.replace("version: 1", "version: 2").replace("assignee: bo", "assignee: eve")
    (tmp_path / "playbooks" / "ask.yaml").write_text(edited)
    engine = build(settings, SystemClock(), listen=False)
    await engine.start()
    try:
        approval = await until(engine, "approvals", "open")
        assert approval.plan_sha256 == shown["sha256"]
        await plans_for_those_who_may(engine, approval.execution, shown["sha256"])
        params = {"plan_sha256": approval.plan_sha256}
        answer = Command(verb="approve", targets=(f"approval:{approval.id}",), params=params)
        await engine.client(BOB).command(answer)
        run = await until(engine, "executions", "success")
        assert run.definition.version == 1, "it keeps the playbook that was shown, whatever was edited meanwhile"
        (incident,) = (await engine.client(ANA).query(Query(kind="incidents"))).items
        assert incident.owner == "bo"
    finally:
        await engine.stop()


async def plans_for_those_who_may(engine: Engine, run: str, sha256: str) -> None:
    """Whoever may approve or run sees what would be done; nobody else."""
    for capability in ("playbook:approve", "playbook:run", "noc:manage"):
        client = engine.client(replace(BOB, capabilities=frozenset({"noc:view", capability})))
        query = client.query(Query(kind="playbooks/plan", params={"execution": run}))
        if capability == "noc:manage":
            with pytest.raises(Refused, match="playbook:run"):
                await query
        else:
            (plan,) = (await query).items
            assert (plan["sha256"], plan["changed"]) == (sha256, False)


async def test_a_plan_is_refused_for_what_is_not_there(tmp_path: Path) -> None:
    engine = build(settings_of(tmp_path), SystemClock(), listen=False)
    await engine.start()
    try:
        for params in ({"playbook": "none", "incident": 1}, {"playbook": "ask", "incident": 99}):
            with pytest.raises(Refused):
                await engine.client(ANA).query(Query(kind="playbooks/plan", params=params))
        listed = (await engine.client(ANA).query(Query(kind="playbooks/files"))).items
        assert [row["name"] for row in listed] == ["ask", "mend", "bad.yaml"]
    finally:
        await engine.stop()


ONE_AT_A_TIME = """
name: one
version: 1
trigger: {names: [LinkDown]}
policy: {mode: auto, per_hour: 30, per_target: 8, flood_incidents: 1000}
steps: [{name: write, action: update_configuration, params: {path: web.conf, content: "host ${alert.entity}\\n"}}]
"""


async def test_fifty_racing_triggers_and_fifty_racing_people_keep_the_limits(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    (tmp_path / "playbooks" / "mend.yaml").write_text(ONE_AT_A_TIME)
    engine = build(settings, SystemClock(), listen=False)
    await engine.start()
    most, client = 0, engine.client(ANA)

    async def ask(number: int) -> None:
        params = {"playbook": "one"}
        await client.command(
            Command(verb="run_playbook", targets=(f"incident:{number}",), params=params, request=f"r{number}")
        )

    try:
        await asyncio.gather(*(alert(engine, f"s{number}", site=f"site {number}") for number in range(50)))
        numbers = [incident.id for incident in (await client.query(Query(kind="incidents", limit=100))).items]
        await asyncio.gather(*(ask(number) for number in numbers))
        for _ in range(1200):
            runs = (await client.query(Query(kind="executions", limit=200))).items
            most = max(most, sum(run.state == "running" for run in runs))
            if runs and all(run.ended_at is not None for run in runs):
                break
            await engine.clock.sleep(0.2)
    finally:
        await engine.stop()
    states = Counter((run.triggered, run.state) for run in runs)
    assert states == {(True, "success"): 30, (True, "cancelled"): 20, (False, "success"): len(numbers)}
    assert most <= 8, "they all write one file"
