"""From outcomes to a model that serves: training, the share of events, the registry, and the line that uses it."""

from __future__ import annotations

import random
from datetime import timedelta
from math import nan
from pathlib import Path

import numpy as np
import pytest
from msgspec import json
from msgspec.structs import replace

from data.nouns.predictions import PredictionExample
from data.records import DEFAULT_TENANT
from engine.models.registry import Registry
from engine.models.serving import Models
from engine.predictors import recipe, scoring, sla, training
from engine.predictors.catalogue import PREDICTORS
from engine.predictors.examples import columns_id, packed
from engine.predictors.memory import RATES, Effects, Shares, log_odds
from engine.predictors.record import record_of
from engine.rules import Rules
from engine.training.outcome import Outcome
from tests.domain.timeline import At, World, guarded, hours
from tests.fakes.line import T0


def whole(*features: float) -> tuple[float, ...]:
    """A row of which only the features themselves are known."""
    return (*features, *(nan for _ in sla.FEATURES[len(features) :]))


def examples(number: int = 1200, seed: int = 5, rate: float = 0.3) -> list[PredictionExample]:
    """Tickets whose breach depends on how much of their time is used and on whether anybody has them."""
    draws, found = random.Random(seed), []
    for index in range(number):
        used, assigned = draws.random(), float(draws.random() < 0.6)
        row = whole(1.0, 3.0, assigned, 0.0, 0.0, used, 0.0, 1.0)
        odds = log_odds(rate) + 5.0 * (used - 0.6) - 1.5 * (assigned - 0.6)
        label = draws.random() < 1.0 / (1.0 + np.exp(-odds))
        found.append(
            PredictionExample(
                tenant=DEFAULT_TENANT,
                id=f"e{index}",
                at=T0 + timedelta(minutes=index),
                model="sla",
                entity=f"T{index}",
                columns=columns_id(sla.FEATURES),
                row=packed(row),
                label=bool(label),
                probability=0.3,
                recent=rate,
                lead_s=1800.0 if label else None,
            )
        )
    return found


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    folder = tmp_path_factory.mktemp("models")
    file = folder / "examples.jsonl"
    file.write_bytes(b"\n".join(json.encode(one) for one in examples()))
    return folder, training.train("sla", folder, file)


def test_it_is_judged_on_the_newest_beside_the_rules_of_thumb(trained: tuple[Path, Outcome]) -> None:
    _, report = trained
    assert report.promoted and report.examples == 1200 and report.held_out == 180
    assert report.metrics["roc_auc"] > 0.7 and report.metrics["brier"] < report.baseline["brier"]
    assert report.champion == {}


def test_too_few_outcomes_make_no_model(tmp_path: Path) -> None:
    file = tmp_path / "few.jsonl"
    file.write_bytes(b"\n".join(json.encode(one) for one in examples(499)))
    with pytest.raises(recipe.TooFew, match="499 outcomes"):
        training.train("sla", tmp_path, file)
    assert not Registry(tmp_path / "models").versions("sla")


def test_rows_of_other_features_and_acted_ones_are_not_learned_from() -> None:
    one, other, acted = examples(3)
    other = replace(other, columns="00000000")
    table = training.table_of(PREDICTORS["sla"], [one, other, replace(acted, acted=True)])
    assert len(table.labels) == 1


def serving(folder: Path) -> Rules:
    models = Models(Registry(folder / "models"))
    return Rules(predictor_models=scoring.serving(models, PREDICTORS), predict_at={"sla": 0.2})


def test_the_model_serves_on_the_line_and_says_so(trained: tuple[Path, Outcome]) -> None:
    world = guarded(serving(trained[0]), devices=False)
    world.say("ticket", 10, id="T1", state="NEW", site="Depot", due_at=At(hours(1.5))).until(hours(0.8))
    (found,) = world.nouns("predictions")
    assert found.basis == "model" and found.version == trained[1].version
    assert found.contributions[0].name == "assigned" and found.reasons[0] == "nobody works on it"


def test_a_model_of_other_features_is_refused_with_words(trained: tuple[Path, Outcome]) -> None:
    models = Models(Registry(trained[0] / "models"))
    other = replace(PREDICTORS["sla"], features=("age",))
    assert scoring.serving(models, {"sla": other}) == {}
    assert "rules of thumb" in models.troubles["sla"]


def test_a_share_that_halves_halves_what_is_said(trained: tuple[Path, Outcome]) -> None:
    world = World(serving(trained[0]))
    of, row = PREDICTORS["sla"], whole(1.0, 3.0, 1.0, 0.0, 0.0, 0.5, 0.0, 1.0)
    said = []
    for came in (0.3, 0.15):
        draft = world.draft(world.envelope("tick", None))  # type: ignore[arg-type]
        draft.set(draft.derived(RATES), (DEFAULT_TENANT, "sla"), (100_000.0, 100_000.0 * came, T0.timestamp()))
        said.append(scoring.score(draft, of, row, None).probability)  # type: ignore[arg-type]
    assert said[1] / said[0] == pytest.approx(0.5, abs=0.12)


def test_what_takes_long_is_learned_by_its_properties() -> None:
    world, draws = World(), random.Random(3)
    draft = world.draft(world.envelope("tick", None))  # type: ignore[arg-type]
    effects = Effects(draft, "sla")
    for _ in range(400):
        kind, place = draws.choice("ab"), draws.choice("xy")
        effects.learn([("type", kind), ("site", place)], 1.0 + (kind == "b") + 0.5 * (place == "y"))
    _, slow = effects.typical([("type", "b"), ("site", "y")])
    _, quick = effects.typical([("type", "a"), ("site", "x")])
    assert slow - quick == pytest.approx(1.5, abs=0.15)
    draft.drop()
    assert Effects(world.draft(world.envelope("tick", None)), "sla").typical([])[1] == 0.0  # type: ignore[arg-type]


def test_shares_forget() -> None:
    world = World()
    draft = world.draft(world.envelope("tick", None))  # type: ignore[arg-type]
    shares = Shares(draft, RATES, 3600.0)
    for _ in range(100):
        shares.add(("t", "m"), 1.0)
    assert shares.of(("t", "m"), 0.1, 10.0) == pytest.approx(101.0 / 110.0)
    draft.now += timedelta(hours=10)
    assert shares.of(("t", "m"), 0.1, 10.0) < 0.2


def test_the_record_tells_calibration_drift_and_lead() -> None:
    right = [replace(one, probability=0.3) for one in examples(2000)]
    wrong = [replace(one, probability=0.9) for one in examples(2000)]
    good, bad = record_of("sla", [], right), record_of("sla", [], wrong)
    assert good["drift"]["warning"] is False or abs(good["drift"]["value"]) < abs(bad["drift"]["value"])
    assert bad["drift"]["warning"] is True and good["brier"] < bad["brier"]
    (filled,) = [row for row in good["reliability"] if row["n"]]
    assert filled["n"] == 2000 and filled["mean_p"] == pytest.approx(0.3)
    sure = [replace(one, probability=0.95 if one.label else 0.05) for one in examples(500)]
    assert record_of("sla", [], sure)["lead_time_h_at_p80"] == 0.5
    assert record_of("sla", [], [])["brier"] is None
