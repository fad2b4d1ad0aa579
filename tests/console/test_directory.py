"""Names of sites, people and clients: in lists the name, where it must be clear the id beside it."""

from __future__ import annotations

from typing import Any

import pytest

from data.nouns.world import Client, Person, Site
from data.records import TenantId
from engine.client import Query
from noc_console.directory import Directory
from noc_console.filter import with_names
from noc_console.safe_text import safe_text
from tests.console.conftest import Opened
from tests.fakes import world
from tests.fakes.client import FakeClient

TENANT = TenantId("default")


class NamedClient(FakeClient):
    """Its sites have names, which may change."""

    name = "North Quay"

    def _answer(self, query: Query) -> list[Any]:
        if query.kind == "sites":
            return [Site(tenant=TENANT, id="Harbour 2", at=world.NOW, name=self.name)]
        return super()._answer(query)


def test_a_name_stands_alone_in_lists_and_with_its_id_where_it_must_be_clear() -> None:
    names = Directory()
    assert (names.site("s1"), names.full_site("s1"), names.person(""), names.full_person("")) == ("s1", "s1", "-", "-")
    sites = [Site(tenant=TENANT, id="s1", at=world.NOW, name="Harbour"), Site(tenant=TENANT, id="s2", at=world.NOW)]
    people = [Person(tenant=TENANT, id="p1", at=world.NOW, name="Maya \x1b[31mAbel")]
    clients = [Client(tenant=TENANT, id="c1", at=world.NOW, name="Orchard")]
    assert names.take(sites, people, clients)
    assert not names.take(sites, people, clients)
    assert (names.site("s1"), names.full_site("s1"), names.site("s2")) == ("Harbour", "Harbour (s1)", "s2")
    assert (names.client("c1"), names.full_client("c1")) == ("Orchard", "Orchard (c1)")
    assert "\x1b" not in names.full_person("p1") and names.full_person("p1").endswith("(p1)")


def test_ids_in_a_sentence_become_names_and_words_stay_words() -> None:
    names = Directory()
    names.take(
        [Site(tenant=TENANT, id="site-046", at=world.NOW, name="Tango Depot")],
        [
            Person(tenant=TENANT, id="person-0314", at=world.NOW, name="Maya \x1b[31mAbel"),
            Person(tenant=TENANT, id="late", at=world.NOW, name="Otto Late"),
        ],
        [Client(tenant=TENANT, id="c1", at=world.NOW, name="Orchard")],
    )
    told = names.words("person-0314, late, did not come to site-046: site-046-panel-1, person-03140.")
    assert told.startswith("Maya ")
    assert told.endswith("Abel, late, did not come to Tango Depot: site-046-panel-1, person-03140.")
    assert "\x1b" not in told
    assert names.words("\x1b[2Jc1") == safe_text("\x1b[2Jc1")
    names.take([], [], [])
    assert names.words("person-0314 came late") == "person-0314 came late"


async def test_lists_show_names_and_details_ids_too(opened: Opened) -> None:
    client = NamedClient()
    async with opened(client=client, size=(120, 36)) as desk:
        await desk.app.feed.read_names()
        await desk.live()
        await desk.press("2")
        assert "North Quay" in desk.line("I-4411") and "Harbour 2" not in desk.line("I-4411")
        assert "North Quay (Harbour 2)" in desk.screen
        client.name = "South Quay"
        await desk.app.feed.read_names()
        await desk.live()
        assert "South Quay" in desk.line("I-4411")


async def test_names_are_read_soon_while_a_site_has_none_then_ever_more_seldom(opened: Opened) -> None:
    async with opened() as desk:
        app = desk.app
        looks = []
        for app._polls in range(1, 40):
            if app._are_names_due():
                looks.append(app._polls)
        assert looks == [2, 3, 5, 9, 17, 33]
        sites = {incident.site for incident in app.desk.mirror.incidents.values() if incident.site}
        app.desk.names.take([Site(tenant=TENANT, id=id, at=world.NOW, name=f"at {id}") for id in sites], [], [])
        app._polls = 41
        assert sites and not app._are_names_due()
        app._polls = 60
        assert app._are_names_due()


async def test_help_tells_what_the_columns_in_front_mean(opened: Opened) -> None:
    async with opened(size=(120, 60)) as desk:
        await desk.press("2", "question_mark", "G")
        assert "Columns and marks" in desk.screen and "C! critical  H high" in desk.screen
        assert "cleared: over, but nobody acknowledged it" in desk.screen


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("site=North*", "site=North* or site in (s1)"),
        ("site!=North*", "not (site=North* or site in (s1))"),
        ("severity>=high quay", "severity>=high and (quay or site in (s1, s2))"),
        ("site=s1", "site=s1"),
        ("owner=quay", "owner=quay"),
        ("site=", "site="),
    ],
)
def test_a_filter_by_a_sites_name_finds_what_is_kept_under_its_id(typed: str, asked: str) -> None:
    assert with_names(typed, {"s1": "North Quay", "s2": "South Quay", "s3": "Depot"}) == asked


async def test_the_list_is_filtered_by_the_name_that_it_shows(opened: Opened) -> None:
    async with opened(client=NamedClient()) as desk:
        await desk.app.feed.read_names()
        await desk.live()
        await desk.press("2", "slash", *"site=North*", "enter")
        assert "I-4411" in desk.screen and "I-4410" not in desk.screen
