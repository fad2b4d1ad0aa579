"""A disk that is full: what cannot be stored is refused in words, operators go on working, and room heals it."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fakes.headless import Headless, Starter
from tests.fakes.waiting import until

MIB = 8


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few MB of its own; root may mount one, nobody else can set up a quota in a test."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if os.geteuid() != 0 or mount is None or umount is None:
        pytest.skip("mounting a small file system needs root")
    if subprocess.run([mount, "-t", "tmpfs", "-o", f"size={MIB}m", "tmpfs", disk], check=False).returncode:
        pytest.skip("this machine does not let root mount")
    yield disk
    subprocess.run([umount, "-l", disk], check=True)


def alert(number: int, **more: Any) -> list[dict[str, Any]]:
    return [{"labels": {"alertname": "Fill", "host": f"h{number}", "severity": "high"}, **more}]


def post(http: httpx.Client, rows: list[dict[str, Any]]) -> httpx.Response:
    return http.post("/api/v2/alerts", json=rows)


def fill(file: Path) -> None:
    """Take all space that is left."""
    with pytest.raises(OSError, match="No space"), file.open("wb", buffering=0) as ballast:
        while True:
            ballast.write(b"x" * 4096)


def hosts(http: httpx.Client) -> set[str]:
    page = http.get("/api/v1/alerts", params={"limit": 1000}).json()
    assert page["next"] is None
    return {row["labels"]["host"] for row in page["items"]}


def refused_by_a_full_disk(http: httpx.Client, taken: list[int]) -> httpx.Response:
    """Post until the engine refuses; `taken` grows by what it acknowledged."""
    for number in range(len(taken) + 1, len(taken) + 900):
        answer = post(http, alert(number))
        if answer.status_code != 200:
            return answer
        taken.append(number)
    raise AssertionError("the disk did not fill up")


def test_a_full_disk(small_disk: Path, headless: Starter, capsys: pytest.CaptureFixture[str]) -> None:
    engine: Headless = headless(data=small_disk / "data")
    taken: list[int] = []
    with engine.http() as http:
        assert post(http, alert(0)).status_code == 200
        taken.append(0)
        fill(small_disk / "ballast")
        refused = refused_by_a_full_disk(http, taken)
        assert refused.status_code in (503, 507)
        assert int(refused.headers["retry-after"]) >= 1
        assert "disk" in refused.text or "space" in refused.text, refused.text

        health = http.get("/api/v1/health").json()
        assert health["state"] == "store_down" and any("disk full" in banner for banner in health["banners"])
        assert http.get("/-/healthy").status_code == 200
        assert http.get("/-/ready").status_code == 503
        assert hosts(http) == {f"h{number}" for number in taken}
        assert http.get("/api/v1/incidents/1/why").status_code == 200

        acked = http.post("/api/v1/incidents/1/ack", json={"params": {"note": "on it"}})
        if acked.status_code == 422:  # params are the body itself
            acked = http.post("/api/v1/incidents/1/ack", json={"note": "on it"})
        assert acked.status_code == 200, acked.text
        assert http.get("/api/v1/incidents/1").json()["state"] == "acknowledged"
        ended = post(http, alert(0, endsAt="2001-01-01T00:00:00Z", startsAt="2001-01-01T00:00:00Z"))
        assert ended.status_code == 200, ended.text
        assert http.post("/api/v1/incidents/1/resolve", json={}).status_code == 200
        assert http.get("/api/v1/incidents/1").json()["state"] == "resolved"
        assert post(http, alert(5000)).status_code in (503, 507), "acts must not open the door for the rest"

        (small_disk / "ballast").unlink()
        began = time.monotonic()
        until(lambda: post(http, alert(5001)).status_code == 200, what="intake after room was made")
        took = time.monotonic() - began
        until(lambda: http.get("/api/v1/health").json()["state"] == "live")
        assert hosts(http) == {f"h{number}" for number in [*taken, 5001]}
    assert engine.stop() == 0
    assert "Traceback" not in engine.said()
    with capsys.disabled():
        print(f"\ndisk of {MIB} MiB full after {len(taken)} alerts; intake {took:.2f} s after room was made")


def test_an_engine_starts_on_a_full_disk(small_disk: Path, headless: Starter) -> None:
    engine: Headless = headless(data=small_disk / "data")
    with engine.http() as http:
        assert post(http, alert(1)).status_code == 200
    engine.kill()
    fill(small_disk / "ballast")
    engine.start()
    with engine.http() as http:
        assert hosts(http) == {"h1"}
        assert http.post("/api/v1/incidents/1/ack", json={}).status_code == 200
