"""What on-call costs the line; one JSON line.

    python -m tests.bench.oncall [--incidents 2000] [--rounds 5]

CPU time of this process on a line in memory, without a store. `idle_tick_us`: a tick at so many waiting escalations of
which none is due, above a tick of the same line without policies; `step_us`: one step of one escalation, of a tick in
which all are due (at most a thousand are done in one); `open_us`, `open_ratio`: opening an incident with a policy for
it above and over opening it without one. Median of the rounds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

from engine.oncall.escalation import MOST_PER_TICK
from engine.rules import Rules
from tests.fakes.line import Line, unlike
from tests.oncall.world import oncall


def cpu(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def measured(incidents: int) -> dict[str, float]:
    signals = [unlike(f"s{number}") for number in range(incidents)]
    policy = {"repeat": 20}
    lines = {"with": Line(Rules(oncall=oncall(policy=policy, flood_pages=1000))), "without": Line(Rules())}
    opened = {name: cpu(lambda line=line: line.take(*signals)) for name, line in lines.items()}  # type: ignore[misc]
    for line in lines.values():
        line.tick(1)
    ticks = {name: cpu(lambda line=line: line.tick(1)) for name, line in lines.items()}  # type: ignore[misc]
    due = {name: cpu(lambda line=line: line.tick(300)) for name, line in lines.items()}  # type: ignore[misc]
    return {
        "open_us": (opened["with"] - opened["without"]) * 1e6 / incidents,
        "open_ratio": opened["with"] / opened["without"],
        "idle_tick_us": (ticks["with"] - ticks["without"]) * 1e6,
        "step_us": (due["with"] - due["without"]) * 1e6 / min(incidents, MOST_PER_TICK),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--incidents", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    rounds = [measured(given.incidents) for _ in range(given.rounds)]
    figures = {name: round(statistics.median(one[name] for one in rounds), 3) for name in rounds[0]}
    print(json.dumps({"incidents": given.incidents, "rounds": given.rounds, **figures}))


if __name__ == "__main__":
    main()
