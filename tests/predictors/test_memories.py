"""What predictors remember of tickets, devices and posts, and the columns that come of it."""

from __future__ import annotations

from datetime import timedelta
from math import isnan

from msgspec.structs import replace

from data.nouns.world import Device, Ticket
from data.records import DEFAULT_TENANT
from engine.book import Draft
from engine.domain.events import DeviceData
from engine.predictors import device_memory, scoring, sla, staffing, staffing_memory, ticket_memory
from engine.predictors.catalogue import PREDICTORS
from tests.domain.timeline import World, guarded
from tests.fakes.line import T0


def draft_of(world: World, hours: float = 0.0) -> Draft:
    return Draft(world.book, world.rules, DEFAULT_TENANT, T0 + timedelta(hours=hours))


def ticket(id: str, team: str, **given: object) -> Ticket:
    return replace(Ticket(tenant=DEFAULT_TENANT, id=id, opened_at=T0, assignee=f"{team}/eve", site="Depot"), **given)


def pace_of(draft: Draft, of: Ticket) -> dict[str, float]:
    return dict(zip(ticket_memory.FACETS, ticket_memory.pace(draft, of.tenant, ticket_memory.facets(of)), strict=True))


def busy(draft: Draft, of: Ticket) -> dict[str, float]:
    return ticket_memory.busy(draft, of.tenant, ticket_memory.facets(of))


def coming(draft: Draft, of: Ticket) -> list[float]:
    return ticket_memory.coming(draft, of.tenant, ticket_memory.facets(of))


def test_a_team_that_leaves_tickets_open_is_slow_before_it_has_resolved_one() -> None:
    world = World()
    early = draft_of(world)
    for number in range(20):
        for team in ("quick", "slow"):
            ticket_memory.observe(early, ticket(f"{team}{number}", team))
    later = draft_of(world, 10.0)
    for number in range(20):
        end = T0 + timedelta(hours=1)
        ticket_memory.observe(later, ticket(f"quick{number}", "quick", state="resolved", resolved_at=end))
    quick, slow = (pace_of(later, ticket("new", team))["team"] for team in ("quick", "slow"))
    assert slow < 0.0 < quick
    assert isnan(pace_of(later, ticket("new", "quick"))["title"]), "it has no title"
    assert pace_of(draft_of(world, 100.0), ticket("new", "slow"))["team"] < slow


def test_open_tickets_are_counted_where_they_are_now_and_after_a_start() -> None:
    world = World()
    draft = draft_of(world)
    ticket_memory.observe(draft, ticket("T1", "noc"))
    ticket_memory.observe(draft, ticket("T1", "field"))
    ticket_memory.observe(draft, ticket("T2", "field"))
    assert busy(draft, ticket("new", "noc"))["team"] == 0.0
    assert busy(draft, ticket("new", "field")) == {"": 2.0, "site": 2.0, "team": 2.0, "assignee": 2.0}
    fresh = World()
    for id in ("T1", "T2"):
        fresh.book.nouns["tickets"][DEFAULT_TENANT, id] = ticket(id, "field")
    again = draft_of(fresh)
    assert ticket_memory.open_tickets(again) == ticket_memory.open_tickets(draft)
    ticket_memory.observe(draft, ticket("T1", "field", state="resolved", resolved_at=T0 + timedelta(hours=1)))
    assert busy(draft, ticket("new", "field"))["team"] == 1.0


def test_taking_note_twice_changes_nothing() -> None:
    world = World()
    draft = draft_of(world)
    ticket_memory.observe(draft, ticket("T1", "noc"))
    before = {name: dict(table) for name, table in world.book.derived.items()}
    ticket_memory.observe(draft, ticket("T1", "noc"))
    assert {name: dict(table) for name, table in world.book.derived.items()} == before


def test_more_tickets_than_usual_of_one_kind_are_seen() -> None:
    world = World()
    for day in range(30):
        ticket_memory.observe(draft_of(world, 24.0 * day), ticket(f"a{day}", "noc", type="vpn", opened_at=_day(day)))
    calm = dict(zip(sla.FEATURES[-11:-1], coming(draft_of(world, 24.0 * 30), _vpn()), strict=True))
    for number in range(20):
        ticket_memory.observe(draft_of(world, 24.0 * 30), ticket(f"b{number}", "noc", type="vpn", opened_at=_day(30)))
    storm = dict(zip(sla.FEATURES[-11:-1], coming(draft_of(world, 24.0 * 30), _vpn()), strict=True))
    assert storm["site_workload.more_type"] > 1.0 > calm["site_workload.more_type"]


