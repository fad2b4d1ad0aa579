"""How well and how fast the streaming detectors work, one JSON line per data set, the baselines beside.

    .venv/bin/python tests/bench/detectors.py --nab ../shared/datasets/nab
    .venv/bin/python tests/bench/detectors.py --series ../shared/datasets/kpi_aiops2018 [--scores OUT] [--evidence]
    .venv/bin/python tests/bench/detectors.py --multivariate ../shared/datasets/server_mts
    .venv/bin/python tests/bench/detectors.py --feedback ../shared/datasets/cloud_monitoring_ms
    .venv/bin/python tests/bench/detectors.py --speed

One configuration for everything; the detector is told times and values, no interval, range or length. `half_a` and
`half_b` are every other file by name. Deviations are bootstrapped over files. Nothing is point-adjusted.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

for _library in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_library, "1")
ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT)]

import numpy as np  # noqa: E402 - one thread, set above

from tests.bench import nab_scorer as nab  # noqa: E402 - after the path
from tests.bench import series_metrics as metrics  # noqa: E402
from tests.bench.feedback_play import feedback_figures  # noqa: E402
from tests.bench.series_files import (  # noqa: E402
    Series,
    blind_grid,
    one_liner,
    read_devices,
    read_series,
    seconds_of,
    stream,
)

Array = np.ndarray[Any, Any]
DRAWS = 200


def deviation(count: int, figure: Callable[[Array], float]) -> float:
    """Standard deviation of a figure over draws of files with replacement."""
    generator = np.random.default_rng(0)
    return float(np.nanstd([figure(generator.integers(0, count, count)) for _ in range(DRAWS)]))


def rounded(figures: dict[str, Any]) -> dict[str, Any]:
    """Figures as they are printed."""
    return {key: round(value, 4) if isinstance(value, float) else value for key, value in figures.items()}


# -- NAB


def nab_figures(folder: Path, out: Path | None) -> dict[str, Any]:
    """The three profiles with the scoreboard's optimised threshold, the held-out one, halves and baselines."""
    corpus = nab.read_corpus(folder)
    rules = [rule for rule, _, _ in corpus]
    values = [series for _, _, series in corpus]
    streamed = stream([np.array([seconds_of(stamp) for stamp in stamps]) for _, stamps, _ in corpus], values)
    write(out, [(rule.name.removesuffix(".csv"), stamps) for rule, stamps, _ in corpus], values, streamed.scores)
    standard, threshold = nab.best(rules, streamed.scores, "standard")
    generator = np.random.default_rng(0)
    figures: dict[str, Any] = {
        "files": len(corpus),
        "scorer_off_by": max(nab.check(folder).values()) if (folder / "oracle_scores").exists() else None,
        "nab_standard": standard,
        "nab_low_fp": nab.best(rules, streamed.scores, "reward_low_FP_rate")[0],
        "nab_low_fn": nab.best(rules, streamed.scores, "reward_low_FN_rate")[0],
        "nab_held_out": nab.held_out(rules, streamed.scores),
        "nab_shipped_threshold": nab.total_at(rules, streamed.scores, shipped(), "standard"),
        "threshold": threshold,
        "points_per_s": streamed.points_per_second,
        "kib_per_series": streamed.kib_per_series,
    }
    raw = np.array([nab.raw_at(r, s, threshold, "standard") for r, s in zip(rules, streamed.scores, strict=True)])
    windows = np.array([rule.windows for rule in rules])
    figures["nab_deviation"] = deviation(
        len(rules), lambda draw: 100.0 * (raw[draw].sum() / max(2 * windows[draw].sum(), 1) + 0.5)
    )
    for name, half in (("half_a", slice(0, None, 2)), ("half_b", slice(1, None, 2))):
        figures[f"nab_{name}"] = nab.total_at(rules[half], streamed.scores[half], threshold, "standard")
    baselines = {
        "blind": [blind_grid(len(series)) for series in values],
        "random": [generator.random(len(series)) for series in values],
        "one_liner": [one_liner(series) for series in values],
    }
    return figures | {f"nab_standard_{name}": nab.best(rules, made, "standard")[0] for name, made in baselines.items()}


def shipped() -> float:
    """The threshold that the product ships with."""
    from engine.detectors.configuration import DEFAULT

    return DEFAULT.threshold


# -- labelled series


def event_figures(scores: Sequence[Array], evidence: Sequence[Array], labels: Sequence[Array]) -> dict[str, float]:
    """Event F1 and average precision (mean over series that have events) of the evidence, which lasts as long as an
    event does; `alarm_f1` and recalls at a false-alarm budget of the score, which speaks once."""
    precision = [metrics.average_precision(e, y) for e, y in zip(evidence, labels, strict=True) if y.any()]
    return {
        "event_f1": metrics.event_f1(evidence, labels)[0],
        "alarm_f1": metrics.event_f1(scores, labels)[0],
        "ap": float(np.mean(precision)) if precision else float("nan"),
        "r_at_1": metrics.recall_at(scores, labels, 1.0),
        "r_at_01": metrics.recall_at(scores, labels, 0.1),
    }


