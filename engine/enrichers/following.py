"""Following: incidents that open get their context gathered and kept, a few a second, the newest first.

Owns the pace. Enrichment is the first thing that is left out when the engine has more to do: what opened in a flood
gets its context when somebody asks for it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from data.records import IncidentId, TenantId
from data.scope import CAPABILITIES, OWN, Scope
from engine.client import Refused, View
from engine.reports.context import enrich
from engine.service import Published

if TYPE_CHECKING:
    from engine.desk import Desk

#: Seconds between two, and incidents that wait at most: older ones are let go.
PACE_SECONDS = 0.5
WAITING_MOST = 20
#: Changes between two from which on the engine has more to do: those that opened wait.
BUSY_CHANGES = 50
#: What one that is under way may take when the engine stops.
LAST_SECONDS = 2.0


async def follow(desk: Desk, tenant: TenantId) -> None:
    """Run until cancelled."""
    scope = Scope(tenant=tenant, actor="engine", capabilities=CAPABILITIES, origin=OWN)
    watcher = await desk.subscribe(scope, View(kinds=("incident_opened",)), None)
    waiting: deque[IncidentId] = deque(maxlen=WAITING_MOST)
    arrived = asyncio.Event()

    async def work() -> None:
        while True:
            await arrived.wait()
            while waiting:
                before = (await desk.health(scope)).seq
                await desk.clock.sleep(PACE_SECONDS)
                busy = (await desk.health(scope)).seq - before > BUSY_CHANGES or desk.accepting() is not None
                if busy or not waiting:
                    continue
                with suppress(Refused):
                    await _whole(enrich(desk, tenant, waiting.pop()))
            arrived.clear()

    async with asyncio.TaskGroup() as group:
        group.create_task(work())
        try:
            async for item in watcher:
                if isinstance(item, Published):
                    opened = (change.subject.partition(":")[2] for change in item.changes)
                    waiting.extend(IncidentId(int(number)) for number in opened if number.isdigit())
                    arrived.set()
        finally:
            watcher.close()


async def _whole(work: Coroutine[Any, Any, Any]) -> None:
    """Until it is done, also when cancelled meanwhile: a read that is cut off would leave its connection open."""
    task = asyncio.get_running_loop().create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait((task,), timeout=LAST_SECONDS)
        task.cancel()
        raise
