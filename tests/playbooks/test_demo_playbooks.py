"""The demo's engine has every shipped playbook, and they act on the simulation and on nothing else."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from data.records import TenantId
from data.scope import CAPABILITIES, Scope
from engine.app import build
from engine.client import Query
from engine.playbooks.library import shipped_names
from engine.simulator import truth
from engine.simulator.outside import outside_of
from engine.simulator.source import Play, SimulatorSource
from noc_console.commands import demo
from noc_console.commands.start import Start
from tests.fakes.world import NOW
from tests.simulator.test_demo import LiveClock


async def test_playbooks_of_the_demo_are_loaded_and_begin(tmp_path: Path) -> None:
    settings = demo.settings_of(Start().with_store(str(tmp_path / "data")), 0.2)
    clock, told = LiveClock(NOW), list[truth.Record]()
    source = SimulatorSource(
        Play(seed=2, scale=0.2, scenario="quiet", history_hours=1), clock, TenantId("main"), told.extend
    )
    engine = build(settings, clock, listen=False, inputs=[source], outside=outside_of(source))
    await engine.start()
    try:
        client = engine.client(Scope(tenant=TenantId("main"), actor="test", capabilities=CAPABILITIES))

        async def found(kind: str) -> Any:
            return (await client.query(Query(kind=kind, limit=500))).items

        assert [row["name"] for row in await found("playbooks/files")] == list(shipped_names())
        while not source.live:
            await clock.sleep(1)
        assert source.simulator is not None
        camera = source.simulator.world.sites[0].of_type("camera")[0]
        source.simulator.models.devices.report(camera, "sync_failed")
        for _ in range(100):
            acts = [row for row in told if isinstance(row, truth.Act)]
            if any(act.target == camera.id for act in acts):
                break
            clock.advance(5.0)
            await asyncio.sleep(0.1)
        else:
            raise AssertionError(f"nobody acted: {await found('executions')}")
        assert not (await client.health()).banners
    finally:
        await engine.stop()
