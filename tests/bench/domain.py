"""The cost of a domain event on the line: a simulated operation put through it, CPU by event type, without a store.

    python tests/bench/domain.py [--hours 12] [--scale 0.3] [--seed 1]

Prints per type: events, rows, µs per row; ticks apart; the records, alerts and findings that came of it; memory.
"""

from __future__ import annotations

import argparse
import resource
from collections import defaultdict
from datetime import datetime, timedelta
from time import process_time
from typing import Any

from msgspec import json

from data.records import DEFAULT_TENANT
from engine import pipeline
from engine.book import Batch, Book, Draft
from engine.formats.cloudevents import parse_event
from engine.ports import Envelope, EnvelopeKind, Received
from engine.rules import Rules
from engine.simulator import Simulator


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=12.0)
    parser.add_argument("--scale", type=float, default=0.3)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    simulator = Simulator(given.seed, given.scale)
    events = simulator.events(_start(simulator) + timedelta(hours=given.hours))
    book, rules = Book(), Rules()
    spent: defaultdict[str, list[float]] = defaultdict(lambda: [0, 0, 0.0])
    nouns: defaultdict[str, int] = defaultdict(int)
    next_tick: datetime | None = None
    for event in events:
        at = datetime.fromisoformat(event["time"].replace("Z", "+00:00"))
        next_tick = next_tick or at
        while next_tick <= at:
            _put(book, rules, _envelope(EnvelopeKind.TICK, None), next_tick, ("tick", 1), spent, nouns)
            next_tick += timedelta(seconds=5)
        body = json.encode(event)
        received = Received(body=body, headers={}, source="bench", tenant=DEFAULT_TENANT, now=at)
        parsed = parse_event(json.decode(body), received)
        for part in (parsed, *parsed.parts):
            for kind, payload in ((EnvelopeKind.EVENTS, part.events), (EnvelopeKind.SIGNALS, part.signals)):
                if payload:
                    _put(book, rules, _envelope(kind, payload), at, (event["type"], len(payload)), spent, nouns)
    rows = sum(int(figures[1]) for name, figures in spent.items() if name not in ("tick", "noc.alert"))
    seconds = sum(figures[2] for name, figures in spent.items() if name not in ("tick", "noc.alert"))
    print(f"{'type':<16}{'events':>9}{'rows':>9}{'µs/row':>9}{'seconds':>9}")
    for name, (count, size, cpu) in sorted(spent.items(), key=lambda item: -item[1][2]):
        print(f"{name:<16}{count:>9.0f}{size:>9.0f}{1e6 * cpu / max(1, size):>9.1f}{cpu:>9.2f}")
    print(f"domain events: {rows} rows, {1e6 * seconds / max(1, rows):.1f} µs per row")
    print("records written:", dict(sorted(nouns.items())))
    print("held:", {kind: len(held) for kind, held in book.nouns.items() if held})
    names: defaultdict[str, int] = defaultdict(int)
    for alert in book.alerts.values():
        names[alert.name] += 1
    print("alerts in memory:", dict(sorted(names.items())))
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


def _envelope(kind: EnvelopeKind, payload: Any) -> Envelope:
    return Envelope(kind=kind, tenant=DEFAULT_TENANT, source="bench", payload=payload)


def _start(simulator: Simulator) -> datetime:
    from engine.simulator import DEFAULT_START

    return DEFAULT_START


def _put(
    book: Book,
    rules: Rules,
    envelope: Envelope,
    at: datetime,
    of: tuple[str, int],
    spent: defaultdict[str, list[float]],
    nouns: defaultdict[str, int],
) -> None:
    began = process_time()
    draft = Draft(book, rules, envelope.tenant, at)
    pipeline.run(draft, envelope)
    batch = Batch(book)
    batch.absorb(draft)
    cpu = process_time() - began
    for kind, _, _ in batch.nouns:
        nouns[kind] += 1
    figures = spent[of[0]]
    figures[0] += 1
    figures[1] += of[1]
    figures[2] += cpu


if __name__ == "__main__":
    main()
