"""What operators can do, each verb once done and once refused, and how much of it can be taken back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from data.records import Alert, AlertState, Audit, Incident, IncidentState, Severity, TenantId
from data.scope import Scope
from engine.acts import VERBS
from engine.client import Command, CommandResult, Refused
from engine.ports import EnvelopeKind
from engine.rules import Rules
from engine.stages.apply import Asked
from tests.fakes.line import ANA, Line, at

DEPOT_ONLY = replace(ANA, actor="guest", sites=frozenset({"Depot"}))
HARBOUR_ONLY = replace(ANA, actor="guest", sites=frozenset({"Harbour"}))
STRANGER = replace(ANA, tenant=TenantId("other"), actor="stranger")
OPEN, ACKNOWLEDGED, CLOSED = IncidentState.OPEN, IncidentState.ACKNOWLEDGED, IncidentState.CLOSED
RESOLVED = IncidentState.RESOLVED


@pytest.fixture
def line() -> Line:
    """Three incidents, a to c, of two sites; nothing of them is alike enough."""
    line = Line(Rules(join_at=1.01))
    line.fire("a")
    line.fire("b")
    line.fire("c", site="Harbour")
    return line


@pytest.fixture
def joined() -> Line:
    """One incident of three alerts."""
    line = Line()
    for key in "abc":
        line.fire(key)
    return line


def incident(line: Line, key: str = "a") -> str:
    return f"incident:{line.incident(key).id}"


def alert(line: Line, key: str = "a") -> str:
    return f"alert:{line.alert(key).id}"


def undo(line: Line, result: CommandResult, scope: Scope = ANA) -> CommandResult:
    assert result.undo is not None
    return line.act("undo", f"undo:{result.undo}", scope=scope)


def audits(line: Line) -> list[tuple[str, str]]:
    return [(audit.verb, audit.outcome) for audit in line.store.audits]


# -- every verb once done, once refused in words


def _shelved(line: Line) -> str:
    line.act("shelve", incident(line), minutes=5)
    return incident(line)


def _acked(line: Line) -> str:
    line.act("ack", incident(line))
    return incident(line)


def _silenced(line: Line) -> str:
    return "silence:" + line.act("silence", matchers='host="a"', minutes=5).id


def _merged(line: Line) -> str:
    return f"undo:{line.act('merge', incident(line, 'a'), incident(line, 'b')).undo}"


def _two(line: Line) -> str:
    return f"{incident(line, 'a')} {incident(line, 'b')}"


def _one_of_two(line: Line) -> str:
    line.act("merge", incident(line, "a"), incident(line, "b"))
    return alert(line, "b")


def _none(line: Line) -> str:
    return ""


def _over(line: Line) -> str:
    line.act("resolve", incident(line))
    return incident(line)


def _closed(line: Line) -> str:
    line.act("close", incident(line))
    return incident(line)


def _expired(line: Line) -> str:
    name = _silenced(line)
    line.act("expire_silence", name)
    return name


def _used(line: Line) -> str:
    name = _merged(line)
    line.act("undo", name)
    return name


Targets = Callable[[Line], str]
#: Params that a verb cannot do without.
NEEDED: dict[str, dict[str, Any]] = {
    "assign": {"owner": "bo"},
    "note": {"text": "x"},
    "shelve": {"minutes": 5},
    "assign_ticket": {"assignee": "bo"},
    "note_ticket": {"text": "x"},
    "move_ticket": {"state": "resolved"},
    "judge_finding": {"verdict": "true_alarm"},
    "run_playbook": {"playbook": "mend"},
    "approve": {"plan_sha256": "0" * 64},
    "reject": {"reason": "not now"},
    "hold": {"minutes": 5},
    "cancel": {"reason": "not now"},
}

DONE: list[tuple[str, Targets, dict[str, Any]]] = [
    ("ack", incident, {"note": "on it"}),
    ("ack", alert, {"minutes": 5}),
    ("unack", _acked, {}),
    ("shelve", incident, {"minutes": 5}),
    ("shelve", alert, {"until": at(600).isoformat()}),
    ("unshelve", _shelved, {}),
    ("silence", _none, {"matchers": 'host="a"', "minutes": 5, "comment": "spare part is on its way"}),
    ("expire_silence", _silenced, {}),
    ("assign", incident, {"owner": "bo"}),
    ("note", incident, {"text": "cable 4"}),
    ("note", alert, {"text": "cable 4"}),
    ("merge", _two, {}),
    ("split", _one_of_two, {}),
    ("resolve", incident, {"note": "fixed"}),
    ("close", incident, {"note": "fixed"}),
    ("undo", _merged, {}),
]

#: (verb, targets, params, what the refusal says)
REFUSED: list[tuple[str, Targets, dict[str, Any], str]] = [
    ("ack", _over, {}, "it is resolved"),
    ("unack", incident, {}, "it is not acknowledged"),
    ("shelve", _over, {"minutes": 5}, "it is resolved"),
    ("shelve", incident, {"minutes": 20_000}, "within seven days"),
    ("shelve", incident, {}, "within seven days"),
    ("unshelve", incident, {}, "it is not shelved"),
    ("silence", _none, {"matchers": 'host="a"'}, "must end after it begins"),
    ("expire_silence", _expired, {}, "it is over already"),
    ("assign", _closed, {"owner": "bo"}, "it is closed"),
    ("note", _closed, {"text": "x"}, "it is closed"),
    ("merge", incident, {}, "at least two open incidents"),
    ("split", alert, {}, "nothing would be left"),
    ("resolve", _over, {}, "it is resolved already"),
    ("close", _closed, {}, "it is closed"),
    ("undo", _used, {}, "it was undone already"),
]


def test_the_tables_below_leave_no_verb_out() -> None:
    # Verdicts act on fraud scores, which no alert of these tables has: tests/fraud/test_line.py.
    verdicts = {"confirm_fraud", "dismiss_fraud"}
    # These act on records of the watched world: tests/domain/test_findings.py.
    world = {"ticket", "assign_ticket", "note_ticket", "move_ticket", "judge_finding", "undo_threshold"}
    # These act on runs of playbooks: tests/playbooks.
    playbooks = {"run_playbook", "approve", "reject", "hold", "cancel", "kill_switch"}
    # These act on rotas and policies, which these tables have none of: tests/oncall.
    oncall = {"oncall_override", "oncall_swap", "oncall_cancel", "escalate"}
    # These are about models: tests/training.
    models = {"train", "cancel_training", "rollback_model"}
    elsewhere = verdicts | world | playbooks | oncall | models
    assert {verb for verb, *_ in DONE} == {verb for verb, *_ in REFUSED} == set(VERBS) - elsewhere


@pytest.mark.parametrize(("verb", "targets", "params"), DONE, ids=[f"{row[0]}-{row[1].__name__}" for row in DONE])
def test_done(line: Line, verb: str, targets: Targets, params: dict[str, Any]) -> None:
    named = targets(line).split()
    result = line.act(verb, *named, **params)
    assert result.changed
    assert result.refused == {}
    assert result.words.startswith(f"{verb}: ")
    assert audits(line)[-1] == (verb, "done")
    assert line.store.audits[-1].actor == "ana"


@pytest.mark.parametrize(
    ("verb", "targets", "params", "says"), REFUSED, ids=[f"{row[0]}-{row[1].__name__}-{row[2]}" for row in REFUSED]
)
def test_refused(line: Line, verb: str, targets: Targets, params: dict[str, Any], says: str) -> None:
    named = targets(line).split()
    before = dict(line.store.incidents)
    assert says in refusal(line, verb, *named, **params)
    assert line.store.incidents == before
    assert audits(line)[-1] in {(verb, "refused"), (verb, "nothing")}


def refusal(line: Line, verb: str, *targets: str, scope: Scope = ANA, **params: Any) -> str:
    """What an act says that it did not do, whether it stopped or left a target out."""
    try:
        result = line.act(verb, *targets, scope=scope, **params)
    except Refused as refused:
        assert refused.remedy
        return refused.reason
    assert result.changed == ()
    return " ".join(result.refused.values())


@pytest.mark.parametrize(
    ("verb", "target"),
    [(name, f"{kind}:999") for name, verb in sorted(VERBS.items()) for kind in sorted(verb.kinds) if name != "merge"],
)
def test_what_is_not_there_is_not_found(line: Line, verb: str, target: str) -> None:
    params = NEEDED.get(verb, {})
    assert "not found" in refusal(line, verb, target, **params)


@pytest.mark.parametrize("target", ["incident:", "incident:x", "incident:-1", "incident:٣", "incident:" + "9" * 40])
def test_a_target_that_is_no_number_is_not_found(line: Line, target: str) -> None:
    assert "not found" in refusal(line, "ack", target)


def test_one_bad_target_does_not_stop_the_others(line: Line) -> None:
    result = line.act("ack", incident(line, "a"), "incident:999", incident(line, "b"))
    assert result.changed == (incident(line, "a"), incident(line, "b"))
    assert list(result.refused) == ["incident:999"]
    assert "1 refused (incident:999: not found" in result.words


def test_a_target_named_twice_is_one(line: Line) -> None:
    result = line.act("note", incident(line), incident(line), text="once")
    assert (len(result.changed), line.incident("a").notes) == (1, 1)


def test_a_request_sent_twice_acts_once(line: Line) -> None:
    command = Command(verb="note", targets=(incident(line),), params={"text": "once"}, request="r1")
    asked = line.envelope(EnvelopeKind.COMMAND, Asked(command=command, scope=ANA), id="r1")
    (first,) = line.put(asked)
    assert first.changed == (incident(line),)
    assert line.restart().put(asked) == [None]
    assert (line.incident("a").notes, len(line.store.audits)) == (1, 1)


# -- who may


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_without_the_capability_nothing_is_done(line: Line, verb: str) -> None:
    less = replace(ANA, capabilities=ANA.capabilities - {VERBS[verb].capability})
    before = dict(line.store.incidents)
    with pytest.raises(Refused) as refused:
        line.act(verb, incident(line), scope=less)
    assert refused.value.status == 403
    assert VERBS[verb].capability in refused.value.reason
    assert line.store.incidents == before
    assert audits(line)[-1] == (verb, "refused")


@pytest.mark.parametrize("scope", [STRANGER, HARBOUR_ONLY], ids=["tenant", "site"])
@pytest.mark.parametrize("verb", ["ack", "unack", "shelve", "unshelve", "assign", "note", "resolve", "close"])
def test_what_a_scope_does_not_see_is_not_found(line: Line, verb: str, scope: Scope) -> None:
    params = NEEDED.get(verb, {})
    before = dict(line.store.incidents)
    assert refusal(line, verb, incident(line), scope=scope, **params).startswith("not found")
    assert line.store.incidents == before


@pytest.mark.parametrize("scope", [STRANGER, HARBOUR_ONLY], ids=["tenant", "site"])
def test_alerts_and_clusters_of_others_are_not_found(joined: Line, scope: Scope) -> None:
    for target in (alert(joined), f"cluster:{joined.alert('a').cluster}"):
        assert refusal(joined, "split", target, scope=scope).startswith("not found")


@pytest.mark.parametrize("scope", [STRANGER, HARBOUR_ONLY], ids=["tenant", "site"])
def test_what_a_scope_does_not_see_it_cannot_merge_or_undo(line: Line, scope: Scope) -> None:
    with pytest.raises(Refused):
        line.act("merge", incident(line, "a"), incident(line, "b"), scope=scope)
    result = line.act("merge", incident(line, "a"), incident(line, "b"))
    assert undo(line, result, scope).refused
    assert line.alert("b").incident == line.alert("a").incident


def test_a_silence_of_another_tenant_is_not_found(line: Line) -> None:
    assert refusal(line, "expire_silence", _silenced(line), scope=STRANGER) == "not found"


@pytest.mark.parametrize(
    ("matchers", "taken"),
    [
        ('site="Depot"', True),
        ('site="Depot", host="a"', True),
        ('site="Harbour"', False),
        ('host="a"', False),
        ('site=~"Depot"', False),
        ('site!="Harbour", host="a"', False),
    ],
)
def test_who_sees_some_sites_silences_these_only(line: Line, matchers: str, taken: bool) -> None:
    if taken:
        assert line.act("silence", scope=DEPOT_ONLY, matchers=matchers, minutes=5).changed
    else:
        with pytest.raises(Refused) as refused:
            line.act("silence", scope=DEPOT_ONLY, matchers=matchers, minutes=5)
        assert refused.value.field == "matchers"
        assert line.store.silences == {}


def test_who_sees_some_sites_ends_silences_of_these_only(line: Line) -> None:
    wide = line.act("silence", matchers='host="c"', minutes=5).id
    narrow = line.act("silence", matchers='site="Depot"', minutes=5).id
    assert refusal(line, "expire_silence", f"silence:{wide}", scope=DEPOT_ONLY) == "not found"
    with pytest.raises(Refused) as refused:
        line.act("silence", scope=DEPOT_ONLY, id=wide, matchers='site="Depot"', minutes=5)
    assert (refused.value.field, refused.value.status) == ("id", 404)
    assert line.act("expire_silence", f"silence:{narrow}", scope=DEPOT_ONLY).changed


# -- what is asked wrongly names the place


@pytest.mark.parametrize(
    ("verb", "params", "field"),
    [
        ("ack", {"minutes": "soon"}, "minutes"),
        ("ack", {"minutes": -1}, "minutes"),
        ("ack", {"minutes": float("nan")}, "minutes"),
        ("ack", {"minutes": 1e300}, "minutes"),
        ("ack", {"forever": True}, "forever"),
        ("unack", {"minutes": 5}, "minutes"),
        ("shelve", {"until": "tomorrow"}, "until"),
        ("shelve", {"until": "2026-05-04T13:00:00"}, "until"),
        ("assign", {}, "owner"),
        ("assign", {"owner": "x" * 129}, "owner"),
        ("note", {}, "text"),
        ("note", {"text": ""}, "text"),
        ("note", {"text": "x" * 4097}, "text"),
        ("resolve", {"note": ["x"]}, "note"),
    ],
)
def test_a_wrong_parameter_is_named(line: Line, verb: str, params: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused) as refused:
        line.act(verb, incident(line), **params)
    assert refused.value.field == field
    assert refused.value.remedy.startswith(f"{verb} takes ")


def test_an_unknown_verb_is_refused_with_the_known_ones(line: Line) -> None:
    with pytest.raises(Refused) as refused:
        line.act("explode", incident(line))
    assert refused.value.field == "verb"
    assert all(verb in refused.value.remedy for verb in VERBS)


@pytest.mark.parametrize(("verb", "target"), [("assign", "alert:1"), ("split", "incident:1"), ("ack", "cluster:1")])
def test_a_target_of_another_kind_is_refused(line: Line, verb: str, target: str) -> None:
    with pytest.raises(Refused) as refused:
        line.act(verb, target, **NEEDED.get(verb, {}))
    assert (refused.value.field, target in refused.value.reason) == ("targets", True)


# -- what each does


def test_shelved_until_its_time(line: Line) -> None:
    line.act("shelve", incident(line), alert(line, "b"), minutes=5)
    assert line.incident("a").shelved_until == line.alert("b").shelved_until == at(300)
    assert line.incident("b").muted == 1
    line.at(300).tick()
    assert (line.incident("a").shelved_until, line.alert("b").shelved_until) == (None, None)
    assert line.incident("b").muted == 0


def test_a_shelf_ends_also_when_the_engine_was_down(line: Line) -> None:
    line.act("shelve", incident(line), alert(line, "b"), minutes=5)
    line.at(900).restart().tick()
    assert (line.incident("a").shelved_until, line.alert("b").shelved_until) == (None, None)


def test_an_owner_comes_and_goes(line: Line) -> None:
    line.act("assign", incident(line), owner="bo")
    assert line.incident("a").owner == "bo"
    line.act("assign", incident(line), owner="")
    assert line.incident("a").owner == ""


def test_an_alert_acknowledged_alone_lapses_alone(joined: Line) -> None:
    joined.act("ack", alert(joined, "b"), minutes=5)
    assert [joined.alert(key).state for key in "abc"] == [AlertState.OPEN, AlertState.ACKNOWLEDGED, AlertState.OPEN]
    assert joined.incident().state is OPEN
    joined.at(300).tick()
    assert joined.alert("b").state is AlertState.OPEN


def test_an_ack_taken_back_is_taken_from_its_alerts_too(joined: Line) -> None:
    joined.act("ack", incident(joined))
    assert {joined.alert(key).state for key in "abc"} == {AlertState.ACKNOWLEDGED}
    joined.act("unack", incident(joined))
    assert {joined.alert(key).state for key in "abc"} == {AlertState.OPEN}
    assert joined.incident().acked_at == at(0)


def test_resolving_ends_what_still_fires(joined: Line) -> None:
    joined.at(60).act("resolve", incident(joined), note="new cable")
    assert (joined.incident().state, joined.incident().resolution) == (IncidentState.RESOLVED, "new cable")
    assert {joined.alert(key).ended_at for key in "abc"} == {at(60)}
    assert joined.incident().firing == 0


# -- merge


def counts(of: Incident) -> tuple[int, int, int]:
    return of.alerts, of.firing, of.events


def test_merging_three_keeps_everything(line: Line) -> None:
    ids = [line.incident(key).id for key in "abc"]
    line.fire("b", 0)
    line.act("merge", *(f"incident:{number}" for number in ids))
    line.at(5).tick()
    assert {line.alert(key).incident for key in "abc"} == {ids[0]}
    assert counts(line.incident("a")) == (3, 3, 4)
    assert line.incident("a").sites == ("Depot", "Harbour")
    assert [line.book.incidents[number].merged_into for number in ids] == [None, ids[0], ids[0]]
    assert line.book.incidents[ids[1]].state is CLOSED
    assert line.alert("b").why[-1].facts == {"from": ids[1], "by": "ana"}


def test_the_merged_ids_lead_to_the_target(line: Line) -> None:
    first, second, third = (incident(line, key) for key in "abc")
    line.act("merge", second, third)
    line.act("merge", first, second)
    assert line.act("ack", third).changed == (first,)
    assert line.incident("c").state is ACKNOWLEDGED


def test_what_joins_a_merged_cluster_joins_the_target() -> None:
    line = Line()
    line.fire("a")
    line.fire("b", site="Harbour")
    line.act("merge", incident(line, "a"), incident(line, "b"))
    line.at(10).fire("c", site="Harbour")
    assert line.incident("c").id == line.incident("a").id


def test_a_merge_takes_the_worst_and_the_shortest_time(line: Line) -> None:
    line.at(60).fire("d", severity=Severity.CRITICAL)
    line.act("merge", incident(line, "a"), incident(line, "d"))
    assert (line.incident("a").severity, line.incident("a").due_at) == (Severity.CRITICAL, at(900))


def test_a_merge_keeps_the_promise_of_the_older_one(line: Line) -> None:
    line.at(600).fire("d")
    line.act("merge", incident(line, "d"), incident(line, "a"))
    assert line.incident("d").due_at == at(3600)


def test_a_merge_of_an_incident_that_is_over_is_refused(line: Line) -> None:
    line.act("resolve", incident(line, "b"))
    with pytest.raises(Refused, match="at least two open incidents"):
        line.act("merge", incident(line, "a"), incident(line, "b"))
    assert line.alert("b").incident != line.alert("a").incident


def test_a_merge_undone(line: Line) -> None:
    before = {key: line.incident(key) for key in "abc"}
    result = line.act("merge", *(incident(line, key) for key in "abc"))
    undo(line.at(60), result)
    line.at(65).tick()
    for key in "abc":
        now = line.incident(key)
        assert (now.id, now.state, now.sites, now.clusters, now.due_at) == (
            before[key].id, OPEN, before[key].sites, before[key].clusters, before[key].due_at,
        )  # fmt: skip
        assert counts(now) == (1, 1, 1)
        assert now.merged_into is None
        assert now.version > before[key].version


# -- split


def test_a_split_of_alerts(joined: Line) -> None:
    origin = joined.incident("a").id
    result = joined.act("split", alert(joined, "b"), alert(joined, "c"))
    assert result.id == incident(joined, "b") != f"incident:{origin}"
    assert joined.alert("c").incident == joined.alert("b").incident
    joined.at(5).tick()
    assert (counts(joined.incident("a")), counts(joined.incident("b"))) == ((1, 1, 1), (2, 2, 2))
    assert joined.alert("b").why[-1].code == "split"
    joined.at(10).fire("d")
    assert joined.alert("d").incident == origin


def test_a_split_of_a_whole_cluster(line: Line) -> None:
    line.act("merge", incident(line, "a"), incident(line, "b"))
    cluster = line.alert("b").cluster
    line.act("split", f"cluster:{cluster}")
    assert line.incident("b").id != line.incident("a").id
    assert line.alert("b").cluster == cluster
    assert line.cluster("b").incident == line.incident("b").id


def test_a_split_of_two_incidents_is_refused(line: Line) -> None:
    with pytest.raises(Refused, match="alerts of one incident"):
        line.act("split", alert(line, "a"), alert(line, "b"))


def test_a_split_of_the_root_leaves_another_one(joined: Line) -> None:
    joined.act("split", alert(joined, "a"))
    assert joined.incident("b").root == joined.alert("b").id
    assert joined.incident("a").root == joined.alert("a").id


def test_a_split_undone(joined: Line) -> None:
    before = joined.incident("a")
    result = joined.act("split", alert(joined, "a"))
    made = joined.incident("a").id
    undo(joined.at(60), result)
    joined.at(65).tick()
    now = joined.incident("a")
    assert (now.id, now.title, now.clusters) == (before.id, before.title, before.clusters)
    # Which of them is the likely cause is judged anew.
    assert now.root in {joined.alert(key).id for key in "abc"}
    assert counts(now) == (3, 3, 3)
    assert joined.cluster("a").alerts == 3
    assert (joined.book.incidents[made].state, joined.book.incidents[made].merged_into) == (CLOSED, before.id)


# -- taking back a close, a silence


def test_a_close_undone(joined: Line) -> None:
    joined.act("assign", incident(joined), owner="bo")
    result = joined.at(60).act("close", incident(joined))
    assert joined.incident().state is CLOSED
    undo(joined.at(120), result)
    assert (joined.incident().state, joined.incident().owner) == (OPEN, "bo")
    assert [joined.alert(key).state for key in "abc"] == [AlertState.OPEN] * 3
    assert counts(joined.incident()) == (3, 3, 3)
    assert joined.at(130).fire("d").incident == joined.incident("a").id
    assert joined.store.patterns[joined.tenant, "LinkDown"].incidents == 0


def test_a_resolve_undone(joined: Line) -> None:
    joined.act("assign", incident(joined), owner="bo")
    result = joined.at(60).act("resolve", incident(joined))
    assert joined.incident().state is RESOLVED
    undo(joined.at(120), result)
    assert (joined.incident().state, joined.incident().owner) == (OPEN, "bo")
    assert [joined.alert(key).state for key in "abc"] == [AlertState.OPEN] * 3
    assert counts(joined.incident()) == (3, 3, 3)
    assert joined.at(130).fire("d").incident == joined.incident("a").id
    assert joined.store.patterns[joined.tenant, "LinkDown"].incidents == 0


def test_a_resolve_of_what_is_over_leaves_nothing_to_undo(joined: Line) -> None:
    joined.act("resolve", incident(joined))
    assert joined.act("resolve", incident(joined)).undo is None


def test_a_close_undone_after_a_restart(joined: Line) -> None:
    result = joined.at(60).act("close", incident(joined))
    joined.restart()
    undo(joined.at(120), result)
    assert (joined.incident().state, joined.incident().firing) == (OPEN, 3)


def test_a_silence_undone(line: Line) -> None:
    result = line.act("silence", matchers='host="a"', minutes=60)
    assert line.alert("a").silenced_by == (result.id,)
    undo(line.at(60), result)
    assert (line.alert("a").silenced_by, line.incident("a").muted) == ((), 0)
    assert line.store.silences[line.tenant, result.id].ends_at == at(60)


MADE: list[tuple[str, Callable[[Line], CommandResult]]] = [
    ("merge", lambda line: line.act("merge", incident(line, "a"), incident(line, "b"))),
    ("split", lambda line: line.act("split", _one_of_two(line))),
    ("resolve", lambda line: line.act("resolve", incident(line))),
    ("close", lambda line: line.act("close", incident(line))),
    ("silence", lambda line: line.act("silence", matchers='host="a"', minutes=60)),
]


@pytest.mark.parametrize(("verb", "make"), MADE, ids=[row[0] for row in MADE])
def test_nothing_is_undone_twice(line: Line, verb: str, make: Callable[[Line], CommandResult]) -> None:
    result = make(line)
    assert undo(line.at(60), result).changed
    stored = dict(line.store.incidents)
    assert list(undo(line.at(70), result).refused.values()) == ["it was undone already"]
    assert line.store.incidents == stored


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize(("seconds", "refused"), [(599, False), (600, True)])
@pytest.mark.parametrize(("verb", "make"), MADE, ids=[row[0] for row in MADE])
def test_ten_minutes_are_enough(
    line: Line, verb: str, make: Callable[[Line], CommandResult], seconds: float, refused: bool, restart: bool
) -> None:
    result = make(line)
    line.at(seconds)
    assert bool(undo(line.restart() if restart else line, result).refused) is refused


@pytest.mark.parametrize(("verb", "make"), MADE, ids=[row[0] for row in MADE])
def test_undoing_takes_what_doing_took(line: Line, verb: str, make: Callable[[Line], CommandResult]) -> None:
    result = make(line)
    less = replace(ANA, capabilities=frozenset({"noc:view", "noc:ack"}))
    assert undo(line, result, less).refused[f"undo:{result.undo}"] == f"it takes {VERBS[verb].capability}"


def test_every_act_leaves_one_audit_row(line: Line) -> None:
    line.act("ack", incident(line), request="r1")
    found: Audit = line.store.audits[-1]
    assert (found.actor, found.origin, found.subject, found.tenant) == ("ana", "local", incident(line), line.tenant)
    assert found.detail == {"changed": [incident(line)], "request": "r1"}
    assert len(line.store.audits) == 1


def test_notes_are_kept_newest_last_and_bounded(line: Line) -> None:
    for number in range(25):
        line.act("note", alert(line), text=f"note {number}")
    kept: Alert = line.alert("a")
    assert [note.text for note in kept.notes] == [f"note {number}" for number in range(5, 25)]


@pytest.mark.parametrize("verb", ["resolve", "close"])
def test_what_ends_alerts_takes_sight_of_all_their_sites(line: Line, verb: str) -> None:
    line.act("merge", incident(line, "a"), incident(line, "c"))
    target = incident(line, "a")
    for scope in (DEPOT_ONLY, HARBOUR_ONLY):
        assert "do not see" in refusal(line, verb, target, scope=scope)
    assert line.alert("a").ended_at is line.alert("c").ended_at is None
    assert line.act(verb, target, scope=replace(DEPOT_ONLY, sites=frozenset({"Depot", "Harbour"}))).changed
    assert line.alert("a").ended_at is not None and line.alert("c").ended_at is not None
