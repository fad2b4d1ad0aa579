"""restart_service over ssh: a real sshd with keys of its own, and a program there that writes down its arguments."""

from __future__ import annotations

import asyncio
import getpass
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from data.records import DEFAULT_TENANT
from engine.app import build
from engine.client import Command, Query
from engine.clock import SystemClock
from engine.effects import around
from engine.playbooks.actions import Failed, Refusal, StepAction, read_params, registry
from engine.playbooks.settings import PlaybookSettings, RestartSettings, Service
from engine.ports import Envelope, EnvelopeKind
from engine.settings import MetricsSettings, Settings, StoreSettings
from tests.fakes.line import ANA, signal
from tests.fakes.waiting import free_port, until
from tests.playbooks.test_step_runner import ACT

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        not (Path(SSHD).exists() and shutil.which("ssh") and shutil.which("ssh-keygen")), reason="no OpenSSH here"
    ),
]
HOST = "127.0.0.1"


#: Ends the line under the session that it runs in: the nearest sshd above it is killed.
_CUT = (
    'at=$PPID; while [ "$at" -gt 1 ]; do case "$(cat /proc/$at/comm)" in sshd*) kill -9 "$at"; exit 0;; esac; '
    "at=$(sed -n 's/^PPid:[[:space:]]*//p' /proc/$at/status); done; exit 1;"
)
UNITS = ("web.service", "broken.service", "cut.service", "lost.service", "liar.service")


class Server(NamedTuple):
    folder: Path
    port: int

    def calls(self) -> list[str]:
        """The argument lists that `systemctl` was called with there, one a line."""
        log = self.folder / "called"
        return log.read_text().splitlines() if log.exists() else []


def _key(path: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """It lets in one key and nothing else; `systemctl` there is a program that fails for the unit `broken`."""
    folder = tmp_path / "server"
    (folder / "bin").mkdir(parents=True)
    program = folder / "bin" / "systemctl"
    program.write_text(
        f'#!/bin/sh\nprintf "%s|" "$@" >> "{folder}/called"\necho >> "{folder}/called"\necho "unit $3"\n'
        f'if [ "$3" = cut.service ]; then {_CUT} fi\n'
        'if [ "$3" = lost.service ]; then exit 255; fi\n'
        'if [ "$3" = liar.service ]; then echo "Host key verification failed." >&2; exit 255; fi\n'
        '[ "$3" != broken.service ]\n'
    )
    program.chmod(0o755)
    host, user, port = _key(folder / "host_key"), _key(tmp_path / "key"), free_port()
    (folder / "authorized").write_text(user.with_suffix(".pub").read_text())
    for path in (tmp_path, folder, folder / "authorized"):
        path.chmod(0o700)
    config = folder / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress {HOST}\nHostKey {host}\nPidFile none\nUsePAM no\nStrictModes no\n"
        f"AuthorizedKeysFile {folder}/authorized\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
        f"PermitRootLogin prohibit-password\nSetEnv PATH={folder}/bin:/usr/bin:/bin\n"
    )
    public = host.with_suffix(".pub").read_text().split()
    (tmp_path / "known_hosts").write_text(f"[{HOST}]:{port} {public[0]} {public[1]}\n")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where sshd separates its privileges
    process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(config)], stderr=subprocess.DEVNULL)
    try:
        until(lambda: _answers(port) or process.poll() is not None, 20.0, "an sshd that listens")
        assert process.poll() is None, "sshd did not start"
        yield Server(folder, port)
    finally:
        process.terminate()
        process.wait(10)


def _answers(port: int) -> bool:
    with socket.socket() as found:
        return found.connect_ex((HOST, port)) == 0


def settings_of(tmp_path: Path, server: Server, **more: Any) -> RestartSettings:
    given: dict[str, Any] = {
        "services": tuple(Service(unit=unit, host=HOST) for unit in UNITS),
        "ssh": shutil.which("ssh"),
        "ssh_user": getpass.getuser(),
        "ssh_key": str(tmp_path / "key"),
        "ssh_known_hosts": str(tmp_path / "known_hosts"),
        "ssh_port": server.port,
        **more,
    }
    return RestartSettings(**given)


def restart(tmp_path: Path, server: Server, **more: Any) -> StepAction:
    settings = Settings(playbooks=PlaybookSettings(restart=settings_of(tmp_path, server, **more)))
    return registry(around(settings, SystemClock()))["restart_service"]


async def run(action: Any, **params: str) -> Any:
    return await action.run(ACT, read_params(action, params))


async def test_a_listed_unit_is_restarted_on_its_host(tmp_path: Path, server: Server) -> None:
    done = await run(restart(tmp_path, server), unit="web.service", host=HOST)
    assert done.output == {"code": 0, "said": "unit web.service\n"}
    assert server.calls() == ["restart|--|web.service|"]


