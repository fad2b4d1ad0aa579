"""How unusual an alert is: judged before it is counted, by what the tenant has seen so far."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from data.records import Severity
from engine.priority import keeping, novelty
from engine.priority.novelty import Figures
from tests.fakes.line import Line, signal, unlike


def calm(line: Line, count: int = 300) -> Line:
    """Two common types from one talkative host, for hours."""
    for number in range(count):
        line.later(60)
        line.fire(f"usual-{number}", name=f"Usual{number % 2}", entity="web-1", title=f"usual {number}")
    return line


def test_a_rare_type_on_a_quiet_host_stands_out_from_what_is_usual() -> None:
    line = calm(Line())
    line.later(60)
    usual = line.fire("again", name="Usual0", entity="web-1", title="usual")
    odd = line.fire("odd", name="ShellSpawned", entity="db-9", title="odd")
    assert odd.unusual > 10 * usual.unusual


def test_rare_types_that_come_together_stand_out_more_than_one_alone() -> None:
    line = calm(Line())
    line.later(60)
    scores = [
        line.fire(f"odd-{number}", name=f"Odd{number}", entity="db-9", title=f"odd {number}").unusual
        for number in range(4)
    ]
    assert scores == sorted(scores)
    assert scores[-1] > scores[0]


def test_in_a_flood_of_common_alerts_an_odd_one_stands_out_less() -> None:
    quiet, flooded = calm(Line()), calm(Line())
    for number in range(200):
        flooded.fire(f"flood-{number}", name="Usual0", entity="web-1", title="flood")
    for line in (quiet, flooded):
        line.later(30)
    scores = [line.fire("x", name="Odd", entity="db-9", title="odd").unusual for line in (quiet, flooded)]
    assert scores[1] < scores[0]


def test_nothing_stands_out_where_everything_is_new() -> None:
    line = Line()
    scores = []
    for number in range(120):
        line.later(5)
        line.take(unlike(f"k{number}", (line.now - datetime(2026, 5, 4, 12, tzinfo=UTC)).total_seconds()))
        scores.append(line.alert(f"k{number}").unusual)
    assert max(scores[60:]) < 0.5


def test_an_incident_is_as_unusual_as_the_most_unusual_of_its_alerts_also_after_a_restart() -> None:
    line = calm(Line(), 100)
    line.later(60)
    for number in range(3):
        line.fire(f"odd-{number}", name="Odd", entity=f"db-{number}", correlation="one", title="odd thing")
    incident = line.incident("odd-0")
    most = max(alert.unusual for alert in line.book.alerts.values() if alert.incident == incident.id)
    draft = line.draft(line.envelope("tick", None))  # type: ignore[arg-type]
    assert novelty.unusual(draft, incident.id) == most
    line.restart()
    draft = line.draft(line.envelope("tick", None))  # type: ignore[arg-type]
    assert novelty.unusual(draft, incident.id) == most


def test_what_was_learned_survives_a_restart() -> None:
    line = calm(Line())
    for _ in range(8):  # every table gets its minute
        line.tick(60)
    line.restart()
    line.later(60)
    assert line.fire("again", name="Usual0", entity="web-1").unusual < 0.05
    assert line.book.derived[keeping.TYPES][line.tenant, "Usual0"] > 100


def test_tables_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(novelty.LIMITS, keeping.PAIRS, 200)
    line = Line()
    for number in range(500):
        line.fire(f"k{number}", name=f"N{number}", entity=f"e{number}", title=f"t{number}")
        assert len(line.book.derived[keeping.PAIRS]) <= 200
    assert len(line.book.derived[keeping.PAIRS]) > 100


def test_the_score_stays_between_0_and_1_for_any_figures() -> None:
    for figure in (1e9, -1e9, 0.0):
        for place in range(8):
            figures = Figures(*(figure if place == other else 0.0 for other in range(8)))
            assert 0.0 <= figures.score() <= 1.0


def test_hours_out_of_order_do_not_break_the_sums() -> None:
    line = calm(Line(), 20)
    line.take(signal("old", -40_000.0, name="Usual0", entity="web-1", severity=Severity.LOW))
    assert 0.0 <= line.alert("old").unusual <= 1.0
