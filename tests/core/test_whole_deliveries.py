"""A delivery of several parts is taken whole, in one commit, or not at all."""

from __future__ import annotations

import asyncio

import pytest

from data.records import DEFAULT_TENANT, Reject
from engine.inbox import Inbox, Waiting
from engine.ports import Envelope, EnvelopeKind, Overloaded
from engine.worker import _by_urgency
from tests.fakes.line import T0, signal
from tests.fakes.still_clock import StillClock


def news(*keys: str, ends: float | None = None) -> Envelope:
    rows = [signal(key, ends=ends) for key in keys]
    return Envelope(kind=EnvelopeKind.SIGNALS, tenant=DEFAULT_TENANT, source="test", payload=rows)


def letters(count: int) -> Envelope:
    reject = Reject(
        tenant=DEFAULT_TENANT, source="test", format="x", at=T0, field="", reason="no", remedy="mend it", body=""
    )
    return Envelope(kind=EnvelopeKind.REJECTS, tenant=DEFAULT_TENANT, source="test", payload=[reject] * count)


async def entered(inbox: Inbox, *envelopes: Envelope) -> asyncio.Task[object]:
    task: asyncio.Task[object] = asyncio.create_task(inbox.put_all(envelopes))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    return task


async def test_a_delivery_that_does_not_fit_leaves_nothing_behind() -> None:
    inbox = Inbox(StillClock(), 100)
    filler = await entered(inbox, news(*map(str, range(70))))
    with pytest.raises(Overloaded):
        await inbox.put_all([news(*"abcdefgh"), letters(8)])
    assert (inbox.rows, inbox.waiting) == (70, 1)
    filler.cancel()


async def test_a_delivery_is_not_cut_between_commits() -> None:
    inbox = Inbox(StillClock(), 1000)
    waits = [await entered(inbox, news("a"), letters(1), news("b")) for _ in range(3)]
    assert [len(inbox.take(1, 1000)) for _ in range(3)] == [3, 3, 3]
    waits = [*waits, await entered(inbox, news(*"abc"), letters(1))]
    assert len(inbox.take(256, 2)) == 2
    for wait in waits:
        wait.cancel()


async def test_a_delivery_goes_on_to_a_full_disk_whole_or_not_at_all() -> None:
    inbox = Inbox(StillClock(), 1000)
    ends, begins = (news("a", ends=5.0), letters(1)), (news("b", ends=5.0), news("c"), letters(1))
    waits = [await entered(inbox, *parts) for parts in (ends, begins, (letters(1),))]
    taken: list[Waiting] = inbox.take(256, 1000)
    urgent, rest = _by_urgency(taken)
    assert (urgent, rest) == (taken[:2], taken[2:])
    for wait in waits:
        wait.cancel()
