"""What the engine costs and answers while many alerts are open: acts, full reads, memory, the loop's lag.

Everything over HTTP from outside. The references are Alertmanager under the same load, or, where it has nothing
alike, a bare transaction with fsync on the same disk in the same run.
"""

from __future__ import annotations

import random
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.bench.beside import (
    ALERTS,
    alertmanager,
    bodies,
    engine,
    fill,
    fsync_ms,
    gauge,
    get,
    load,
    median,
    note,
    percentile,
    rss_mib,
)

IDLE_SECONDS = 5.0
#: The steady load under which the loop's lag is looked at, in requests of so many alerts.
LAG_BATCH = 10
PING_SECONDS = 0.005


def start(folder: Path, runs: int) -> dict[str, Any]:
    """Start to the first 200, then a while of doing nothing."""
    rows: dict[str, list[float]] = {name: [] for name in ("wall", "cpu", "idle", "am_wall", "am_cpu", "am_idle")}
    for _ in range(runs):
        began = time.perf_counter()
        with engine(folder / secrets.token_hex(4)) as started:
            get_ready(started.url)
            rows["wall"].append(1000 * (time.perf_counter() - began))
            rows["cpu"].append(1000 * load.cpu_of(load.tree(started.pid)))
            rows["idle"].append(_idle_percent(started.pid))
        with alertmanager(folder) as other:
            rows["am_wall"].append(1000 * other.startup)
            rows["am_cpu"].append(1000 * load.cpu_of(load.tree(other.pid)))
            rows["am_idle"].append(_idle_percent(other.pid))
    middle = {name: median(values) for name, values in rows.items()}
    return {
        "start_wall_ms": middle["wall"],
        "start_cpu_ms": middle["cpu"],
        "idle_cpu_percent": middle["idle"],
        "alertmanager_start_wall_ms": middle["am_wall"],
        "alertmanager_start_cpu_ms": middle["am_cpu"],
        "alertmanager_idle_cpu_percent": middle["am_idle"],
    }


def get_ready(url: str) -> None:
    while load.post_once(url + "/-/ready", b"", method="GET")[0] != 200:
        time.sleep(0.005)


def _idle_percent(pid: int) -> float:
    time.sleep(1.0)
    with load.Meter([pid]) as meter:
        time.sleep(IDLE_SECONDS)
    return float(100 * meter.cpu / meter.wall)


def reads_and_memory(folder: Path, sizes: Sequence[int], runs: int) -> dict[str, Any]:
    """Memory, and GET of all alerts: at once after they came, the first one after some quiet, and the ones after it."""
    found: dict[str, Any] = {}
    for size in sizes:
        with engine(folder / secrets.token_hex(4)) as started:
            fill(started.url, size)
            found[f"get_{size}_at_once_ms"] = round(1000 * load.run_async(_gets(started.url, 1))[0], 2)
        rows = {}
        for name, side in (("", engine), ("alertmanager_", alertmanager)):
            with side(folder / secrets.token_hex(4)) as started:
                rows[name] = _filled(started, size, runs)
            found |= {f"{name}{key}": round(value, 2) for key, value in rows[name].items()}
        mine, theirs = rows[""], rows["alertmanager_"]
        for key in (f"get_{size}_first_ms", f"get_{size}_ms", f"rss_mib_{size}", f"kib_per_alert_{size}"):
            found[key.removesuffix("_ms") + "_ratio"] = round(mine[key] / theirs[key], 2)
        found["rss_mib_idle_ratio"] = round(mine["rss_mib_idle"] / theirs["rss_mib_idle"], 2)
        note(f"{size} open: {found}")
    return found


def _filled(started: Any, size: int, runs: int) -> dict[str, float]:
    time.sleep(1.0)
    idle = rss_mib(started.pid)
    fill(started.url, size)
    with load.Meter([started.pid]) as rest:
        _until_quiet(started.pid)
    full = rss_mib(started.pid)
    times = load.run_async(_gets(started.url, 1))
    with load.Meter([started.pid]) as meter:
        times += load.run_async(_gets(started.url, runs))
    return {
        "rss_mib_idle": idle,
        f"rss_mib_{size}": full,
        f"kib_per_alert_{size}": 1024 * (full - idle) / size,
        f"quiet_{size}_cpu_ms": 1000 * rest.cpu,
        f"get_{size}_first_ms": 1000 * times[0],
        f"get_{size}_ms": 1000 * median(times[1:], 6),
        f"get_{size}_cpu_ms": 1000 * meter.cpu / runs,
        f"rss_mib_{size}_after_get": rss_mib(started.pid),
    }


def _until_quiet(pid: int) -> None:
    """Until it did next to nothing for a second; a minute at most."""
    time.sleep(2.0)
    for _ in range(60):
        with load.Meter([pid]) as meter:
            time.sleep(1.0)
        if meter.cpu < 0.02:
            return


async def _gets(url: str, times: int) -> list[float]:
    connection, found = await load.connect(url), []
    raw = load.request_bytes(url + ALERTS, b"", method="GET")
    for _ in range(times):
        began = time.perf_counter()
        status, _ = await connection.send(raw)
        assert status == 200, status
        found.append(time.perf_counter() - began)
    connection.t.close()
    return found


