"""Pages by declaration: keys, bars, watched lists, panes on Overview."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from msgspec import Struct

from data.nouns import Noun
from data.records import Change, TenantId
from engine.client import Refused
from noc_console import record_lists
from noc_console.actions import ACTIONS, in_scopes
from noc_console.feed import Feed
from noc_console.mirror import Dirty, Mirror
from noc_console.record_lists import RecordLists, Watch
from noc_console.screens.page_pane import PagePane
from noc_console.views import VIEWS, open_view, pane_class
from tests.console.conftest import Opened
from tests.fakes.client import FakeClient
from tests.fakes.still_clock import StillClock

NOW = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)


class Slip(Struct, frozen=True, kw_only=True):
    """A kind of the test's own."""

    tenant: TenantId = TenantId("default")
    id: str
    at: datetime = NOW
    state: str = "new"


SLIPS = Noun(
    kind="slips", subject="slip", record=Slip, words="slips", at="at", state="state",
    states=("new", "gone"), over=frozenset({"gone"}),
)  # fmt: skip


@pytest.fixture(autouse=True)
def _slips(monkeypatch: pytest.MonkeyPatch) -> None:
    def noun_of(kind: str) -> Noun:
        return {"slips": SLIPS}[kind]

    monkeypatch.setattr(record_lists, "noun_of", noun_of)


def change(slip: Slip | None, number: str, seq: int = 1) -> Change:
    record = msgspec.Raw(msgspec.json.encode(slip))
    return Change(
        kind="slip_updated", tenant=TenantId("default"), at=NOW, subject=f"slip:{number}", record=record, seq=seq
    )


def test_keys_of_a_page_are_free_beside_those_of_all_pages() -> None:
    for view in VIEWS.values():
        screen = open_view(view)
        together = [key for action in in_scopes({*screen.SCOPES, "view", "app"}) for key in action.keys]
        assert sorted(together) == sorted(set(together)), view.name


def test_every_view_has_its_action_and_number() -> None:
    assert [ACTIONS[f"view.{name}"].keys[0] for name in VIEWS] == [str(view.number) for view in VIEWS.values()]


def test_panes_of_pages_are_page_panes() -> None:
    for view in VIEWS.values():
        made = pane_class(view)
        assert (made is not None) == bool(view.pane)
        assert made is None or issubclass(made, PagePane)


def test_a_list_follows_the_feed() -> None:
    lists, watch = RecordLists(), Watch(kind="slips")
    assert lists.want([watch]) and not lists.of(watch).loaded
    lists.of(watch).load([Slip(id="a")], truncated=False)
    assert lists.fold(change(Slip(id="b"), "b")) == {"slips": {"b"}}
    assert set(lists.of(watch).records) == {"a", "b"}
    assert lists.fold(change(Slip(id="a", state="gone"), "a")) == {"slips": {"a"}}
    assert lists.fold(change(None, "b")) == {"slips": {"b"}}
    assert not lists.of(watch).records and lists.fold(change(None, "b")) == {}


def test_a_list_keeps_the_newest_and_no_more_than_its_cap() -> None:
    lists, watch = RecordLists(), Watch(kind="slips", cap=10)
    lists.want([watch])
    lists.of(watch).load([], truncated=False)
    for n in range(40):
        lists.fold(change(Slip(id=str(n), at=NOW + timedelta(seconds=n)), str(n)))
    found = lists.of(watch)
    assert len(found.records) <= 11 and found.truncated
    assert found.rows()[0].id == "39" and "0" not in found.records


def test_a_list_that_nobody_shows_is_not_kept_up_and_read_again_later() -> None:
    lists, watch = RecordLists(), Watch(kind="slips")
    lists.want([watch])
    lists.of(watch).load([Slip(id="a")], truncated=False)
    assert not lists.want([])
    assert lists.fold(change(Slip(id="b"), "b")) == {}
    assert lists.want([watch]) and set(lists.of(watch).records) == {"a"}


def test_what_came_while_a_list_was_read_is_folded_in_on_top() -> None:
    mirror, watch = Mirror(), Watch(kind="slips")
    mirror.lists.want([watch])
    mirror.push([change(Slip(id="a", state="gone"), "a", 8), change(Slip(id="c"), "c", 9)])
    mirror.drain()
    mirror.load_list(watch, [Slip(id="a"), Slip(id="b")], 7)
    assert set(mirror.lists.of(watch).records) == {"b", "c"}
    assert mirror.drain().records == {"slips": {"b", "c"}}


def test_dirty_records_merge_by_kind() -> None:
    merged = Dirty(records={"slips": {"a"}}).merge(Dirty(records={"slips": {"b"}, "tours": {"c"}}))
    assert merged.records == {"slips": {"a", "b"}, "tours": {"c"}} and merged


class SlipClient(FakeClient):
    slips: tuple[Slip, ...] = (Slip(id="a"), Slip(id="b"))

    def _answer(self, query: Any) -> list[Any]:
        return list(self.slips) if query.kind == "slips" else super()._answer(query)


async def test_lists_are_read_again_with_everything_else() -> None:
    clock, mirror = StillClock(), Mirror()
    client = SlipClient(2, clock.now)
    feed = Feed(client, mirror, clock, lambda: None)
    watch = Watch(kind="slips")
    mirror.lists.want([watch])
    await feed.read_lists()
    assert set(mirror.lists.of(watch).records) == {"a", "b"}
    client.slips = (Slip(id="c"),)
    await feed.reload()
    assert set(mirror.lists.of(watch).records) == {"c"}


async def test_an_engine_that_does_not_know_a_kind_is_not_asked_for_ever() -> None:
    clock, mirror = StillClock(), Mirror()
    client = SlipClient(2, clock.now)
    client.refuse_query("slips", Refused("unknown kind 'slips'", field="kind"))
    feed = Feed(client, mirror, clock, lambda: None)
    watch = Watch(kind="slips")
    mirror.lists.want([watch])
    await feed.read_lists()
    assert mirror.lists.of(watch).unknown and not mirror.lists.unread()
    assert mirror.lists.of(watch).problem == "unknown kind 'slips' [kind]"


async def test_a_page_without_its_right_says_so_and_shows_nothing_else(opened: Opened) -> None:
    async with opened() as desk:
        desk.client.capabilities = ("noc:view", "noc:ack")
        await desk.app.feed.ask()
        await desk.press("5")
        await desk.live()
        assert "You lack the right security:fraud:view" in desk.screen and "heatmap" not in desk.screen
        desk.client.capabilities = ("noc:view", "security:fraud:view")
        await desk.app.feed.ask()
        await desk.live()
        assert "You lack the right" not in desk.screen
