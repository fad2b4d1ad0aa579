"""`train` and `model` beside a running engine: it does the work, the command waits and tells."""

from __future__ import annotations

import json
from pathlib import Path

from tests.fakes.headless import Headless, run


def test_a_running_engine_trains_and_keeps_what_came_of_it(tmp_path: Path) -> None:
    engine = Headless(tmp_path / "engine")
    engine.launch()
    try:
        engine.listening(60.0)
        folder = ["--data-dir", str(engine.data)]
        trained = run(tmp_path, ["train", "fraud", *folder], seconds=120.0)
        assert trained.returncode == 1 and "0 cases are judged" in trained.stderr, trained.stderr
        told = run(tmp_path, ["model", "history", "--json", *folder], seconds=60.0)
        rows = [json.loads(line) for line in told.stdout.splitlines()]
        assert [(row["model"], row["result"], bool(row["by"])) for row in rows] == [("fraud", "too_few", True)]
    finally:
        engine.stop()
