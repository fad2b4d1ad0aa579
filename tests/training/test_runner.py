"""The runner with children of the test's own: wishes, the timetable, cutting off, and what is written down."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from data.records import DEFAULT_TENANT, TenantId
from data.scope import CAPABILITIES, Scope
from engine.app import Engine, build
from engine.client import Command, CommandResult, Query, Refused
from engine.clock import SystemClock
from engine.reports import load
from engine.settings import Settings, StoreSettings
from engine.training.registry import Trainer, trainers
from engine.training.runner import TrainingRunner
from engine.training.settings import TrainingSettings

SCOPE = Scope(tenant=DEFAULT_TENANT, actor="ana", capabilities=CAPABILITIES)
OUTCOME = {
    "name": "clustering", "version": "0007", "promoted": True, "why": "better", "primary": "pr_auc",
    "examples": 900, "held_out": 100, "metrics": {"pr_auc": 0.9, "brier": 0.1}, "baseline": {"pr_auc": 0.5},
    "threshold": 0.4, "base_rate": 0.2,
}  # fmt: skip
#: What a child does: JSON on its stderr and stdout, or waiting to be ended.
ANSWERS = f"print({json.dumps(json.dumps(OUTCOME))})"
TELLS = """
import sys
print('{"what": "fitting", "done": 3, "total": 9}', file=sys.stderr, flush=True)
sys.stdin.buffer.read()
"""
SECONDS = 120.0


class ShiftedClock(SystemClock):
    """The machine's time, put forward."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead


class World:
    """A running engine whose trainings are scripts."""

    def __init__(self, engine: Engine, clock: ShiftedClock, scripts: list[str]) -> None:
        self.engine, self.clock, self.scripts = engine, clock, scripts

    async def act(self, verb: str, name: str = "clustering") -> CommandResult:
        return await self.engine.client(SCOPE).command(Command(verb=verb, targets=(f"model:{name}",)))

    async def models(self) -> dict[str, dict[str, Any]]:
        page = await self.engine.client(SCOPE).query(Query(kind="models/training"))
        return {row["model"]: row for row in page.items}

    async def history(self, scope: Scope = SCOPE) -> list[Any]:
        return list((await self.engine.client(scope).query(Query(kind="models/history"))).items)

    async def until(self, look: Callable[[dict[str, Any]], Any], name: str = "clustering") -> dict[str, Any]:
        async with asyncio.timeout(SECONDS):
            while True:
                found = (await self.models()).get(name)
                if found is not None and look(found):
                    return found
                await asyncio.sleep(0.02)


@asynccontextmanager
async def world(folder: Path, *scripts: str, settings: TrainingSettings | None = None) -> AsyncIterator[World]:
    """`scripts` are run one after the other, the last one again and again."""
    load()
    left, clock = list(scripts), ShiftedClock()

    def command(module: str, *arguments: str) -> list[str]:
        return [sys.executable, "-c", left.pop(0) if len(left) > 1 else left[0]]

    store = StoreSettings(data_dir=str(folder), reserve_mib=0)
    engine = build(Settings(store=store, training=settings or TrainingSettings()), clock, listen=False)
    engine.training.command = command
    await engine.start()
    try:
        yield World(engine, clock, left)
    finally:
        await engine.stop()


async def test_what_was_learned_is_a_record_beside_its_baseline(tmp_path: Path) -> None:
    async with world(tmp_path, ANSWERS) as found:
        await found.until(lambda model: model["state"] == "idle")
        assert (await found.act("train")).changed == ("model:clustering",)
        model = await found.until(lambda model: model["last_at"])
        assert (model["result"], model["why"], model["wish"]) == ("promoted", "better", "")
        (record,) = await found.history()
        assert (record.model, record.by, record.version, record.pr_auc, record.brier) == (
            "clustering", "ana", "0007", 0.9, 0.1,
        )  # fmt: skip
        assert record.baseline == {"pr_auc": 0.5} and record.held_out == 100
        kinds = [change.kind for change in (await found.engine.client(SCOPE).query(Query(kind="events"))).items]
        assert {"model_asked", "model_training", "model_trained"} <= set(kinds)


