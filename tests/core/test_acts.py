"""Every act of an operator: what it does, what it refuses with which words, and how it is undone."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from data.records import IncidentState, TenantId
from data.scope import CAPABILITIES, Scope
from engine.acts import VERBS
from engine.client import Refused
from tests.fakes.line import ANA, Line, at, like, signal, unlike
from tests.fakes.memory_store import memory

STRANGER = Scope(tenant=TenantId("other"), actor="eve", capabilities=CAPABILITIES)
HARBOUR_ONLY = replace(ANA, sites=frozenset({"Harbour"}))
VIEWER = replace(ANA, capabilities=frozenset({"noc:view"}))

#: Params with which each verb works on an open incident or firing alert.
GOOD: dict[str, dict[str, Any]] = {
    "ack": {"minutes": 5},
    "unack": {},
    "shelve": {"minutes": 5},
    "unshelve": {},
    "silence": {"matchers": 'site="Depot"', "minutes": 5},
    "expire_silence": {},
    "assign": {"owner": "bo"},
    "note": {"text": "seen"},
    "merge": {},
    "split": {},
    "resolve": {},
    "close": {},
    "undo": {},
    "confirm_fraud": {},
    "dismiss_fraud": {},
    "ticket": {"title": "door open"},
    "assign_ticket": {"assignee": "bo"},
    "note_ticket": {"text": "seen"},
    "move_ticket": {"state": "in_progress"},
    "judge_finding": {"verdict": "false_alarm"},
    "undo_threshold": {},
    "run_playbook": {"playbook": "mend"},
    "approve": {"plan_sha256": "0" * 64},
    "reject": {"reason": "not now"},
    "hold": {"minutes": 5},
    "cancel": {"reason": "not now"},
    "kill_switch": {"on": True, "reason": "wrong host"},
    "train": {},
    "cancel_training": {},
    "rollback_model": {},
    "oncall_override": {"rota": "night", "person": "bo"},
    "oncall_swap": {"rota": "night", "first": "2026-05-04T13:00:00Z", "second": "2026-05-05T13:00:00Z"},
    "oncall_cancel": {},
    "escalate": {},
}


@pytest.fixture
def line() -> Line:
    line = Line()
    line.take(signal("a"), signal("b"), unlike("c"), unlike("d"), unlike("e"))
    return line


def i(line: Line, key: str) -> str:
    return f"incident:{line.incident(key).id}"


def a(line: Line, key: str) -> str:
    return f"alert:{line.alert(key).id}"


def test_every_verb_is_tried_here() -> None:
    assert set(GOOD) == set(VERBS)


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_a_verb_takes_its_capability(line: Line, verb: str) -> None:
    with pytest.raises(Refused) as refusal:
        line.act(verb, i(line, "a"), scope=VIEWER, **GOOD[verb])
    assert refusal.value.status == 403
    assert VERBS[verb].capability in refusal.value.reason
    assert [(audit.verb, audit.outcome) for audit in line.store.audits] == [(verb, "refused")]


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_a_verb_refuses_targets_and_params_that_it_does_not_know(line: Line, verb: str) -> None:
    for targets, params, field in (
        (("planet:3",), GOOD[verb], "targets"),
        ((), {**GOOD[verb], "wrong": 1}, "wrong"),
    ):
        with pytest.raises(Refused) as refusal:
            line.act(verb, *targets, **params)
        assert (refusal.value.field, bool(refusal.value.remedy)) == (field, True)


def test_an_unknown_verb_names_the_known_ones(line: Line) -> None:
    with pytest.raises(Refused, match="unknown verb") as refusal:
        line.act("sing", i(line, "a"))
    assert "resolve" in refusal.value.remedy


@pytest.mark.parametrize("scope", [STRANGER, HARBOUR_ONLY])
@pytest.mark.parametrize("verb", ["ack", "unack", "shelve", "unshelve", "assign", "note", "resolve", "close"])
def test_what_is_not_yours_is_not_there(line: Line, verb: str, scope: Scope) -> None:
    before = memory(line.book)
    target = i(line, "a")
    result = line.act(verb, target, scope=scope, **GOOD[verb])
    assert result.changed == ()
    assert "not found" in result.refused[target]
    assert result.refused.keys() == line.act(verb, "incident:999", scope=scope, **GOOD[verb]).refused.keys() ^ {
        target,
        "incident:999",
    }
    assert memory(line.book) == before


@pytest.mark.parametrize(
    ("verb", "params", "field"),
    [
        ("ack", {"minutes": "soon"}, "minutes"),
        ("ack", {"minutes": -1}, "minutes"),
        ("ack", {"minutes": float("nan")}, "minutes"),
        ("shelve", {}, "minutes"),
        ("shelve", {"minutes": 60 * 24 * 8}, "minutes"),
        ("shelve", {"until": "2026-05-04T13:00:00"}, "until"),
        ("assign", {}, "owner"),
        ("note", {"text": ""}, "text"),
        ("note", {"text": "x" * 5000}, "text"),
    ],
)
def test_wrong_params_name_the_field(line: Line, verb: str, params: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused) as refusal:
        line.act(verb, i(line, "a"), **params)
    assert refusal.value.field == field


def test_the_same_request_acts_once(line: Line) -> None:
    line.act("note", i(line, "a"), text="once", request="r1")
    with pytest.raises(AssertionError):
        line.act("note", i(line, "a"), text="once", request="r1")  # the second has no result of its own
    assert line.incident("a").notes == 1


def test_every_act_leaves_an_audit(line: Line) -> None:
    line.act("assign", i(line, "a"), owner="bo")
    line.act("unack", i(line, "a"))
    assert [(audit.actor, audit.verb, audit.outcome) for audit in line.store.audits] == [
        ("ana", "assign", "done"),
        ("ana", "unack", "nothing"),
    ]


# -- one by one


def test_ack_and_unack_of_an_alert(line: Line) -> None:
    line.act("ack", a(line, "a"), minutes=5)
    assert line.alert("a").ack is not None
    assert line.incident("a").state is IncidentState.OPEN
    assert line.at(300).tick().alert("a").ack is None
    line.act("ack", a(line, "a"))
    line.act("unack", a(line, "a"))
    assert line.alert("a").ack is None
    assert line.act("unack", a(line, "a")).refused == {a(line, "a"): "it is not acknowledged"}
    line.resolve("a")
    assert line.act("ack", a(line, "a")).refused == {a(line, "a"): "it is over"}


def test_unack_takes_the_acks_of_the_alerts_too(line: Line) -> None:
    line.act("ack", i(line, "a"))
    line.act("unack", i(line, "a"))
    assert (line.incident("a").state, line.alert("a").ack, line.alert("b").ack) == (IncidentState.OPEN, None, None)


def test_shelve_comes_back_by_itself_also_after_a_restart(line: Line) -> None:
    line.act("shelve", i(line, "a"), a(line, "c"), minutes=10)
    assert line.incident("c").muted == 1
    line.restart().at(600).tick()
    assert (line.incident("a").shelved_until, line.alert("c").shelved_until, line.incident("c").muted) == (
        None,
        None,
        0,
    )


def test_unshelve(line: Line) -> None:
    line.act("shelve", i(line, "a"), minutes=10)
    line.act("unshelve", i(line, "a"))
    assert line.incident("a").shelved_until is None
    assert line.act("unshelve", i(line, "a")).refused == {i(line, "a"): "it is not shelved"}


def test_assign_and_take_away(line: Line) -> None:
    line.act("assign", i(line, "a"), owner="bo")
    assert line.incident("a").owner == "bo"
    line.act("assign", i(line, "a"), owner="")
    assert line.incident("a").owner == ""


def test_a_note_is_for_all_alerts_of_the_incident(line: Line) -> None:
    line.act("note", i(line, "a"), text="seen")
    line.act("resolve", i(line, "a"))
    line.at(100).fire("b", 90)
    assert [note.text for note in line.alert("b").notes] == ["seen"]


def test_resolve_ends_what_fires(line: Line) -> None:
    line.act("resolve", i(line, "a"), note="cable was loose")
    incident = line.incident("a")
    assert (incident.state, incident.firing, incident.resolution) == (IncidentState.RESOLVED, 0, "cable was loose")
    assert line.act("resolve", i(line, "a")).refused == {i(line, "a"): "it is resolved already"}
    for verb in ("ack", "unack", "shelve"):
        assert line.act(verb, i(line, "a"), **GOOD[verb]).refused == {i(line, "a"): "it is resolved"}


def test_bulk_says_what_it_did_and_what_not(line: Line) -> None:
    line.act("close", i(line, "c"))
    result = line.act("ack", i(line, "a"), i(line, "c"), i(line, "d"), "incident:999", i(line, "a"))
    assert result.changed == (i(line, "a"), i(line, "d"))
    assert result.refused.keys() == {i(line, "c"), "incident:999"}
    assert result.words.startswith("ack: 2 changed, 2 refused")


# -- merge


def test_merge_of_three_and_old_ids_lead_on(line: Line) -> None:
    olds = [i(line, key) for key in "acd"]
    result = line.act("merge", *olds)
    assert result.undo
    target = line.incident("a")
    assert {line.incident(key).id for key in "abcd"} == {target.id}
    assert (target.alerts, target.firing, target.events, len(target.clusters)) == (4, 4, 4, 3)
    assert target.sites == ("Depot", "site-c", "site-d")
    line.act("ack", olds[2])
    assert line.incident("a").state is IncidentState.ACKNOWLEDGED
    line.act("merge", olds[1], i(line, "e"))
    assert line.incident("e").id == target.id


def test_merge_keeps_the_nearest_promise(line: Line) -> None:
    line.at(60).take(unlike("f", 60))
    due = line.incident("a").due_at
    line.act("merge", i(line, "f"), i(line, "a"))
    assert line.incident("f").due_at == due == at(3600)


def test_new_alerts_of_a_merged_cluster_join_the_target(line: Line) -> None:
    line.act("merge", i(line, "a"), i(line, "c"))
    line.at(10).take(like(unlike("c", 10, entity="c2"), key="c2"))
    assert line.incident("c2").id == line.incident("a").id


def test_merge_refuses_what_is_over_or_alone(line: Line) -> None:
    line.act("resolve", i(line, "c"))
    for targets in ([i(line, "a")], [i(line, "a"), i(line, "c")], [i(line, "a"), i(line, "a")]):
        with pytest.raises(Refused, match="at least two"):
            line.act("merge", *targets)


def test_after_a_merge_memory_forgets_only_what_is_gone(line: Line) -> None:
    line.act("merge", i(line, "a"), i(line, "c"))
    line.at(4000).tick()
    assert line.book.clusters[line.alert("c").cluster].incident == line.incident("a").id
    assert line.incident("c").id == line.incident("a").id


# -- split


def test_split_takes_alerts_out(line: Line) -> None:
    before = line.incident("a")
    line.at(60).act("split", a(line, "b"))
    one, two = line.incident("a"), line.incident("b")
    assert one.id == before.id != two.id
    assert (one.alerts, two.alerts, two.root, two.opened_at) == (1, 1, line.alert("b").id, at(0))
    assert (line.cluster("a").alerts, line.cluster("b").alerts) == (1, 1)
    line.at(70).fire("f")
    assert line.incident("f").id == one.id


def test_split_of_the_root_gives_the_rest_another(line: Line) -> None:
    line.act("merge", i(line, "a"), i(line, "c"))
    line.act("split", a(line, "a"), a(line, "b"))
    rest = line.incident("c")
    assert (rest.root, rest.site, rest.sites, rest.names) == (line.alert("c").id, "site-c", ("site-c",), ("Onlyc",))


def test_split_of_a_whole_cluster_takes_it_along(line: Line) -> None:
    line.act("merge", i(line, "a"), i(line, "c"))
    cluster = line.alert("c").cluster
    line.act("split", f"cluster:{cluster}")
    assert line.alert("c").cluster == cluster
    assert line.incident("c").id != line.incident("a").id
    line.at(10).take(like(unlike("c", 10, entity="c2"), key="c2"))
    assert line.incident("c2").id == line.incident("c").id


@pytest.mark.parametrize("restart", [False, True])
def test_split_of_a_cluster_that_takes_no_more(line: Line, restart: bool) -> None:
    line.act("merge", i(line, "a"), i(line, "c"))
    cluster = line.alert("c").cluster
    line.at(4000).tick()
    assert line.book.clusters[cluster].closed
    if restart:
        line.restart()
    line.act("split", f"cluster:{cluster}")
    assert line.incident("c").id != line.incident("a").id


def test_split_refuses_all_of_it_two_incidents_or_what_is_over(line: Line) -> None:
    with pytest.raises(Refused, match="nothing would be left"):
        line.act("split", a(line, "a"), a(line, "b"))
    with pytest.raises(Refused, match="one incident"):
        line.act("split", a(line, "a"), a(line, "c"))
    line.act("resolve", i(line, "a"))
    with pytest.raises(Refused, match="resolved"):
        line.act("split", a(line, "a"))


# -- undo


def undo(line: Line, result: Any) -> dict[str, str]:
    refused: dict[str, str] = line.act("undo", f"undo:{result.undo}").refused
    return refused


def membership(line: Line) -> dict[str, tuple[int, int]]:
    return {key: (line.alert(key).incident, line.alert(key).cluster) for key in "abcde"}


@pytest.mark.parametrize("restart", [False, True])
def test_undo_of_a_merge(line: Line, restart: bool) -> None:
    before, was = membership(line), line.incident("c")
    result = line.act("merge", i(line, "a"), i(line, "c"), i(line, "d"))
    line.at(10).take(like(unlike("c", 10, entity="c2"), key="c2"))
    line.fire("f")
    if restart:
        line.restart()
    assert undo(line, result) == {}
    assert membership(line) == before
    now = line.incident("c")
    assert (now.id, line.incident("c2").id, now.alerts, now.events, now.state) == (was.id, was.id, 2, 2, was.state)
    assert now.version > was.version
    assert line.incident("f").id == line.incident("a").id
    assert (line.incident("a").alerts, line.incident("a").sites) == (3, ("Depot",))
    line.at(60).resolve("c")
    assert line.incident("c").firing == 1


@pytest.mark.parametrize("restart", [False, True])
def test_undo_of_a_split(line: Line, restart: bool) -> None:
    before, was = membership(line), line.incident("a")
    result = line.act("split", a(line, "a"))
    gone = line.incident("a").id
    if restart:
        line.restart()
    assert undo(line, result) == {}
    assert membership(line) == before
    now = line.at(10).tick().incident("a")
    assert (now.alerts, now.events, now.root, line.cluster("a").alerts) == (2, 2, was.root, 2)
    assert line.store.incidents[gone].merged_into == was.id  # type: ignore[index]


def test_undo_of_a_split_cluster_brings_what_came_since(line: Line) -> None:
    line.act("merge", i(line, "a"), i(line, "c"))
    result = line.act("split", f"cluster:{line.alert('c').cluster}", request="split")
    line.at(10).take(like(unlike("c", 10, entity="c2"), key="c2"))
    assert undo(line, result) == {}
    assert {line.incident(key).id for key in ("a", "b", "c", "c2")} == {line.incident("a").id}


@pytest.mark.parametrize("restart", [False, True])
def test_undo_of_a_close(line: Line, restart: bool) -> None:
    line.act("ack", i(line, "a"), minutes=5)
    was = line.incident("a")
    result = line.at(10).act("close", i(line, "a"))
    assert line.alert("a").state == "resolved"
    if restart:
        line.restart()
    line.at(20)
    assert undo(line, result) == {}
    now = line.incident("a")
    assert (now.state, now.alerts, now.firing, now.events) == (was.state, 2, 2, 2)
    assert (line.alert("a").state, line.alert("a").ended_at) == ("acknowledged", None)
    assert line.tick(1).incident("a").state is IncidentState.ACKNOWLEDGED
    line.at(30).fire("f")
    assert line.incident("f").id == now.id
    assert line.at(301).tick().incident("a").state is IncidentState.OPEN
    pattern = line.book.patterns[line.tenant, "LinkDown"]
    assert pattern.incidents == 0


def test_undo_of_a_close_heeds_what_the_source_said_since(line: Line) -> None:
    result = line.at(10).act("close", i(line, "a"))
    line.at(20).resolve("a")
    line.at(30)
    assert undo(line, result) == {}
    line.tick(1)
    assert (line.alert("a").state, line.alert("b").state) == ("resolved", "open")


def test_undo_of_a_close_heeds_silences_that_came_since(line: Line) -> None:
    result = line.act("close", i(line, "a"))
    line.act("silence", matchers='host="a"', minutes=5)
    assert undo(line, result) == {}
    assert line.alert("a").silenced_by


def test_undo_of_a_silence(line: Line) -> None:
    result = line.act("silence", matchers='site="Depot"', minutes=5)
    line.at(10).fire("f")
    assert undo(line, result) == {}
    assert [line.alert(key).silenced_by for key in "abf"] == [(), (), ()]


def test_undo_twice_late_or_by_others(line: Line) -> None:
    result = line.act("merge", i(line, "a"), i(line, "c"))
    target = f"undo:{result.undo}"
    assert "not found" in line.act("undo", target, scope=STRANGER).refused[target]
    assert "not found" in line.act("undo", target, scope=HARBOUR_ONLY).refused[target]
    ack_only = replace(ANA, capabilities=frozenset({"noc:ack"}))
    assert line.act("undo", target, scope=ack_only).refused[target] == "it takes noc:manage"
    assert undo(line, result) == {}
    assert undo(line, result)[target] == "it was undone already"
    late = line.act("merge", i(line, "a"), i(line, "c"), request="late")
    line.at(600).tick()
    assert "ten minutes" in undo(line, late)[f"undo:{late.undo}"]


def test_an_undo_that_was_refused_is_not_used_up(line: Line) -> None:
    result = line.act("split", a(line, "b"))
    line.act("close", i(line, "a"), request="close")
    close = max(line.book.undos.values(), key=lambda undo: undo.verb == "close")
    assert undo(line, result)
    line.act("undo", f"undo:{close.id}", request="back")
    assert line.act("undo", f"undo:{result.undo}", request="again").refused == {}
    assert line.incident("a").id == line.incident("b").id


# -- who sees some sites only


def test_site_limited_scopes_silence_their_own_only(line: Line) -> None:
    with pytest.raises(Refused, match="other sites"):
        line.act("silence", scope=HARBOUR_ONLY, matchers='host="a"', minutes=5)
    line.act("silence", scope=HARBOUR_ONLY, matchers='site="Harbour"', minutes=5)
    name = line.act("silence", matchers='site="Depot"', minutes=5, request="all").id
    assert line.act("expire_silence", f"silence:{name}", scope=HARBOUR_ONLY).refused == {f"silence:{name}": "not found"}
    with pytest.raises(Refused, match="no silence"):
        line.act("silence", scope=HARBOUR_ONLY, id=name, matchers='site="Harbour"', minutes=5, request="steal")
