"""Room in memory: a tenant that has as many records as it may gets no more, is told so, and loses nothing it has."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, get_args, get_type_hints

import msgspec
import pytest

from data.records import TenantId
from engine.domain import room
from engine.domain.events import DATA
from engine.domain.room import CREATES, FIELD, KINDS
from engine.domain.rules import DomainRules, domain_rules
from engine.formats.cloudevents import FORMAT
from engine.ports import Received
from engine.rules import Rules
from engine.settings import LimitSettings, Settings
from tests.domain.timeline import At, World
from tests.fakes.line import at

OTHER = TenantId("other")
#: What makes a record of each kind, with its id left out.
MORE: dict[str, dict[str, Any]] = {
    "shift": {"site": "Depot", "starts_at": At(0), "ends_at": At(3600)},
    "tour": {"action": "scheduled", "site": "Depot", "starts_at": At(0), "ends_at": At(3600)},
    "ticket": {"state": "NEW"},
}
NAMED = [type for type in CREATES if "id" in DATA[type].__struct_fields__]


def full(most: int = 3, **of: int) -> World:
    return World(Rules(domain=DomainRules(records_max=1000, records_max_of=of or dict.fromkeys(KINDS, most))))


@pytest.mark.parametrize("type", NAMED)
def test_what_is_one_too_many_becomes_a_dead_letter_with_its_remedy(type: str) -> None:
    kind, name = CREATES[type], type.removeprefix("noc.")
    world = full(**{kind: 3})
    for number in range(5):
        world.say(name, number, id=f"n{number}", **MORE.get(name, {}))
    assert len(world.book.nouns[kind]) == 3
    letters = world.store.rejects
    assert [letter.field for letter in letters] == [FIELD, FIELD]
    assert kind in letters[0].reason and "3" in letters[0].reason
    assert f"limits.records_max_of.{kind}" in letters[0].remedy


def test_what_is_known_goes_on_being_updated_and_others_have_room_of_their_own() -> None:
    world = full(devices=2)
    for number in range(4):
        world.say("device", number, id=f"d{number}", status="online")
    world.say("device", 10, id="d1", status="offline")
    assert world.noun("devices", "d1").state == "offline"
    world.say("device", 11, tenant=OTHER, id="d9", status="online")
    assert world.noun("devices", "d9", OTHER).state == "online"
    assert len(world.store.rejects) == 2


def test_there_is_room_again_when_something_is_over() -> None:
    world = full(tickets=2)
    for number in range(3):
        world.say("ticket", number, id=f"t{number}", state="NEW")
    assert len(world.store.rejects) == 1
    world.say("ticket", 10, id="t0", state="CLOSED")
    world.now += timedelta(hours=25)
    world.tick(60)
    world.say("ticket", 25 * 3600 + 120, id="t3", state="NEW")
    assert len(world.store.rejects) == 1
    assert world.noun("tickets", "t3").state == "new"


def test_ever_new_names_in_events_make_no_stubs_beyond_the_limit() -> None:
    world = full(people=3, sites=3)
    for number in range(6):
        world.say("attendance", number, person=f"p{number}", site="Depot")
    assert len(world.book.nouns["people"]) == 3
    assert len(world.store.rejects) == 3


def test_a_call_for_help_is_heard_when_there_is_no_room() -> None:
    world = full(people=1, signals=1)
    world.say("activity", 0, person="a", kind="phone", site="Depot")
    world.say("activity", 1, person="b", kind="phone", site="Depot")
    assert len(world.store.rejects) == 1
    world.say("activity", 2, person="b", kind="sos", site="Depot")
    assert world.names() == ["guard_sos"]


def test_nothing_but_a_sign_of_a_person_is_a_call_for_help() -> None:
    world = full(sites=1)
    for number in range(3):
        world.say("change", number, kind="sos", what="x", site=f"s{number}")
    assert len(world.book.nouns["sites"]) <= 1 and len(world.store.rejects) == 2


def test_the_dead_letter_can_be_replayed_as_it_is() -> None:
    world = full(tickets=1)
    world.say("ticket", 0, id="t0", state="NEW")
    world.say("ticket", 5, id="t1", state="NEW", title="a leak", site="Depot")
    (letter,) = world.store.rejects
    headers = {"content-type": "application/cloudevents+json"}
    given = Received(body=letter.body.encode(), headers=headers, source="x", tenant=world.tenant, now=at(60))
    parsed = FORMAT.parse(given)
    (found,) = [*parsed.events, *(event for part in parsed.parts for event in part.events)]
    assert (found.type, found.at, found.id) == ("noc.ticket", at(5), "ticket-5")
    assert msgspec.to_builtins(found.data)["title"] == "a leak"


def test_a_full_table_is_not_counted_for_every_event(monkeypatch: pytest.MonkeyPatch) -> None:
    world = full(assets=50)
    for number in range(50):
        world.say("asset", 0, id=f"a{number}")

    class Table(dict[Any, Any]):
        walked = 0

        def __iter__(self) -> Any:
            Table.walked += 1
            return super().__iter__()

    world.book.nouns["assets"] = Table(world.book.nouns["assets"])
    for number in range(40):
        world.say("asset", 1, id=f"b{number}")
    assert len(world.store.rejects) == 40
    assert Table.walked <= 2


def test_the_limits_come_from_the_configuration() -> None:
    rules = domain_rules(Settings(limits=LimitSettings(records_max=7, records_max_of={"tours": 5})))
    assert (rules.records_max, rules.records_max_of) == (7, {"tours": 5})
    with pytest.raises(msgspec.ValidationError, match="tourss"):
        msgspec.convert({"records_max_of": {"tourss": 5}}, LimitSettings)
    of = get_args(get_type_hints(LimitSettings)["records_max_of"])[0]
    assert set(get_args(of)) == KINDS == set(room.CREATES.values())
