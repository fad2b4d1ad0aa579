"""What the console costs and how quickly it answers. Prints one JSON line; progress goes to stderr.

first_frame_ratio: CPU of `noc-console`, engine inside, until its first frame over that of a Textual app of one Static,
in one run, interleaved, median of `--runs`. engine_gap_seconds: the longest time between two acknowledged posts (20 a
second) while nobody reads the terminal for `--stall` seconds and keys go on. The others for each number of open
alerts, link ("local", or bytes per second) and size: key_p95_ms from a key to the frame in which the cursor is on
another incident, bytes_per_frame, cpu_percent of the attached console at two frames a second, idle_percent without
news. Meanwhile 100 alerts a second come in, 30 of them new.

    console.py                          all of it: about six minutes
    console.py --quick                  1,000 alerts, 200x60 and 80x24: under a minute
    console.py --only live --alerts 100000 --links 60000 --sizes 200x60
"""

from __future__ import annotations

import argparse
import json
import random
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.feeding import LiveFeed, load
from tests.bench.link import LinkedTerminal, cpu_seconds
from tests.fakes.headless import SMALL, Headless, command, environment
from tests.fakes.waiting import free_port, until

MARK = "Overview"
#: A word that stands on the screen once the incidents are there.
LOADED = "unacked"
MINIMAL = """\
from textual.app import App
from textual.widgets import Static

class Minimal(App):
    ENABLE_COMMAND_PALETTE = False
    def compose(self):
        yield Static("Overview")

Minimal().run()
"""


def env_of(folder: Path) -> dict[str, str]:
    """As a user has it: compiled modules are kept."""
    return {name: value for name, value in environment(folder, **SMALL).items() if name != "PYTHONDONTWRITEBYTECODE"}


@contextmanager
def opened(words: list[str], folder: Path, size: str, rate: float | None = None) -> Iterator[LinkedTerminal]:
    columns, lines = map(int, size.split("x"))
    terminal = LinkedTerminal(words, env_of(folder), columns=columns, lines=lines, rate=rate)
    try:
        yield terminal
    finally:
        terminal.finish()


def first_frame(words: list[str], folder: Path) -> float:
    """CPU seconds until the first frame."""
    with opened(words, folder, "120x40") as terminal:
        terminal.until(MARK, 30.0)
        return cpu_seconds(terminal.pid)


def measure_first_frame(folder: Path, runs: int) -> dict[str, Any]:
    script = folder / "minimal.py"
    script.write_text(MINIMAL)
    ours, theirs = [], []
    for number in range(runs + 1):
        where = folder / f"first{number}"
        where.mkdir()
        theirs.append(first_frame([sys.executable, str(script)], where))
        ours.append(first_frame(command("--data-dir", str(where / "data"), "--listen", "127.0.0.1:0"), where))
    ratios = [a / b for a, b in zip(ours[1:], theirs[1:], strict=True)]
    return {
        "first_frame_ratio": round(statistics.median(ratios), 2),
        "first_frame_ms": round(1000 * statistics.median(ours[1:])),
        "minimal_ms": round(1000 * statistics.median(theirs[1:])),
    }


def under_cursor(terminal: LinkedTerminal) -> str:
    """The number of the incident that the cursor's glyph points at."""
    buffer = terminal.screen.buffer
    line = next((y for y in range(terminal.screen.lines) if buffer[y][0].data == ">"), None)
    found = re.search(r"I-\d+", "".join(buffer[line][x].data for x in range(30))) if line is not None else None
    return found[0] if found else ""


def key_times(terminal: LinkedTerminal, keys: int) -> list[float]:
    """Milliseconds from a key to the frame in which the cursor stands elsewhere, at odd moments."""
    odd, found = random.Random(3), []
    for number in range(keys):
        # Every other key comes after a pause in which the order of the rows may change.
        terminal.watch(odd.uniform(2.2, 3.2) if number % 4 == 0 else odd.uniform(0.1, 0.6))
        before = under_cursor(terminal)
        start = time.monotonic()
        terminal.send("j" if number % 2 == 0 else "k")
        terminal.until(lambda before=before: under_cursor(terminal) != before, 20.0)
        found.append(1000 * (time.monotonic() - start))
    return found


