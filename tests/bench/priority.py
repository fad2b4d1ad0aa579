"""How well the product ranks: single alerts by how unusual they are, tickets by the priority of their incident.

    python -m tests.bench.priority --data FOLDER [--train FOLDER]

FOLDER is in the form of the data sets `ait_ads` (any of its scenarios) or `incidents_uci498`; which of the two is seen
by its files. Prints one JSON line; progress goes to stderr. Everything goes through the line in the order of its time.

ait_ads: every series (same name and host, no gap over a minute) becomes an alert, and `Alert.unusual` ranks it.
`triage_ap` is the mean over the scenarios of the average precision against the label of the very event. The baseline,
how seldom the name came so far, stands beside it. The weights of the score were fit on the scenarios fox,
russellmitchell, santos and shaw: on these `in_sample` is true.

incidents_uci498: every ticket at its opening. A model is trained by `engine.priority.training` on the tickets of
--train (default: the data set beside this project) and ranks those of FOLDER; where the two are the same, the last 30 %
by time are ranked by a model of the first 70 %. `ticket_roc` is the area under the curve for tickets that breached
their SLA; the baseline is the priority that people gave them. Columns that are filled in afterwards are never read
before a ticket's last row.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.fakes.headless import ROOT

DATASETS = ROOT.parent / "shared" / "datasets"
SEEN_SCENARIOS = frozenset({"fox", "russellmitchell", "santos", "shaw"})
TICKETS = "incident_event_log.csv.xz"
RESAMPLES = 400


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATASETS / "ait_ads")
    parser.add_argument("--train", type=Path, default=None, help="where the tickets to learn from are")
    parser.add_argument("--ablate", action="store_true", help="also without each group of features")
    wanted = parser.parse_args()
    print(json.dumps(measure(wanted.data, wanted.train, wanted.ablate)))


def measure(data: Path, train: Path | None, ablate: bool) -> dict[str, Any]:
    if (data / TICKETS).exists():
        from tests.bench.priority_tickets import measure_tickets

        return measure_tickets(data / TICKETS, (train or DATASETS / "incidents_uci498") / TICKETS, ablate)
    from tests.bench.priority_alerts import measure_alerts

    scenarios = sorted(data.glob("*_alerts.csv.xz"))
    if not scenarios:
        return {"bench": "priority", "skipped": f"no *_alerts.csv.xz and no {TICKETS} in {data}"}
    return measure_alerts(scenarios, ablate)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def average_precision(truth: Any, scores: Any) -> float:
    """Mean precision at each positive; of equal scores the order of time decides against nobody: they count as one."""
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(truth, scores))


def interval(
    measured: Callable[[Any, Any], float], truth: Any, scores: Any, resamples: int = RESAMPLES
) -> tuple[float, float]:
    """95 % bootstrap interval over the rows, by a fixed seed."""
    import numpy as np

    random = np.random.default_rng(7)
    truth, scores = np.asarray(truth), np.asarray(scores)
    found = []
    for _ in range(resamples):
        chosen = random.integers(0, len(truth), len(truth))
        if 0 < truth[chosen].sum() < len(chosen):
            found.append(measured(truth[chosen], scores[chosen]))
    low, high = np.percentile(found, [2.5, 97.5])
    return round(float(low), 3), round(float(high), 3)


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


if __name__ == "__main__":
    main()