async def test_progress_is_seen_and_a_training_can_be_cancelled(tmp_path: Path) -> None:
    async with world(tmp_path, TELLS) as found:
        await found.until(lambda model: model["state"] == "idle")
        await found.act("train")
        model = await found.until(lambda model: model["progress"] and model["progress"].done)
        assert (model["state"], model["progress"].what, model["progress"].total) == ("running", "fitting", 9)
        assert "being trained" in (await found.act("train")).refused["model:clustering"]
        await found.act("cancel_training")
        model = await found.until(lambda model: model["last_at"])
        assert (model["result"], model["state"], model["wish"]) == ("cancelled", "idle", "")


async def test_only_one_is_trained_at_a_time(tmp_path: Path) -> None:
    async with world(tmp_path, TELLS) as found:
        await found.until(lambda model: model["state"] == "idle", "priority")
        await found.act("train", "clustering")
        await found.until(lambda model: model["progress"])
        await found.act("train", "priority")
        waiting = (await found.models())["priority"]
        assert (waiting["state"], waiting["wish"]) == ("idle", "train")
        await found.act("cancel_training", "priority")
        assert (await found.models())["priority"]["wish"] == ""


@pytest.mark.parametrize(
    ("script", "result", "words"),
    [
        ('print(\'{"error": "3 cases are judged", "code": "too_few"}\')', "too_few", "3 cases"),
        ("import sys; sys.exit('out of luck')", "failed", "out of luck"),
        ("print('{}')", "failed", "nobody understands"),
        ("import os; os.kill(os.getpid(), 9)", "failed", "without an answer"),
    ],
)
async def test_a_training_that_comes_to_nothing_says_why(tmp_path: Path, script: str, result: str, words: str) -> None:
    async with world(tmp_path, script) as found:
        await found.until(lambda model: model["state"] == "idle")
        await found.act("train")
        model = await found.until(lambda model: model["last_at"])
        assert model["result"] == result and words in model["why"]
        assert model["champion"] == "shipped"


async def test_a_moment_that_was_missed_is_made_up_for_after_the_next_start(tmp_path: Path) -> None:
    async with world(tmp_path, ANSWERS) as found:
        for name in trainers():  # what is not known before the end has missed nothing
            model = await found.until(lambda model: model["state"] == "idle", name)
            assert model["last_at"] is None and model["next_at"] > found.clock.now()
    load()
    clock = ShiftedClock()
    clock.ahead = timedelta(days=8)
    store = StoreSettings(data_dir=str(tmp_path), reserve_mib=0)
    engine = build(Settings(store=store), clock, listen=False)
    engine.training.command = lambda *_: [sys.executable, "-c", ANSWERS]
    await engine.start()
    try:
        again = World(engine, clock, [])
        for name in trainers():
            model = await again.until(lambda model: model["last_at"], name)
            assert model["next_at"] > clock.now() and model["last"].by == ""
    finally:
        await engine.stop()


async def test_a_training_that_the_end_cut_off_is_begun_again(tmp_path: Path) -> None:
    never = TrainingSettings(weekly=False)
    async with world(tmp_path, TELLS, settings=never) as found:
        await found.until(lambda model: model["state"] == "idle")
        await found.act("train")
        await found.until(lambda model: model["progress"] and model["progress"].done)
    async with world(tmp_path, ANSWERS, settings=never) as found:
        model = await found.until(lambda model: model["last_at"])
        assert model["result"] == "promoted" and model["next_at"] is None


async def test_what_is_not_there_is_refused_with_what_is(tmp_path: Path) -> None:
    async with world(tmp_path, ANSWERS) as found:
        await found.until(lambda model: model["state"] == "idle")
        refused = (await found.act("train", "oracle")).refused["model:oracle"]
        assert "no such model" in refused and "clustering" in refused
        assert "not being trained" in (await found.act("cancel_training")).refused["model:clustering"]
        await found.act("rollback_model")
        model = await found.until(lambda model: model["result"])
        assert "no other champion" in model["why"] and model["last_at"] is None


async def test_figures_of_fraud_take_their_capability(tmp_path: Path) -> None:
    async with world(tmp_path, ANSWERS.replace("clustering", "fraud")) as found:
        await found.until(lambda model: model["state"] == "idle", "fraud")
        await found.act("train", "fraud")
        await found.until(lambda model: model["last_at"], "fraud")
        viewer = Scope(tenant=DEFAULT_TENANT, actor="eve", capabilities=frozenset({"noc:view"}))
        assert await found.history(viewer) == [] and len(await found.history()) == 1
        rows = (await found.engine.client(viewer).query(Query(kind="models/training"))).items
        fraud = next(row for row in rows if row["model"] == "fraud")
        assert (fraud["last"], fraud["why"], fraud.get("metrics")) == (None, "", None)
        events = (await found.engine.client(viewer).query(Query(kind="events"))).items
        assert not any(b"better" in bytes(change.record) for change in events if change.kind == "model_trained")


