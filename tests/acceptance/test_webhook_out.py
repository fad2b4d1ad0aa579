"""Notices to a real receiver from a real engine: exactly once by key, signed, across refusals, restarts and kills."""

from __future__ import annotations

import asyncio
import hmac
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from msgspec.structs import replace

from data.records import DEFAULT_TENANT, Effect, Severity, Signal, SignalStatus
from data.scope import CAPABILITIES, Scope
from engine.app import Engine, build
from engine.client import Command, Query
from engine.clock import SystemClock
from engine.effects import LEASE_SECONDS
from engine.ports import Envelope, EnvelopeKind
from engine.secret import Secret
from engine.settings import NotifySettings, Settings, StoreSettings, WebhookSettings
from tests.fakes.receiver import Handler, Receiver, Seen, plain, receivers
from tests.fakes.waiting import PATIENCE

receive = pytest.fixture(receivers)
Receive = Callable[[Handler], Awaitable[Receiver]]

KEY = "correct horse battery staple"
ANA = Scope(tenant=DEFAULT_TENANT, actor="ana", capabilities=CAPABILITIES)


class LaterClock(SystemClock):
    """The machine's time, `seconds` later."""

    def __init__(self, seconds: float) -> None:
        self._ahead = timedelta(seconds=seconds)

    def now(self) -> datetime:
        return super().now() + self._ahead


def settings_for(directory: Path, *authorities: str) -> Settings:
    """One webhook per receiver: ops, ops1, …"""
    webhooks = tuple(
        WebhookSettings(
            name=f"ops{at or ''}", url=f"http://{authority}/hook?token=hunter2", secret=Secret(KEY, "env K")
        )
        for at, authority in enumerate(authorities)
    )
    return Settings(
        store=StoreSettings(data_dir=str(directory), reserve_mib=0),
        notify=NotifySettings(webhooks=webhooks, allow_hosts=authorities),
    )


@asynccontextmanager
async def running(settings: Settings, ahead: float = 0.0) -> AsyncIterator[Engine]:
    engine = build(settings, LaterClock(ahead), listen=False)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()


def a_signal(now: datetime, status: SignalStatus) -> Signal:
    return Signal(
        source="test",
        key="Down/a",
        name="Down",
        severity=Severity.LOW,
        status=status,
        title="Down at a",
        site="LIS1",
        entity="a",
        entity_type="host",
        service="",
        client="",
        correlation="",
        starts_at=now,
        ends_at=now + timedelta(hours=1) if status is SignalStatus.FIRING else now,
        labels={"alertname": "Down", "instance": "a"},
        annotations={},
    )


async def say(engine: Engine, status: SignalStatus, severity: Severity = Severity.CRITICAL) -> None:
    found = replace(a_signal(engine.clock.now(), status), severity=severity)
    await engine.service.take(
        Envelope(kind=EnvelopeKind.SIGNALS, tenant=DEFAULT_TENANT, source="test", payload=[found])
    )


async def resolve(engine: Engine) -> None:
    await engine.client(ANA).command(Command(verb="resolve", targets=("incident:1",)))


