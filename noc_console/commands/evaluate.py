"""`noc-console evaluate`: how good the grouping is, on labelled recordings."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click

from noc_console.commands.outcome import FAILED, Failure
from noc_console.commands.progress import Progress
from noc_console.commands.start import Start, examples, store_option


@click.group("evaluate", short_help="Measure on labelled data.", epilog=examples("evaluate clustering labelled.jsonl"))
def command() -> None:
    """Measure the product on recordings whose truth is known. Nothing is stored."""


@command.command(
    "clustering",
    epilog=examples("evaluate clustering labelled.jsonl", "evaluate clustering day.jsonl --truth incident"),
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option("--truth", metavar="LABEL", default="", help="Label or field that names the true incident.")
@click.option("--method", metavar="NAME", default="", help="Instead of the configured method of clustering.")
@store_option
@click.pass_obj
def clustering(start: Start, file: str, truth: str, method: str, data_dir: str | None) -> None:
    """Replay labelled alerts into a scratch engine and print one JSON object: alerts, incidents, noise, pairwise
    precision, recall and F1, adjusted Rand index, alerts per second. Alerts without the label belong to nothing."""
    from engine.models.refused import ModelRefused

    settings = start.with_store(data_dir).settings()
    try:
        click.echo(json.dumps(_measure(settings, Path(file), truth, method)))
    except (ModelRefused, ValueError) as error:
        raise Failure(str(error), FAILED) from error


def _measure(settings: Any, file: Path, truth: str, method: str) -> dict[str, Any]:
    from engine.rules import compile_rules
    from engine.similarity import quality
    from engine.similarity.choice import method_of
    from engine.similarity.recording import read, replay
    from engine.similarity.scratch import Scratch

    chosen = method_of(method or settings.clustering.method, Path(settings.store.data_dir))
    scratch = Scratch(compile_rules(settings, chosen))
    began = time.monotonic()
    with file.open("rb") as lines, Progress("bytes", file.stat().st_size) as progress:

        def told() -> Any:
            for line in lines:
                progress.step(len(line))
                yield line

        taken = replay(scratch, read(told(), truth))
    seconds = time.monotonic() - began
    alerts, incidents = len(taken.homes), len(set(taken.homes))
    best = quality.best_matches(taken.truths, taken.homes)
    return {
        "method": chosen.name,
        "rows": taken.rows,
        "refused": taken.refused,
        "alerts": alerts,
        "labelled": sum(bool(name) for name in taken.truths),
        "true_incidents": len({name for name in taken.truths if name}),
        "incidents": incidents,
        "noise_percent": round(100 * (alerts - incidents) / alerts, 2) if alerts else 0.0,
        **{f"pairwise_{name}": round(value, 4) for name, value in quality.pairs(taken.truths, taken.homes).items()},
        "adjusted_rand": round(quality.adjusted_rand(taken.truths, taken.homes), 4),
        "best_match_f1": round(sum(score for score, _ in best.values()) / len(best), 4) if best else None,
        "bcubed_f1": round(quality.b_cubed(taken.truths, taken.homes), 4),
        "alerts_per_s": round(taken.rows / seconds) if seconds else None,
    }
