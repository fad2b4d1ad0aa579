"""`noc-console demo`: its options, and the engine that it starts."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from data.records import TenantId
from data.scope import CAPABILITIES, Scope
from engine.app import build
from engine.client import Query
from engine.simulator import SCENARIOS, truth
from engine.simulator.simulator import OPENING_HOURS
from engine.simulator.source import Play
from noc_console.commands import demo
from noc_console.commands.connection import local_scope
from noc_console.commands.root import cli
from noc_console.commands.start import Start
from tests.fakes.still_clock import StillClock
from tests.fakes.world import NOW


def test_the_scenarios_are_those_of_the_simulator() -> None:
    assert tuple(SCENARIOS) == demo.SCENARIOS


def test_each_scenario_is_described() -> None:
    text = CliRunner().invoke(cli, ["demo", "--help"]).output
    assert all(name in text for name in SCENARIOS)
    assert all(scenario.words for scenario in SCENARIOS.values())


@pytest.mark.parametrize(
    "words", [["--scenario", "calm"], ["--speed", "0"], ["--scale", "0"], ["--seed", "x"], ["--truth", "/"]]
)
def test_unknown_values_are_refused(words: list[str]) -> None:
    assert CliRunner().invoke(cli, ["demo", *words]).exit_code == 2


def test_it_keeps_off_the_operators_own_data_and_port(tmp_path: Path) -> None:
    settings = demo.settings_of(Start().with_store(str(tmp_path)))
    assert (settings.listen.host, settings.listen.port) == ("127.0.0.1", 0)
    assert Path(settings.store.data_dir) == tmp_path


class LiveClock(StillClock):
    """Stands still, and lets others run whenever somebody waits."""

    async def sleep(self, seconds: float) -> None:
        import asyncio

        await asyncio.sleep(0.001 if seconds else 0)


async def test_it_looks_as_if_it_had_run_for_these_hours(tmp_path: Path) -> None:
    settings = demo.settings_of(Start().with_store(str(tmp_path / "data")))
    clock = LiveClock(NOW)
    source = demo.source_of(settings, Play(seed=2, scale=0.2, history_hours=3), clock, None)
    engine = build(settings, clock, listen=False, inputs=[source])
    await engine.start()
    try:
        while not source.live:
            await clock.sleep(1)
        await clock.sleep(1)
        await engine.idle()
        client = engine.client(local_scope(settings))
        incidents = (await client.query(Query(kind="incidents", limit=1000))).items
        ages = sorted((NOW - incident.opened_at).total_seconds() for incident in incidents)
        assert ages[len(ages) // 2] > 1800
        assert ages[-1] <= (3 + OPENING_HOURS) * 3600
        over = [incident for incident in incidents if incident.resolved_at is not None]
        assert over and all(incident.resolved_at < NOW - timedelta(minutes=1) for incident in over[len(over) // 2 :])
        kpis = {line["name"]: line["value"] for line in (await client.query(Query(kind="kpis"))).items}
        assert kpis["MTTR"] > 60
        health = await client.health()
        started = [a for a in (await client.query(Query(kind="alerts", limit=1000))).items if not a.suppressed]
        late = sum((NOW - alert.starts_at).total_seconds() < 600 for alert in started)
        assert health.alarms_10m <= late < len(started) / 3
        assert health.rate * 60 < engine.telemetry.counters["noc_signals_total"] / 2
    finally:
        await engine.stop()


async def test_the_engine_shows_alerts_and_rejects_nothing(tmp_path: Path) -> None:
    settings = demo.settings_of(Start().with_store(str(tmp_path / "data")))
    clock = LiveClock(NOW)
    path = tmp_path / "truth.jsonl"
    with demo.written(str(path)) as file:
        source = demo.source_of(settings, Play(seed=2, scale=0.2, history_hours=3), clock, file)
        engine = build(settings, clock, listen=False, inputs=[source])
        await engine.start()
        try:
            while not source.live:
                await clock.sleep(1)
            await engine.idle()
            scope = Scope(tenant=TenantId(settings.engine.tenant), actor="test", capabilities=CAPABILITIES)
            client = engine.client(scope)
            assert len((await client.query(Query(kind="incidents"))).items) > 0
            assert (await client.health()).rejects == 0
        finally:
            await engine.stop()
    with path.open("rb") as lines:
        assert all(isinstance(record, truth.Record) for record in truth.read(lines))
