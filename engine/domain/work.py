"""Work orders and tasks of other modules: their state, and whether they are late.

Owns when work is overdue. Fields are merged each by the time of its word.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from data.nouns.world import Task, WorkOrder
from engine.book import Draft
from engine.domain import known
from engine.domain.alerts import About, clear, fire
from engine.domain.events import DomainEvent, WorkOrderData
from engine.domain.merging import LATENESS, patched
from engine.domain.registry import every, on

OVER = frozenset({"done", "cancelled"})
_KINDS: dict[str, tuple[str, type[WorkOrder]]] = {
    "noc.workorder": ("workorders", WorkOrder),
    "noc.task": ("tasks", Task),
}


@on("noc.workorder", "noc.task", order=10)
def work(draft: Draft, event: DomainEvent) -> None:
    data: WorkOrderData = event.data  # type: ignore[assignment]
    kind, record = _KINDS[event.type]
    known.site(draft, data.site or "", event.at)
    old: WorkOrder | None = draft.noun(kind, data.id)
    start = old or record(tenant=draft.tenant, id=data.id, at=event.at)
    values: dict[str, Any] = {
        name: getattr(data, name)
        for name in ("state", "title", "site", "owner", "due_at")
        if getattr(data, name) is not None
    }
    found = settle(draft, patched(start, event.at, values, at=min(start.at, event.at)))
    if found != old:
        draft.put_noun(found)
        _judge(draft, found)


def settle(draft: Draft, of: WorkOrder) -> WorkOrder:
    over = of.state in OVER
    done_at = of.stamps.get("state") if over else None
    return replace(
        of,
        done_at=done_at,
        overdue=of.due_at is not None and not over and draft.now >= of.due_at,
        settled=of.settled or (done_at is not None and draft.now > done_at + LATENESS),
    )


def _judge(draft: Draft, of: WorkOrder) -> None:
    is_task = isinstance(of, Task)
    about = About(
        entity=of.id,
        entity_type="task" if is_task else "workorder",
        site=of.site,
        parts={"workorder": f"{'task' if is_task else 'order'}/{of.id}", "owner": of.owner},
    )
    if of.overdue and of.due_at is not None:
        words = "Task" if is_task else "Work order"
        fire(draft, "work_order_overdue", about, title=f"{words} {of.id} is overdue: {of.title}", since=of.due_at)
    else:
        clear(draft, "work_order_overdue", about, at=of.done_at or draft.now)


@every(60.0)
def look_at_work(draft: Draft) -> None:
    """What has come to be overdue, and what has been over for long enough."""
    for kind in ("workorders", "tasks"):
        for of in draft.all_nouns(kind):
            found = settle(draft, of) if _may_change(of, draft) else of
            if found != of:
                draft.tenant = of.tenant
                draft.put_noun(found)
                _judge(draft, found)


def _may_change(of: WorkOrder, draft: Draft) -> bool:
    if of.state in OVER:
        return of.done_at is not None and draft.now > of.done_at + LATENESS
    return not of.overdue and of.due_at is not None and draft.now >= of.due_at
