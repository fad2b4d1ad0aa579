"""On-call from the configuration to the receiver: a real engine, its reports, and pages exactly once over restarts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from data.records import DEFAULT_TENANT, Severity, Signal, SignalStatus
from data.scope import CAPABILITIES, Scope
from engine.app import Engine, build
from engine.client import Command, Query, Refused
from engine.clock import SystemClock
from engine.config_check import ConfigError, Surroundings, settings_of
from engine.ports import Envelope, EnvelopeKind
from engine.settings import Settings
from tests.fakes.receiver import Handler, Receiver, plain, receivers
from tests.fakes.waiting import PATIENCE
from tests.oncall.world import limited

receive = pytest.fixture(receivers)
Receive = Callable[[Handler], Awaitable[Receiver]]
ANA = Scope(tenant=DEFAULT_TENANT, actor="ana", capabilities=CAPABILITIES)
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


class MovedClock(SystemClock):
    """The machine's pace, from a moment that the test sets."""

    def __init__(self, start: datetime) -> None:
        self._ahead = start - super().now()

    def now(self) -> datetime:
        return super().now() + self._ahead


def tree(directory: Path, receiver: Receiver, **oncall: Any) -> dict[str, Any]:
    """The configuration as TOML gives it."""
    given = {
        "people": {"ana": {"webhook": "ops"}, "eve": {"webhook": "ops"}},
        "rotas": [
            {"name": "primary", "people": ["ana", "bob"], "starts": "2026-05-04", "time_zone": "Europe/Berlin"},
            {"name": "second", "people": ["eve"], "starts": "2026-05-04"},
        ],
        "policies": [
            {
                "name": "grave",
                "repeat": 0,
                "steps": [{"notify": ["rota:primary"], "minutes": 5}, {"notify": ["rota:second"], "minutes": 5}],
            }
        ],
    }
    webhook = {
        "name": "ops",
        "url": f"http://{receiver.authority}/page",
        "when": "severity>=info and not severity>=info",
    }
    return {
        "store": {"data_dir": str(directory), "reserve_mib": 0},
        "notify": {"webhooks": [webhook], "allow_hosts": [receiver.authority]},
        "oncall": {**given, **oncall},
    }


def settings_from(plan: dict[str, Any]) -> Settings:
    return settings_of(plan, Surroundings({}, Path()))


@asynccontextmanager
async def running(settings: Settings, start: datetime) -> AsyncIterator[Engine]:
    engine = build(settings, MovedClock(start), listen=False)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()


def a_signal(now: datetime) -> Signal:
    return Signal(
        source="test",
        key="Down/a",
        name="Down",
        severity=Severity.HIGH,
        status=SignalStatus.FIRING,
        title="Down at a",
        site="LIS1",
        entity="a",
        entity_type="host",
        service="",
        client="",
        correlation="",
        starts_at=now,
        ends_at=now + timedelta(days=1),
        labels={"alertname": "Down", "instance": "a"},
        annotations={},
    )


async def ask(engine: Engine, kind: str, **params: Any) -> list[Any]:
    return list((await engine.client(ANA).query(Query(kind=kind, params=params))).items)


async def until(done: Callable[[], bool]) -> None:
    """TimeoutError when it does not come true."""
    async with asyncio.timeout(PATIENCE):
        while not done():
            await asyncio.sleep(0.02)


async def test_a_page_reaches_its_receiver_and_the_next_step_another_person_after_a_restart(
    receive: Receive, tmp_path: Path
) -> None:
    receiver = await receive(lambda _: plain(204))
    settings = settings_from(tree(tmp_path, receiver))
    async with running(settings, NOON) as engine:
        await engine.service.take(
            Envelope(kind=EnvelopeKind.SIGNALS, tenant=DEFAULT_TENANT, source="test", payload=[a_signal(NOON)])
        )
        await until(lambda: len(receiver.seen) == 1)
        (stands,) = await ask(engine, "incidents/{id}/oncall", id=1)
        assert (stands["state"], stands["told"], stands["next_notify"]) == ("waiting", ("ana",), ("rota:second",))
        assert stands["next_people"] == ["eve"] and [one["person"] for one in stands["duty"]] == ["ana", "eve"]
    async with running(settings, NOON + timedelta(minutes=5)) as engine:
        await until(lambda: len(receiver.seen) == 2)
        await engine.client(ANA).command(Command(verb="ack", targets=("incident:1",)))
        (stands,) = await ask(engine, "incidents/{id}/oncall", id=1)
        assert (stands["state"], stands["next_step"], stands["why"]) == ("acknowledged", 0, "acknowledged by ana")
        kinds = [entry.kind for entry in (await engine.client(ANA).query(Query(kind="timeline", incident=1))).items]
        assert kinds.count("escalated") == 2 and "escalation_stopped" in kinds
    assert [seen.document["person"] for seen in receiver.seen] == ["ana", "eve"]
    assert len({seen.headers["idempotency-key"] for seen in receiver.seen}) == 2
    assert receiver.seen[0].document["incident"]["title"] == "Down at a"