def series_figures(series: Sequence[Series], out: Path | None, evidence_out: bool) -> dict[str, Any]:
    """Events at one threshold over all series, halves with the threshold of the other half, and baselines."""
    streamed = stream([one.at for one in series], [one.values for one in series])
    named = [(one.name, one.stamps) for one in series]
    write(out, named, [one.values for one in series], streamed.evidence if evidence_out else streamed.scores)
    labels = [one.labels[one.begins :] for one in series]

    def scored(made: Sequence[Array]) -> list[Array]:
        return [array[one.begins :] for array, one in zip(made, series, strict=True)]

    scores, evidence = scored(streamed.scores), scored(streamed.evidence)
    threshold = metrics.event_f1(evidence, labels)[1]
    counts = np.array([metrics.event_counts(e, y, threshold) for e, y in zip(evidence, labels, strict=True)])
    points = sum(len(label) for label in labels)
    figures: dict[str, Any] = {
        "series": len(series),
        "points_scored": points,
        "base_rate": float(sum(label.sum() for label in labels) / points),
        **event_figures(scores, evidence, labels),
        "event_f1_deviation": deviation(len(series), lambda draw: metrics.f1_of(counts[draw].sum(axis=0))),
        "threshold": threshold,
        "alarm_f1_shipped_threshold": metrics.f1_at(scores, labels, shipped()),
        "alarms_per_1000": float(1000.0 * sum(alarm.sum() for alarm in scored(streamed.alarms)) / points),
        "points_per_s": streamed.points_per_second,
        "kib_per_series": streamed.kib_per_series,
    }
    halves = {"half_a": slice(0, None, 2), "half_b": slice(1, None, 2)}
    for name, other in (("half_a", "half_b"), ("half_b", "half_a")):
        mine, theirs = halves[name], halves[other]
        if labels[mine] and labels[theirs]:
            learnt = metrics.event_f1(evidence[theirs], labels[theirs])[1]
            figures[f"event_f1_{name}_held_out"] = metrics.f1_at(evidence[mine], labels[mine], learnt)
            half = event_figures(scores[mine], evidence[mine], labels[mine])
            figures |= {f"{key}_{name}": value for key, value in half.items()}
    generator = np.random.default_rng(0)
    baselines = {
        "one_liner": [one_liner(one.values) for one in series],
        "random": [generator.random(len(one.values)) for one in series],
        "blind": [blind_grid(len(one.values)) for one in series],
    }
    for name, made in baselines.items():
        cut = scored(made)
        figures |= {f"{key}_{name}": value for key, value in event_figures(cut, cut, labels).items()}
    return figures


def write(
    out: Path | None, named: Sequence[tuple[str, Sequence[str]]], values: Sequence[Array], scores: Sequence[Array]
) -> None:
    """One CSV of timestamp, value and score per series below `out`."""
    if out is None:
        return
    for (name, stamps), measured, made in zip(named, values, scores, strict=True):
        path = out / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = (f"{s},{v!r},{m:.6g}" for s, v, m in zip(stamps, measured.tolist(), made.tolist(), strict=True))
        path.write_text("\n".join(["timestamp,value,score", *lines, ""]))


# -- devices


def device_figures(folder: Path) -> dict[str, Any]:
    """Average precision and best point F1 per device, their means per set and overall, beside plain z-scores."""
    from engine.detectors.device import Device

    rows: list[tuple[str, float, float, float, float]] = []
    cost, records = 0.0, 0
    told = np.zeros(4)
    for name, train, test, label in read_devices(folder):
        device = Device(train.shape[1])
        began = time.process_time()
        for record in train:
            device.step(record)
        said = [device.step(record) for record in test]
        score = np.array([verdict.score for verdict in said])
        told += alarm_counts(np.array([verdict.alarm for verdict in said]), label)
        cost, records = cost + time.process_time() - began, records + len(train) + len(test)
        away = np.abs(test - train.mean(axis=0)) / np.maximum(train.std(axis=0), 0.01)
        plain = metrics.average_precision(np.sort(away, axis=1)[:, -3:].mean(axis=1), label)
        rows.append(
            (name, metrics.average_precision(score, label), metrics.point_f1(score, label), plain, float(label.mean()))
        )
        print(name, *(round(figure, 3) for figure in rows[-1][1:]), file=sys.stderr, flush=True)
    if not rows:
        return {"skipped": f"no devices below {folder}"}
    table = np.array([row[1:] for row in rows])
    figures: dict[str, Any] = {
        "devices": len(rows),
        "ap": float(table[:, 0].mean()),
        "point_f1": float(table[:, 1].mean()),
    }
    figures["ap_deviation"] = deviation(len(rows), lambda draw: float(table[draw, 0].mean()))
    figures |= {"ap_random": float(table[:, 3].mean()), "ap_z_top3": float(table[:, 2].mean())}
    for group in sorted({row[0].split("/")[0] for row in rows if "/" in row[0]}):
        some = table[[row[0].startswith(f"{group}/") for row in rows]]
        figures |= {f"ap_{group}": float(some[:, 0].mean()), f"point_f1_{group}": float(some[:, 1].mean())}
        figures[f"ap_z_top3_{group}"] = float(some[:, 2].mean())
    figures |= {"alarm_recall": float(told[0] / max(told[1], 1.0)), "false_alarms_per_1000": 1000.0 * told[2] / told[3]}
    return figures | {"records_per_s": records / max(cost, 1e-9)}


