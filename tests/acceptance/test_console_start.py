"""The console with its engine inside, in a real pseudo-terminal: it starts, or ends with one line that has the cure."""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path

import pytest

from engine.presence import CARD, LOCK
from tests.fakes.headless import SMALL, Starter, command, environment
from tests.fakes.terminal import Opener, Terminal
from tests.fakes.waiting import PATIENCE, until

LEFT_SCREEN = b"\x1b[?1049l"


@pytest.fixture
def console(terminals: Opener, tmp_path: Path):  # type: ignore[no-untyped-def]
    def open_console(data: Path, port: int = 0) -> Terminal:
        words = command("--data-dir", str(data), "--listen", f"127.0.0.1:{port}")
        return terminals(words, environment(tmp_path, **SMALL))

    return open_console


def _last_words(terminal: Terminal) -> str:
    """What stands on the shell's screen after the console has left its own."""
    return bytes(terminal.raw).rpartition(LEFT_SCREEN)[2].decode().rpartition("\x1b[?1006l")[2].strip()


def _ends_with(terminal: Terminal, code: int) -> str:
    assert terminal.ended(PATIENCE) == code
    terminal.settle(0.2)
    words = _last_words(terminal)
    assert words.startswith("noc-console: ") and len(words.splitlines()) == 1
    return words


def test_taken_port_names_the_option(console, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        words = _ends_with(console(tmp_path / "data", port), 1)
    assert f"cannot listen on 127.0.0.1:{port}: address already in use" in words
    assert "--listen 127.0.0.1:0 takes a free port" in words


def test_damaged_database_names_the_restore(console, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    data = tmp_path / "data"
    data.mkdir()
    (data / "noc.db").write_bytes(b"this is not a database" * 500)
    words = _ends_with(console(data), 5)
    assert "is damaged" in words and "noc-console db restore FILE" in words
    assert (data / "noc.db").read_bytes() == b"this is not a database" * 500


def test_locked_directory_says_that_it_is(console, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    data = tmp_path / "data"
    data.mkdir()
    with (data / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        words = _ends_with(console(data), 5)
    assert f"an engine already runs on {data}" in words and "--data-dir" in words


def test_folder_that_is_a_file_is_named(console, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "data").write_text("x")
    terminal = console(tmp_path / "data")
    assert terminal.ended(PATIENCE) == 1
    terminal.settle(0.2)
    assert f"{tmp_path / 'data'}: File exists" in terminal.text.replace("\n", "")


def test_second_console_on_a_directory_joins_the_first(console, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    data = tmp_path / "data"
    first = console(data)
    first.until("no alert has come in")
    second = console(data)
    second.until("no alert has come in")
    assert second.ended(0.0) is None
    first.finish()
    second.until("DOWN")


def test_console_on_the_directory_of_a_headless_engine_attaches(console, headless: Starter) -> None:  # type: ignore[no-untyped-def]
    engine = headless()
    with engine.http() as http:
        http.post("/api/v2/alerts", json=[{"labels": {"alertname": "DiskFull", "site": "Lab"}}]).raise_for_status()
    joined = console(engine.data)
    joined.until("DiskFull")
    joined.send("q")
    joined.until("The engine goes on")


def test_card_of_a_dead_engine_whose_number_lives_again_is_not_believed(console, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    data = tmp_path / "data"
    data.mkdir()
    (data / LOCK).touch()
    (data / CARD).write_text(f'{{"url": "http://127.0.0.1:9", "pid": {os.getpid()}, "version": "0"}}')
    opened = console(data)
    opened.until("no alert has come in")
    until(lambda: f'"pid":{opened.pid}' in (data / CARD).read_text())


def test_a_console_that_starts_is_not_called_down(console, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    opened = console(tmp_path / "data")
    opened.until("no alert has come in")
    assert b"DOWN" not in opened.raw