async def test_who_has_duty_now_and_next_with_overrides_also_for_who_sees_one_site(
    receive: Receive, tmp_path: Path
) -> None:
    receiver = await receive(lambda _: plain(204))
    async with running(settings_from(tree(tmp_path, receiver)), NOON) as engine:
        first, second = await ask(engine, "oncall/now")
        assert (first["rota"], first["person"], first["next"], first["ways"]) == (
            "primary", "ana", "bob", ["webhook ops"],
        )  # fmt: skip
        assert first["until"] == datetime(2026, 5, 11, 7, tzinfo=UTC)  # nine o'clock in Berlin
        assert (second["person"], second["next"]) == ("eve", "")
        await engine.client(ANA).command(
            Command(verb="oncall_override", targets=(), params={"rota": "primary", "person": "zoe", "minutes": 60})
        )
        page = await engine.client(limited("LIS1")).query(Query(kind="oncall/next", params={"rota": "primary"}))
        assert [turn["person"] for turn in page.items] == ["zoe", "ana", "bob", "ana"]
        with pytest.raises(Refused, match="no rota"):
            await ask(engine, "oncall/now", rota="other")


@pytest.mark.parametrize(
    ("changed", "key", "says"),
    [
        ({"rotas": [{"name": "a", "people": []}]}, "oncall.rotas[0].people", "not empty"),
        ({"rotas": [{"name": "a", "people": ["x"], "starts": "2026-02-30"}]}, "oncall.rotas[0].starts", "calendar"),
        (
            {"rotas": [{"name": "a", "people": ["x"], "starts": "2026-02-03", "time_zone": "Mars"}]},
            "oncall.rotas[0].time_zone",
            "not a known time zone",
        ),
        (
            {"rotas": [{"name": "a", "people": ["x"], "starts": "2026-02-03", "holidays": {"2026-13-01": "x"}}]},
            "oncall.rotas[0].holidays.2026-13-01",
            "calendar",
        ),
        ({"rotas": []}, "oncall.policies[0].steps[0].notify[0]", "no rota 'primary'"),
        ({"tickets": "third"}, "oncall.tickets", "known: primary, second"),
        (
            {"policies": [{"name": "p", "steps": [{"notify": ["everybody"]}]}]},
            "oncall.policies[0].steps[0].notify",
            "like",
        ),
        (
            {"policies": [{"name": "p", "when": "severity>", "steps": [{"notify": ["manager"]}]}]},
            "oncall.policies[0].when",
            "query",
        ),
        (
            {"policies": [{"name": "p", "quiet_from": "22:00", "steps": [{"notify": ["manager"]}]}]},
            "oncall.policies[0].quiet_until",
            "missing beside",
        ),
        ({"people": {"ana": {"webhook": "other"}}}, "oncall.people.ana.webhook", "known: ops"),
        ({"people": {"ana": {"email": "a@b.c"}}}, "oncall.people.ana.email", "no mail server"),
        ({"polices": []}, "oncall.polices", "did you mean oncall.policies?"),
    ],
)
async def test_a_wrong_configuration_is_refused_by_its_key(
    receive: Receive, tmp_path: Path, changed: dict[str, Any], key: str, says: str
) -> None:
    receiver = await receive(lambda _: plain(204))
    with pytest.raises(ConfigError) as caught:
        settings_from(tree(tmp_path, receiver, **changed))
    assert caught.value.key.startswith(key) and says in str(caught.value)


async def test_a_reload_takes_new_rotas_but_no_way_that_leads_nowhere_yet(receive: Receive, tmp_path: Path) -> None:
    receiver = await receive(lambda _: plain(204))
    plan = tree(tmp_path, receiver)
    async with running(settings_from(plan), NOON) as engine:
        webhooks = [*plan["notify"]["webhooks"], {**plan["notify"]["webhooks"][0], "name": "later"}]
        further = {**plan["notify"], "webhooks": webhooks}
        people = {"zoe": {"webhook": "later"}}
        with pytest.raises(ConfigError, match="no webhook 'later'"):
            await engine.reload(settings_from({**tree(tmp_path, receiver, people=people), "notify": further}))
        rotas = [{"name": name, "people": ["zoe"], "starts": "2026-05-04"} for name in ("primary", "second")]
        await engine.reload(settings_from(tree(tmp_path, receiver, rotas=rotas)))
        assert [turn["person"] for turn in await ask(engine, "oncall/now")] == ["zoe", "zoe"]
