"""A round of predictions over 5,000 tickets, 5,000 devices and 500 shifts: CPU in all, and the longest slice.

    .venv/bin/python -m tests.bench.predict_round

The records stand in a Book as the line holds them; each slice is what one tick does of it. Without a model: rules of
thumb score. Prints one line of JSON; times are CPU times of this process. Collections of garbage are set as the
engine sets them: a slice is at its longest when one falls into it.
"""

from __future__ import annotations

import gc
import json
from datetime import timedelta
from statistics import median
from time import process_time

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


def main() -> None:
    load()
    book, rules, now = crowded(), Rules(), T0
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 100, 1_000)
    found: list[list[float]] = []
    slices: list[float] = []
    while len(found) < ROUNDS:
        now += timedelta(seconds=1)
        draft = Draft(book, rules, T, now)
        began = process_time()
        keeping.ensure(draft)
        rounds.step(draft)
        slices.append(process_time() - began)
        Batch(book).absorb(draft)
        if book.derived["predictions.round"]["part"] > len(PREDICTORS):
            found.append(slices)
            slices = []
    every = sorted(1000.0 * one for part in found for one in part)
    line = {
        "bench": "predict_round",
        "round_cpu_s": [round(sum(part), 3) for part in found],
        "slices": [len(part) for part in found],
        "slice_ms_median": round(median(every), 2),
        "slice_ms_p99": round(every[int(0.99 * len(every))], 2),
        "slice_ms_max": round(every[-1], 2),
        "longest": [max(range(len(part)), key=part.__getitem__) for part in found],
        "slice_ms_max_by_round": [round(1000.0 * max(part), 2) for part in found],
        "predictions": len(book.nouns["predictions"]),
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
