"""The predictions page: lanes, reasons, the record beside them, and each state that it can be in."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from data.nouns.predictions import Contribution
from data.nouns.world import Site
from engine.client import Refused
from noc_console.directory import Directory
from noc_console.glyphs import ASCII, UNICODE
from noc_console.screens.predictions_rows import here, lane, percent, said_at, such
from noc_console.widgets.lanes import Window
from tests.console.conftest import Desktop, Opened
from tests.console.predictions_world import PredictionsClient, prediction, record
from tests.fakes import world
from tests.fakes.world import EVIL

SIZES = [(80, 24), (120, 36), (200, 60)]


async def show(desk: Desktop) -> None:
    await desk.press("6")
    await desk.live()
    await until(desk, "Record, 30 days", "Could not", "You lack")
    await desk.live()
    await desk.settled()


async def until(desk: Desktop, *words: str) -> None:
    """One of these is on the screen."""
    for _ in range(200):
        await desk.settled()
        if any(word in desk.screen for word in words):
            return
    raise AssertionError(f"none of {words} in\n{desk.screen}")


@pytest.mark.parametrize("size", SIZES)
async def test_shows_lanes_reasons_and_records(opened: Opened, size: tuple[int, int]) -> None:
    async with opened(client=PredictionsClient(), size=size) as desk:
        await show(desk)
        first = desk.line("T-a")
        assert (
            "86%" in first
            and "SLA breach" in first
            and "─]" in first
            and "▅▇" in first.replace("▅▅", "▅").replace("▇▇", "▇")
        )
        assert "62%~" in desk.line("Gate 9"), "this model's probabilities have drifted"
        assert "o" in desk.line("T-d") and "]" not in desk.line("T-d")
        assert "3 open, 1 of 80% or more" in desk.screen
        assert "86% of its time is used" in desk.screen and "assign it to the second line" in desk.screen
        assert "heuristic, 120 of 500 cases; of 31 of 80%-90% it came" in desk.screen
        assert "model device-7" in desk.screen and "60%" in desk.line("SLA breach     heur")
        wide = size[0] >= 100
        assert ("58% of 31" in first) == wide and ("! drifts" in desk.screen) == wide
        assert ("Reliability of SLA breach" in desk.screen) == wide


async def test_the_page_without_predictions_is_broken_into_lines_that_fit(opened: Opened) -> None:
    client = PredictionsClient()
    client.predictions.clear()
    async with opened(client=client, size=(80, 24)) as desk:
        await show(desk)
        words = " ".join(" ".join(desk.screen.splitlines()[2:9]).split())
        assert "no device to go offline within 1 h, no post" in words and "…" not in words
        await desk.pilot.resize_terminal(120, 36)
        await desk.settled()
        assert "no device to go offline within 1 h, no" in desk.screen


async def test_what_is_likeliest_and_open_comes_first(opened: Opened) -> None:
    async with opened(client=PredictionsClient()) as desk:
        await show(desk)
        places = [desk.screen.index(f"T-{id}" if id != "c" else "Gate 9") for id in "acbd"]
        assert places == sorted(places)


async def test_a_prediction_that_comes_moves_and_ends_is_followed(opened: Opened) -> None:
    client = PredictionsClient()
    async with opened(client=client, size=(120, 36)) as desk:
        await show(desk)
        made = prediction("e", 0.93, made=0, left=120)
        client.tell(made, "prediction_made")
        await desk.live()
        assert "93%" in desk.line("T-e") and "4 open, 2 of 80% or more" in desk.screen
        client.tell(replace(made, acted="ack by ana", state="open"))
        await desk.live()
        assert "acted on" in desk.line("T-e")
        client.tell(replace(made, state="prevented", validated_at=desk.clock.now()), "prediction_validated")
        await desk.live()
        assert "prevented" in desk.line("T-e") and "3 open" in desk.screen


async def test_scrubbing_shows_what_was_said_then(opened: Opened) -> None:
    async with opened(client=PredictionsClient(), size=(120, 36)) as desk:
        await show(desk)
        await desk.press("h", "h", "h")
        await desk.settled()
        assert "as of 13:33, 30m ago" in desk.screen or "as of 13:32" in desk.screen
        assert "60%" in desk.line("T-a"), "before it rose"
        await desk.press("h", "h")
        await desk.settled()
        assert "-" in desk.line("T-a").split()[1] and "70%" not in desk.line("T-a"), "not made yet"
        await desk.press("e")
        await desk.settled()
        assert "86%" in desk.line("T-a") and "as of" not in desk.screen


async def test_outcomes_models_and_spans_are_keys(opened: Opened) -> None:
    async with opened(client=PredictionsClient(), size=(120, 36)) as desk:
        await show(desk)
        await desk.press("d")
        await desk.settled()
        assert "T-d" not in desk.screen and "T-a" in desk.screen
        await desk.press("m", "m")
        await desk.live(6)
        assert "Gate 9" in desk.screen and "T-a" not in desk.screen.split("Why")[0]
        await desk.press("m", "m", "b")
        await desk.settled()
        assert "1 hour back, 1 hour ahead" in desk.screen and "T-a" in desk.screen


async def test_enter_opens_the_incident_else_what_it_is_about(opened: Opened) -> None:
    async with opened(client=PredictionsClient(), size=(120, 36)) as desk:
        await show(desk)
        await desk.press("enter")
        await until(desk, "I-4411")
        await desk.press("escape")
        await desk.settled()
        await desk.press("o")
        await until(desk, "ticket T-a")
        assert "printer on fire" in desk.screen
        await desk.press("escape", "j", "enter")
        await until(desk, "device gw-9")
        assert "Gate 9" in desk.screen


async def test_why_and_how_far_it_could_be_believed(opened: Opened) -> None:
    async with opened(client=PredictionsClient(), size=(120, 36)) as desk:
        await show(desk)
        await desk.press("w")
        await until(desk, "share of the SLA used: 86%")
        await desk.press("escape", "C")
        await until(desk, "How far it could be believed")
        told = " ".join(desk.screen.split())
        assert "0.081 squared (Brier), by always saying the base rate 0.105" in told
        assert "prevented ÷ (prevented + hit)" in told
        assert "some would not have come anyway" in told and "heuristic, 120 of 500 cases" in told


async def test_a_filter_is_the_query_language(opened: Opened) -> None:
    async with opened(client=PredictionsClient()) as desk:
        await show(desk)
        await desk.press("slash")
        await desk.type("value>0.8")
        await desk.press("enter")
        await desk.live(6)
        assert "Predictions > value>0.8" in desk.screen and "T-a" in desk.screen and "Gate 9" not in desk.screen
        await desk.press("slash")
        await desk.write("valu >")
        await desk.press("enter")
        assert "filter: at" in desk.screen


async def test_nothing_foretold_is_said(opened: Opened) -> None:
    client = PredictionsClient()
    client.predictions = {}
    async with opened(client=client) as desk:
        await show(desk)
        assert "Nothing is foretold" in desk.screen and "heuristic, 120 of 500" in desk.screen


async def test_what_cannot_be_read_is_said_and_read_again(opened: Opened) -> None:
    client = PredictionsClient()
    client.refuse_query("predictions/performance", Refused("the store is busy"))
    async with opened(client=client) as desk:
        await show(desk)
        assert "Could not be read: the store is busy" in desk.screen and "T-a" in desk.screen
        client.refuse_query("predictions/performance", None)
        await desk.press("ctrl+r")
        await desk.live()
        await until(desk, "120 of 500")


async def test_an_engine_that_does_not_know_predictions(opened: Opened) -> None:
    client = PredictionsClient()
    client.refuse_query("predictions", Refused("unknown kind 'predictions'", field="kind"))
    async with opened(client=client) as desk:
        await desk.press("6")
        await desk.live()
        await desk.live()
        assert "This engine does not know predictions" in desk.screen


async def test_old_data_says_so(opened: Opened) -> None:
    client = PredictionsClient()
    async with opened(client=client, size=(120, 36)) as desk:
        await show(desk)
        client.go_down()
        await desk.live(95)
        assert "s old]" in desk.screen or "no engine" in desk.screen
        assert "T-a" in desk.screen


async def test_the_page_is_found_as_it_was_left(opened: Opened) -> None:
    async with opened(client=PredictionsClient()) as desk:
        await show(desk)
        await desk.press("d", "m", "j")
        state = desk.app.screen.save_state()  # type: ignore[attr-defined]
    async with opened(client=PredictionsClient()) as desk:
        desk.app.desk.saved_views["predictions"] = state
        await show(desk)
        assert "Predictions SLA breach" in desk.screen and "T-d" not in desk.screen and "> " in desk.line("T-b")
    async with opened(client=PredictionsClient()) as desk:
        desk.app.desk.saved_views["predictions"] = {"model": 3, "span": "x", "outcomes": None, "cursor": 5}
        await show(desk)
        assert "T-a" in desk.screen


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_overview_has_the_likeliest(opened: Opened, size: tuple[int, int]) -> None:
    async with opened(client=PredictionsClient(), size=size) as desk:
        await desk.live()
        await until(desk, "3 open")
        lines = desk.screen.splitlines()
        place = next(number for number, line in enumerate(lines) if "86%" in line)
        assert "SLA breach" in lines[place] and "79m" in lines[place]
        assert "T-a" in " ".join(lines[place : place + 2])


async def test_overview_says_that_nothing_is_foretold(opened: Opened) -> None:
    client = PredictionsClient()
    client.predictions = {}
    async with opened(client=client, size=(120, 36)) as desk:
        await desk.live()
        await until(desk, "nothing foretold")


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
async def test_texts_from_outside_are_inert(opened: Opened, size: tuple[int, int]) -> None:
    client = PredictionsClient()
    evil = prediction(
        "z", 0.99, entity=EVIL, entity_name=EVIL, site=EVIL, reasons=(EVIL,) * 3, action=EVIL, acted=EVIL, client=EVIL,
        contributions=(Contribution(EVIL, EVIL, 1.0),), version=EVIL,
    )  # fmt: skip
    client.predictions = {"z": evil}
    client.records = [record(version=EVIL, basis="model", drift={"value": 1.0, "warning": True, "words": EVIL})]
    async with opened(client=client, size=size) as desk:
        await desk.live()
        await show(desk)
        for keys in (("C",), ("escape", "o"), ("escape", "w"), ("escape", "1")):
            await desk.press(*keys)
            await desk.live()
            await desk.settled()
            assert not {"\x1b", "\x07", "\u202e", "\u2066"} & set(desk.screen)
        assert desk.app.is_running


# -- lanes


def window(cells: int = 36, back: float = 120, ahead: float = 240, cursor: float = 0) -> Window:
    now = world.NOW.timestamp()
    return Window(now - back * 60, now + ahead * 60, cells, now + cursor * 60)


def test_a_lane_has_a_course_a_rule_and_the_end_of_the_horizon() -> None:
    drawn = lane(prediction("a", 0.86, made=40, left=80), window(), world.NOW, UNICODE)
    assert len(drawn) == 36
    assert drawn == " " * 8 + "▅▅▇▇▇" + "─" * 7 + "]" + " " * 15


def test_a_lane_in_ascii_reads_as_well() -> None:
    drawn = lane(prediction("a", 0.86, made=40, left=80), window(), world.NOW, ASCII)
    assert drawn == " " * 8 + "++##" + "#" + "-" * 7 + "]" + " " * 15


@pytest.mark.parametrize(
    ("state", "mark"), [("hit", "o"), ("false_alarm", "x"), ("prevented", "p"), ("missed", "!"), ("cleared", "c")]
)
def test_what_became_of_it_stands_in_the_lane(state: str, mark: str) -> None:
    ended = world.NOW - timedelta(minutes=30)
    given = {"cleared_at": ended} if state == "cleared" else {"validated_at": ended}
    if state in {"hit", "missed"}:
        given["event_at"] = ended
    drawn = lane(prediction("a", made=100, left=-20, state=state, **given), window(), world.NOW, UNICODE)
    assert drawn[9] == mark and ("▇" in drawn) == (state != "missed")


def test_what_is_outside_of_the_window_is_cut() -> None:
    early, late = prediction("a", made=500, left=-400), prediction("b", made=1, left=900)
    assert lane(early, window(), world.NOW, UNICODE).strip() == "│"
    assert lane(late, window(), world.NOW, UNICODE)[-1] == "─"
    assert lane(late, window(cells=0), world.NOW, UNICODE) == ""


def test_what_was_said_at_a_moment() -> None:
    found, now = prediction("a", 0.8, made=40), world.NOW.timestamp()
    assert [said_at(found, now - minutes * 60) for minutes in (50, 30, 10, 0)] == [None, 0.56, 0.8, 0.8]
    assert said_at(replace(found, history=()), now - 60) == 0.56


def test_such_predictions_before() -> None:
    assert such(0.85, record()) == "58% of 31" and such(0.99, record()) == "-" and such(0.5, None) == "-"


async def test_acts_typed_are_for_the_incidents_of_the_predictions(opened: Opened) -> None:
    client = PredictionsClient()
    async with opened(client=client) as desk:
        await show(desk)
        desk.app.command("ack")
        await desk.settled()
        assert [(command.verb, command.targets) for command in client.commands] == [("ack", ("incident:4411",))]


@pytest.mark.parametrize(
    ("probability", "words"),
    [(0.0, "0%"), (0.001, "<1%"), (0.62, "62%"), (0.9949, "99%"), (0.996, ">99%"), (1.0, "100%")],
)
def test_what_is_nearly_sure_is_not_said_to_be_sure(probability: float, words: str) -> None:
    assert percent(probability) == words


def test_what_stands_beside_its_site_does_not_say_the_site_again() -> None:
    names = Directory()
    names.take([Site(tenant=world.TENANT, id="s1", at=world.NOW, name="Kilo Tower")], [])
    phone = prediction("p", model="device", entity="s1-phone-5", entity_kind="device", entity_name="Kilo Tower phone 5")
    post = prediction("q", model="staffing", entity="s1/night", entity_kind="post", entity_name="night at s1 from 21h")
    assert [here(found, names) for found in (phone, post)] == ["phone 5", "night from 21h"]
    assert here(phone, Directory()) == "Kilo Tower phone 5"