async def test_trainings_that_may_not_be_seen_take_no_room_in_the_history(tmp_path: Path) -> None:
    """Neither do they push out what may be seen, nor tell by gaps that they were."""
    fraud = ANSWERS.replace("clustering", "fraud")
    async with world(tmp_path, ANSWERS, fraud) as found:
        for name in ("clustering", "fraud"):
            await found.until(lambda model: model["state"] == "idle", name)
            await found.act("train", name)
            await found.until(lambda model: model["last_at"], name)
        for capabilities, newest in ((frozenset({"noc:view"}), "clustering"), (CAPABILITIES, "fraud")):
            scope = Scope(tenant=DEFAULT_TENANT, actor="eve", capabilities=capabilities)
            asked = Query(kind="models/history", params={"limit": 1})
            (record,) = (await found.engine.client(scope).query(asked)).items
            assert record.model == newest
        viewer = Scope(tenant=DEFAULT_TENANT, actor="eve", capabilities=frozenset({"noc:view"}))
        of_fraud = Query(kind="models/history", params={"model": "fraud"})
        assert (await found.engine.client(viewer).query(of_fraud)).items == []


async def test_how_many_cases_were_judged_takes_the_capability_too(tmp_path: Path) -> None:
    few = 'print(\'{"error": "31 cases are judged, 7 of them fraud", "code": "too_few"}\')'
    told = TELLS.replace("fitting", "fitting 812 judged cases")
    viewer = Scope(tenant=DEFAULT_TENANT, actor="eve", capabilities=frozenset({"noc:view"}))
    async with world(tmp_path, told, few) as found:
        client = found.engine.client(viewer)
        await found.until(lambda model: model["state"] == "idle", "fraud")
        await found.act("train", "fraud")
        model = await found.until(lambda model: model["progress"] and model["progress"].done, "fraud")
        assert "812" in model["progress"].what
        rows = (await client.query(Query(kind="models/training"))).items
        progress = next(row["progress"] for row in rows if row["model"] == "fraud")
        assert (progress.what, progress.done, progress.total) == ("training", 0, 0)
        await found.act("cancel_training", "fraud")
        await found.until(lambda model: model["result"] == "cancelled", "fraud")
        await found.act("train", "fraud")
        model = await found.until(lambda model: model["result"] == "too_few", "fraud")
        assert "7 of them" in model["why"], "whoever may see it does"
        rows = (await client.query(Query(kind="models/training"))).items
        assert next(row["why"] for row in rows if row["model"] == "fraud") == ""
        events = (await client.query(Query(kind="events"))).items
        assert not any(b"7 of them" in bytes(change.record) for change in events)


async def test_models_serve_all_sites_and_take_somebody_who_sees_them(tmp_path: Path) -> None:
    async with world(tmp_path, ANSWERS) as found:
        await found.until(lambda model: model["state"] == "idle")
        guest = Scope(tenant=DEFAULT_TENANT, actor="gil", capabilities=CAPABILITIES, sites=frozenset({"Depot"}))
        for verb in ("train", "cancel_training", "rollback_model"):
            with pytest.raises(Refused, match="all sites"):
                await found.engine.client(guest).command(Command(verb=verb, targets=("model:clustering",)))
        assert (await found.models())["clustering"]["wish"] == ""


def test_a_child_is_started_from_the_list_only() -> None:
    from engine.models import child

    with pytest.raises(ValueError, match="not started"):
        child.command("os")
    assert child.command(child.TRAINING, "fraud")[1:3] == ["-m", "engine.training.child"]


def test_every_trainer_says_what_it_learns() -> None:
    for name, trainer in trainers().items():
        assert isinstance(trainer, Trainer) and trainer.name == name and trainer.words and trainer.baseline
    assert {"clustering", "fraud", "priority"} <= set(trainers())
    assert TrainingRunner.__doc__ and TenantId("x")
