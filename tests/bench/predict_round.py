"""A round of predictions over 5,000 tickets, 5,000 devices and 500 shifts: CPU in all, and the longest slice.

    .venv/bin/python -m tests.bench.predict_round [--fast]

The records stand in a Book as the line holds them; each slice is what one tick does of it, by the stopwatch as in the
engine. Without a model: rules of thumb score. The first round begins with what a start takes back. `--fast`: a minute
passes with each tick. Prints one line of JSON: CPU times of this process, and beside them by the wall what the line
waits, which has what else the machine does in it. Collections of garbage are set as the engine sets them: a slice is
at its longest when one falls into it.
"""

from __future__ import annotations

import argparse
import gc
import json
from datetime import datetime, timedelta
from statistics import median
from time import monotonic, perf_counter, process_time

from msgspec.structs import replace

from data.nouns.world import Device, Shift, Site, Ticket
from data.records import DEFAULT_TENANT as T
from engine.book import Batch, Book, Draft
from engine.domain.registry import load
from engine.predictors import keeping, rounds
from engine.predictors.catalogue import PREDICTORS
from engine.rules import Rules
from tests.fakes.line import T0

TICKETS, DEVICES, SHIFTS, SITES, ROUNDS = 5000, 5000, 500, 50, 3


def crowded() -> Book:
    book = Book()
    for number in range(SITES):
        book.nouns["sites"][T, f"s{number}"] = Site(tenant=T, id=f"s{number}", at=T0, posts={"day": 2})
    for number in range(DEVICES):
        kind, site = ("camera", "reader", "panel")[number % 3], f"s{number % SITES}"
        book.nouns["devices"][T, f"d{number}"] = Device(
            tenant=T, id=f"d{number}", at=T0, type=kind, site=site, state="online", last_seen=T0, errors=number % 7
        )
    for number in range(TICKETS):
        book.nouns["tickets"][T, f"t{number}"] = Ticket(
            tenant=T, id=f"t{number}", opened_at=T0 - timedelta(minutes=number % 300), type="abc"[number % 3],
            title=f"title {number % 100}", priority=("high", "medium", "low")[number % 3], site=f"s{number % SITES}",
            due_at=T0 + timedelta(minutes=10 + number % 110),
        )  # fmt: skip
    for number in range(SHIFTS):
        begins = T0 + timedelta(minutes=15 + number // SITES * 20)
        book.nouns["shifts"][T, f"h{number}"] = Shift(
            tenant=T, id=f"h{number}", site=f"s{number % SITES}", post="day", person=f"p{number}",
            starts_at=begins, ends_at=begins + timedelta(hours=8),
        )  # fmt: skip
    book.derived["domain.listening"] = {T: T0 - timedelta(hours=2)}
    return book


def heard(book: Book, now: datetime) -> None:
    """All devices give a sign of life."""
    held = book.nouns["devices"]
    for key, of in list(held.items()):
        held[key] = replace(of, last_seen=now)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--fast", action="store_true", help="a minute passes with each tick")
    step = timedelta(seconds=60 if parser.parse_args().fast else 1)
    load()
    book, rules, now = crowded(), Rules(stopwatch=monotonic), T0
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 100, 1_000)
    found: list[list[tuple[float, float]]] = []
    slices: list[tuple[float, float]] = []
    while len(found) < ROUNDS:
        now += step
        if now.second == 0:
            heard(book, now)
        draft = Draft(book, rules, T, now)
        began, wall = process_time(), perf_counter()
        keeping.ensure(draft)
        rounds.step(draft)
        slices.append((1000.0 * (process_time() - began), 1000.0 * (perf_counter() - wall)))
        Batch(book).absorb(draft)
        if book.derived["predictions.round"].get("part", 0) > len(PREDICTORS):
            found.append(slices)
            slices = []
    every = [sorted(times) for times in zip(*(one for part in found for one in part), strict=True)]
    line = {
        "bench": "predict_round",
        "round_cpu_s": [round(sum(cpu for cpu, _ in part) / 1000.0, 3) for part in found],
        "slices": [len(part) for part in found],
        **{
            f"slice_{name}_ms": {
                "median": round(median(times), 2), "p99": round(times[int(0.99 * len(times))], 2),
                "max": round(times[-1], 2), "max_by_round": [round(max(one[at] for one in part), 2) for part in found],
            }
            for at, (name, times) in enumerate(zip(("cpu", "wall"), every, strict=True))
        },
        "longest": [max(range(len(part)), key=part.__getitem__) for part in found],
        "predictions": len(book.nouns["predictions"]),
    }  # fmt: skip
    print(json.dumps(line))


if __name__ == "__main__":
    main()