async def test_what_fails_there_is_told(tmp_path: Path, server: Server) -> None:
    with pytest.raises(Failed, match="ended with 1") as found:
        await run(restart(tmp_path, server), unit="broken.service", host=HOST)
    assert found.value.output["said"] == "unit broken.service\n"
    assert not found.value.unseen and not found.value.again


@pytest.mark.parametrize("unit", ["other.service", "web.service;id", "--force", "$(id)", "web.service other.service"])
async def test_what_is_not_listed_never_reaches_the_host(tmp_path: Path, server: Server, unit: str) -> None:
    action: Any = restart(tmp_path, server)
    with pytest.raises(Refusal):
        action.plan(read_params(action, {"unit": unit, "host": HOST}))
    with pytest.raises(Failed):
        await run(action, unit=unit, host=HOST)
    assert server.calls() == []


async def test_another_key_is_not_let_in_and_nothing_is_asked(tmp_path: Path, server: Server) -> None:
    other = _key(tmp_path / "other")
    with pytest.raises(Failed, match=r"did not get in.*Permission denied") as found:
        await run(restart(tmp_path, server, ssh_key=str(other)), unit="web.service", host=HOST)
    assert not found.value.unseen and not found.value.again
    assert server.calls() == []


async def test_a_host_whose_key_is_not_known_is_not_trusted(tmp_path: Path, server: Server) -> None:
    (tmp_path / "nobody").write_text("")
    action = restart(tmp_path, server, ssh_known_hosts=str(tmp_path / "nobody"))
    with pytest.raises(Failed, match="did not get in: Host key verification failed") as found:
        await run(action, unit="web.service", host=HOST)
    assert not found.value.unseen and not found.value.again
    assert server.calls() == []


async def test_a_host_that_does_not_answer_was_not_reached_and_may_be_tried_again(
    tmp_path: Path, server: Server
) -> None:
    with pytest.raises(Failed, match=r"did not get in.*refused") as found:
        await run(restart(tmp_path, server, ssh_port=free_port()), unit="web.service", host=HOST)
    assert found.value.again and not found.value.unseen
    assert server.calls() == []


@pytest.mark.parametrize("unit", ["cut.service", "lost.service", "liar.service"])
async def test_what_a_broken_line_left_behind_nobody_saw(tmp_path: Path, server: Server, unit: str) -> None:
    """Whatever the other side prints: it was logged in, and may have done it."""
    with pytest.raises(Failed, match="the line broke") as found:
        await run(restart(tmp_path, server), unit=unit, host=HOST)
    assert found.value.unseen and not found.value.again
    assert server.calls() == [f"restart|--|{unit}|"]


async def test_a_log_that_cannot_be_written_proves_nothing(tmp_path: Path, server: Server) -> None:
    """A program in ssh's place that ends as ssh does without a word."""
    silent = tmp_path / "silent"
    silent.write_text("#!/bin/sh\nexit 255\n")
    silent.chmod(0o755)
    with pytest.raises(Failed) as found:
        await run(restart(tmp_path, server, ssh=str(silent)), unit="web.service", host=HOST)
    assert found.value.unseen


@pytest.mark.parametrize(("unit", "state"), [("cut.service", "unknown"), ("web.service", "success")])
async def test_an_engine_asks_people_after_a_broken_line_and_repeats_nothing(
    tmp_path: Path, server: Server, unit: str, state: str
) -> None:
    books = tmp_path / "playbooks"
    books.mkdir()
    step = f"{{name: restart, action: restart_service, retries: 3, params: {{unit: {unit}, host: {HOST}}}}}"
    (books / "mend.yaml").write_text(f"name: mend\nversion: 1\npolicy: {{mode: auto}}\nsteps: [{step}]\n")
    settings = Settings(
        store=StoreSettings(data_dir=str(tmp_path / "data"), synchronous="normal", reserve_mib=0),
        metrics=MetricsSettings(own=False),
        playbooks=PlaybookSettings(directory=str(books), restart=settings_of(tmp_path, server)),
    )
    engine = build(settings, SystemClock(), listen=False)
    await engine.start()
    try:
        now = engine.clock.now()
        row = replace(signal("web-1"), starts_at=now, ends_at=now + timedelta(hours=1))
        await engine.service.take(
            Envelope(kind=EnvelopeKind.SIGNALS, tenant=DEFAULT_TENANT, source="test", payload=[row])
        )
        client = engine.client(ANA)
        (incident,) = (await client.query(Query(kind="incidents"))).items
        await client.command(
            Command(verb="run_playbook", targets=(f"incident:{incident.id}",), params={"playbook": "mend"})
        )
        async with asyncio.timeout(60):
            while (run := (await client.query(Query(kind="executions"))).items[0]).state in ("pending", "running"):
                await asyncio.sleep(0.05)
        asked = [one for one in (await client.query(Query(kind="approvals"))).items if one.state == "open"]
    finally:
        await engine.stop()
    assert run.state == state and server.calls() == [f"restart|--|{unit}|"]
    assert [one.asks for one in asked] == (["outcome"] if state == "unknown" else [])
