"""What Alertmanager's API v2 says about alerts and silences."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from data.records import (
    DEFAULT_TENANT,
    Ack,
    Alert,
    AlertId,
    AlertState,
    ClusterId,
    IncidentId,
    Matcher,
    Severity,
    Silence,
)
from engine.alertmanager_silences import (
    SilenceWrite,
    check_silence,
    check_silence_id,
    expire_silence,
    read_silence,
    render_silence,
    render_silences,
    silence_filter,
    silence_state,
)
from engine.alertmanager_view import (
    RECEIVER,
    AlertBoard,
    FaceError,
    alert_filter,
    configuration,
    render_receivers,
    render_status,
    timestamp,
)
from engine.fingerprint import fingerprint
from tests.fakes.bodies import NOW

MINUTE = timedelta(minutes=1)
RECORDED = Path(__file__).parents[3] / "shared" / "datasets" / "alertmanager_payloads"


def alert(number: int = 1, **changes: Any) -> Alert:
    labels = changes.pop("labels", {"alertname": "HighLatency", "instance": f"web-{number}"})
    given = Alert(
        id=AlertId(number),
        tenant=DEFAULT_TENANT,
        key=f"{number:016x}",
        source="prometheus",
        name="HighLatency",
        severity=Severity.CRITICAL,
        state=AlertState.OPEN,
        title="slow",
        site="",
        entity="",
        entity_type="",
        service="",
        client="",
        correlation="",
        labels=labels,
        annotations={"summary": "slow"},
        url="http://prometheus/graph",
        starts_at=NOW - 5 * MINUTE,
        received_at=NOW - 5 * MINUTE,
        last_at=NOW - MINUTE,
        ends_at=NOW + 4 * MINUTE,
        timeout=False,
        count=3,
        cluster=ClusterId(1),
        incident=IncidentId(1),
    )
    return replace(given, **changes)


def shown(*alerts: Alert, board: AlertBoard | None = None, at: datetime = NOW, **params: str) -> list[dict[str, Any]]:
    pieces = (board or AlertBoard()).alerts(alerts, at, alert_filter(params.items()))
    return msgspec.json.decode(b"".join(pieces))


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"severity": "warning", "job": "foo"}, "9266ef3da838ad95"),
        ({"job": "foo", "severity": "critical"}, "3b15fd163d36582e"),
        ({"job": "bar", "severity": "critical"}, "c7e68cb08e3e67f9"),
        ({}, "cbf29ce484222325"),
        ({"a": "mixok"}, "44ddce64253a33d0"),
        ({"alertname": "A"}, "d2c6efc389df0927"),
    ],
)
def test_fingerprints_are_alertmanagers(labels: dict[str, str], expected: str) -> None:
    assert fingerprint(labels) == fingerprint(labels) == expected


@pytest.mark.skipif(not RECORDED.is_dir(), reason="needs the recorded answers beside the checkout")
def test_fingerprints_and_shape_of_recorded_answers() -> None:
    groups = msgspec.json.decode((RECORDED / "api_v2_alerts_groups.json").read_bytes())
    recorded = [alert for group in groups for alert in group["alerts"]]
    assert [fingerprint(alert["labels"]) for alert in recorded] == [alert["fingerprint"] for alert in recorded]
    ours = shown(alert())[0]
    assert ours.keys() == recorded[0].keys()
    assert ours["status"].keys() == recorded[0]["status"].keys()
    silences = msgspec.json.decode((RECORDED / "api_v2_silences.json").read_bytes())
    assert msgspec.json.decode(render_silence(silence(), NOW)).keys() == silences[0].keys() | {"annotations"}
    recorded_group, our_group = groups[0], msgspec.json.decode(b"".join(AlertBoard().groups([alert()], NOW)))[0]
    assert our_group.keys() == recorded_group.keys() | {"routeLabels"}


def test_an_active_alert() -> None:
    assert shown(alert()) == [
        {
            "annotations": {"summary": "slow"},
            "endsAt": "2026-05-01T12:04:00.000Z",
            "fingerprint": fingerprint(alert().labels),
            "receivers": [{"name": RECEIVER}],
            "startsAt": "2026-05-01T11:55:00.000Z",
            "status": {"state": "active", "silencedBy": [], "inhibitedBy": [], "mutedBy": []},
            "updatedAt": "2026-05-01T11:59:00.000Z",
            "generatorURL": "http://prometheus/graph",
            "labels": {"alertname": "HighLatency", "instance": "web-1"},
        }
    ]
    assert shown() == []
    assert "generatorURL" not in shown(alert(url=""))[0]


@pytest.mark.parametrize(("micros", "text"), [(0, "00.000Z"), (1, "00.000Z"), (120000, "00.120Z"), (999999, "00.999Z")])
def test_times_have_milliseconds(micros: int, text: str) -> None:
    assert timestamp(NOW.replace(microsecond=micros)) == f"2026-05-01T12:00:{text}"


def test_sorted_by_fingerprint() -> None:
    found = [row["fingerprint"] for row in shown(*(alert(n) for n in range(1, 3000)))]
    assert found == sorted(found)
    assert len(found) == 2999


@pytest.mark.parametrize(
    "changes", [{"ended_at": NOW}, {"ends_at": NOW}, {"state": AlertState.RESOLVED}, {"state": AlertState.CLOSED}]
)
def test_ended_alerts_are_left_out(changes: dict[str, Any]) -> None:
    assert shown(alert(**changes)) == []


SILENCED = {"silenced_by": ("s-1",), "silenced_until": NOW + MINUTE}
INHIBITED = {"inhibited_by": (AlertId(2),)}
SHELVED = {"shelved_until": NOW + MINUTE}
ACKED = {"state": AlertState.ACKNOWLEDGED, "ack": Ack(by="ann", at=NOW, severity=Severity.CRITICAL)}


@pytest.mark.parametrize(
    ("changes", "state", "muted_by"),
    [
        (SILENCED, "suppressed", {"silencedBy": ["s-1"]}),
        (INHIBITED, "suppressed", {"inhibitedBy": ["2"]}),
        (SHELVED, "suppressed", {"mutedBy": ["shelved"]}),
        (ACKED, "active", {}),
        (SILENCED | {"silenced_until": NOW}, "active", {}),
        (SHELVED | {"shelved_until": NOW}, "active", {}),
    ],
)
def test_muting_is_read_from_stored_times(changes: dict[str, Any], state: str, muted_by: dict[str, Any]) -> None:
    empty = {"silencedBy": [], "inhibitedBy": [], "mutedBy": []}
    assert shown(alert(**changes))[0]["status"] == {"state": state} | empty | muted_by


def test_a_silence_that_ends_shows_without_a_new_record() -> None:
    board, muted = AlertBoard(), alert(**SILENCED)
    assert shown(muted, board=board)[0]["status"]["state"] == "suppressed"
    assert shown(muted, board=board, at=NOW + MINUTE)[0]["status"]["state"] == "active"


def test_inhibited_by_names_the_fingerprint_of_a_known_alert() -> None:
    board, source = AlertBoard(), alert(2)
    list(board.warm([source]))
    assert shown(alert(**INHIBITED), board=board)[0]["status"]["inhibitedBy"] == [fingerprint(source.labels)]


def test_warm_renders_what_is_missing_and_lets_go_of_what_is_over() -> None:
    board, first = AlertBoard(), [alert(number) for number in range(1, 3_001)]
    assert len(list(board.warm(first))) > 1
    before = board._entries[AlertId(1)]
    list(board.warm([first[0]]))
    assert list(board._entries) == [1]
    assert board._entries[AlertId(1)].stable is before.stable


def test_a_large_group_comes_in_pieces_and_is_sorted() -> None:
    many = [alert(number) for number in range(1, 2_501)]
    pieces = list(AlertBoard().groups(many, NOW))
    (group,) = msgspec.json.decode(b"".join(pieces))
    marks = [member["fingerprint"] for member in group["alerts"]]
    assert marks == sorted(fingerprint(one.labels) for one in many)
    assert max(map(len, pieces)) < sum(map(len, pieces)) / 10


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({}, "1234"),
        ({"active": "false"}, "234"),
        ({"silenced": "false"}, "134"),
        ({"inhibited": "false"}, "124"),
        ({"muted": "false"}, "123"),
        ({"unprocessed": "false"}, "1234"),
        ({"active": "true", "silenced": "", "inhibited": "1"}, "1234"),
        ({"active": "nonsense"}, "234"),
        ({"filter": 'instance="web-3"'}, "3"),
        ({"filter": "instance=~web-[12]"}, "12"),
        ({"filter": "alertname!=HighLatency"}, ""),
        ({"filter": "missing="}, "1234"),
        ({"receiver": "noc-.*"}, "1234"),
        ({"receiver": "noc"}, ""),
        ({"receiver": ""}, "1234"),
    ],
)
def test_filters(params: dict[str, str], found: str) -> None:
    alerts = [alert(1), alert(2, **SILENCED), alert(3, **INHIBITED), alert(4, **SHELVED)]
    assert {row["labels"]["instance"][-1] for row in shown(*alerts, **params)} == set(found)


def test_all_filters_must_match() -> None:
    both = alert_filter([("filter", "alertname=HighLatency"), ("filter", "instance=~.*-2")])
    found = msgspec.json.decode(b"".join(AlertBoard().alerts([alert(1), alert(2)], NOW, both)))
    assert [row["labels"]["instance"] for row in found] == ["web-2"]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("filter", "foo", "bad matcher format: foo"),
        ("filter", "a=~(", "error parsing regexp"),
        ("receiver", "(", "failed to parse receiver param"),
    ],
)
def test_bad_filters_are_answered_like_alertmanager(name: str, value: str, words: str) -> None:
    with pytest.raises(FaceError, match=words) as refused:
        alert_filter([(name, value)])
    assert refused.value.status == 400
    assert isinstance(msgspec.json.decode(refused.value.json()), str)


def test_a_repeat_moves_only_the_times() -> None:
    board, first = AlertBoard(), alert()
    (before,) = shown(first, board=board)
    again = replace(first, count=4, last_at=NOW, ends_at=NOW + 5 * MINUTE)
    (after,) = shown(again, board=board)
    assert after == before | {"updatedAt": "2026-05-01T12:00:00.000Z", "endsAt": "2026-05-01T12:05:00.000Z"}


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": {"alertname": "Other"}},
        {"annotations": {"summary": "slower"}},
        {"url": "http://other"},
        {"starts_at": NOW - 2 * MINUTE},
    ],
)
def test_the_cache_never_shows_an_old_text(changes: dict[str, Any]) -> None:
    board, first = AlertBoard(), alert()
    shown(first, board=board)
    changed = replace(first, **changes)
    assert shown(changed, board=board) == shown(changed)


def test_the_cache_forgets_what_ended() -> None:
    board = AlertBoard()
    shown(*(alert(n) for n in range(5000)), board=board)
    assert len(board._entries) == 5000
    shown(alert(1, ends_at=NOW + 90 * MINUTE), board=board, at=NOW + 60 * MINUTE)
    assert len(board._entries) == 1
    board.forget([AlertId(1)])
    assert not board._entries


def test_pieces_of_a_large_answer_are_small() -> None:
    pieces = list(AlertBoard().alerts((alert(n) for n in range(8000)), NOW))
    assert max(map(len, pieces)) < sum(map(len, pieces)) / 8
    assert len(msgspec.json.decode(b"".join(pieces))) == 8000


def test_groups_by_name() -> None:
    alerts = [alert(1), alert(2), alert(3, labels={"alertname": "Disk"}), alert(4, labels={"job": "x"})]
    groups = msgspec.json.decode(b"".join(AlertBoard().groups(alerts, NOW)))
    assert [(group["labels"], len(group["alerts"])) for group in groups] == [
        ({}, 1),
        ({"alertname": "Disk"}, 1),
        ({"alertname": "HighLatency"}, 2),
    ]
    assert groups[0]["receiver"] == {"name": RECEIVER}
    assert msgspec.json.decode(b"".join(AlertBoard().groups([], NOW))) == []


def test_hostile_text_stays_text() -> None:
    hostile = {"alertname": '"}],\x00\x1b[31m', "ä\u2028": "\\"}
    assert shown(alert(labels=hostile))[0]["labels"] == hostile
    assert msgspec.json.decode(b"".join(AlertBoard().groups([alert(labels=hostile)], NOW)))[0]["alerts"]


def test_status_and_receivers() -> None:
    status = msgspec.json.decode(render_status(NOW))
    assert status["uptime"] == "2026-05-01T12:00:00.000Z"
    assert status["versionInfo"].keys() == {"branch", "buildDate", "buildUser", "goVersion", "revision", "version"}
    assert tuple(map(int, status["versionInfo"]["version"].split("."))) >= (0, 22, 0)
    assert status["cluster"]["peers"] == []
    assert status["config"]["original"] == configuration(300)
    assert f"receiver: {RECEIVER}" in configuration(300)
    assert msgspec.json.decode(render_receivers()) == [{"labels": {}, "name": RECEIVER}]


ID, NEW = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


def silence(**changes: Any) -> Silence:
    given = Silence(
        id=ID,
        tenant=DEFAULT_TENANT,
        matchers=(Matcher(name="a", value="1"),),
        starts_at=NOW - 10 * MINUTE,
        ends_at=NOW + 10 * MINUTE,
        created_by="ann",
        comment="maintenance",
        updated_at=NOW - 10 * MINUTE,
    )
    return replace(given, **changes)


def posted(**changes: Any) -> dict[str, Any]:
    body = {
        "matchers": [{"name": "a", "value": "1", "isRegex": False}],
        "startsAt": timestamp(NOW),
        "endsAt": timestamp(NOW + 60 * MINUTE),
        "createdBy": "ann",
        "comment": "maintenance",
    }
    return {name: value for name, value in (body | changes).items() if value is not ...}


def write(existing: Silence | None = None, **changes: Any) -> SilenceWrite:
    return check_silence(read_silence(msgspec.json.encode(posted(**changes))), existing, NOW, NEW, DEFAULT_TENANT)


def refused(**changes: Any) -> tuple[int, str]:
    with pytest.raises(FaceError) as caught:
        write(**changes)
    body = msgspec.json.decode(caught.value.json())
    return caught.value.status, body if isinstance(body, str) else body["message"]


EMPTY = "silence invalid: at least one matcher must not match the empty string"
ORDER = "Failed to create silence: start time must be before end time"


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ({"matchers": ...}, (422, "matchers in body is required")),
        ({"matchers": None}, (422, "matchers in body is required")),
        ({"matchers": []}, (422, "matchers in body should have at least 1 items")),
        ({"startsAt": ...}, (422, "startsAt in body is required")),
        ({"endsAt": ...}, (422, "endsAt in body is required")),
        ({"createdBy": ...}, (422, "createdBy in body is required")),
        ({"comment": ...}, (422, "comment in body is required")),
        ({"matchers": [{"name": "a", "value": "1"}]}, (422, "matchers.0.isRegex in body is required")),
        ({"matchers": [{"name": "a", "isRegex": False}]}, (422, "matchers.0.value in body is required")),
        ({"endsAt": timestamp(NOW - MINUTE)}, (400, ORDER)),
        ({"startsAt": timestamp(NOW + MINUTE), "endsAt": timestamp(NOW + MINUTE)}, (400, ORDER)),
        ({"endsAt": "0001-01-01T00:00:00Z"}, (400, ORDER)),
        (
            {"startsAt": timestamp(NOW - 2 * MINUTE), "endsAt": timestamp(NOW - MINUTE)},
            (400, "Failed to create silence: end time can't be in the past"),
        ),
        ({"matchers": [{"name": "a", "value": "", "isRegex": False}]}, (400, EMPTY)),
        ({"matchers": [{"name": "a", "value": ".*", "isRegex": True}]}, (400, EMPTY)),
        (
            {"matchers": [{"name": "", "value": "x", "isRegex": False}]},
            (400, 'silence invalid: invalid label matcher 0: invalid label name ""'),
        ),
        ({"id": "foo"}, (404, "silence not found")),
        ({"id": NEW}, (404, "silence not found")),
    ],
)
def test_silences_that_are_refused(changes: dict[str, Any], answer: tuple[int, str]) -> None:
    assert refused(**changes) == answer


@pytest.mark.parametrize(
    "changes",
    [
        {"matchers": [{"name": "a", "value": "(", "isRegex": True}]},
        {"matchers": [{"name": "a", "value": 1, "isRegex": False}]},
        {"matchers": {"a": 1}},
        {"matchers": [5]},
        {"startsAt": "x"},
        {"createdBy": 5},
        {"annotations": {"a": 1}},
    ],
)
def test_wrong_types_are_bad_requests(changes: dict[str, Any]) -> None:
    assert refused(**changes)[0] == 400


@pytest.mark.parametrize(("body", "status"), [(b"", 422), (b"{", 400), (b"[]", 400), (b"null", 400)])
def test_bodies_that_are_no_silence(body: bytes, status: int) -> None:
    with pytest.raises(FaceError) as caught:
        read_silence(body)
    assert caught.value.status == status


def test_a_new_silence_begins_now_at_the_earliest() -> None:
    made = write(startsAt=timestamp(NOW - 60 * MINUTE), annotations={"ticket": "T-1"})
    assert (made.silence.id, made.silence.starts_at, made.replaced) == (NEW, NOW, None)
    assert (made.silence.ticket, made.silence.updated_at) == ("T-1", NOW)
    assert write(startsAt="0001-01-01T00:00:00Z").silence.starts_at == NOW
    assert write(startsAt=timestamp(NOW + MINUTE)).silence.starts_at == NOW + MINUTE


def test_a_silence_of_negative_matchers_is_taken() -> None:
    made = write(matchers=[{"name": "a", "value": "x", "isRegex": False, "isEqual": False}])
    assert made.silence.matchers == (Matcher(name="a", value="x", is_equal=False),)


PENDING = {"starts_at": NOW + 5 * MINUTE}
OTHER = [{"name": "b", "value": "1", "isRegex": False}]


@pytest.mark.parametrize(
    ("existing", "changes", "keeps"),
    [
        (silence(), {"startsAt": timestamp(NOW - 10 * MINUTE)}, True),
        (silence(), {"startsAt": timestamp(NOW - 10 * MINUTE), "comment": "new"}, True),
        (silence(), {"startsAt": timestamp(NOW - 9 * MINUTE)}, False),
        (silence(), {"startsAt": timestamp(NOW - 10 * MINUTE), "matchers": OTHER}, False),
        (silence(**PENDING), {"startsAt": timestamp(NOW + 9 * MINUTE)}, True),
        (silence(**PENDING), {"startsAt": timestamp(NOW - MINUTE)}, False),
        (silence(ends_at=NOW - MINUTE), {"startsAt": timestamp(NOW - 10 * MINUTE)}, False),
    ],
)
def test_an_update_keeps_its_id_or_replaces(existing: Silence, changes: dict[str, Any], keeps: bool) -> None:
    made = write(existing, id=ID, **changes)
    assert made.silence.id == (ID if keeps else NEW)
    if keeps or silence_state(existing, NOW) == "expired":
        assert made.replaced is None
    else:
        assert made.replaced == expire_silence(existing, NOW)
        assert silence_state(made.replaced, NOW) == "expired"


def test_expiring() -> None:
    assert expire_silence(silence(), NOW).ends_at == NOW
    pending = expire_silence(silence(**PENDING), NOW)
    assert (pending.starts_at, pending.ends_at) == (NOW, NOW)
    over = silence(ends_at=NOW - MINUTE)
    assert expire_silence(over, NOW) is over


def test_silences_are_sorted_as_alertmanager_does() -> None:
    given = [
        silence(id="e1", ends_at=NOW - 2 * MINUTE),
        silence(id="p2", starts_at=NOW + 2 * MINUTE),
        silence(id="a2", ends_at=NOW + 9 * MINUTE),
        silence(id="e2", ends_at=NOW - MINUTE),
        silence(id="a1", ends_at=NOW + 8 * MINUTE),
        silence(id="p1", starts_at=NOW + MINUTE),
    ]

    def ids(*params: tuple[str, str]) -> list[str]:
        return [row["id"] for row in msgspec.json.decode(render_silences(given, NOW, silence_filter(params)))]

    assert ids() == ["a1", "a2", "p1", "p2", "e2", "e1"]
    assert ids(("expired", "false"), ("pending", "false")) == ["a1", "a2"]
    assert ids(("filter", "a=1")) == ids()
    assert ids(("filter", "a=~1")) == ids(("filter", "a=~.*")) == []


def test_one_silence() -> None:
    row = msgspec.json.decode(render_silence(silence(ticket="T-1", annotations={"x": "y"}), NOW))
    assert row == {
        "id": ID,
        "status": {"state": "active"},
        "updatedAt": "2026-05-01T11:50:00.000Z",
        "comment": "maintenance",
        "createdBy": "ann",
        "startsAt": "2026-05-01T11:50:00.000Z",
        "endsAt": "2026-05-01T12:10:00.000Z",
        "matchers": [{"name": "a", "value": "1", "isRegex": False, "isEqual": True}],
        "annotations": {"x": "y", "ticket": "T-1"},
    }


def test_an_id_in_a_path_is_a_uuid() -> None:
    assert check_silence_id(ID.upper()) == ID
    with pytest.raises(FaceError) as caught:
        check_silence_id("foo")
    assert caught.value.status == 422
    message = 'silenceID in path must be of type uuid: "foo"'
    assert msgspec.json.decode(caught.value.json()) == {"code": 601, "message": message}
