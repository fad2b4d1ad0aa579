"""What the engine costs beside Alertmanager: intake, events, acts, memory, full reads, lag, start. One JSON line.

    ingest.py                                all of it: about fifteen minutes of a quiet machine
    ingest.py --quick                        three rounds, fewer alerts
    ingest.py --only rates --rounds 7        one section; may be given more than once

Sections: rates, events, acts, memory (with the GETs of everything), lag, start. tests/bench/README.md says what each
key means.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench import events, rates, standing

Section = Callable[[Path, argparse.Namespace], dict[str, Any]]

SECTIONS: dict[str, Section] = {
    "rates": lambda folder, args: rates.measure(folder, args.rounds, args.quick),
    "events": lambda folder, args: events.measure(folder, args.rounds, args.quick),
    "acts": lambda folder, args: standing.acts(folder, args.open, 100 if args.quick else 300),
    "memory": lambda folder, args: standing.reads_and_memory(folder, args.sizes, 3 if args.quick else 7),
    "lag": lambda folder, args: standing.lag(folder, args.sizes[-1], 2000, 5.0 if args.quick else 20.0),
    "start": lambda folder, args: standing.start(folder, args.rounds),
}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", action="append", choices=list(SECTIONS))
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--open", type=int, help="open alerts while acts are measured")
    parser.add_argument("--sizes", type=int, nargs="+", help="open alerts of memory and GETs; the last one of lag")
    args = parser.parse_args()
    args.rounds = args.rounds or (3 if args.quick else 5)
    args.open = args.open or (10_000 if args.quick else 100_000)
    args.sizes = args.sizes or ([10_000] if args.quick else [10_000, 50_000])
    return args


def main() -> None:
    args = arguments()
    found: dict[str, Any] = {"rounds": args.rounds}
    with tempfile.TemporaryDirectory(prefix="noc-bench") as name:
        for section in args.only or SECTIONS:
            found |= SECTIONS[section](Path(name), args)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
