"""The Alertmanager API as its clients use it: the real amtool, and the answers that karma and Grafana read."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from engine.api.server import serve
from engine.clock import SystemClock
from engine.settings import ListenSettings, Settings
from tests.fakes.service import FakeService, FakeTokens
from tests.fakes.waiting import PATIENCE

AMTOOL = shutil.which("amtool")
needs_amtool = pytest.mark.skipif(AMTOOL is None, reason="amtool is not installed (package prometheus-alertmanager)")


class Site:
    def __init__(self, service: FakeService, url: str) -> None:
        self.service, self.url = service, url
        self.http = httpx.AsyncClient(base_url=url, trust_env=False, timeout=PATIENCE)

    async def amtool(self, *words: str) -> str:
        """What it printed; it must succeed."""
        assert AMTOOL is not None
        process = await asyncio.create_subprocess_exec(
            AMTOOL,
            f"--alertmanager.url={self.url}",
            *words,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"HOME": "/nonexistent", "PATH": "/usr/bin"},
        )
        out, err = await process.communicate()
        assert process.returncode == 0, (out + err).decode()
        return out.decode()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    service = FakeService(SystemClock())
    server = await serve(service, Settings(listen=ListenSettings(port=0)), FakeTokens())
    found = Site(service, server.url)
    yield found
    await found.http.aclose()
    await server.stop()


@needs_amtool
@pytest.mark.real
async def test_amtool_alerts(site: Site) -> None:
    await site.amtool("alert", "add", "DiskFull", "severity=critical", "site=Harbour 2", "--annotation=summary=full")
    await site.amtool("alert", "add", "Other", "site=Depot", "--end=2099-01-01T00:00:00Z")
    assert len(site.service.signals()) == 2
    assert "DiskFull" in await site.amtool("alert")
    assert "DiskFull" in await site.amtool("alert", "query", "severity=critical")
    assert "DiskFull" not in await site.amtool("alert", "query", "site=~Dep.*")
    found = json.loads(await site.amtool("alert", "query", "-o", "json", "--active", "DiskFull"))
    assert found[0]["labels"]["site"] == "Harbour 2" and found[0]["status"]["state"] == "active"
    await site.amtool("alert", "query", "--silenced", "--inhibited", "--unprocessed", "--receiver=noc.*")


@needs_amtool
@pytest.mark.real
async def test_amtool_silences(site: Site, tmp_path: Path) -> None:
    made = await site.amtool("silence", "add", "-c", "works", "-d", "1h", "alertname=~Disk.*", "site!=Depot")
    id = made.strip()
    assert id in await site.amtool("silence", "query") and "works" in await site.amtool(
        "silence", "query", "site!=Depot"
    )
    assert (await site.amtool("silence", "update", "-d", "3h", "-c", "longer", id)).strip()
    assert "longer" in await site.amtool("silence", "query", "-o", "extended")
    exported = tmp_path / "silences.json"
    exported.write_text(await site.amtool("silence", "query", "-o", "json"))
    await site.amtool("silence", "import", str(exported))
    await site.amtool("silence", "expire", id)
    assert id not in await site.amtool("silence", "query") and id in await site.amtool("silence", "query", "--expired")
    verbs = [command.verb for _, command in site.service.commands]
    assert verbs == ["silence", "silence", "silence", "expire_silence"]


@needs_amtool
@pytest.mark.real
async def test_amtool_config_and_cluster(site: Site, tmp_path: Path) -> None:
    (tmp_path / "am.yml").write_text(await site.amtool("config", "show"))
    assert "SUCCESS" in await site.amtool("check-config", str(tmp_path / "am.yml"))
    assert "noc-console" in await site.amtool("config", "routes")
    assert "noc-console" in await site.amtool("config", "routes", "test", "severity=critical")
    assert "disabled" in await site.amtool("cluster", "show")


async def silence(site: Site, **changes: Any) -> httpx.Response:
    now = site.service.clock.now()
    body = {
        "matchers": [{"name": "a", "value": "b", "isRegex": False}],
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(hours=1)).isoformat(),
        "createdBy": "me",
        "comment": "c",
        **changes,
    }
    return await site.http.post("/api/v2/silences", json=body)


async def test_silences_are_acts(site: Site) -> None:
    made = (await silence(site)).json()["silenceID"]
    scope, command = site.service.commands[0]
    assert (command.verb, command.params["created_by"], scope.tenant) == ("silence", "me", "default")
    one = (await site.http.get(f"/api/v2/silence/{made}")).json()
    assert (one["id"], one["status"]["state"], one["createdBy"]) == (made, "active", "me")
    assert (await site.http.delete(f"/api/v2/silence/{made}")).status_code == 200
    assert (await site.http.get("/api/v2/silences?active=false")).json()[0]["status"]["state"] == "expired"
    # Once it is over there is nothing left to do.
    assert (await site.http.delete(f"/api/v2/silence/{made}")).status_code == 200
    assert [item.verb for _, item in site.service.commands] == ["silence", "expire_silence"]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"matchers": []}, 422),
        ({"endsAt": "2000-01-01T00:00:00Z"}, 400),
        ({"matchers": [{"name": "a", "value": "", "isRegex": False}]}, 400),
        ({"id": "11111111-1111-4111-8111-111111111111"}, 404),
        ({"comment": None}, 422),
    ],
)
async def test_silences_that_alertmanager_refuses(site: Site, changes: dict[str, Any], status: int) -> None:
    assert (await silence(site, **changes)).status_code == status and not site.service.commands


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v2/silence/nonsense", 422),
        ("GET", "/api/v2/silence/11111111-1111-4111-8111-111111111111", 404),
        ("DELETE", "/api/v2/silence/11111111-1111-4111-8111-111111111111", 404),
        ("GET", "/api/v2/alerts?filter=%7B", 400),
        ("GET", "/api/v2/alerts?filter=a%3D~%28", 400),
        ("GET", "/api/v2/nothing", 404),
        ("PUT", "/api/v2/alerts", 405),
        ("HEAD", "/metrics", 405),
        ("HEAD", "/-/ready", 200),
        ("HEAD", "/-/healthy", 200),
        ("GET", "/api/v1/status", 410),
        ("POST", "/api/v1/alerts", 410),
        ("GET", "/api/v1/alerts/groups", 410),
    ],
)
async def test_codes(site: Site, method: str, path: str, status: int) -> None:
    assert (await site.http.request(method, path)).status_code == status


async def test_ready_follows_intake_and_healthy_does_not(site: Site) -> None:
    site.service.wait = 3.0
    assert (await site.http.get("/-/ready")).status_code == 503
    assert (await site.http.get("/-/healthy")).status_code == 200


async def test_the_version_is_where_karma_looks(site: Site) -> None:
    text = (await site.http.get("/metrics")).text
    assert 'alertmanager_build_info{version="0.27.0"' in text
    status = (await site.http.get("/api/v2/status")).json()
    assert status["versionInfo"]["version"] == "0.27.0" and status["cluster"]["status"] == "disabled"
    assert (await site.http.get("/api/v2/receivers")).json() == [{"labels": {}, "name": "noc-console"}]


async def test_a_long_list_comes_whole_and_lets_others_in_between(site: Site) -> None:
    rows = [{"labels": {"alertname": "A", "n": str(number)}, "annotations": {"t": "x" * 200}} for number in range(6000)]
    assert (await site.http.post("/api/v2/alerts", json=rows)).status_code == 200
    long, short = await asyncio.gather(site.http.get("/api/v2/alerts"), site.http.get("/-/healthy"))
    found = long.json()
    assert len(found) == 6000 and short.status_code == 200
    assert [row["fingerprint"] for row in found] == sorted(row["fingerprint"] for row in found)
    groups = (await site.http.get("/api/v2/alerts/groups?filter=n%3D~1.*")).json()
    assert {row["labels"]["n"][0] for row in groups[0]["alerts"]} == {"1"} and groups[0]["labels"] == {"alertname": "A"}
