"""Answers that are made of several reads, asked of a whole engine: why, related, preview, KPIs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from data.records import DEFAULT_TENANT, Signal
from engine.app import Engine, build
from engine.client import Command, Query, Refused
from engine.ports import Envelope, EnvelopeKind
from engine.settings import Settings, StoreSettings
from tests.fakes.line import ANA, T0, signal, unlike
from tests.fakes.service import HandClock


@pytest.fixture
def clock() -> HandClock:
    return HandClock(T0)


@pytest.fixture
async def engine(tmp_path: Path, clock: HandClock) -> AsyncIterator[Engine]:
    settings = Settings(store=StoreSettings(data_dir=str(tmp_path), reserve_mib=0))
    running = build(settings, clock, listen=False)
    await running.start()
    yield running
    await running.stop()


async def take(engine: Engine, *rows: Signal) -> None:
    envelope = Envelope(kind=EnvelopeKind.SIGNALS, tenant=DEFAULT_TENANT, source="test", payload=list(rows))
    await engine.service.take(envelope)


async def ask(engine: Engine, kind: str, **fields: Any) -> list[Any]:
    return list((await engine.client(ANA).query(Query(kind=kind, **fields))).items)


async def act(engine: Engine, verb: str, *targets: str, **params: Any) -> None:
    await engine.client(ANA).command(Command(verb=verb, targets=targets, params=params))


async def figures(engine: Engine) -> dict[str, Any]:
    return {line["name"]: line["value"] for line in await ask(engine, "kpis")}


async def test_the_figures_are_those_of_what_happened(engine: Engine, clock: HandClock) -> None:
    await take(engine, signal("a"), signal("b"), unlike("c"), unlike("d", severity="low"))
    clock.advance(60.0)
    await act(engine, "ack", "incident:1")
    clock.advance(60.0)
    await act(engine, "ack", "incident:2")
    clock.advance(180.0)
    await act(engine, "resolve", "incident:1")
    found = await figures(engine)
    assert (found["alerts"], found["incidents"], found["alerts per incident"]) == (4, 3, 1.33)
    assert (found["noise"], found["MTTA"], found["MTTR"]) == (25.0, 90.0, 300.0)
    assert (found["flood"], found["standing"], found["chattering"]) == (False, 0, 0)


async def test_what_was_merged_is_counted_once(engine: Engine) -> None:
    await take(engine, signal("a"), signal("b"), unlike("c"))
    await act(engine, "merge", "incident:1", "incident:2")
    found = await figures(engine)
    assert (found["alerts"], found["incidents"], found["noise"]) == (3, 1, 66.67)


async def test_every_figure_has_its_formula(engine: Engine) -> None:
    lines = await ask(engine, "kpis")
    assert all(line["formula"] for line in lines)
    assert {line["name"]: line["value"] for line in lines}["MTTA"] is None


async def test_related_alerts_are_elsewhere_and_say_how(engine: Engine) -> None:
    await take(engine, signal("a"), unlike("b", name="LinkDown"), unlike("c"))
    (line,) = await ask(engine, "related", id="incident:1")
    assert (line["alert"].key, line["reason"], line["score"]) == ("b", "same type LinkDown, 0 min apart", 0.4)


async def test_a_preview_counts_what_a_silence_would_hit(engine: Engine) -> None:
    await take(engine, signal("a"), signal("b", severity="low"), unlike("c"))
    head, *hits = await ask(engine, "preview", q='site="Depot"')
    assert (head["alerts"], head["incidents"], head["muted_already"]) == (2, 1, 0)
    assert {line["alert"].key for line in hits} == {"a", "b"}
    await act(engine, "silence", matchers='site="Depot"', minutes=5)
    assert (await ask(engine, "preview", q='site="Depot"'))[0]["muted_already"] == 2
    limited = replace(ANA, sites=frozenset({"Harbour"}))
    page = await engine.client(limited).query(Query(kind="preview", q='host=~".*"'))
    assert page.items[0]["alerts"] == 0


@pytest.mark.parametrize(("kind", "given"), [("why", "planet:1"), ("why", "alert:77"), ("related", "alert:1")])
async def test_what_is_not_there_is_refused_with_the_way(engine: Engine, kind: str, given: str) -> None:
    with pytest.raises(Refused) as refusal:
        await ask(engine, kind, id=given)
    assert refusal.value.field == "id"


async def test_why_tells_of_the_incident_and_of_its_first_alerts(engine: Engine) -> None:
    await take(engine, signal("a"), signal("b"))
    lines = await ask(engine, "why", id="incident:1")
    assert {line["about"] for line in lines} == {"I-1", "A-1", "A-2"}
    assert all(line["words"] for line in lines)
