"""The demo in a real terminal: on one key of the empty console, and as a command of its own."""

from __future__ import annotations

from pathlib import Path

import msgspec

from tests.fakes.headless import SMALL, command, environment
from tests.fakes.terminal import Opener, Terminal


def _leave(terminal: Terminal) -> None:
    """q asks; a key that comes too soon after another is passed over."""
    terminal.send("q")
    terminal.until("Leave the console?")
    for _ in range(20):
        terminal.send("y")
        if terminal.ended(1.0) is not None:
            break


def test_the_empty_console_plays_the_demo_on_one_key(terminals: Opener, tmp_path: Path) -> None:
    words = command("--data-dir", str(tmp_path / "data"), "--listen", "127.0.0.1:0")
    terminal = terminals(words, environment(tmp_path, **SMALL))
    terminal.until("D plays a simulated operation", 30)
    terminal.send("D")
    terminal.until("Play the demo?")
    for _ in range(20):
        terminal.send("y")
        terminal.settle(0.5, 1.0)
        if "Play the demo?" not in terminal.text:
            break
    terminal.until(lambda: "FLOOD" in terminal.text or "Tower" in terminal.text, 60)
    _leave(terminal)
    assert terminal.status == 0


def test_the_command_shows_it_and_writes_the_truth(terminals: Opener, tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    words = command("demo", "--scenario", "power", "--scale", "0.3", "--truth", str(path))
    folder = tmp_path / "temporary"
    folder.mkdir()
    terminal = terminals(words, environment(tmp_path, **SMALL) | {"TMPDIR": str(folder)})
    terminal.until(lambda: "active" in terminal.text and "Tower" in terminal.text, 60)
    _leave(terminal)
    assert terminal.status == 0
    lines = [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]
    assert lines
    known = {"incident", "anomaly", "fraud", "failure", "decline", "breach", "gap", "act"}
    assert {line["type"] for line in lines} <= known
    assert not list(folder.iterdir())