def measure_live(url: str, folder: Path, alerts: int, link: str, size: str, args: argparse.Namespace) -> dict[str, Any]:
    rate = None if link == "local" else float(link)
    with opened(command("attach", url), folder, size, rate) as terminal:
        start = time.monotonic()
        terminal.until(LOADED, 60.0)
        loaded = time.monotonic() - start
        terminal.watch(2.0)
        idle = percent_over(terminal, args.seconds)
        with LiveFeed(url, alerts):
            terminal.watch(1.0)
            views = [frames_over(terminal, key, args.seconds) for key in ("1", "2")]
            times = sorted(key_times(terminal, args.keys))
    return {
        "alerts": alerts,
        "link": link,
        "size": size,
        "key_p50_ms": round(statistics.median(times), 1),
        "key_p95_ms": round(times[min(len(times) - 1, round(0.95 * (len(times) - 1)))], 1),
        "bytes_per_frame": max(view["bytes_per_frame"] for view in views),
        "frames_per_second": min(view["frames"] for view in views),
        "cpu_percent": max(view["cpu"] for view in views),
        "idle_percent": idle,
        "first_page_seconds": round(loaded, 2),
    }


def percent_over(terminal: LinkedTerminal, seconds: float) -> float:
    before = cpu_seconds(terminal.pid)
    terminal.watch(seconds)
    return round(100 * (cpu_seconds(terminal.pid) - before) / seconds, 2)


def frames_over(terminal: LinkedTerminal, view: str, seconds: float) -> dict[str, float]:
    """One view for so long, the switch to it left out."""
    terminal.send(view)
    terminal.watch(1.5)
    received, frames = terminal.received, terminal.live_frames
    cpu = percent_over(terminal, seconds)
    count = terminal.live_frames - frames
    return {
        "cpu": cpu,
        "frames": round(count / seconds, 2),
        "bytes_per_frame": round((terminal.received - received) / max(1, count)),
    }


def measure_all_live(folder: Path, args: argparse.Namespace) -> list[dict[str, Any]]:
    found = []
    for alerts in args.alerts:
        engine = Headless(folder / f"live{alerts}").start()
        try:
            load(engine.url, alerts)
            for link in args.links:
                for size in args.sizes:
                    found.append(measure_live(engine.url, engine.folder, alerts, link, size, args))
                    print(json.dumps(found[-1]), file=sys.stderr)
        finally:
            engine.stop()
    return found


def measure_gap(folder: Path, stall: float) -> dict[str, Any]:
    """The longest silence of the engine inside while its console's terminal hangs."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    words = command("--data-dir", str(folder / "data"), "--listen", f"127.0.0.1:{port}")
    with opened(words, folder, "200x60") as terminal:
        terminal.until(MARK, 30.0)
        until(lambda: (terminal.pump(0.05), (folder / "data" / "engine.json").exists())[1], 20.0)
        load(url, 2_000)
        terminal.watch(2.0)
        with LiveFeed(url, 2_000, per_second=20.0) as feed:
            terminal.watch(1.0)
            seen, begun = len(feed.acknowledged), time.monotonic()
            while time.monotonic() - begun < stall:
                terminal.send("12"[int(10 * time.monotonic()) % 2])
                time.sleep(0.1)
            times = [begun, *feed.acknowledged[seen:], time.monotonic()]
            stalled, frames = time.monotonic(), terminal.live_frames
            terminal.until(lambda: terminal.live_frames > frames + 1, 20.0)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    return {
        "engine_gap_seconds": round(max(gaps), 3),
        "posts_during_stall": len(times) - 2,
        "recovered_seconds": round(time.monotonic() - stalled, 2),
    }


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", choices=["first", "live", "gap"])
    parser.add_argument("--alerts", type=int, nargs="*", default=[1_000, 100_000])
    parser.add_argument("--links", nargs="*", default=["local", "60000"])
    parser.add_argument("--sizes", nargs="*", default=["80x24", "200x60"])
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--keys", type=int, default=40)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--stall", type=float, default=12.0)
    args = parser.parse_args()
    if args.quick:
        args.alerts, args.seconds, args.keys, args.runs, args.stall = [1_000], 3.0, 6, 3, 5.0
        args.links = ["local"]
    return args


def main() -> None:
    args = arguments()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if args.only in {None, "first"}:
            found |= measure_first_frame(folder, args.runs)
        if args.only in {None, "gap"}:
            found |= measure_gap(folder, args.stall)
        if args.only in {None, "live"}:
            found["live"] = measure_all_live(folder, args)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
