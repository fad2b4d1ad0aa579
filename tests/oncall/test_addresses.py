"""E-mail addresses of people on duty: known to the mail server and to whoever manages duty, to no reader."""

from __future__ import annotations

from pathlib import Path

from msgspec import json

from engine.client import Query
from engine.oncall.settings import StepSettings
from tests.oncall.test_engine import ANA, NOON, running, settings_from
from tests.oncall.world import World, oncall

ADDRESS = "eve@example.org"


def test_a_page_its_changes_and_the_timeline_say_the_way_and_no_address() -> None:
    world = World(oncall(steps=(StepSettings(notify=("rota:second",), minutes=10),)))
    world.line.fire("a")
    (page,) = world.pages()
    assert page.ways == ("email",)
    (effect,) = world.effects()
    assert effect.params["email"] == ADDRESS
    shown = [*world.line.store.changes, *world.line.store.timeline, *world.line.store.nouns.values()]
    assert ADDRESS not in json.encode(shown, enc_hook=str).decode()


def test_what_is_held_in_a_flood_goes_to_the_address_of_then() -> None:
    world = World(oncall(steps=(StepSettings(notify=("rota:second",), minutes=10),), flood_pages=1))
    for number, name in enumerate(("a", "b", "c")):
        world.line.fire(name, site=f"site {number}", name=f"Only{name}")
    assert [one.state for one in world.pages()].count("held") == 2
    world.line.tick(61)
    assert [one.params["email"] for one in world.effects()] == [ADDRESS, ADDRESS]
    assert world.effects()[1].params["pages"] == 2


async def test_who_has_duty_is_told_without_addresses(tmp_path: Path) -> None:
    settings = settings_from(
        {
            "store": {"data_dir": str(tmp_path), "reserve_mib": 0},
            "playbooks": {"mail": {"host": "127.0.0.1", "sender": "noc@example.org", "recipients": [ADDRESS]}},
            "oncall": {
                "people": {"eve": {"email": ADDRESS}},
                "rotas": [{"name": "second", "people": ["eve"], "starts": "2026-05-04"}],
            },
        }
    )
    async with running(settings, NOON) as engine:
        (row,) = (await engine.client(ANA).query(Query(kind="oncall/now"))).items
        assert (row["person"], row["ways"]) == ("eve", ["email"])
