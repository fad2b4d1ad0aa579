"""What it costs to find the cluster of an alert while many are open; one JSON line.

    python -m tests.bench.decisions [--sizes 1000 10000 100000] [--batches 1 10 100] [--alerts 1000] [--stream NAME]

For each stream, number of open alerts and size of a batch (alerts of one envelope): CPU microseconds of a decision,
alone (`us`: mean over the batches; median and 99th percentile of a batch, each divided by its alerts). All methods
take the same alerts, batch by batch in turns, each on an engine of its own, so that what else the machine does meets
them alike; `ratio` is the median over the batches of the method's time over cosine's, `more_us` the difference of the
means. `rules`: share of decisions that the model was not asked for.
Streams: "made_up" has 300 types at 40 sites and 2,000 hosts that have nothing to do with each other, "sites" 25 alerts
of seven kinds at each of hundreds of sites, "services" few kinds on many machines, as the load generator of
../shared/bench sends them (left out where that is absent). All within the window.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from importlib import import_module
from itertools import count, islice
from typing import Any

from msgspec.structs import replace

from data.records import DEFAULT_TENANT, Severity, Signal, SignalStatus
from engine.book import Batch, Book, Draft
from engine.rules import Rules
from engine.similarity import registry
from engine.similarity.scratch import Scratch
from engine.stages.cluster import cluster
from engine.stages.dedup import dedup
from tests.bench import feeding
from tests.fakes.headless import ROOT

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
#: The open alerts came in so many seconds, the measured ones of a run after them.
FILL_SECONDS, RUN_SECONDS = 1200.0, 60.0
WORDS = ("link", "disk", "queue", "latency", "memory", "backup", "door", "power", "session", "replica", "probe", "fan")


def made_up() -> Iterator[Signal]:
    dice = random.Random(1)
    for number in count():
        kind = int(300 * dice.random() ** 3)
        host = dice.randrange(2000)
        name = f"{WORDS[kind % 12].title()}{WORDS[kind // 12 % 12].title()}{kind}"
        yield Signal(
            source="bench",
            key=f"{number}",
            name=name,
            severity=dice.choice(list(Severity)),
            status=SignalStatus.FIRING,
            title=f"{WORDS[kind % 12]} {WORDS[kind // 12 % 12]} trouble {number}",
            site=f"site {host % 40}",
            entity=f"host-{host}",
            entity_type="host",
            service=WORDS[host % 12],
            client="",
            correlation="",
            starts_at=NOW,
            ends_at=NOW,
            labels={"alertname": name},
            annotations={},
        )


def sites() -> Iterator[Signal]:
    scratch = Scratch(Rules())
    for number in count():
        yield scratch.signal(feeding.alert(number, number // feeding.ALERTS_PER_SITE + 1))


def services() -> Iterator[Signal]:
    load = import_module("_lib")

    scratch = Scratch(Rules())
    for number in count():
        signal = scratch.signal(load.am_alert(number, "decisions", NOW.timestamp(), 3600.0))
        yield replace(signal, status=SignalStatus.FIRING)


STREAMS: dict[str, Callable[[], Iterator[Signal]]] = {"made_up": made_up, "sites": sites, "services": services}


def timed(found: Iterator[Signal], alerts: int, first: datetime, seconds: float) -> Iterator[Signal]:
    """The next so many, spread over the time."""
    for number, signal in enumerate(islice(found, alerts)):
        at = first + timedelta(seconds=seconds * number / alerts)
        yield replace(signal, starts_at=at, ends_at=at + timedelta(days=1))


class Measured:
    """A method on an engine of its own."""

    def __init__(self, method: str) -> None:
        self._rules, self._book = Rules(method=registry()[method].make()), Book()
        self.spent: list[float] = []
        self.taken = self.by_rule = 0

    def forget(self) -> None:
        """What was measured so far."""
        self.spent.clear()
        self.taken = self.by_rule = 0

    def take(self, signals: Sequence[Signal]) -> float:
        """One envelope → CPU seconds of its decisions."""
        draft = Draft(self._book, self._rules, DEFAULT_TENANT, signals[-1].starts_at)
        spent = 0.0
        for signal in signals:
            alert = dedup(draft, signal)
            assert alert is not None
            began = time.thread_time()
            alert = cluster(draft, alert)
            spent += time.thread_time() - began
            draft.add_alert(alert)
            self.by_rule += "rule" in alert.why[-1].facts
        draft.dirty.clear()
        Batch(self._book).absorb(draft)
        self.taken += len(signals)
        self.spent.append(spent / len(signals))
        return spent

    def result(self) -> dict[str, Any]:
        spent = sorted(self.spent)
        found = {
            "us": round(1e6 * sum(spent) / len(spent), 1),
            "median_us": round(1e6 * spent[len(spent) // 2], 1),
            "p99_us": round(1e6 * spent[int(0.99 * len(spent))], 1),
            "rules": round(self.by_rule / max(1, self.taken), 3),
            "clusters": len(self._book.clusters),
        }
        return found


def measure(stream: str, size: int, batches: Sequence[int], alerts: int) -> dict[str, Any]:
    methods = {name: Measured(name) for name in sorted(registry())}
    found = STREAMS[stream]()
    _take_in_turns(methods, list(timed(found, size, NOW, FILL_SECONDS)), 100)
    gc.collect()
    gc.freeze()
    result: dict[str, Any] = {}
    for number, batch in enumerate(batches):
        for one in methods.values():
            one.forget()
        first = NOW + timedelta(seconds=FILL_SECONDS + RUN_SECONDS * number)
        whole = max(alerts, 10 * batch)
        _take_in_turns(methods, list(timed(found, whole, first, RUN_SECONDS)), batch)
        result[str(batch)] = _compared(methods)
    gc.unfreeze()
    return result


def _take_in_turns(methods: dict[str, Measured], signals: Sequence[Signal], batch: int) -> None:
    for first in range(0, len(signals), batch):
        for one in methods.values():
            one.take(signals[first : first + batch])


def _compared(methods: dict[str, Measured]) -> dict[str, Any]:
    base = list(methods["cosine"].spent)
    ratios = {
        name: sorted(ours / theirs for ours, theirs in zip(one.spent, base, strict=True))
        for name, one in methods.items()
    }
    found = {name: one.result() for name, one in methods.items()}
    for name, one in found.items():
        if name != "cosine":
            one["ratio"] = round(ratios[name][len(base) // 2], 2)
            one["more_us"] = round(one["us"] - found["cosine"]["us"], 1)
    return found


def _known_streams() -> list[str]:
    load = ROOT.parent / "shared" / "bench"
    if not (load / "_lib.py").exists():
        return [name for name in STREAMS if name != "services"]
    sys.path.append(str(load))
    return list(STREAMS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 10, 100])
    parser.add_argument("--alerts", type=int, default=1000)
    parser.add_argument("--stream", action="append", choices=list(STREAMS))
    wanted = parser.parse_args()
    gc.set_threshold(10_000, 100, 1_000)  # as the engine has it
    known = _known_streams()
    found = {
        stream: {str(size): measure(stream, size, wanted.batches, wanted.alerts) for size in wanted.sizes}
        for stream in wanted.stream or known
        if stream in known
    }
    print(json.dumps({"benchmark": "decisions", **found}))


if __name__ == "__main__":
    main()
