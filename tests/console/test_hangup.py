"""A lost line: the terminal goes away and so does the console, its state saved, nothing acted."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import pytest

from tests.fakes.terminal import Opener
from tests.fakes.waiting import PATIENCE

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("ignored", [False, True])
@pytest.mark.parametrize(("keys", "shown"), [("2j", "> 88"), ("2r", "Resolve I-4411?"), ("2:res", ":res")])
def test_console_ends_when_its_terminal_does(
    tmp_path: Path, terminals: Opener, keys: str, shown: str, ignored: bool
) -> None:
    words = [sys.executable, "-m", "tests.fakes.demo_app", "--state", str(tmp_path)]
    env = {"LANG": "C.UTF-8", "PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    terminal = terminals(words, env, ignore_hangup=ignored, cwd=str(ROOT))
    terminal.until("I-4411")
    terminal.send(keys)
    terminal.until(lambda: shown in " ".join(terminal.text.split()))
    terminal.hang_up()
    assert terminal.ended(PATIENCE) == 128 + signal.SIGHUP
    assert json.loads((tmp_path / "session.json").read_text())["view"] == "incidents"