def acts(folder: Path, alerts: int, count: int) -> dict[str, Any]:
    """Acknowledge and resolve one incident after the other while so many alerts are open."""
    reference = fsync_ms(folder)
    with engine(folder / secrets.token_hex(4)) as started:
        fill(started.url, alerts)
        incidents = list(_incidents(started.url, 100 * count))
        random.Random(5).shuffle(incidents)
        incidents = incidents[: 2 * count]
        found = {"acts_open_alerts": gauge(started.url, "noc_active_alerts"), "acts_incidents": len(incidents)}
        half = len(incidents) // 2
        for verb, chosen in (("ack", incidents[:half]), ("resolve", incidents[half:])):
            times = load.run_async(_acts(started.url, verb, [incident["id"] for incident in chosen]))
            sizes = [incident["alerts"] for incident in chosen]
            found |= {
                f"{verb}_p50_ms": percentile(times, 0.5),
                f"{verb}_p99_ms": percentile(times, 0.99),
                f"{verb}_max_ms": percentile(times, 1.0),
                f"{verb}_alerts_median": median(sizes, 0),
                f"{verb}_alerts_most": max(sizes),
            }
            note(f"{verb}: {found}")
    return found | {"acts_fsync_ms": reference}


def _incidents(url: str, most: int) -> Iterator[dict[str, Any]]:
    """Open incidents as they were opened, at most so many."""
    after, given = "", 0
    while given < most:
        page = get(url, f"/api/v1/incidents?active=true&limit={min(1000, most - given)}&sort=id&after={after}")
        yield from page["items"]
        given += len(page["items"])
        after = page["next"] or ""
        if not after:
            return


async def _acts(url: str, verb: str, ids: Sequence[int]) -> list[float]:
    connection, found = await load.connect(url), []
    for number in ids:
        raw = load.request_bytes(f"{url}/api/v1/incidents/{number}/{verb}", b"{}")
        began = time.perf_counter()
        status, said = await connection.send(raw)
        assert status == 200, (status, said[:300])
        found.append(time.perf_counter() - began)
    connection.t.close()
    return found


#: A ping every few milliseconds on one connection, counted from when it was due. argv: url, interval. SIGTERM ends it.
_PINGER = """
import http.client, json, signal, sys, time
from urllib.parse import urlsplit
where, every, over, found = urlsplit(sys.argv[1]).netloc, float(sys.argv[2]), [], []
signal.signal(signal.SIGTERM, lambda *_: over.append(1))
connection = http.client.HTTPConnection(where)
connection.connect()
import socket
connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
due = time.perf_counter()
while not over:
    due += every
    time.sleep(max(0.0, due - time.perf_counter()))
    connection.request("GET", "/-/healthy")
    connection.getresponse().read()
    found.append(time.perf_counter() - due)
print(json.dumps(found))
"""


def lag(folder: Path, alerts: int, rate: int, seconds: float) -> dict[str, Any]:
    """How late a small answer comes under a steady stream of new alerts, less what it takes when nothing goes on."""
    found: dict[str, Any] = {"lag_open_alerts": alerts, "lag_alerts_per_second": rate}
    for name, side in (("", engine), ("alertmanager_", alertmanager)):
        with side(folder / secrets.token_hex(4)) as started:
            quiet = percentile(_pinged(started.url, lambda: time.sleep(2.0)), 0.5)
            fill(started.url, alerts)
            stalls = gauge(started.url, "noc_loop_stalls_total") if not name else 0.0
            with load.Meter([started.pid]) as meter:
                times = _pinged(started.url, lambda: _steady(started.url, rate, seconds))
            found |= {
                f"{name}loop_lag_p50_ms": round(max(0.0, percentile(times, 0.5) - quiet), 2),
                f"{name}loop_lag_p99_ms": round(percentile(times, 0.99) - quiet, 2),
                f"{name}loop_lag_max_ms": round(percentile(times, 1.0) - quiet, 2),
                f"{name}lag_quiet_ms": quiet,
                f"{name}lag_cpu_percent": round(100 * meter.cpu / meter.wall, 1),
                f"{name}lag_foreign": round(meter.foreign, 2),
            }
            if not name:
                found["tick_lag_ms"] = round(1000 * gauge(started.url, "noc_tick_lag_seconds"), 2)
                found["loop_stalls"] = gauge(started.url, "noc_loop_stalls_total") - stalls
        note(f"lag: {found}")
    return found


def _pinged(url: str, meanwhile: Any) -> list[float]:
    process = subprocess.Popen([sys.executable, "-c", _PINGER, url, str(PING_SECONDS)], stdout=subprocess.PIPE)
    try:
        time.sleep(0.3)
        meanwhile()
    finally:
        process.terminate()
    out, _ = process.communicate(timeout=30)
    times: list[float] = load.json.loads(out)
    return times


def _steady(url: str, rate: int, seconds: float) -> None:
    count = int(rate * seconds) // LAG_BATCH
    raws = [load.request_bytes(url + ALERTS, body) for body in bodies(count, LAG_BATCH, secrets.token_hex(4))]
    _, errors = load.run_async(load.open_loop(url, raws, rate / LAG_BATCH, 8))
    assert not errors, errors
