"""The console on a FakeClient, to look at it: `python -m tests.fakes.demo_app --theme light --live 20`."""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from pathlib import Path

from msgspec.structs import replace

from engine.clock import SystemClock
from noc_console.app import ConsoleApp, unfit_terminal
from noc_console.desk import Options
from tests.fakes import world
from tests.fakes.client import FakeClient
from tests.fakes.hostile import HostileClient


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--theme", default="")
    parser.add_argument("--count", type=int, default=9)
    parser.add_argument("--live", type=float, default=0, help="changes per second")
    parser.add_argument("--ascii", action="store_true")
    parser.add_argument("--readonly", action="store_true")
    parser.add_argument("--hostile", action="store_true", help="every text holds escape sequences")
    parser.add_argument("--state", type=Path)
    args = parser.parse_args()
    if problem := unfit_terminal():
        print(problem, file=sys.stderr)
        return 2
    clock = SystemClock()
    client = (HostileClient if args.hostile else FakeClient)(args.count, clock.now)
    options = Options(theme=args.theme, ascii=args.ascii, readonly=args.readonly, state_dir=args.state)
    app = DemoApp(client, clock, options)
    app.per_second = args.live
    return app.run() or 0


class DemoApp(ConsoleApp):
    per_second = 0.0

    def start_feed(self) -> None:
        super().start_feed()
        if self.per_second:
            self.run_worker(self._stir())

    async def _stir(self) -> None:
        """Alerts keep coming: counts and priorities move, now and then a new incident opens."""
        client, dice, number = self.desk.client, random.Random(7), 5000
        assert isinstance(client, FakeClient)
        while True:
            await asyncio.sleep(1 / self.per_second)
            if dice.random() < 0.03:
                number += 1
                fresh = world.incident(number, dice.randrange(9), client.now())
                client.push(replace(fresh, opened_at=client.now(), last_at=client.now()))
                continue
            incident = client.incidents[dice.choice(list(client.incidents))]
            client.push(replace(incident, alerts=incident.alerts + 1, last_at=client.now()))


if __name__ == "__main__":
    sys.exit(main())
