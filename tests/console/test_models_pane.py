"""The models in the log: what serves beside its baseline, how far a training is, and the keys."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from data.records import Partition
from engine.client import Command, CommandResult, Query
from tests.console.conftest import Opened
from tests.fakes import world
from tests.fakes.client import FakeClient


def model(name: str, **given: Any) -> dict[str, Any]:
    return {
        "model": name,
        "words": f"what {name} is",
        "baseline": "cosine",
        "state": "idle",
        "wish": "",
        "last_at": world.NOW - timedelta(hours=2),
        "result": "kept",
        "why": "pr_auc 0.8000 against the champion's 0.9000",
        "champion": "0002",
        "before": "0001",
        "primary": "pr_auc",
        "metrics": {"pr_auc": 0.9},
        "baseline_metrics": {"pr_auc": 0.5},
        "steps": [{"version": "0002", "at": "2026-11-20T13:00:00Z", "why": "pr_auc 0.9"}],
        "next_at": world.NOW + timedelta(days=1),
        "progress": None,
        **given,
    }


class Learning(FakeClient):
    """An engine with these models."""

    def __init__(self, *models: dict[str, Any]) -> None:
        super().__init__()
        self.models = list(models)

    def _answer(self, query: Query) -> list[Any]:
        return self.models if query.kind == "models/training" else super()._answer(query)

    def _do(self, command: Command) -> CommandResult:
        return CommandResult(partition=Partition(0), seq=self.seq, changed=command.targets)


async def test_models_stand_beside_their_baseline(opened: Opened) -> None:
    running = model("fraud", state="running", progress={"what": "fitting", "done": 300, "total": 1000})
    async with opened(client=Learning(model("clustering"), running)) as desk:
        await desk.press("9", "M")
        await desk.settled()
        line = desk.line("clustering")
        assert "0002" in line and "0.900" in line and "0.500 cosine" in line and "kept" in line
        assert "> training" in desk.line("fraud") and "Models training" in desk.screen.splitlines()[1]
        await desk.press("enter")
        await desk.settled()
        assert "what clustering is" in desk.screen and "0.9, cosine 0.5: true ones told first" in desk.screen


async def test_keys_ask_for_training_and_the_way_back(opened: Opened) -> None:
    async with opened(client=Learning(model("clustering"))) as desk:
        await desk.press("9", "M")
        await desk.settled()
        await desk.press("t", "x")
        await desk.settled()
        sent = [(command.verb, command.targets) for command in desk.client.commands]
        assert sent == [("train", ("model:clustering",)), ("cancel_training", ("model:clustering",))]
        await desk.press("R")
        await desk.settled()
        assert "0001 will" in desk.screen and len(desk.client.commands) == 2


async def test_there_is_no_way_back_from_the_first_champion(opened: Opened) -> None:
    async with opened(client=Learning(model("clustering", before=""))) as desk:
        await desk.press("9", "M")
        await desk.settled()
        await desk.press("R")
        await desk.settled()
        assert "has had no other champion" in desk.screen and not desk.client.commands
