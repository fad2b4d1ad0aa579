"""Which alerts come to be about the same thing, and which do not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from data.records import IncidentState, Severity, Signal
from engine.rules import Rules
from engine.similarity.features import add, features, words
from tests.fakes.line import Line, at, signal, unlike

NAMES = ("LinkDown", "HighCpu", "BgpDown", "DiskFull", "PingLoss", "FanFailure")


@pytest.fixture
def line() -> Line:
    return Line()


def outage(number: int, site: str = "Depot") -> dict[str, Any]:
    """The n-th alert of one cause at one site: six types on twenty hosts."""
    name = NAMES[number % len(NAMES)]
    host = f"{site}-{number % 20}"
    return {"name": name, "site": site, "entity": host, "title": f"{name} {number} on {host}"}


def code(line: Line, key: str) -> str:
    return line.alert(key).why[-1].code


def test_a_hundred_related_alerts_of_six_types_are_a_handful_of_clusters(line: Line) -> None:
    for number in range(100):
        line.at(number * 1.2).fire(f"k{number}", **outage(number))
    assert len({alert.name for alert in line.book.alerts.values()}) == 6
    assert len(line.book.clusters) <= 5
    assert len(line.incidents()) <= 5
    assert sum(found.alerts for found in line.book.clusters.values()) == 100
    assert sum(incident.firing for incident in line.incidents()) == 100


def test_two_sites_that_break_at_once_stay_apart(line: Line) -> None:
    for number in range(40):
        for site in ("Depot", "Harbour"):
            line.at(number).fire(f"{site}{number}", **outage(number, site))
    assert {found.sites for found in line.book.clusters.values()} == {("Depot",), ("Harbour",)}
    assert len(line.incidents()) == 2


def test_unlike_things_without_a_site_stay_apart(line: Line) -> None:
    line.fire("a", site="", name="DbDown", title="database gone", entity="db1")
    line.fire("b", site="", name="FanFailure", title="fan stopped", entity="sw2", entity_type="switch")
    line.fire("c", site="", name="CertExpiry", title="certificate ends", entity="web3", entity_type="vhost")
    assert len({line.alert(key).cluster for key in "abc"}) == 3
    assert len({line.alert(key).incident for key in "abc"}) == 3


def test_a_missing_site_is_not_an_equal_site(line: Line) -> None:
    line.fire("a", site="", name="DbDown", title="database gone", entity="")
    line.fire("b", site="", name="FanFailure", title="fan stopped", entity="")
    assert line.alert("a").cluster != line.alert("b").cluster


def test_tenants_never_share_a_cluster(line: Line) -> None:
    line.fire("a")
    other = Line(tenant="other")  # type: ignore[arg-type]
    other.book, other.store = line.book, line.store
    assert other.fire("b").cluster != line.alert("a").cluster
    assert code(other, "b") == "opened_no_match"


# -- time


@pytest.mark.parametrize(("gap", "together"), [(1799, True), (1800, True), (1801, False)])
def test_a_gap_by_event_time_opens_a_new_cluster(line: Line, gap: float, together: bool) -> None:
    first = line.fire("a", 0)
    line.fire("b", gap)  # received at the same moment: only the time of the event counts
    assert (line.alert("b").cluster == first.cluster) is together


def test_the_window_slides_with_the_last_member(line: Line) -> None:
    for step in range(6):
        line.at(step * 1500).fire(f"k{step}")
    assert len(line.book.clusters) == 1
    assert line.cluster("k0").last_at - line.cluster("k0").opened_at == timedelta(seconds=7500)


def test_a_late_alert_joins_by_when_it_happened(line: Line) -> None:
    first = line.at(1000).fire("a", 1000)
    late = line.at(1400).fire("b", 0)
    assert late.cluster == first.cluster
    assert line.cluster("a").opened_at == at(0)
    assert line.cluster("a").last_at == at(1000)


def test_a_quiet_cluster_leaves_the_index(line: Line) -> None:
    line.fire("a")
    line.later(1800 + 599).tick()
    assert not line.cluster("a").closed
    line.later(1).tick(600)
    assert line.cluster("a").closed
    assert line.book.candidates == {}


# -- cap


def test_a_full_cluster_gets_a_linked_successor() -> None:
    line = Line(Rules(cap_alerts=3))
    for key in "abcd":
        line.fire(key)
    full, following = line.cluster("a"), line.cluster("d")
    assert (full.alerts, full.closed, full.successor) == (3, True, following.id)
    assert (following.alerts, following.predecessor, following.closed) == (1, full.id, False)
    assert line.incident("a").successor == line.incident("d").id
    assert line.incident("d").predecessor == line.incident("a").id
    assert "continued" in line.told(line.incident("a").id)
    assert line.alert("d").why[-1].code == "opened_cap"
    assert line.alert("d").why[-1].facts["predecessor"] == full.id
    assert line.fire("e").cluster == following.id


def test_a_chain_of_full_clusters_loses_nothing() -> None:
    line = Line(Rules(cap_alerts=3))
    for number in range(10):
        line.later(1).fire(f"k{number}")
    chain = sorted(line.book.clusters.values(), key=lambda found: found.id)
    assert [found.alerts for found in chain] == [3, 3, 3, 1]
    assert [found.predecessor for found in chain[1:]] == [found.id for found in chain[:-1]]


def test_a_cluster_is_full_by_age_too() -> None:
    line = Line(Rules(cap_seconds=3600.0))
    for step in range(3):
        line.at(step * 1500).fire(f"k{step}")
    assert len(line.book.clusters) == 1
    line.at(3599).fire("k3")
    assert line.alert("k3").cluster == line.alert("k0").cluster
    line.at(3600).fire("k4")
    assert line.alert("k4").cluster != line.alert("k0").cluster
    assert line.cluster("k4").predecessor == line.cluster("k0").id


# -- folding near repeats away


def test_a_near_repeat_is_folded_away_and_still_counted(line: Line) -> None:
    line.fire("a", entity="one")
    folded = line.fire("b", entity="one")
    assert folded.suppressed
    assert folded.why[-1].code == "suppressed_similar"
    assert folded.why[-1].facts["score"] > 0.90  # type: ignore[operator]
    assert (line.cluster("a").alerts, line.cluster("a").suppressed) == (2, 1)
    assert (line.incident("a").alerts, line.incident("a").suppressed, line.incident("a").firing) == (2, 1, 2)


def test_what_is_only_alike_is_not_folded_away(line: Line) -> None:
    line.fire("a", **outage(0))
    joined = line.fire("b", **outage(1))
    assert joined.why[-1].code == "joined_similar"
    assert 0.75 <= joined.why[-1].facts["score"] <= 0.90  # type: ignore[operator]
    assert not joined.suppressed


def test_a_rise_in_severity_is_never_folded_away(line: Line) -> None:
    line.fire("a", entity="one")
    worse = line.fire("b", entity="one", severity=Severity.CRITICAL)
    assert worse.why[-1].facts["score"] > 0.90  # type: ignore[operator]
    assert (worse.suppressed, worse.why[-1].code) == (False, "joined_similar")
    assert line.cluster("a").severity is Severity.CRITICAL
    assert line.incident("a").severity is Severity.CRITICAL


def test_a_newly_affected_site_is_never_folded_away() -> None:
    line = Line(Rules(join_at=0.5, suppress_above=0.55))
    line.fire("a", entity="one", correlation="x", site="Depot")
    second = line.fire("b", entity="one", correlation="x", site="Harbour")
    assert second.why[-1].facts["score"] > 0.55  # type: ignore[operator]
    assert (second.cluster, second.suppressed) == (line.alert("a").cluster, False)
    assert line.cluster("a").sites == ("Depot", "Harbour")
    assert line.fire("c", entity="one", correlation="x", site="Harbour").suppressed


def test_folding_can_be_switched_off() -> None:
    line = Line(Rules(suppress_above=1.01))
    for key in "abc":
        line.fire(key, entity="one")
    assert not any(line.alert(key).suppressed for key in "abc")


# -- what takes nothing more


def test_an_incident_that_is_over_takes_no_new_alert(line: Line) -> None:
    line.fire("a", entity="one")
    line.act("ack", f"incident:{line.incident('a').id}")
    line.at(60).resolve("a")
    assert line.incident("a").state is IncidentState.RESOLVED
    line.at(70).fire("b", entity="one")
    assert line.alert("b").incident != line.alert("a").incident
    assert line.incident("a").alerts == 1


def test_a_returned_incident_still_takes_alerts(line: Line) -> None:
    line.fire("a")
    line.at(60).resolve("a")
    assert line.incident("a").state is IncidentState.RETURNED
    line.at(70).fire("b")
    assert line.alert("b").incident == line.alert("a").incident
    assert line.incident("a").state is IncidentState.OPEN


# -- why


def test_a_join_says_how_alike_it_was_and_to_what(line: Line) -> None:
    first = line.fire("a", **outage(0))
    line.at(30).fire("b", **outage(1))
    facts = line.alert("b").why[-1].facts
    assert (facts["cluster"], facts["join_at"], facts["gap_seconds"]) == (first.cluster, 0.75, 30)
    assert isinstance(facts["score"], float)


def test_an_opening_says_what_came_closest(line: Line) -> None:
    assert line.fire("a").why[-1].facts == {"tried": 0, "join_at": 0.75}
    facts = line.fire("b", site="Harbour").why[-1].facts
    assert (facts["tried"], facts["best_cluster"]) == (1, line.alert("a").cluster)
    assert facts["best_score"] < 0.75  # type: ignore[operator]


# -- features


@pytest.mark.parametrize(
    ("title", "found"),
    [
        ("Link down on 10.0.0.1: eth0", ["w:link", "w:down", "w:eth"]),
        ("disk 97% full", ["w:disk", "w:full"]),
        ("the disk has been full for 3 h", ["w:disk", "w:full"]),
        ("12345 67.8 %%", []),
        ("", []),
        ("one two three four five six seven eight", ["w:one", "w:two", "w:three", "w:four", "w:five", "w:six"]),
        ("link link LINK", ["w:link"]),
    ],
)
def test_numbers_in_titles_are_masked(title: str, found: list[str]) -> None:
    assert list(words(title)) == found


def test_titles_that_differ_in_numbers_are_equal(line: Line) -> None:
    line.fire("a", title="disk 97% full on /dev/sda1", entity="one")
    again = line.fire("b", title="disk 12% full on /dev/sda9", entity="one")
    assert again.why[-1].facts["score"] == 1.0


def test_the_length_of_a_vector_is_what_its_weights_come_to(line: Line) -> None:
    full: dict[str, Any] = {"service": "dns", "correlation": "x", "client": "acme", "title": "link to core is down now"}
    bare: dict[str, Any] = {"site": "", "entity": "", "entity_type": "", "title": ""}
    for key, given in (("a", full), ("b", bare)):
        vector = features(line.fire(key, **given))
        assert len(vector.tokens) == len(vector.weights) == len(set(vector.tokens))
        assert vector.norm == pytest.approx(sum(weight * weight for weight in vector.weights))


def test_a_sum_of_vectors_keeps_its_own_length(line: Line) -> None:
    centroid: dict[str, float] = {}
    for number in range(12):
        alert = line.fire(f"k{number}", **outage(number))
        centroid = add(centroid, features(alert))
    sums = [value for token, value in centroid.items() if token not in ("#", "##")]
    assert centroid["#"] == 12
    assert centroid["##"] == pytest.approx(sum(value * value for value in sums))


# -- the index


def storm() -> list[tuple[float, Signal]]:
    """Three sites and a few loners, over an hour."""
    rows: list[tuple[float, Signal]] = []
    for number in range(120):
        moment = number * 30.0
        site = ("Depot", "Harbour", "Quay")[number % 3]
        rows.append((moment, signal(f"k{number}", moment, **outage(number, site))))
        if number % 10 == 0:
            rows.append((moment, unlike(f"u{number}", moment)))
    return rows


@pytest.mark.parametrize("cut", [1, 40, 95])
def test_a_restart_changes_no_decision(cut: int) -> None:
    steady, restarted = Line(), Line()
    for position, (moment, row) in enumerate(storm()):
        if position == cut:
            restarted.restart()
        for line in (steady, restarted):
            line.at(moment).take(row)
    assert restarted.store.alerts == steady.store.alerts
    assert restarted.store.clusters == steady.store.clusters
    assert restarted.book.candidates == steady.book.candidates
    assert len(steady.book.clusters) < 30


def test_the_hour_of_the_week_is_of_the_event(line: Line) -> None:
    assert "h:0/12" in features(line.fire("a")).tokens
    assert "h:1/13" in features(line.fire("b", 25 * 3600)).tokens
