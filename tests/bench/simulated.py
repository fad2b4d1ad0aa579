"""How well the product knows the simulated operation, whose truth is known: one JSON line.

    .venv/bin/python -m tests.bench.simulated --seed N [--parts thresholds faults fraud]

Nothing of the product was fit on these seeds as long as N is above 100; the fraud model is fit on seed N + 1000. What
is reported is how well it knows the simulator, no more.

`thresholds` (12 days of samples, 40 anomalies a day laid over them; scored from the sixth day on)
    recall          anomalies of a series at which the detector began an anomaly, from their start to 10 minutes after
                    their end, ÷ all anomalies
    false_alarms    anomalies that the detector began more than 5 minutes before and 60 minutes after every known one of
                    the series, and outside of a decline or failure of its device
    fixed_z3        no verdict is ever given
    self_tuned      half of the alarms get a verdict 30 minutes later, by the truth: the product's own rule moves the
                    threshold of that series
    fixed           false alarms and recall of thresholds common to all series
    fixed_recall_at_equal_false_alarms   recall of the common threshold that gives as many false alarms as self_tuned,
                    between two that were tried (linear); gain = recall of self_tuned - that
`faults` (4 days of the whole operation, two causes of each kind a day; causes from the second day on)
    An alert is of a cause when an event of the cause raised it, else when it began within the cause (and 15 minutes
    after) at one of its entities; of weather and illness, which befall people, by site and type of alert.
    recall          causes with at least one alert ÷ causes
    gathered        alerts of a cause that are in the incident which holds most of them ÷ its alerts (mean over causes)
    precision       alerts of that incident that are of the cause ÷ its alerts (mean over causes)
    minutes         from the beginning of a cause to its first alert (median)
    degradation     recall: failures of devices with a sign beforehand that had such a warning after the first sign and
                    two minutes before the failure ÷ those failures; precision: warnings of a device in decline ÷ all
`fraud` (24 days; see `fraud_simulated`)
    by pattern: recall = false check-ins that were alarmed ÷ there were; precision of all alarms together
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any

from tests.bench import fraud_simulated, simulated_faults, simulated_thresholds

PARTS: dict[str, Callable[[int], dict[str, Any]]] = {
    "thresholds": simulated_thresholds.run,
    "faults": simulated_faults.run,
    "fraud": fraud_simulated.run,
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tests.bench.simulated", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--parts", nargs="+", choices=tuple(PARTS), default=list(PARTS))
    asked = parser.parse_args(arguments)
    found: dict[str, Any] = {"bench": "simulated", "seed": asked.seed, "simulated_only": True}
    for part in asked.parts:
        print(f"{part} …", file=sys.stderr, flush=True)
        found[part] = PARTS[part](asked.seed)
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
