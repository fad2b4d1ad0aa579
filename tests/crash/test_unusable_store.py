"""A database that is locked, read-only or not there: pressure back to senders, a view with a banner, one line."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from statistics import median

import httpx
import pytest

from tests.fakes.headless import Headless, Starter, command, environment, run
from tests.fakes.terminal import Opener
from tests.fakes.waiting import PATIENCE, until

#: Seconds that another process holds the database; LOCKED_SECONDS=30 for the long form.
LOCKED = float(os.environ.get("LOCKED_SECONDS", "4"))
STORE = 5

_LOCKER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.readline()
connection.execute("ROLLBACK")
"""


def post(http: httpx.Client, number: int) -> httpx.Response:
    labels = {"alertname": "Full", "host": f"h{number}", "severity": "high"}
    return http.post("/api/v2/alerts", json=[{"labels": labels}])


def hosts(http: httpx.Client) -> set[str]:
    return {row["labels"]["host"] for row in http.get("/api/v1/alerts", params={"limit": 1000}).json()["items"]}


def locked(database: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", _LOCKER, database], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None and process.stdout.readline() == b"locked\n"
    return process


def let_go(process: subprocess.Popen[bytes]) -> None:
    process.communicate(b"\n", timeout=PATIENCE)


class Poster(threading.Thread):
    """Posts alerts 1, 2, 3 … one after the other, each until it is taken. `taken` has the moments of the answers."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._http = httpx.Client(base_url=url, trust_env=False, timeout=60.0)
        self.stop = threading.Event()
        self.taken: list[float] = []
        self.waits: list[int] = []
        self.wrong: list[str] = []

    def run(self) -> None:
        while not self.stop.is_set() and not self.wrong:
            answer = post(self._http, len(self.taken) + 1)
            if answer.status_code == 200:
                self.taken.append(time.monotonic())
            elif answer.status_code == 503 and int(answer.headers["retry-after"]) >= 1:
                self.waits.append(int(answer.headers["retry-after"]))
                self.stop.wait(0.1)
            else:
                self.wrong.append(f"{answer.status_code} {answer.text}")
        self._http.close()


def test_a_database_locked_by_another_process(headless: Starter, capsys: pytest.CaptureFixture[str]) -> None:
    engine: Headless = headless()
    with engine.http() as http:
        poster = Poster(engine.url)
        poster.start()
        until(lambda: poster.taken, what="the first alert")
        other = locked(engine.data / "noc.db")
        held, reads = time.monotonic(), []
        while time.monotonic() < held + LOCKED:
            asked = time.monotonic()
            assert hosts(http) and http.get("/-/healthy").status_code == 200, "reads go on"
            reads.append(time.monotonic() - asked)
            poster.stop.wait(0.05)
        free = time.monotonic()
        let_go(other)
        until(lambda: poster.taken[-1] > free, what="intake after the lock was gone")
        poster.stop.set()
        poster.join(PATIENCE)
        until(lambda: http.get("/api/v1/health").json()["state"] == "live")
        assert median(reads) < LOCKED / 4, "reads do not wait for the lock"
        assert not poster.wrong
        assert hosts(http) == {f"h{number}" for number in range(1, len(poster.taken) + 1)}
    # One answer may still have been on its way when the lock was taken.
    assert sum(held + 0.2 < moment < free for moment in poster.taken) == 0, "said to be stored while nothing could be"
    assert engine.stop() == 0
    assert "Traceback" not in engine.said()
    with capsys.disabled():
        back = next(moment for moment in poster.taken if moment > free) - free
        print(
            f"\nlocked {LOCKED:g} s: {len(reads)} reads meanwhile, {len(poster.waits)} posts told to wait, "
            f"{len(poster.taken)} taken, 0 lost, intake {back:.2f} s after the lock"
        )


@pytest.fixture
def read_only() -> Iterator[Callable[[Path], None]]:
    """`read_only(path)` makes a file or directory one that not even root can write, by mounting it over itself."""
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if os.geteuid() != 0 or mount is None or umount is None:
        pytest.skip("making something read-only for root takes a mount")
    mounted: list[Path] = []

    def make(path: Path) -> None:
        if subprocess.run([mount, "--bind", path, path], check=False).returncode:
            pytest.skip("this machine does not let root mount")
        mounted.append(path)
        subprocess.run([mount, "-o", "remount,ro,bind", path], check=True)

    yield make
    for path in mounted:
        subprocess.run([umount, "-l", path], check=True)


def filled(engine: Headless) -> None:
    """One alert, and the engine is gone."""
    with engine.http() as http:
        assert post(http, 1).status_code == 200
    assert engine.stop() == 0


@pytest.mark.parametrize("what", ["file", "directory"])
def test_what_cannot_be_written_can_be_viewed(
    read_only: Callable[[Path], None], headless: Starter, terminals: Opener, tmp_path: Path, what: str
) -> None:
    engine: Headless = headless()
    filled(engine)
    read_only(engine.data / "noc.db" if what == "file" else engine.data)
    engine.start()
    with engine.http() as http:
        health = http.get("/api/v1/health").json()
        assert health["state"] == "read_only" and any("read-only" in banner for banner in health["banners"])
        assert hosts(http) == {"h1"}
        assert http.get("/api/v1/incidents").json()["items"][0]["state"] == "open"
        refused = post(http, 2)
        assert refused.status_code == 503 and int(refused.headers["retry-after"]) >= 1
        act = http.post("/api/v1/incidents/1/ack", json={})
        assert act.status_code == 503 and "retry-after" in act.headers, act.text
        assert http.get("/-/healthy").status_code == 200
        assert http.get("/-/ready").status_code == 503
        assert hosts(http) == {"h1"}
    console = terminals(command("attach", engine.url), environment(tmp_path))
    console.until("read-only")
    console.send("2")
    console.until("h1")
    assert engine.stop() == 0
    assert "Traceback" not in engine.said()


def test_a_missing_directory_is_made_for_the_owner_only(headless: Starter, tmp_path: Path) -> None:
    engine: Headless = headless(data=tmp_path / "not" / "yet")
    with engine.http() as http:
        assert post(http, 1).status_code == 200
    assert stat.S_IMODE(engine.data.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in engine.data.iterdir()}
    assert set(modes.values()) == {0o600}, modes


def in_one_line(folder: Path, *words: str, code: int) -> str:
    """What `noc-console` says on stderr when it cannot; never a traceback."""
    done = run(folder, words)
    lines = [line for line in done.stderr.splitlines() if line.startswith("noc-console: ")]
    assert (done.returncode, len(lines)) == (code, 1), done.stderr
    assert "Traceback" not in done.stderr
    return lines[0]


def test_a_directory_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    said = in_one_line(tmp_path, "headless", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "data"), code=1)
    assert "data" in said


def test_a_second_engine_on_the_same_directory(headless: Starter, tmp_path: Path) -> None:
    engine: Headless = headless()
    said = in_one_line(tmp_path, "headless", "--listen", "127.0.0.1:0", "--data-dir", str(engine.data), code=STORE)
    assert "already runs" in said and engine.url in said
    with engine.http() as http:
        assert post(http, 1).status_code == 200


def test_a_damaged_database(headless: Starter, tmp_path: Path) -> None:
    engine: Headless = headless()
    filled(engine)
    database = engine.data / "noc.db"
    body = bytearray(database.read_bytes())
    body[4096:12288] = os.urandom(8192)
    database.write_bytes(body)
    said = in_one_line(tmp_path, "headless", "--listen", "127.0.0.1:0", "--data-dir", str(engine.data), code=STORE)
    assert "restore" in said
    assert database.read_bytes() == bytes(body), "a damaged file is evidence"


def test_another_programs_database(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    connection = sqlite3.connect(tmp_path / "data" / "noc.db")
    connection.execute("CREATE TABLE x (a)")
    connection.close()
    words = ("headless", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "data"))
    assert "another program" in in_one_line(tmp_path, *words, code=STORE)


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        words = ("headless", "--listen", f"127.0.0.1:{port}", "--data-dir", str(tmp_path / "data"))
        said = in_one_line(tmp_path, *words, code=1)
    assert str(port) in said
    with suppress(FileNotFoundError):
        assert not (tmp_path / "data" / "engine.json").exists()