def alarm_counts(alarm: Array, label: Array, calm: int = 5) -> Array:
    """Events found, events, false alarms and records, by the product's decision: an alarm begins after so many usual
    records; false is one that begins further than ten records from any event."""
    padded = np.diff(np.concatenate(([0], label.astype(np.int64), [0])))
    events = list(zip(np.flatnonzero(padded == 1), np.flatnonzero(padded == -1), strict=True))
    last, begins = -calm - 1, []
    for place in np.flatnonzero(alarm):
        if place - last > calm:
            begins.append(int(place))
        last = int(place)
    found = sum(bool(alarm[first:last].any()) for first, last in events)
    false = sum(not any(first - 10 <= place < last + 10 for first, last in events) for place in begins)
    return np.array([found, len(events), false, len(alarm)], dtype=np.float64)


# -- speed


def numpy_call_us(rounds: int = 20) -> float:
    """Microseconds of CPU of the least that a call of numpy costs here: the sum of two rows of ten numbers."""
    row, sums, best = np.ones(10), np.ones(10), float("inf")
    for _ in range(rounds):
        began = time.process_time()
        for _ in range(2000):
            np.add(row, row, sums)
        best = min(best, (time.process_time() - began) / 2000)
    return best * 1e6


def speed_figures(rounds: int = 10) -> dict[str, Any]:
    """Points per CPU second and milliseconds per tick by series in a tick; the best of a few rounds, for the
    processor's clock counts what other programs take from the caches. `calls_per_tick_10`: a tick of ten series over
    `numpy_call_us`, which differs less between machines and hours."""
    from engine.detectors import create

    figures: dict[str, Any] = {"numpy_call_us": numpy_call_us()}
    generator = np.random.default_rng(0)
    for count in (1, 10, 100, 1_000, 10_000):
        detector, numbers, values = create(), np.arange(count), generator.normal(100.0, 5.0, (64, count))
        ticks = max(20, min(400, 400_000 // count))
        tick, best = 0, float("inf")
        for number in range(rounds + 1):
            began = time.process_time()
            for _ in range(ticks if number else 150):
                detector.step(values[tick % 64], 1.6e9 + 60.0 * tick, numbers)
                tick += 1
            best = min(best, (time.process_time() - began) / ticks) if number else best
        figures[f"ms_per_tick_{count}"], figures[f"points_per_s_{count}"] = best * 1000.0, count / best
    figures["calls_per_tick_10"] = figures["ms_per_tick_10"] * 1000.0 / figures["numpy_call_us"]
    return figures | {"kib_per_series": detector.bytes_per_series / 1024.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("nab", "series", "multivariate", "feedback", "scores"):
        parser.add_argument(f"--{name}", type=Path, metavar="DIR")
    parser.add_argument("--evidence", action="store_true", help="write the evidence in place of the score")
    parser.add_argument("--speed", action="store_true")
    chosen = parser.parse_args()
    given = {
        name: getattr(chosen, name) for name in ("nab", "series", "multivariate", "feedback") if getattr(chosen, name)
    }
    for name, folder in given.items():
        print(json.dumps({"set": name, "folder": folder.name} | rounded(_figures(name, folder, chosen))), flush=True)
    if chosen.speed:
        print(json.dumps({"set": "speed"} | rounded(speed_figures())), flush=True)
    if not given and not chosen.speed:
        parser.print_help()


def _figures(name: str, folder: Path, chosen: argparse.Namespace) -> dict[str, Any]:
    if not folder.is_dir():
        return {"skipped": f"{folder} is absent"}
    if name == "nab":
        return nab_figures(folder, chosen.scores)
    if name == "multivariate":
        return device_figures(folder)
    series = read_series(folder)
    if not series:
        return {"skipped": f"no labelled series below {folder}"}
    return series_figures(series, chosen.scores, chosen.evidence) if name == "series" else feedback_figures(series)


if __name__ == "__main__":
    main()
