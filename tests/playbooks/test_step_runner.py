"""The runner by itself: it begins only on Go, and tells every end of an act until it is taken."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from data.ports import StoreError
from data.records import DEFAULT_TENANT, Effect, IncidentId
from engine.effects import Later, Undoable
from engine.playbooks.actions import Act, Done, Failed, Idempotency
from engine.playbooks.messages import Go, StepEnded, StepStarting, Stop
from engine.playbooks.runner import StepRunner
from engine.ports import Envelope, Overloaded, Receipt
from tests.fakes.line import T0
from tests.fakes.still_clock import StillClock
from tests.playbooks.world import Touch

EFFECT = Effect(
    key="playbook/x/one/1",
    tenant=DEFAULT_TENANT,
    action="playbook_step",
    params={"execution": "x", "step": "one", "generation": 1},
    created_at=T0,
)
ACT = Act(
    key="playbook/x/one",
    tenant=DEFAULT_TENANT,
    execution="x",
    playbook="mend",
    incident=IncidentId(1),
    site="",
    at=T0,
    timeout_seconds=5.0,
)


class Telling(Touch):
    """Ends as it is told to."""

    def __init__(self, end: Any) -> None:
        super().__init__("tell", Idempotency.UNSAFE)
        self.end, self.ran = end, 0

    async def run(self, act: Act, params: Any) -> Done:
        self.ran += 1
        if isinstance(self.end, Exception):
            raise self.end
        return Done(output={"said": self.end})


class Table:
    """The line as the runner sees it: `answers` to what it is told, in order; an exception is raised."""

    def __init__(self, action: Telling, *answers: Any) -> None:
        self.answers, self.told, self.tasks = list(answers), [], []
        self.runner = StepRunner(
            take=self.take, actions=lambda: {"tell": action}, clock=StillClock(T0), spawn=self.spawn
        )

    async def take(self, envelope: Envelope) -> Receipt:
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        self.told.append(envelope.payload)
        return Receipt(partition=0, seq=0, result=answer)  # type: ignore[arg-type]

    def spawn(self, name: str, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        self.tasks.append(asyncio.get_running_loop().create_task(work))
        return self.tasks[-1]

    async def all_done(self) -> StepEnded:
        await asyncio.gather(*self.tasks)
        found = self.told[-1]
        assert isinstance(found, StepEnded)
        return found


GO = Go(action="tell", params={"target": "a"}, act=ACT)


async def test_go_begins_and_the_end_is_told() -> None:
    table = Table(Telling("fine"), GO)
    assert await table.runner.run(EFFECT) == {"begun": True}
    ended = await table.all_done()
    assert isinstance(table.told[0], StepStarting) and table.told[0].runner == ended.runner
    assert (ended.done, ended.output) == (True, {"said": "fine"})


async def test_stop_does_nothing() -> None:
    action = Telling("fine")
    table = Table(action, Stop(reason="no"))
    assert (await table.runner.run(EFFECT))["begun"] is False
    assert (action.ran, table.tasks) == (0, [])


@pytest.mark.parametrize(
    ("error", "raised"), [(Overloaded(), Later), (StoreError("down"), Later)], ids=["overloaded", "store"]
)
async def test_what_the_line_cannot_take_now_comes_again(error: Exception, raised: type[Exception]) -> None:
    action = Telling("fine")
    with pytest.raises(raised):
        await Table(action, error).runner.run(EFFECT)
    assert action.ran == 0


async def test_what_failed_on_the_line_is_not_begun() -> None:
    with pytest.raises(Undoable):
        await Table(Telling("fine"), None).runner.run(EFFECT)


@pytest.mark.parametrize(
    ("end", "again", "unseen", "words"),
    [
        (Failed("no"), False, False, "no"),
        (Failed("later", again=True), True, False, "later"),
        (Failed("gone", unseen=True), True, True, "gone"),
        (ValueError("secret"), True, True, "the action broke: ValueError"),
        (TimeoutError(), True, True, "took more than 5 s"),
    ],
)
async def test_how_an_act_ended_is_told(end: Exception, again: bool, unseen: bool, words: str) -> None:
    table = Table(Telling(end), GO)
    await table.runner.run(EFFECT)
    ended = await table.all_done()
    assert (ended.done, ended.again, ended.unseen, ended.error) == (False, again, unseen, words)


async def test_the_end_is_told_until_it_is_taken() -> None:
    table = Table(Telling("fine"), GO, Overloaded(), StoreError("down"), None)
    await table.runner.run(EFFECT)
    assert (await table.all_done()).done
