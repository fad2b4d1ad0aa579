"""The tree of clusters and alerts as an operator uses it."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from data.records import Ack, AlertId, Cluster, ClusterId
from engine.client import Refused
from tests.console.conftest import Desktop, Opened
from tests.fakes import world
from tests.fakes.client import FakeClient


async def _opened_first(desk: Desktop) -> None:
    await desk.press("3")
    await desk.settled()
    await desk.press("g", "enter")
    await desk.settled()


async def test_clusters_open_to_their_alerts_and_fold(opened: Opened) -> None:
    async with opened() as desk:
        await _opened_first(desk)
        lines = desk.screen.splitlines()
        assert "- power lost" in lines[3] and "A-441100" in lines[4] and "A-441101" not in desk.screen
        await desk.press("j", "h")
        assert "A-441100" not in desk.screen and "C-4411" in desk.line("> ")


async def test_alerts_are_asked_for_on_demand_only(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("3")
        await desk.settled()
        assert not [query for query in desk.client.queries if query.kind == "alerts"]
        await desk.press("l")
        await desk.settled()
        assert [query.cluster for query in desk.client.queries if query.kind == "alerts"] == [4411]


async def test_large_clusters_are_read_page_by_page(opened: Opened) -> None:
    client = FakeClient()
    incident = client.incidents[4411]
    client.alerts = {n: replace(world.alert(n, incident), suppressed=False) for n in range(1, 451)}
    client.clusters[4411] = replace(client.clusters[4411], alerts=450)
    async with opened(client=client) as desk:
        await _opened_first(desk)
        await desk.press(*["pagedown"] * 15)
        assert "250 more (enter)" in desk.screen
        while "more (enter)" not in desk.line("> "):
            await desk.press("k")
        await desk.press("enter")
        await desk.settled()
        await desk.press(*["pagedown"] * 25)
        assert "50 more (enter)" in desk.screen


async def test_near_repeats_on_demand(opened: Opened) -> None:
    async with opened() as desk:
        await _opened_first(desk)
        await desk.press("d")
        assert "A-441101" in desk.screen and "repeat" in desk.screen and "near repeats are shown" in desk.screen


async def test_state_by_glyph_and_word(opened: Opened) -> None:
    client = FakeClient()
    later, now = world.NOW + timedelta(hours=1), world.NOW
    changes = {
        441100: {"flapping": True},
        441102: {"silenced_by": ("s1",), "silenced_until": later},
        441103: {"inhibited_by": (AlertId(1),)},
        441105: {"ack": Ack(by="bo", at=now, severity=client.alerts[441105].severity)},
        441106: {"shelved_until": later},
        441108: {"ended_at": now},
    }
    for number, fields in changes.items():
        client.alerts[number] = replace(client.alerts[number], **fields)
    async with opened(client=client, size=(200, 40)) as desk:
        await _opened_first(desk)
        for word in ("flapping", "silenced", "inhibited", "acked", "shelved", "resolved", "new"):
            assert f" {word} " in desk.screen


async def test_ack_is_for_the_alert_and_on_a_cluster_for_its_incident(opened: Opened) -> None:
    async with opened() as desk:
        await _opened_first(desk)
        await desk.press("a")
        assert desk.client.commands[-1].targets == ("incident:4411",)
        await desk.press("j", "a")
        assert desk.client.commands[-1].targets == ("alert:441100",)
        await desk.press("o")
        assert desk.client.commands[-1].targets == ("incident:4411",)


async def test_silence_is_filled_from_the_labels(opened: Opened) -> None:
    async with opened() as desk:
        await _opened_first(desk)
        await desk.press("j", "S")
        assert 'alertname="power", instance="device-441100", site="Harbour 2"' in desk.screen


async def test_split_of_alert_and_cluster(opened: Opened) -> None:
    async with opened() as desk:
        await _opened_first(desk)
        await desk.press("x")
        assert "split: these are all alerts of I-4411; leave at least one behind" in desk.screen
        await desk.press("j", "x")
        await desk.calm("y")
        assert desk.client.commands[-1].targets == ("alert:441100",)


async def test_filter_is_the_engines_and_shows_the_hits(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("3", "slash")
        await desk.type("site=Depot*")
        await desk.press("enter")
        await desk.settled()
        assert "Alerts > site=Depot*" in desk.screen and "matching alerts in 2 clusters" in desk.screen
        assert "C-4411" not in desk.screen and "A-441000" in desk.screen
        await desk.press("escape")
        await desk.settled()
        assert "C-4411" in desk.screen


async def test_filter_that_is_wrong_says_so_and_keeps_the_rows(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("3")
        desk.app.command("alerts site=")
        await desk.settled()
        assert "filter:" in desk.screen and "C-4411" in desk.screen


async def test_clusters_beside_the_latest_are_asked_for(opened: Opened) -> None:
    client = FakeClient()
    split: Cluster = replace(client.clusters[4410], id=9999, closed=True, method="operator")  # type: ignore[arg-type]
    client.incidents[4410] = replace(client.incidents[4410], clusters=(4410, 9999))  # type: ignore[arg-type]
    async with opened(client=client) as desk:
        client.clusters[9999] = split
        await desk.press("3")
        await desk.live(3)
        await desk.settled()
        assert "C-9999" in desk.screen
        assert any("9999" in query.q for query in client.queries if query.kind == "clusters")


async def test_open_clusters_follow_the_feed(opened: Opened) -> None:
    async with opened() as desk:
        await _opened_first(desk)
        desk.client.push(replace(desk.client.alerts[441100], flapping=True))
        await desk.live(3)
        await desk.settled()
        assert "flapping" in desk.screen


async def test_refused_cluster_is_told(opened: Opened) -> None:
    async with opened() as desk:
        desk.client.refuse_query("alerts", Refused("reading took too long", remedy="narrow it"))
        await desk.press("3", "l")
        await desk.settled()
        assert "not read: reading took too long; narrow it" in desk.screen


async def test_empty_loading_and_no_engine(opened: Opened) -> None:
    async with opened(count=0) as desk:
        await desk.press("3")
        assert "amtool --alertmanager.url=" in desk.screen
    client = FakeClient()
    client.go_down("the engine is starting")
    async with opened(client=client) as desk:
        await desk.press("3")
        assert "No engine answers yet" in desk.screen and "amtool" not in desk.screen


async def test_next_unacked_goes_by_priority(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("3", "n")
        assert "C-4410" in desk.line("> ")
        await desk.press("n")
        assert "C-4409" in desk.line("> ")


async def test_a_cluster_opened_on_the_last_line_shows_its_alert(opened: Opened) -> None:
    client = FakeClient()
    of = client.clusters[4411]
    for n in range(9_001, 9_041):
        client.clusters[n] = replace(of, id=ClusterId(n), last_at=of.last_at - timedelta(minutes=n))
    client.alerts = {1: replace(world.alert(1, client.incidents[4411]), cluster=ClusterId(9_040), suppressed=False)}
    async with opened(client=client) as desk:
        await desk.press("3")
        await desk.settled()
        await desk.press("G", "enter")
        await desk.settled()
        assert "C-9040" in desk.line("> ") and "A-1 " in desk.screen
