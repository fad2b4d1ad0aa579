"""One scenario of the AIT alert data set through `noc-console replay` to incidents; prints one JSON line.

    python -m tests.bench.replay_ait russellmitchell [--limit ROWS] [--data FOLDER]

`alerts_per_s` counts the recording's lines, durable and worked into incidents; `parsed_per_s` is what this interpreter
alone does when it only parses the same lines, in the same run, and `ratio` is the one over the other.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import tempfile
import time
from itertools import islice
from pathlib import Path

from tests.bench.ait import moments, write
from tests.fakes.headless import ROOT, run

DATA = ROOT.parent / "shared" / "datasets" / "ait_ads"
SCENARIOS = ("fox", "russellmitchell", "santos", "shaw")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenario", choices=SCENARIOS, nargs="?", default="russellmitchell")
    parser.add_argument("--limit", type=int, default=None)
    parser.add_argument("--data", type=Path, default=DATA)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(wanted.data, wanted.scenario, wanted.limit, Path(folder))))


def measure(data: Path, scenario: str, limit: int | None, folder: Path) -> dict[str, object]:
    recording = folder / f"{scenario}.jsonl"
    lines = write(islice(moments(data / f"{scenario}_alerts.csv.xz"), limit), recording)
    began = time.monotonic()
    done = run(folder, ["replay", str(recording)], 600.0, NOC__STORE__DATA_DIR=str(folder / "data"))
    seconds = time.monotonic() - began
    if done.returncode:
        raise SystemExit(done.stderr)
    parsed = _parsed_per_second(recording)
    return {
        "scenario": scenario,
        "lines": lines,
        **_stored(folder / "data" / "noc.db"),
        "said": done.stdout.strip(),
        "seconds": round(seconds, 2),
        "alerts_per_s": round(lines / seconds),
        "parsed_per_s": round(parsed),
        "ratio": round(lines / seconds / parsed, 4),
    }


def _parsed_per_second(recording: Path) -> float:
    began = time.monotonic()
    with recording.open("rb") as file:
        count = sum(1 for line in file if json.loads(line))
    return count / (time.monotonic() - began)


def _stored(database: Path) -> dict[str, object]:
    connection = sqlite3.connect(database)
    try:
        alerts, events = connection.execute("SELECT count(*), sum(count) FROM alerts WHERE incident > 0").fetchone()
        (incidents,) = connection.execute("SELECT count(*) FROM incidents WHERE merged_into IS NULL").fetchone()
        (rejects,) = connection.execute("SELECT count(*) FROM rejects").fetchone()
    finally:
        connection.close()
    noise = 100 * (alerts - incidents) / alerts if alerts else 0.0
    return {
        "alerts": alerts,
        "events": events,
        "incidents": incidents,
        "rejects": rejects,
        "noise_percent": round(noise, 1),
    }


if __name__ == "__main__":
    main()