async def effects(engine: Engine, state: str, count: int) -> list[Effect]:
    """All effects, once `count` of them are in `state`; TimeoutError when they are not in time."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found: list[Effect] = list((await engine.client(ANA).query(Query(kind="effects"))).items)
            if sum(effect.state == state for effect in found) == count:
                return found
            await asyncio.sleep(0.02)


def assert_signed(seen: Seen) -> None:
    digest = hmac.new(KEY.encode(), seen.body, sha256).hexdigest()
    assert hmac.compare_digest(seen.headers["x-signature"], f"sha256={digest}")
    assert seen.headers["x-timestamp"].isdigit()


async def test_a_notice_goes_out_at_once(receive: Receive, tmp_path: Path) -> None:
    receiver = await receive(lambda _: plain(204))
    async with running(settings_for(tmp_path, receiver.authority)) as engine:
        await say(engine, SignalStatus.FIRING)
        await receiver.wait_for(1)
        (effect,) = await effects(engine, "done", 1)
    (seen,) = receiver.seen
    assert_signed(seen)
    assert (seen.document["event"], seen.document["incident"]["id"]) == ("opened", 1)
    assert effect.key == seen.headers["idempotency-key"] == "webhook/ops/1/opened/1"
    assert "hunter2" not in repr(effect) and KEY not in repr(effect)


async def test_one_opened_and_one_resolved_across_refusals_and_a_restart(receive: Receive, tmp_path: Path) -> None:
    receiver = await receive(lambda _: plain(503))
    settings = settings_for(tmp_path, receiver.authority)
    async with running(settings) as engine:
        await say(engine, SignalStatus.FIRING)
        await receiver.wait_for(1)
        await say(engine, SignalStatus.FIRING)
        waiting = await effects(engine, "pending", 1)
        assert "503" in waiting[0].result
    refused = len(receiver.seen)
    receiver.answer = lambda _: plain(200)
    async with running(settings) as engine:
        await resolve(engine)
        await effects(engine, "done", 2)
        await engine.idle()
    taken = receiver.seen[refused:]
    assert [seen.document["event"] for seen in taken] == ["opened", "resolved"]
    assert len({seen.headers["idempotency-key"] for seen in taken}) == 2
    for seen in receiver.seen:
        assert_signed(seen)
    assert {seen.body for seen in receiver.seen[:refused]} == {taken[0].body}


async def test_a_receiver_that_hangs_does_not_hold_up_another(receive: Receive, tmp_path: Path) -> None:
    hanging, quick = await receive(lambda _: None), await receive(lambda _: plain(200))
    async with running(settings_for(tmp_path, hanging.authority, quick.authority)) as engine:
        await say(engine, SignalStatus.FIRING)
        await hanging.wait_for(1)
        await resolve(engine)
        await quick.wait_for(2)
        assert [seen.document["event"] for seen in quick.seen] == ["opened", "resolved"]
        assert len(hanging.seen) == 1


async def test_a_receiver_that_says_no_is_not_asked_again(receive: Receive, tmp_path: Path) -> None:
    receiver = await receive(lambda _: plain(404))
    async with running(settings_for(tmp_path, receiver.authority)) as engine:
        await say(engine, SignalStatus.FIRING)
        (effect,) = await effects(engine, "failed", 1)
    assert "404" in effect.result and len(receiver.seen) == 1


#: An engine that sends one notice and is killed while it waits for the answer.
_ENGINE = """
import asyncio, sys
from pathlib import Path
from data.records import Severity
from engine.clock import SystemClock
from tests.acceptance.test_webhook_out import SignalStatus, running, say, settings_for

async def main():
    async with running(settings_for(Path(sys.argv[1]), sys.argv[2])) as engine:
        await say(engine, SignalStatus.FIRING)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@contextmanager
def engine_process(directory: Path, authority: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-c", _ENGINE, str(directory), authority], cwd=Path(__file__).parents[2]
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def test_a_kill_between_send_and_settle_sends_again_under_the_same_key(receive: Receive, tmp_path: Path) -> None:
    """Nobody knows whether the first one was taken, so it goes out again; the key tells the receiver that it is one."""
    receiver = await receive(lambda _: None)
    with engine_process(tmp_path, receiver.authority) as process:
        await receiver.wait_for(1)
        process.send_signal(signal.SIGKILL)
        process.wait()
    receiver.answer = lambda _: plain(200)
    settings = settings_for(tmp_path, receiver.authority)
    async with running(settings, ahead=LEASE_SECONDS + 5.0) as engine:
        (effect,) = await effects(engine, "done", 1)
    first, second = receiver.seen
    assert effect.attempt == 2
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"] == effect.key
    assert first.body == second.body
    assert_signed(second)
