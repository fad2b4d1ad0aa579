"""The score by which incidents are ranked: the documented formula, worked out by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from math import log2, log10
from typing import Any

import pytest
from msgspec.structs import replace

from data.records import RANK, Incident, IncidentId, IncidentState, Pattern, Severity, TenantId
from engine.book import Draft
from engine.rules import Rules, Weights
from engine.stages.prioritise import MUTED_CAP, RETURNED_SHARE, business_hours, score, sla_used
from tests.fakes.line import T0, Line, at

TENANT = TenantId("default")
#: Noon on a Monday is inside business hours; this is not.
ALWAYS_CLOSED = Rules(business_days=frozenset())


def incident(**given: object) -> Incident:
    fields: dict[str, object] = {
        "id": 1,
        "tenant": TENANT,
        "title": "link down",
        "severity": Severity.INFO,
        "state": IncidentState.OPEN,
        "priority": 0.0,
        "site": "Depot",
        "sites": ("Depot",),
        "names": ("LinkDown",),
        "clusters": (1,),
        "alerts": 1,
        "firing": 1,
        "muted": 0,
        "suppressed": 0,
        "events": 1,
        "opened_at": T0,
        "last_at": T0,
        "root": 1,
        **given,
    }
    return Incident(**fields)  # type: ignore[arg-type]


def scored(rules: Rules = ALWAYS_CLOSED, seconds: float = 0.0, line: Line | None = None, **given: object) -> Incident:
    draft = Draft((line or Line()).book, rules, TENANT, at(seconds))
    return score(draft, incident(**given))


def points(of: Incident) -> dict[str, float]:
    return {part.feature: part.points for part in of.contributions}


def test_the_weights_come_to_a_hundred() -> None:
    assert sum(getattr(Weights(), name) for name in Weights.__struct_fields__) == 100


# -- one feature at a time


@pytest.mark.parametrize(
    ("severity", "share"),
    [("critical", 1.0), ("high", 0.72), ("medium", 0.45), ("low", 0.2), ("info", 0.05)],
)
def test_severity(severity: str, share: float) -> None:
    found = scored(severity=Severity(severity))
    assert points(found) == {"severity": pytest.approx(45 * share, abs=0.051)}


@pytest.mark.parametrize("sites", [1, 2, 3, 5, 8, 20])
def test_affected_sites(sites: int) -> None:
    found = scored(sites=tuple(f"site {number}" for number in range(sites)))
    assert points(found).get("affected_sites", 0.0) == pytest.approx(10 * min(1, log2(sites) / 3), abs=0.051)


@pytest.mark.parametrize(("tier", "share"), [("vip", 1.0), ("gold", 0.6), ("standard", 0.2), ("other", 0.0)])
def test_client_tier(tier: str, share: float) -> None:
    found = scored(replace(ALWAYS_CLOSED, tiers={"acme": tier}), client="acme")
    assert points(found).get("client_tier", 0.0) == pytest.approx(10 * share)


def test_an_unknown_client_adds_nothing() -> None:
    assert "client_tier" not in points(scored(replace(ALWAYS_CLOSED, tiers={"acme": "vip"}), client="nobody"))


@pytest.mark.parametrize(("on_call", "added"), [(None, 0.0), (True, 0.0), (False, 3.0)])
def test_nobody_on_call(on_call: bool | None, added: float) -> None:
    assert points(scored(replace(ALWAYS_CLOSED, on_call=on_call))).get("on_call", 0.0) == added


def test_history_of_the_name() -> None:
    line = Line()
    line.book.patterns[TENANT, "LinkDown"] = Pattern(
        tenant=TENANT, name="LinkDown", incidents=4, alerts=40, resolution_seconds=4 * 7200.0, last_at=T0
    )
    found = points(scored(line=line))
    assert found["historical_impact"] == pytest.approx(7 * log10(10) / 2)
    assert found["recurrence"] == pytest.approx(6 * 0.4)
    assert found["resolution_time"] == pytest.approx(5 * 0.5)
    assert points(scored(line=line, names=("Other",))).keys().isdisjoint(found.keys() - {"severity"})


@pytest.mark.parametrize(("open_ones", "added"), [(1, 0.0), (2, 1.0), (4, 3.0), (6, 5.0), (40, 5.0)])
def test_other_incidents_at_the_site(open_ones: int, added: float) -> None:
    line = Line()
    line.book.workload[TENANT, "Depot"] = open_ones
    assert points(scored(line=line)).get("site_workload", 0.0) == pytest.approx(added)


@pytest.mark.parametrize(("seconds", "used"), [(0, 0.0), (900, 0.25), (1800, 0.5), (3600, 1.0), (9000, 1.0)])
def test_the_share_of_the_sla_grows_with_time(seconds: float, used: float) -> None:
    found = points(scored(seconds=seconds, due_at=at(3600)))
    assert found.get("sla", 0.0) == pytest.approx(5 * used, abs=0.051)


def test_sla_used_goes_on_past_due() -> None:
    assert sla_used(incident(due_at=at(3600)), at(7200)) == 2.0
    assert sla_used(incident(due_at=None), at(7200)) == 0.0
    assert sla_used(incident(due_at=T0), T0) == 1.0


@pytest.mark.parametrize(
    ("moment", "zone", "inside"),
    [
        (datetime(2026, 5, 4, 7, 59, tzinfo=UTC), "UTC", False),
        (datetime(2026, 5, 4, 8, 0, tzinfo=UTC), "UTC", True),
        (datetime(2026, 5, 4, 17, 59, tzinfo=UTC), "UTC", True),
        (datetime(2026, 5, 4, 18, 0, tzinfo=UTC), "UTC", False),
        (datetime(2026, 5, 3, 12, 0, tzinfo=UTC), "UTC", False),  # a Sunday
        (datetime(2026, 5, 4, 6, 30, tzinfo=UTC), "Europe/Berlin", True),
        (datetime(2026, 5, 4, 16, 30, tzinfo=UTC), "Europe/Berlin", False),
        (datetime(2026, 5, 3, 23, 30, tzinfo=UTC), "Asia/Tokyo", True),  # Monday there
    ],
)
def test_business_hours(moment: datetime, zone: str, inside: bool) -> None:
    assert business_hours(moment, Rules(time_zone=zone)) is inside


# -- the whole


def test_a_whole_score_by_hand() -> None:
    found = scored(
        Rules(tiers={"acme": "gold"}, on_call=False),
        seconds=1800,
        severity=Severity.HIGH,
        sites=("Depot", "Harbour"),
        client="acme",
        due_at=at(3600),
    )
    # severity 32.4, two of eight sites 3.3, business hours 4, gold 6, nobody on call 3, half of the SLA 2.5
    assert found.priority == 51.2
    assert points(found) == {
        "severity": 32.4,
        "affected_sites": 3.3,
        "business_hours": 4.0,
        "client_tier": 6.0,
        "on_call": 3.0,
        "sla": 2.5,
    }


def test_the_worst_of_everything_is_a_hundred() -> None:
    line = Line()
    line.book.workload[TENANT, "Depot"] = 9
    line.book.patterns[TENANT, "LinkDown"] = Pattern(
        tenant=TENANT, name="LinkDown", incidents=50, alerts=50_000, resolution_seconds=50 * 86_400.0, last_at=T0
    )
    found = scored(
        Rules(tiers={"acme": "vip"}, on_call=False),
        seconds=7200,
        line=line,
        severity=Severity.CRITICAL,
        sites=tuple("abcdefgh"),
        client="acme",
        due_at=at(3600),
    )
    assert found.priority == 100.0
    assert len(found.contributions) == 10


@pytest.mark.parametrize("seconds", [0, 777, 3600])
@pytest.mark.parametrize("severity", list(Severity))
@pytest.mark.parametrize("muted", [0, 1])
def test_the_contributions_come_to_the_score(severity: Severity, seconds: float, muted: int) -> None:
    sites = ("Depot", "Harbour", "Quay")
    found = scored(Rules(), seconds, severity=severity, sites=sites, due_at=at(3600), muted=muted)
    assert sum(points(found).values()) == pytest.approx(found.priority, abs=0.001)
    assert 0 <= found.priority <= 100


def test_it_only_grows_with_severity_tier_and_sites() -> None:
    by_severity = [scored(severity=severity).priority for severity in sorted(Severity, key=RANK.__getitem__)]
    tiers = ("", "standard", "gold", "vip")
    by_tier = [scored(replace(ALWAYS_CLOSED, tiers={"c": tier}), client="c").priority for tier in tiers]
    by_sites = [scored(sites=tuple(map(str, range(count)))).priority for count in (1, 2, 3, 5, 8)]
    for scores in (by_severity, by_tier, by_sites):
        assert all(lower < higher for lower, higher in pairwise(scores))


# -- muted and ended


def test_what_is_muted_as_a_whole_is_held_low() -> None:
    found = scored(severity=Severity.CRITICAL, firing=2, muted=2)
    assert found.priority == MUTED_CAP
    assert points(found) == {"severity": 45.0, "muted": -30.0}


@pytest.mark.parametrize(
    "given",
    [{"firing": 2, "muted": 1}, {"firing": 0, "muted": 0}],
    ids=["one of two is muted", "nothing fires"],
)
def test_what_is_not_muted_as_a_whole_keeps_its_score(given: dict[str, Any]) -> None:
    assert scored(severity=Severity.CRITICAL, **given).priority == 45.0


def test_a_score_below_the_cap_is_not_raised_by_muting() -> None:
    found = scored(severity=Severity.LOW, muted=1)
    assert (found.priority, "muted" in points(found)) == (9.0, False)


@pytest.mark.parametrize("state", [IncidentState.RESOLVED, IncidentState.CLOSED])
def test_what_has_ended_keeps_its_score(state: IncidentState) -> None:
    assert scored(state=state, priority=77.0).priority == 77.0


def test_an_unchanged_score_is_the_same_incident() -> None:
    draft = Draft(Line().book, Rules(), TENANT, T0)
    once = score(draft, incident())
    assert score(draft, once) is once


# -- on the line


def test_a_silence_lowers_it_and_its_end_raises_it() -> None:
    line = Line()
    line.fire("a")
    loud = line.incident("a").priority
    line.act("silence", matchers='host="a"', minutes=5)
    assert line.incident("a").priority == MUTED_CAP
    line.at(300).tick()
    assert line.incident("a").priority >= loud > MUTED_CAP


def test_another_incident_at_the_site_is_counted_and_leaves_again() -> None:
    line = Line(Rules(join_at=1.01))  # nothing is alike
    for key in "abc":
        line.fire(key)
    assert line.book.workload[TENANT, "Depot"] == 3
    assert points(line.incident("c"))["site_workload"] == 2.0
    line.act("close", f"incident:{line.incident('a').id}")
    assert line.book.workload[TENANT, "Depot"] == 2


def test_time_alone_raises_it_within_a_minute() -> None:
    line = Line()
    line.fire("a")
    before = line.incident("a").priority
    for second in range(60):
        line.at(1800 + second).tick()
    assert line.incident("a").priority == pytest.approx(before + 2.5, abs=0.2)
    assert line.store.incidents[IncidentId(1)].priority == line.incident("a").priority


# -- what has returned to normal


def test_what_has_returned_stands_below_all_that_fires() -> None:
    line = Line(ALWAYS_CLOSED)
    line.fire("bad", severity=Severity.CRITICAL, site="Harbour", entity="x")
    line.fire("small", severity=Severity.INFO, site="Depot", name="Other", title="hum", entity="y")
    assert line.incident("bad").priority > line.incident("small").priority
    line.resolve("bad", site="Harbour", severity=Severity.CRITICAL, entity="x")
    returned = line.incident("bad")
    assert returned.state is IncidentState.RETURNED
    assert 0 < returned.priority < line.incident("small").priority
    assert returned.contributions[-1].feature == "returned"
    assert sum(part.points for part in returned.contributions) == pytest.approx(returned.priority, abs=0.2)


def test_among_those_that_have_returned_the_worst_stands_first() -> None:
    worst_first = [
        scored(severity=s, state=IncidentState.RETURNED).priority for s in sorted(RANK, key=lambda s: -RANK[s])
    ]
    assert worst_first == sorted(worst_first, reverse=True)
    assert worst_first[0] > worst_first[-1]
    assert worst_first[0] <= 100 * RETURNED_SHARE


def test_it_has_its_rank_again_when_it_fires_again() -> None:
    line = Line(ALWAYS_CLOSED)
    line.fire("a", severity=Severity.CRITICAL)
    before = line.incident("a").priority
    line.resolve("a", severity=Severity.CRITICAL)
    line.later(1).fire("a", severity=Severity.CRITICAL)
    assert line.incident("a").state is IncidentState.OPEN
    assert line.incident("a").priority == pytest.approx(before, abs=1.0)
