"""What every registered action promises: a plan changes nothing, a run carries the key, failures say what they are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from msgspec.structs import replace

from data.records import DEFAULT_TENANT, Effect, IncidentId
from engine.effects import Around, Later, Undoable, actions, around
from engine.outbound import Unreached
from engine.ports import Action, Plan
from engine.secret import Secret
from engine.settings import NotifySettings, Settings, WebhookSettings
from tests.fakes.receiver import Handler, Receiver, plain, receivers
from tests.fakes.still_clock import StillClock

receive = pytest.fixture(receivers)
Receive = Callable[[Handler], Awaitable[Receiver]]

#: Action → the params of an effect that it can do at the receiver that `surroundings` configures.
PARAMS: dict[str, dict[str, Any]] = {
    "page": {
        "webhook": "ops", "email": "", "event": "paged", "person": "ana", "title": "I-7", "text": "I-7 is down",
        "incident": {"id": 7, "title": "Down", "severity": "critical"},
    },
    "webhook": {"webhook": "ops", "event": "opened", "incident": {"id": 7, "title": "Down", "severity": "critical"}},
}


def surroundings(receiver: Receiver) -> Around:
    webhook = WebhookSettings(name="ops", url=f"{receiver.url}?token=hunter2", secret=Secret("s3cret", "env X"))
    settings = Settings(notify=NotifySettings(webhooks=(webhook,), allow_hosts=(receiver.authority,)))
    return around(settings, StillClock())


def effect_of(name: str) -> Effect:
    return Effect(
        key=f"{name}/ops/7/opened/3",
        tenant=DEFAULT_TENANT,
        action=name,
        params=PARAMS[name],
        created_at=StillClock().now(),
        incident=IncidentId(7),
    )


def action(name: str, receiver: Receiver) -> Action:
    return actions(surroundings(receiver))[name]


async def test_every_registered_action_is_tried_here(receive: Receive) -> None:
    assert set(actions(surroundings(await receive(lambda _: None)))) == set(PARAMS)


@pytest.mark.parametrize("name", PARAMS)
async def test_a_plan_says_where_it_goes_and_does_nothing(receive: Receive, name: str) -> None:
    receiver = await receive(lambda _: plain(200))
    plan = await action(name, receiver).plan(effect_of(name))
    assert isinstance(plan, Plan) and plan.action == name and plan.words
    assert list(plan.targets) == [f"http://{receiver.authority}"]
    assert receiver.seen == [] and "hunter2" not in repr(plan)


@pytest.mark.parametrize("name", PARAMS)
async def test_every_run_of_an_effect_carries_the_same_key_and_says_the_same(receive: Receive, name: str) -> None:
    receiver = await receive(lambda _: plain(202))
    doing = action(name, receiver)
    await doing.run(effect_of(name))
    await doing.run(replace(effect_of(name), attempt=3))
    first, second = receiver.seen
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"] == effect_of(name).key
    assert first.body == second.body and first.document["idempotency_key"] == effect_of(name).key


@pytest.mark.parametrize("name", PARAMS)
@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (301, Undoable),
        (307, Undoable),
        (400, Undoable),
        (401, Undoable),
        (404, Undoable),
        (410, Undoable),
        (408, Later),
        (429, Later),
        (500, Later),
        (503, Later),
    ],
)
async def test_a_refusal_says_whether_to_come_again(
    receive: Receive, name: str, status: int, failure: type[Exception]
) -> None:
    receiver = await receive(lambda _: plain(status, "Location: http://169.254.169.254/", "Retry-After: 7"))
    with pytest.raises(failure) as caught:
        await action(name, receiver).run(effect_of(name))
    assert str(status) in str(caught.value) and len(receiver.seen) == 1
    if isinstance(caught.value, Later):
        assert caught.value.seconds == 7


@pytest.mark.parametrize("name", PARAMS)
@pytest.mark.parametrize("pause", ["", "-1", "soon", "Wed, 21 Oct 2026 07:28:00 GMT", "9" * 400, "²"])
async def test_a_strange_pause_is_none_or_bounded(receive: Receive, name: str, pause: str) -> None:
    receiver = await receive(lambda _: plain(503, f"Retry-After: {pause}"))
    with pytest.raises((Later, Unreached)) as caught:
        await action(name, receiver).run(effect_of(name))
    assert getattr(caught.value, "seconds", 0.0) == 0.0


@pytest.mark.parametrize("name", PARAMS)
async def test_no_answer_is_unreached_and_shows_no_secret(receive: Receive, name: str) -> None:
    receiver = await receive(lambda _: b"")
    with pytest.raises(Unreached) as caught:
        await action(name, receiver).run(effect_of(name))
    assert "hunter2" not in str(caught.value) and "s3cret" not in str(caught.value)


@pytest.mark.parametrize("name", PARAMS)
async def test_a_target_that_is_gone_from_the_settings_cannot_be_done(receive: Receive, name: str) -> None:
    doing = action(name, await receive(lambda _: plain(200)))
    gone = replace(effect_of(name), params={**PARAMS[name], "webhook": "gone"})
    for attempt in (doing.plan, doing.run):
        with pytest.raises(Undoable, match="gone"):
            await attempt(gone)
