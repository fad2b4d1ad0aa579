"""The model in place of the formula: rising where it must, still where little changed, explained, and trained."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from data.records import Severity
from engine.models.fitting import typical
from engine.models.registry import Registry
from engine.models.trees import Trees
from engine.priority import features, labels, training
from engine.priority.model import START, PriorityModel, settled
from engine.priority.replay import Replay, Ticket
from engine.rules import Rules
from engine.why import why_incident
from tests.fakes.line import Line, at
from tests.fakes.still_clock import StillClock

START_AT = datetime(2026, 1, 5, tzinfo=UTC)


def tickets(count: int = 900) -> list[Ticket]:
    """Critical ones mostly matter, and so do those of the team "slow"."""
    dice = random.Random(5)
    found = []
    for number in range(count):
        severity = dice.choice([Severity.CRITICAL, Severity.MEDIUM, Severity.LOW])
        team = dice.choice(["slow", "quick", "other"])
        likely = 0.1 + 0.2 * (severity is Severity.CRITICAL) + 0.6 * (team == "slow")
        seen = START_AT + timedelta(minutes=37 * number)
        found.append(
            Ticket(
                id=f"t{number}",
                seen_at=seen,
                ended_at=seen + timedelta(hours=dice.randrange(1, 30)),
                mattered=dice.random() < likely,
                name=dice.choice(["disk", "link", "login"]),
                severity=severity,
                service=team,
                site=f"site-{dice.randrange(5)}",
            )
        )
    return found


@pytest.fixture(scope="module")
def examples() -> training.Examples:
    return training.from_tickets(tickets())


@pytest.fixture(scope="module")
def model(examples: training.Examples) -> PriorityModel:
    recipe = training.fit_recipe(examples)
    return PriorityModel(Trees.load(recipe.fitted.raw, recipe.calibration), typical(examples.rows))


def test_what_happened_later_is_not_in_a_row() -> None:
    """The rows of the first tickets are the same whatever comes after them."""
    some = tickets(200)
    whole = [one.row for one in Replay().run(some)][:100]
    cut = [one.row for one in Replay().run(some[:100])]
    assert msgspec.json.encode(whole) == msgspec.json.encode(cut)


def test_a_label_is_only_known_after_its_ticket_ended() -> None:
    def row_of_second(gap: timedelta) -> dict[str, float]:
        first = Ticket(
            id="a", seen_at=START_AT, ended_at=START_AT + timedelta(hours=5), mattered=True, name="disk", service="x"
        )
        second = replace(first, id="b", seen_at=START_AT + gap, ended_at=START_AT + timedelta(days=9))
        return dict(zip(features.COLUMNS, list(Replay().run([first, second]))[1].row, strict=True))

    assert row_of_second(timedelta(hours=4))["ended_service"] == 0.0
    assert row_of_second(timedelta(hours=6))["ended_service"] > 0.0


def test_worse_is_never_ranked_lower(model: PriorityModel, examples: training.Examples) -> None:
    severity, sites = features.COLUMNS.index("severity"), features.COLUMNS.index("sites")
    for row in examples.rows[::50].tolist():
        for column, values in ((severity, (1.0, 2.0, 3.0, 4.0, 5.0)), (sites, (1.0, 2.0, 5.0, 20.0))):
            scores = []
            for value in values:
                row[column] = value
                scores.append(model.share(row))
            assert scores == sorted(scores)


def test_the_parts_come_to_the_score(model: PriorityModel, examples: training.Examples) -> None:
    for row in examples.rows[::40].tolist():
        score = model.score(row)
        parts = model.explain(row, score)
        assert parts[0].feature == START
        assert sum(part.points for part in parts) == pytest.approx(score, abs=0.11)


def test_it_learns_what_mattered(examples: training.Examples) -> None:
    recipe = training.fit_recipe(examples)
    found = training.measures(recipe.held_labels, recipe.held_scores)
    severity = recipe.held_rows[:, features.COLUMNS.index("severity")]
    assert found["roc_auc"] > training.measures(recipe.held_labels, severity / 5.0)["roc_auc"]


def test_the_line_ranks_by_it_and_why_says_so(model: PriorityModel) -> None:
    line = Line(Rules(priority_model=model))
    line.fire("bad", severity=Severity.CRITICAL, site="A", name="disk", service="slow", title="bad")
    line.fire("low", severity=Severity.LOW, site="B", name="link", service="quick", title="calm thing")
    assert line.incident("bad").priority > line.incident("low").priority
    lines = why_incident(line.incident("bad"), line.now)
    assert any(one["code"] == "scored_model" for one in lines)
    assert any("severity 5 of 5" in one["words"] for one in lines)


def test_a_muted_incident_is_held_low_by_the_model_too(model: PriorityModel) -> None:
    line = Line(Rules(priority_model=model))
    line.fire("bad", severity=Severity.CRITICAL, name="disk", service="slow")
    line.act("shelve", f"alert:{line.alert('bad').id}", minutes=60)
    assert line.incident("bad").priority <= 15.0


def test_small_moves_are_not_shown_unless_the_incident_itself_changed() -> None:
    assert settled(50.0, 51.0, itself_changed=False) == 50.0
    assert settled(50.0, 52.0, itself_changed=False) == 52.0
    assert settled(50.0, 51.0, itself_changed=True) == 51.0


def test_a_model_of_other_features_is_refused(model: PriorityModel) -> None:
    with pytest.raises(ValueError, match="train it again"):
        PriorityModel(model._trees, [0.0])


# -- training as a whole


def test_training_from_a_file_serves_a_model_and_keeps_it_when_the_next_is_no_better(tmp_path: Path) -> None:
    file = tmp_path / "tickets.jsonl"
    file.write_bytes(b"\n".join(msgspec.json.encode(ticket) for ticket in tickets()))
    clock = StillClock(START_AT)
    first = training.train(tmp_path, file, clock=clock)
    assert first.promoted
    assert first.metrics["roc_auc"] > 0.6
    again = training.train(tmp_path, file, clock=clock)
    assert not again.promoted
    assert again.champion
    served = Registry(tmp_path / "models").load("priority")
    assert 0.0 <= PriorityModel.of(served).score([0.0] * len(features.COLUMNS)) <= 100.0


def test_too_little_is_said(tmp_path: Path) -> None:
    file = tmp_path / "tickets.jsonl"
    file.write_bytes(b"\n".join(msgspec.json.encode(ticket) for ticket in tickets(30)))
    with pytest.raises(training.TooFew, match="200 are needed"):
        training.train(tmp_path, file, clock=StillClock(START_AT))


def test_a_bad_line_is_named(tmp_path: Path) -> None:
    file = tmp_path / "tickets.jsonl"
    file.write_text('{"id": 1}\n')
    with pytest.raises(ValueError, match=r"tickets\.jsonl, line 1"):
        training.train(tmp_path, file, clock=StillClock(START_AT))


# -- examples that the line keeps


def kept(line: Line) -> dict[str, Any]:
    return {record.id: record for (kind, _, _), record in line.store.nouns.items() if kind == "priority_examples"}


def test_the_first_act_is_an_example_and_so_are_those_that_waited_above_it() -> None:
    line = Line()
    line.fire("worse", severity=Severity.CRITICAL, site="A", name="disk", title="worse one")
    line.fire("chosen", severity=Severity.LOW, site="B", name="link", title="another thing")
    line.later(60).act("ack", f"incident:{line.incident('chosen').id}")
    found = {record.why: record for record in kept(line).values()}
    assert found["chosen"].label == 1.0
    assert found["chosen"].incident == line.incident("chosen").id
    assert found["passed_over"].label == 0.0
    assert found["passed_over"].incident == line.incident("worse").id
    assert len(labels.unpacked(found["chosen"].row)) == len(features.COLUMNS)


def test_what_an_incident_came_to_is_an_example_of_its_opening() -> None:
    line = Line()
    line.fire("a", severity=Severity.CRITICAL)
    line.later(60).act("ack", f"incident:{line.incident('a').id}")
    line.at(7200).act("resolve", f"incident:{line.incident('a').id}")
    (over,) = [record for record in kept(line).values() if record.why == "overdue"]
    row = dict(zip(features.COLUMNS, labels.unpacked(over.row), strict=True))
    assert over.label == 1.0
    assert row["age_minutes"] == 0.0
    assert at(7200) == over.at
