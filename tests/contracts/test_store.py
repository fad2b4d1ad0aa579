"""What every store promises its one writer: all or nothing, fenced, and read back as it was written."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from data.ports import ClusterTouch, Fenced, IncidentTouch, Seen, Select, StoreError, Touch
from data.query_ast import Compare, Not, Op
from data.records import (
    Alert,
    AlertId,
    AlertNotes,
    AlertState,
    ClusterId,
    Incident,
    IncidentId,
    IncidentState,
    Note,
    Pattern,
    Severity,
    Token,
    Undo,
)
from data.scope import CAPABILITIES
from tests.fakes.stored import (
    NOW,
    TENANT,
    ZERO,
    alert,
    audit,
    changes,
    cluster,
    commit,
    effect,
    ended,
    entry,
    incident,
    later,
    reject,
    scope,
    silence,
)
from tests.fakes.stores import StoreKind

TTL = 30.0


@pytest.fixture
async def epoch(store: Any) -> int:
    taken: int = await store.acquire(ZERO, "one", NOW, TTL)
    return taken


@pytest.fixture
async def reader(kind: StoreKind, store: Any, tmp_path: Path) -> AsyncIterator[Any]:
    opened = kind.reader(tmp_path)
    yield opened
    await opened.close()


async def select(reader: Any, kind: str, **fields: Any) -> list[Any]:
    return list((await reader.select(scope(), Select(kind=kind, **fields), NOW)).items)


async def test_a_new_store_is_empty_and_counts_from_one(store: Any) -> None:
    snapshot = await store.load(ZERO, NOW, 900.0)
    assert (snapshot.alerts, snapshot.incidents, snapshot.seq) == ([], [], 0)
    assert (snapshot.next_alert, snapshot.next_cluster, snapshot.next_incident) == (1, 1, 1)


async def test_everything_of_a_commit_is_loaded_as_it_was(store: Any, epoch: int) -> None:
    written: dict[str, Any] = {
        "alerts": [alert(number) for number in range(1, 100)],
        "clusters": [cluster(1), cluster(2)],
        "incidents": [incident(1), incident(2)],
        "silences": [silence("b"), silence("a")],
        "undos": [Undo(id="u", tenant=TENANT, actor="ana", verb="merge", subject="", at=NOW, expires_at=later(600))],
        "notes": [AlertNotes(tenant=TENANT, key="k", notes=(Note(by="ana", at=NOW, text="seen"),))],
        "patterns": [Pattern(tenant=TENANT, name="n", incidents=1, alerts=2, resolution_seconds=3.0, last_at=NOW)],
        "seen": [Seen(tenant=TENANT, source="hook", id="x", at=NOW)],
    }
    await store.commit(commit(epoch, written, changes=changes(1, 3)))
    snapshot = await store.load(ZERO, NOW, 900.0)
    written["silences"] = [silence("a"), silence("b")]
    for name, records in written.items():
        assert getattr(snapshot, name) == records, name
    assert (snapshot.seq, snapshot.next_alert, snapshot.next_cluster, snapshot.next_incident) == (3, 100, 3, 3)


async def test_what_an_undo_can_bring_back_is_loaded(store: Any, epoch: int) -> None:
    closed = [incident(number, state=IncidentState.CLOSED) for number in (1, 2, 3)]
    undos = [
        Undo(
            id=f"u{found.id}", tenant=TENANT, actor="ana", verb="close", subject="", at=NOW,
            expires_at=later(seconds), incidents=(found,), used=used,
        )
        for found, seconds, used in zip(closed, (600, -1, 600), (False, False, True), strict=True)
    ]  # fmt: skip
    alerts = [ended(number, later(-9000), incident=number) for number in (1, 2, 3)]
    clusters = [cluster(number, incident=number, closed=True) for number in (1, 2, 3)]
    await store.commit(commit(epoch, {"alerts": alerts, "incidents": closed, "clusters": clusters, "undos": undos}))
    snapshot = await store.load(ZERO, NOW, 900.0)
    for records in (snapshot.alerts, snapshot.incidents, snapshot.clusters):
        assert [found.id for found in records] == [1]


async def test_what_is_over_is_not_loaded(store: Any, epoch: int) -> None:
    # Alert 4 ended long ago, but its incident is not over; that of alert 5 is resolved, that of 6 closed.
    alerts = [
        ended(1, later(-901), incident=2),
        ended(2, later(-899), incident=2),
        alert(3),
        ended(4, later(-901), incident=4),
        ended(5, later(-901), incident=2),
        ended(6, later(-901), incident=1),
        ended(7, later(-899), incident=4),
    ]
    incidents = [
        incident(1, state=IncidentState.CLOSED),
        incident(2, state=IncidentState.RESOLVED),
        incident(3, merged_into=2),
        incident(4, state=IncidentState.RETURNED),
    ]
    clusters = [cluster(1), cluster(2), cluster(3), cluster(4, closed=True), cluster(5, incident=4)]
    await store.commit(commit(epoch, alerts=alerts, incidents=incidents, clusters=clusters))
    snapshot = await store.load(ZERO, NOW, 900.0)
    assert sorted(found.id for found in snapshot.alerts) == [2, 3, 4, 7]
    assert [found.id for found in snapshot.incidents] == [2, 4]
    assert [found.id for found in snapshot.clusters] == [2, 4, 5]
    assert snapshot.next_incident == 5


async def test_a_touch_moves_three_fields_and_no_other(store: Any, epoch: int, reader: Any) -> None:
    await store.commit(commit(epoch, alerts=[alert(1), alert(2)]))
    await store.commit(commit(epoch, touches=[Touch(AlertId(2), 77, later(60), later(300))]))
    moved = replace(alert(2), count=77, last_at=later(60), ends_at=later(300))
    assert (await store.load(ZERO, NOW, 0.0)).alerts == [alert(1), moved]
    assert await select(reader, "alerts") == [moved, alert(1)]


async def test_counts_of_incidents_and_clusters_move_alone(store: Any, epoch: int, reader: Any) -> None:
    await store.commit(
        commit(epoch, incidents=[incident(1), incident(2)], clusters=[cluster(1), cluster(2)], alerts=[alert(1)])
    )
    counted = {"alerts": 9, "firing": 8, "muted": 7, "suppressed": 6, "events": 5, "last_at": later(60), "version": 4}
    grown = {"alerts": 9, "suppressed": 8, "entities": 7, "opened_at": later(-60), "last_at": later(60)}
    await store.commit(
        commit(
            epoch,
            incident_touches=[IncidentTouch(IncidentId(2), **counted)],
            cluster_touches=[ClusterTouch(ClusterId(2), **grown)],
        )
    )
    snapshot = await store.load(ZERO, NOW, 0.0)
    moved, joined = replace(incident(2), **counted), replace(cluster(2), **grown)
    assert (snapshot.incidents, snapshot.clusters) == ([incident(1), moved], [cluster(1), joined])
    assert await select(reader, "incidents", ids=("2",)) == [moved]
    assert await select(reader, "clusters", ids=("2",)) == [joined]
    assert await select(reader, "incidents", sort="-events", limit=1) == [incident(1)]
    await store.commit(commit(epoch, incidents=[incident(2)]))
    assert await select(reader, "incidents", ids=("2",)) == [incident(2)]


async def test_bodies_that_were_encoded_before_are_stored_as_they_are(store: Any, epoch: int) -> None:
    await store.commit(commit(epoch, alerts=[alert(2)]))
    alerts = [alert(3), alert(2, title="changed"), alert(4)]
    await store.commit(commit(epoch, alerts=alerts, bodies=[msgspec.json.encode(found) for found in alerts]))
    assert (await store.load(ZERO, NOW, 0.0)).alerts == [alert(2, title="changed"), alert(3), alert(4)]


async def test_a_slim_log_is_filled_when_it_is_read(store: Any, epoch: int, reader: Any) -> None:
    slim = changes(1, 3, record=msgspec.Raw(b"null"))
    full = [
        replace(slim[0], subject="alert:1"),
        replace(slim[1], subject="incident:1", kind="incident_updated"),
        replace(slim[2], subject="alert:99"),
    ]
    await store.commit(
        commit(
            epoch,
            alerts=[alert(1)],
            incidents=[incident(1)],
            changes=full,
            slim=[msgspec.json.encode(change) for change in full],
        )
    )
    await store.commit(commit(epoch, touches=[Touch(AlertId(1), 50, NOW, NOW)], changes=changes(4, 1)))
    moved = replace(alert(1), count=50, last_at=NOW, ends_at=NOW)
    for found in (
        await reader.changes(scope(), ZERO, 0, 10),
        list(reversed(await select(reader, "events"))),
    ):
        assert msgspec.json.decode(found[0].record, type=Alert) == moved
        assert msgspec.json.decode(found[1].record, type=Incident) == incident(1)
        assert [bytes(change.record) for change in found[2:]] == [b"null", b'{"id":4}']
    hidden = await reader.changes(scope(sites=frozenset({"site-1"})), ZERO, 0, 10)
    assert [change.seq for change in hidden] == [1, 2, 3, 4]


@pytest.mark.parametrize("state", IncidentState)
async def test_incidents_that_are_not_over_come_with_all_their_alerts(
    store: Any, epoch: int, state: IncidentState
) -> None:
    await store.commit(commit(epoch, alerts=[ended(1, later(-9e6), incident=1)], incidents=[incident(1, state=state)]))
    snapshot = await store.load(ZERO, NOW, 900.0)
    assert [found.id for found in snapshot.incidents] == ([] if state is IncidentState.CLOSED else [1])
    over = state in (IncidentState.RESOLVED, IncidentState.CLOSED)
    assert [found.id for found in snapshot.alerts] == ([] if over else [1])


async def test_alerts_of_an_incident_are_listed_open_and_ended(store: Any, epoch: int, reader: Any) -> None:
    await store.commit(commit(epoch, alerts=[ended(2, incident=7), ended(3, incident=8)]))
    await store.commit(commit(epoch, alerts=[alert(4, incident=7), alert(5, incident=8), alert(6, incident=7)]))
    for active, expected in ((None, [6, 4, 2]), (True, [6, 4]), (False, [2])):
        assert [found.id for found in await select(reader, "alerts", incident=7, active=active)] == expected


async def test_text_is_found_in_the_records_that_a_slim_log_leaves_out(store: Any, epoch: int, reader: Any) -> None:
    bare = [replace(change, subject=f"alert:{change.seq}") for change in changes(1, 3, record=msgspec.Raw(b"null"))]
    alerts = [alert(1), alert(2, title="disk is full"), alert(3, labels={"mount": "/disk"})]
    slim = [msgspec.json.encode(change) for change in bare]
    await store.commit(commit(epoch, alerts=alerts, changes=bare, slim=slim))
    for words, expected in (("disk", [3, 2]), ("is full", [2]), ("alert:1", [1]), ("elsewhere", [])):
        asked = Compare(field="text", op=Op.HAS, value=words)
        assert [found.seq for found in await select(reader, "events", where=asked)] == expected
    others = Not(part=Compare(field="text", op=Op.HAS, value="disk"))
    assert [found.seq for found in await select(reader, "events", where=others)] == [1]


async def test_a_change_after_touches_replaces_the_whole_alert(store: Any, epoch: int) -> None:
    await store.commit(commit(epoch, alerts=[alert(1)]))
    await store.commit(commit(epoch, touches=[Touch(AlertId(1), 5, later(60), later(300))]))
    changed = alert(1, severity=Severity.CRITICAL, state=AlertState.ACKNOWLEDGED, count=6, labels={"a": "b"})
    await store.commit(commit(epoch, alerts=[changed, alert(2)]))
    assert (await store.load(ZERO, NOW, 0.0)).alerts == [changed, alert(2)]


async def test_ids_may_arrive_out_of_order(store: Any, epoch: int) -> None:
    await store.commit(commit(epoch, alerts=[alert(9), alert(7)]))
    await store.commit(commit(epoch, alerts=[alert(8), alert(10)]))
    assert [found.id for found in (await store.load(ZERO, NOW, 0.0)).alerts] == [7, 8, 9, 10]


async def test_a_commit_that_fails_leaves_nothing(store: Any, epoch: int, reader: Any) -> None:
    broken = replace(entry(1), kind=None)
    with pytest.raises(StoreError) as caught:
        await store.commit(
            commit(epoch, alerts=[alert(1)], incidents=[incident(1)], timeline=[broken], changes=changes(1, 1))
        )
    assert not caught.value.retryable
    snapshot = await store.load(ZERO, NOW, 900.0)
    assert (snapshot.alerts, snapshot.incidents, snapshot.seq) == ([], [], 0)
    await store.commit(commit(epoch, alerts=[alert(1)], timeline=[entry(1)], changes=changes(1, 1)))
    assert await select(reader, "alerts") == [alert(1)]


@pytest.mark.parametrize("first", [1, 2, 4])
async def test_seqs_must_follow_on(store: Any, epoch: int, first: int) -> None:
    await store.commit(commit(epoch, changes=changes(1, 2)))
    with pytest.raises(StoreError, match="seq"):
        await store.commit(commit(epoch, alerts=[alert(1)], changes=changes(first, 2)))
    assert (await store.load(ZERO, NOW, 0.0)).alerts == []


async def test_a_gap_inside_a_commit_is_refused(store: Any, epoch: int) -> None:
    with pytest.raises(StoreError, match="gap"):
        await store.commit(commit(epoch, changes=(*changes(1, 1), *changes(3, 1))))


async def test_the_lease_has_one_owner_at_a_time(store: Any, epoch: int) -> None:
    assert await store.acquire(ZERO, "two", later(TTL - 1), TTL) is None
    assert await store.acquire(ZERO, "two", later(TTL + 1), TTL) == epoch + 1
    assert await store.acquire(ZERO, "two", later(TTL + 2), TTL) == epoch + 2


async def test_a_released_lease_is_free_at_once(store: Any, epoch: int) -> None:
    await store.release(ZERO, epoch)
    assert await store.acquire(ZERO, "two", NOW, TTL) == epoch + 1


async def test_a_commit_and_a_renewal_extend_the_lease(store: Any, epoch: int) -> None:
    await store.commit(commit(epoch, at=later(20), changes=changes(1, 1)))
    assert await store.acquire(ZERO, "two", later(20 + TTL - 1), TTL) is None
    await store.renew(ZERO, epoch, later(40))
    assert await store.acquire(ZERO, "two", later(40 + TTL - 1), TTL) is None
    assert await store.acquire(ZERO, "two", later(40 + TTL + 1), TTL) == epoch + 1


async def test_who_lost_the_lease_writes_nothing(kind: StoreKind, store: Any, epoch: int, tmp_path: Path) -> None:
    other = kind.writer(tmp_path)
    await other.open()
    try:
        won = await other.acquire(ZERO, "two", later(TTL + 1), TTL)
        for losing in (
            store.commit(commit(epoch, alerts=[alert(1)], changes=changes(1, 1))),
            store.commit(commit(epoch, alerts=[alert(1)])),
            store.renew(ZERO, epoch, later(TTL + 2)),
        ):
            with pytest.raises(Fenced):
                await losing
        assert (await other.load(ZERO, NOW, 0.0)).alerts == []
        await other.commit(commit(won, alerts=[alert(1)], changes=changes(1, 1)))
    finally:
        await other.close()


async def test_effects_are_stored_once_for_their_key(store: Any, epoch: int, reader: Any) -> None:
    await store.commit(commit(epoch, effects=[effect("a")]))
    await store.commit(commit(epoch, effects=[effect("a", action="other"), effect("b")]))
    assert {found.key: found.action for found in await select(reader, "effects")} == {"a": "notify", "b": "notify"}


async def test_an_effect_is_claimed_once_and_when_it_is_due(store: Any, epoch: int) -> None:
    await store.commit(commit(epoch, effects=[effect("now"), effect("soon", due_at=later(10))]))
    claimed = await store.claim(ZERO, NOW, 10, 60.0)
    assert [(found.key, found.state, found.attempt, found.leased_until) for found in claimed] == [
        ("now", "running", 1, later(60))
    ]
    assert list(await store.claim(ZERO, NOW, 10, 60.0)) == []
    assert [found.key for found in await store.claim(ZERO, later(10), 10, 60.0)] == ["soon"]


async def test_a_settled_effect_is_not_claimed_again(store: Any, epoch: int, reader: Any) -> None:
    await store.commit(commit(epoch, effects=[effect("a"), effect("b")]))
    first, second = await store.claim(ZERO, NOW, 10, 60.0)
    await store.settle(replace(first, state="done", result="sent", leased_until=None))
    await store.settle(replace(second, state="pending", due_at=later(30), leased_until=None))
    assert [found.key for found in await store.claim(ZERO, later(31), 10, 60.0)] == ["b"]
    assert {found.key: found.state for found in await select(reader, "effects")} == {"a": "done", "b": "running"}


async def test_an_orphan_becomes_unknown_and_its_runner_may_still_say_how_it_went(
    store: Any, epoch: int, reader: Any
) -> None:
    await store.commit(commit(epoch, effects=[effect("a")]))
    (claimed,) = await store.claim(ZERO, NOW, 10, 60.0)
    assert list(await store.claim(ZERO, later(61), 10, 60.0)) == []
    assert [found.state for found in await select(reader, "effects")] == ["unknown"]
    await store.settle(replace(claimed, state="done"))
    assert [found.state for found in await select(reader, "effects")] == ["done"]


async def test_a_late_runner_does_not_overwrite_a_later_attempt(store: Any, epoch: int, reader: Any) -> None:
    await store.commit(commit(epoch, effects=[effect("a")]))
    (late,) = await store.claim(ZERO, NOW, 10, 60.0)
    await store.settle(replace(late, state="pending", leased_until=None))
    (again,) = await store.claim(ZERO, later(1), 10, 60.0)
    await store.settle(replace(late, state="failed"))
    assert await select(reader, "effects") == [again]


async def test_claims_need_the_lease(kind: StoreKind, store: Any, epoch: int, tmp_path: Path) -> None:
    await store.commit(commit(epoch, effects=[effect("a")]))
    other = kind.writer(tmp_path)
    await other.open()
    try:
        with pytest.raises(Fenced):
            await other.claim(ZERO, NOW, 10, 60.0)
    finally:
        await other.close()
    assert [found.state for found in await store.claim(ZERO, NOW, 10, 60.0)] == ["running"]


async def test_what_is_disowned_waits_for_no_lease(store: Any, epoch: int, reader: Any) -> None:
    await store.commit(commit(epoch, effects=[effect("a"), effect("b", action="again"), effect("c")]))
    claimed = {found.key: found for found in await store.claim(ZERO, NOW, 10, 60.0)}
    await store.settle(replace(claimed["c"], state="done"))
    assert await store.disown(ZERO, ("again",)) == 2
    assert {found.key: found.state for found in await select(reader, "effects")} == {
        "a": "unknown", "b": "pending", "c": "done"
    }  # fmt: skip
    assert [(found.key, found.attempt) for found in await store.claim(ZERO, NOW, 10, 60.0)] == [("b", 2)]
    assert await store.disown(ZERO) == 1


async def test_who_has_no_lease_disowns_nothing(kind: StoreKind, store: Any, epoch: int, tmp_path: Path) -> None:
    await store.commit(commit(epoch, effects=[effect("a")]))
    await store.claim(ZERO, NOW, 10, 60.0)
    other = kind.writer(tmp_path)
    await other.open()
    try:
        with pytest.raises(Fenced):
            await other.disown(ZERO)
    finally:
        await other.close()
    assert list(await store.claim(ZERO, NOW, 10, 60.0)) == []


async def test_audits_form_one_chain_per_tenant(store: Any, epoch: int, reader: Any) -> None:
    await store.commit(commit(epoch, audits=[audit("ack"), audit("note", tenant="other"), audit("close")]))
    await store.commit(commit(epoch, audits=[audit("reopen")]))
    links = list(reversed(await select(reader, "audits")))
    assert [(link.seq, link.verb) for link in links] == [(1, "ack"), (2, "close"), (3, "reopen")]
    assert [link.prev for link in links] == ["", links[0].hash, links[1].hash]
    assert all(len(link.hash) == 64 for link in links)


async def test_rejects_get_an_id_and_keep_it(store: Any, epoch: int, reader: Any) -> None:
    await store.commit(commit(epoch, rejects=[reject(), reject(body="[]")]))
    second, first = await select(reader, "rejects")
    assert (first, second) == (reject(id=1), reject(id=2, body="[]"))
    await store.commit(commit(epoch, rejects=[replace(first, state="replayed", attempts=2), reject()]))
    assert [(found.id, found.state) for found in await select(reader, "rejects")] == [
        (3, "waiting"),
        (2, "waiting"),
        (1, "replayed"),
    ]


async def test_tokens_are_saved_and_replaced(store: Any, reader: Any) -> None:
    token = Token(
        id="t",
        tenant=TENANT,
        name="hook",
        secret_sha256="0" * 64,
        capabilities=tuple(sorted(CAPABILITIES)),
        created_at=NOW,
        expires_at=later(60),
    )
    await store.save_token(token)
    await store.save_token(replace(token, revoked_at=NOW))
    assert list(await reader.tokens()) == [replace(token, revoked_at=NOW)]


async def test_an_idempotency_key_is_kept_a_day(store: Any, epoch: int) -> None:
    old, young = Seen("t", "hook", "old", later(-24 * 3600 - 1)), Seen("t", "hook", "young", later(-24 * 3600 + 1))
    await store.commit(commit(epoch, seen=[young, old]))
    assert (await store.load(ZERO, NOW, 0.0)).seen == [young]
    assert await store.prune(NOW, {}) == 1


async def test_pruning_forgets_what_ended_long_ago_and_nothing_else(store: Any, epoch: int, reader: Any) -> None:
    long_ago = later(-10 * 86_400)
    alerts = [ended(number, long_ago) for number in range(1, 12_002)] + [alert(12_002, received_at=long_ago)]
    parts: dict[str, Any] = {
        "alerts": [*alerts, ended(12_003, NOW), ended(12_004, long_ago)],
        "incidents": [
            incident(1, state=IncidentState.CLOSED, closed_at=long_ago),
            incident(2, opened_at=long_ago),
            incident(3, state=IncidentState.CLOSED, closed_at=NOW),
        ],
        "clusters": [cluster(1), cluster(2), cluster(3)],
        "timeline": [entry(1), entry(2), entry(3)],
        "audits": [audit("ack", at=long_ago)],
    }
    await store.commit(commit(epoch, parts))
    deleted = await store.prune(NOW, {"alerts": 9.0, "incidents": 9.0})
    # The greatest id stays, so that no number is given out a second time.
    assert [found.id for found in await select(reader, "alerts")] == [12_004, 12_003, 12_002]
    for name in ("incidents", "clusters"):
        assert sorted(found.id for found in await select(reader, name)) == [2, 3]
    assert sorted(found.incident for found in await select(reader, "timeline")) == [2, 3]
    assert len(await select(reader, "audits")) == 1
    assert deleted == 12_001 + 1
    assert (await store.load(ZERO, NOW, 0.0)).next_alert == 12_005


async def test_a_pruned_change_log_asks_old_readers_to_resync(store: Any, epoch: int, reader: Any) -> None:
    await store.commit(commit(epoch, at=later(-10 * 86_400), changes=changes(1, 2)))
    await store.commit(commit(epoch, changes=changes(3, 2)))
    assert await store.prune(NOW, {"events": 9.0}) == 1
    assert await reader.changes(scope(), ZERO, 1, 10) is None
    assert [change.seq for change in await reader.changes(scope(), ZERO, 2, 10)] == [3, 4]


async def test_closing_twice_and_using_a_closed_store(store: Any, epoch: int) -> None:
    await store.close()
    await store.close()
    with pytest.raises(StoreError, match="not open"):
        await store.commit(commit(epoch, alerts=[alert(1)]))
