"""Domain events without HTTP: the CPU of parsing, of the line and of the commit, in one process with a real store.

    .venv/bin/python -m tests.bench.domain_cost [--posts 1000] [--together 3] [--devices 300] [--metrics 1]

The POSTs are those of `tests.bench.domain_events`, ten events each; `--together` of them reach the worker at once, as
they do when several senders post. `--metrics` = how many series each device has. `warm_records` of each series come
first, so that the detector speaks. One JSON line, CPU microseconds per event by the process's own clock.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from time import process_time
from typing import Any

from msgspec.json import encode
from msgspec.structs import replace

from data.records import DEFAULT_TENANT
from data.store import SqliteStore
from engine.board import CommittedBoard
from engine.bus import Bus
from engine.formats.cloudevents import FORMAT
from engine.inbox import Inbox, Waiting
from engine.ports import Envelope, EnvelopeKind, Receipt, Received
from engine.rules import Rules
from engine.telemetry import Telemetry
from engine.worker import Worker
from tests.fakes.line import T0
from tests.fakes.still_clock import StillClock

HEADERS = {"content-type": "application/cloudevents-batch+json"}
SITES, BATCH, SAMPLES = 20, 10, 6


class Engine:
    """The worker's part of an engine, driven batch by batch, and what it cost."""

    def __init__(self, folder: Path) -> None:
        self.clock = StillClock(T0)
        self.store = SqliteStore(folder)
        self.worker = Worker(
            store=self.store,
            inbox=Inbox(self.clock, 100_000),
            bus=Bus(),
            board=CommittedBoard(),
            clock=self.clock,
            rules=Rules(),
            telemetry=Telemetry(),
            owner="bench",
        )
        self.spent = {"parse": 0.0, "line": 0.0, "commit": 0.0}

    async def take(self, bodies: Iterable[bytes]) -> None:
        """Parse these bodies, put them through the line, and commit them at once."""
        began = process_time()
        taken = [waiting for body in bodies for waiting in self._parsed(body)]
        parsed = process_time()
        batch, _ = await self.worker._through(taken)
        through = process_time()
        await self.worker._commit(batch, urgent=False)
        for name, seconds in (("parse", parsed - began), ("line", through - parsed)):
            self.spent[name] += seconds
        self.spent["commit"] += process_time() - through

    def _parsed(self, body: bytes) -> list[Waiting]:
        received = Received(body=body, headers=HEADERS, source="bench", tenant=DEFAULT_TENANT, now=self.clock.now())
        parsed = FORMAT.parse(received)
        assert not any(part.rejects for part in parsed.parts), parsed
        return [self._waiting(part.events, part.id) for part in parsed.parts if part.events]

    def _waiting(self, events: Any, id: str) -> Waiting:
        envelope = Envelope(kind=EnvelopeKind.EVENTS, tenant=DEFAULT_TENANT, source="bench", payload=events, id=id)
        return Waiting(replace(envelope, at=self.clock.now()), len(events), 0.0, Ignored(), more=True)


class Ignored:
    """An outcome that nobody waits for."""

    def done(self) -> bool:
        return False

    def set_result(self, receipt: Receipt, /) -> None: ...

    def set_exception(self, error: Exception, /) -> None: ...


class Play:
    """The bodies of an operation, at the times of a still clock."""

    def __init__(self, clock: StillClock, devices: int, metrics: int) -> None:
        self._clock, self._devices, self._metrics = clock, devices, metrics

    def _event(self, kind: str, id: str, data: Any) -> dict[str, Any]:
        at = self._clock.now().isoformat()
        return {"specversion": "1.0", "type": f"noc.{kind}", "source": "bench", "id": id, "time": at, "data": data}

    def inventory(self) -> bytes:
        sites = [{"id": f"s{n}", "posts": {"day": 2}, "point": {"lat": 52.5, "lon": 13.4}} for n in range(SITES)]
        people = [{"id": f"p{n}", "name": f"Person {n}", "sites": [f"s{n % SITES}"]} for n in range(100)]
        park = [
            {"id": f"d{n}", "type": "camera", "site": f"s{n % SITES}", "status": "online"} for n in range(self._devices)
        ]
        return encode([self._event("site", "i1", sites), self._event("person", "i2", people),
                       self._event("device", "i3", park)])  # fmt: skip

    def _sample(self, number: int) -> dict[str, Any]:
        device, metric = divmod(number % (self._devices * self._metrics), self._metrics)
        return {"name": f"metric_{metric}", "value": 50.0 + number * 7 % 11, "labels": {"device": f"d{device}"}}

    def round(self, turn: int) -> bytes:
        """A sample of each series."""
        rows = [self._sample(number) for number in range(self._devices * self._metrics)]
        return encode([self._event("sample", f"w{turn}", rows)])

    def post(self, number: int) -> bytes:
        rows = [
            self._event("sample", f"{number}-s{n}", self._sample(SAMPLES * number + n)) for n in range(SAMPLES)
        ]  # fmt: skip
        for n in (0, 1):
            seen = {"id": f"d{(2 * number + n) % self._devices}", "status": "seen"}
            rows.append(self._event("device", f"{number}-d{n}", seen))
        moved = {"person": f"p{number % 100}", "kind": "movement", "metres": 12.0}
        rows.append(self._event("activity", f"{number}-a", moved))
        ticket = {"id": f"t{number}", "state": "NEW", "type": "vpn", "title": f"case {number:x}",
                  "site": f"s{number % SITES}"}  # fmt: skip
        rows.append(self._event("ticket", f"{number}-t", ticket))
        return encode(rows)


async def measure(folder: Path, asked: argparse.Namespace) -> dict[str, Any]:
    engine = Engine(folder)
    await engine.store.open()
    play = Play(engine.clock, asked.devices, asked.metrics)
    await engine.worker.open()
    await engine.take([play.inventory()])
    for turn in range(asked.warm_records):
        engine.clock.advance(60.0)
        await engine.take([play.round(turn)])
    engine.spent = dict.fromkeys(engine.spent, 0.0)
    for first in range(0, asked.posts, asked.together):
        some = []
        for number in range(first, min(asked.posts, first + asked.together)):
            engine.clock.advance(0.01)
            some.append(play.post(number))
        await engine.take(some)
    await engine.worker.close()
    await engine.store.close()
    events = asked.posts * BATCH
    parts = {f"{name}_us_per_event": round(1e6 * cpu / events, 1) for name, cpu in engine.spent.items()}
    total = round(1e6 * sum(engine.spent.values()) / events, 1)
    return {"bench": "domain_cost", "events": events, "together": asked.together, **parts, "cpu_us_per_event": total}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tests.bench.domain_cost", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--posts", type=int, default=1000)
    parser.add_argument("--together", type=int, default=3)
    parser.add_argument("--devices", type=int, default=300)
    parser.add_argument("--metrics", type=int, default=1)
    parser.add_argument("--warm-records", type=int, default=120)
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(asyncio.run(measure(Path(folder), parser.parse_args(arguments)))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
