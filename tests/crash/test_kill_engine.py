"""kill -9 of a whole engine while senders feed it: nothing acknowledged is lost, nothing repeated counts twice.

ENGINE_KILLS sets how many; 100 take about two minutes, 2,000 are for a night.
"""

from __future__ import annotations

import os
import random
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any, NamedTuple

import httpx
import pytest

from tests.fakes.headless import Headless, Starter, run
from tests.fakes.stubborn import StubbornSender, delivery
from tests.fakes.waiting import PATIENCE, free_port, until

KILLS = int(os.environ.get("ENGINE_KILLS", "20"))
SENDERS = ("north", "south")
#: Seconds between the first acknowledgement after a start and the next kill, at most.
LONGEST_LIFE = 0.35
#: Seconds of a core from a start to the first acknowledgement, for half of the starts: what a machine that is busy with
#: other things takes beside them is not the engine's.
BACK_WITHIN = 2.0


class Chaos(NamedTuple):
    kills: int
    senders: Sequence[StubbornSender]
    #: Seconds from each start of the process to the first acknowledgement after it.
    back_after: list[float]
    #: Seconds from each kill to the first acknowledgement after it.
    gaps: list[float]
    #: Seconds of a core that each start had taken by then.
    cores: list[float]


def kill_again_and_again(engine: Headless, kills: int, chance: random.Random) -> Chaos:
    port = free_port()
    engine.start(port)
    stop = threading.Event()
    senders = [StubbornSender(name, port, stop) for name in SENDERS]
    back_after, gaps, cores, done = [], [], [], 0
    with ThreadPoolExecutor(len(senders)) as pool:
        runs = [pool.submit(sender.run) for sender in senders]
        try:
            for _ in range(kills):
                time.sleep(chance.uniform(0.0, LONGEST_LIFE))  # the random point, in a real process
                engine.kill()
                killed = time.monotonic()
                done += 1
                engine.launch(port)
                launched = time.monotonic()
                engine.listening()
                first = _first_ack(senders, killed)
                cores.append(engine.cpu_seconds())
                back_after.append(first - launched)
                gaps.append(first - killed)
        finally:
            stop.set()
        for one in runs:
            one.result(PATIENCE)
    return Chaos(done, senders, back_after, gaps, cores)


def _first_ack(senders: Sequence[StubbornSender], after: float) -> float:
    end = time.monotonic() + PATIENCE
    while True:
        found = [sender.acked_at[-1] for sender in senders if sender.acked_at and sender.acked_at[-1] > after]
        if found:
            return min(found)
        assert time.monotonic() < end, f"no acknowledgement of a start: {[s.wrong for s in senders]}"
        time.sleep(0.002)


def everything(http: httpx.Client, kind: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    after = ""
    while True:
        page = http.get(f"/api/v1/{kind}", params={"limit": 500, **({"after": after} if after else {})}).json()
        rows += page["items"]
        after = page["next"]
        if not after:
            return rows


def digest(http: httpx.Client) -> dict[str, Any]:
    """What the engine made of it, without the numbers that depend on when things came."""
    until(lambda: _settled(http), what="incidents that have counted all repeats of their alerts")
    alerts = everything(http, "alerts")
    names = {alert["id"]: f"{alert['name']}/{alert['labels']['host']}" for alert in alerts if alert["incident"]}
    clusters: dict[int, list[str]] = {}
    incidents: dict[int, list[str]] = {}
    for alert in alerts:
        if alert["incident"]:
            clusters.setdefault(alert["cluster"], []).append(names[alert["id"]])
            incidents.setdefault(alert["incident"], []).append(names[alert["id"]])
    states = {row["id"]: row for row in everything(http, "incidents")}
    assert len(incidents) > 3, "one incident for everything tells nothing of membership"
    return {
        "alerts": sorted((names[a["id"]], a["state"], a["severity"], a["count"]) for a in alerts if a["incident"]),
        "clusters": sorted(sorted(members) for members in clusters.values()),
        "incidents": sorted(
            (sorted(members), *(states[id][field] for field in ("state", "severity", "alerts", "firing", "events")))
            for id, members in incidents.items()
        ),
    }


def _settled(http: httpx.Client) -> bool:
    """Repeats reach the incidents with the next tick that adds them up."""
    alerts, incidents = everything(http, "alerts"), everything(http, "incidents")
    return sum(a["count"] for a in alerts if a["incident"]) == sum(incident["events"] for incident in incidents)


def unbroken(engine: Headless, counts: dict[str, int]) -> dict[str, Any]:
    """The same deliveries to an engine that nobody kills."""
    port = free_port()
    engine.start(port)
    never = threading.Event()
    with ThreadPoolExecutor(len(counts)) as pool:
        senders = [StubbornSender(name, port, never, count) for name, count in counts.items()]
        list(pool.map(StubbornSender.run, senders))
    assert not any(sender.cut or sender.wrong for sender in senders)
    with engine.http() as http:
        return digest(http)


def test_kills_lose_nothing_and_double_nothing(headless: Starter, capsys: pytest.CaptureFixture[str]) -> None:
    engine = headless(start=False)
    began = time.monotonic()
    chaos = kill_again_and_again(engine, KILLS, random.Random(11))
    took = time.monotonic() - began
    counts = {sender.name: len(sender.acked_at) for sender in chaos.senders}
    expected = Counter(
        host for name, count in counts.items() for number in range(count) for host in delivery(name, number).alerts
    )
    with engine.http() as http:
        found = digest(http)
        stored = Counter({a["labels"]["host"]: a["count"] for a in everything(http, "alerts")})
    lost, doubled = sum((expected - stored).values()), 0
    doubled = sum(max(0, stored[host] - count) for host, count in expected.items())
    assert engine.stop() == 0
    cut = sum(sender.cut for sender in chaos.senders)
    back, cores = median(chaos.back_after), median(chaos.cores)
    with capsys.disabled():
        print(
            f"\nkills {chaos.kills} (planned {KILLS}), requests cut {cut}, acked {sum(counts.values())}, lost {lost}, "
            f"dup {doubled}, restart to first ack median {back:.2f} s "
            f"max {max(chaos.back_after):.2f} s, max gap {max(chaos.gaps):.2f} s, {took:.0f} s, "
            f"a restart on {cores:.2f} s of a core"
        )
    assert [sender.wrong for sender in chaos.senders] == [[], []]
    assert (chaos.kills, engine.starts) == (KILLS, KILLS + 1)
    assert cut >= KILLS // 2, "kills that hit nothing prove nothing"
    assert (lost, doubled) == (0, 0)
    connection = sqlite3.connect(engine.data / "noc.db")
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    checked = run(engine.folder, ["db", "check", "--data-dir", str(engine.data)])
    assert checked.returncode == 0, checked.stderr
    assert found == unbroken(headless(start=False), counts)
    # That none took longer than a test waits has been asserted at each.
    assert cores <= BACK_WITHIN