def _day(number: int) -> object:
    return T0 + timedelta(days=number)


def _vpn() -> Ticket:
    return ticket("new", "noc", type="vpn")


def test_an_error_code_that_outages_follow_speaks_against_the_device() -> None:
    world = World()
    draft = draft_of(world)
    codes = {"bad": "disk", "fine": "clock"}
    for id, code in codes.items():
        device = Device(tenant=DEFAULT_TENANT, id=id, at=T0, type="maker/camera", state="online", last_seen=T0)
        draft.book.nouns["devices"][DEFAULT_TENANT, id] = device
        device_memory.note(draft, device, DeviceData(id=id, status="error", error=code), T0)
    for _ in range(200):
        device_memory.outcome(draft, (DEFAULT_TENANT, "bad"), True)
        device_memory.outcome(draft, (DEFAULT_TENANT, "fine"), False)
    bad, fine = (
        device_memory.kind(draft, draft.book.nouns["devices"][DEFAULT_TENANT, id], 0.001) for id in ("bad", "fine")
    )
    assert bad.worst > 0.0 > fine.worst and bad.fresh == fine.fresh == 1.0
    draft.now = T0 + timedelta(days=30)
    gone = device_memory.kind(draft, draft.book.nouns["devices"][DEFAULT_TENANT, "bad"], 0.001)
    assert gone.fresh == 0.0 and gone.number == 1.0 and isnan(gone.worst)


def test_only_the_newest_codes_are_remembered() -> None:
    world = World()
    draft = draft_of(world)
    device = Device(tenant=DEFAULT_TENANT, id="d", at=T0)
    for number in range(50):
        device_memory.note(draft, device, DeviceData(id="d", status="error", error=f"e{number}"), T0)
    assert device_memory.kind(draft, device, 0.001).number == device_memory.CODES_MOST
    assert device_memory.past(draft, device).errors == 50.0


def slot(hour: int) -> staffing_memory.Slot:
    return staffing_memory.Slot(DEFAULT_TENANT, "Depot", "day", T0.replace(hour=hour, minute=0), "UTC")


def test_a_time_of_the_day_at_which_a_post_is_short_is_known() -> None:
    draft = draft_of(World())
    for day in range(10):
        for hour, there in ((6, 1), (14, 3)):
            of = slot(hour)._replace(starts_at=slot(hour).starts_at + timedelta(days=day))
            draft.now = of.starts_at
            staffing_memory.learn(draft, of, there, 2)
    draft.now += timedelta(hours=12)
    early, late = (
        dict(zip(staffing_memory.COLUMNS, staffing_memory.columns(draft, slot(hour), 0.1), strict=True))
        for hour in (6, 14)
    )
    assert early["short_time"] > 0.5 and late["short_time"] < -0.5
    assert early["at_time"] == 0.5 and late["at_time"] == 1.5
    assert early["last"] == late["last"] == 1.5
    assert early["last_age"] > 2.0


def test_reasons_name_features_and_not_their_columns() -> None:
    world = guarded(devices=False)
    world.say("ticket", 10, id="T1", state="NEW", site="Depot", due_at=T0 + timedelta(hours=1.5))
    draft = draft_of(world, 0.5)
    for name in ("sla", "device", "staffing"):
        of = PREDICTORS[name]  # type: ignore[index]
        assert list(of.groups) == list(of.features[: len(of.groups)]) and len(of.calm) == len(of.groups)
        assert sorted(place for places in of.groups.values() for place in places) == list(range(len(of.features)))
    thing = sla.as_thing(draft.book.nouns["tickets"][DEFAULT_TENANT, "T1"])
    row = sla.row(draft, thing)
    assert len(row) == len(sla.FEATURES)
    assert repr(sla.asked(draft, thing)) == repr(row[: len(PREDICTORS["sla"].groups)])
    found = scoring.explain(draft, PREDICTORS["sla"], row, thing)
    assert {one.name for one in found} == set(PREDICTORS["sla"].groups)


def test_columns_with_a_way_are_columns() -> None:
    for of in PREDICTORS.values():
        assert (of.rising | of.falling) <= set(of.features) and not of.rising & of.falling
    assert staffing.PREDICTOR.rising and sla.PREDICTOR.falling
