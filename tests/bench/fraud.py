"""Fraud figures on recorded data: `python -m tests.bench.fraud --train DIR --data DIR [--simulator SEED]`.

    insurance_pr   PR-AUC on labelled vehicle claims (claims.csv.gz), by the training code of the product
    gowalla_pr     PR-AUC of badge sharing injected into real check-ins (checkins.csv.xz), by the product's features
    false_alarms_per_1000   alarms of the gowalla model at its own threshold on check-ins nothing was injected into

Fits on the files of `--train` only and reports those of `--data`; where both are the same folder the earlier or one
part of the people is fit on and the rest reported. Prints one line of JSON. `--simulator SEED` adds precision and
recall per pattern of simulated fraud; that is how well the model knows the simulator, no more.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from tests.bench import fraud_checkins, fraud_claims

DEFAULT = Path("../shared/datasets")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tests.bench.fraud", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--train", type=Path, default=DEFAULT, help="folder with the files to fit on")
    parser.add_argument("--data", type=Path, default=DEFAULT, help="folder with the files to report")
    parser.add_argument("--simulator", type=int, metavar="SEED", help="also report simulated fraud of this seed")
    asked = parser.parse_args(arguments)
    found: dict[str, Any] = {}
    for name, run in (("claims.csv*", fraud_claims.run), ("checkins.csv*", fraud_checkins.run)):
        train, data = _file(asked.train, name), _file(asked.data, name)
        if train is None or data is None:
            print(f"skipped: no {name} in {asked.train if train is None else asked.data}", file=sys.stderr)
            continue
        found |= run(train, data)
    if asked.simulator is not None:
        from tests.bench import fraud_simulated

        found["simulated"] = fraud_simulated.run(asked.simulator)
    print(json.dumps(found))
    return 0


def _file(folder: Path, name: str) -> Path | None:
    """The file itself, or the first of that name in the folder or below it."""
    if folder.is_file():
        return folder if folder.match(name) else None
    return next(iter(sorted(folder.rglob(name))), None)


if __name__ == "__main__":
    sys.exit(main())
