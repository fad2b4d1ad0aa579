"""Playbooks: the dry run, the format, what could not be loaded, and how runs ended.

Owns the figures. A plan is worked out by the same function as the one that is approved and run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct, structs

from data.nouns.playbooks import EXECUTION_OVER, Definition, Execution
from data.query_ast import Compare, Op
from data.records import ENDED, Alert, Incident
from data.restricted import of_names
from data.scope import Scope
from engine.client import Refused
from engine.playbooks.library import Library, library
from engine.playbooks.loader import Loaded, schema
from engine.playbooks.plan import Unplannable, plan
from engine.playbooks.starting import about, known_of
from engine.reports.observability import quoted
from engine.reports.registry import report

if TYPE_CHECKING:
    from engine.desk import Desk

MOST = 1000
#: States of runs that did what they were to do, or tried.
ACTED = ("success", "partial", "failed")
#: Figures of `statistics` that stand beside a playbook that fits.
SHOWN = ("runs", "acted", "success_rate", "mean_seconds")


class PlanParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A playbook on an incident; or an execution that waits, with the definition that it keeps."""

    playbook: Annotated[str, Meta(max_length=64)] = ""
    incident: Annotated[int, Meta(ge=0)] = 0
    execution: Annotated[str, Meta(max_length=200)] = ""


class FittingParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    incident: Annotated[int, Meta(ge=1)]


class StatisticsParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    playbook: Annotated[str, Meta(max_length=64)] = ""
    days: Annotated[int, Meta(ge=1, le=365)] = 30


@report("playbooks/plan", capability="playbook:run", also="playbook:approve", params=PlanParams)
async def planned(desk: Desk, scope: Scope, params: PlanParams) -> Sequence[Any]:
    """The dry run of a playbook on an incident: parameters, targets, blast radius and hash. Nothing is done.

    Of an execution that waits it says whether its plan is still the one that was asked for (`changed`).
    """
    if params.execution:
        return [await _replanned(desk, scope, params.execution)]
    loaded = _library(desk).of(scope.tenant).get(params.playbook)
    if loaded is None:
        raise Refused(f"no playbook is called {params.playbook!r}", field="playbook", remedy="see playbooks/files")
    incident, alerts = await _incident(desk, scope, params.incident)
    return [_told(desk, loaded.definition, incident, alerts)]


async def _replanned(desk: Desk, scope: Scope, id: str) -> dict[str, Any]:
    found: Sequence[Execution] = await desk.rows(scope, kind="executions", ids=(id,), limit=1)
    if not found:
        raise Refused("not found among the runs", field="execution", remedy="name one that you see", status=404)
    run = found[0]
    if run.state in EXECUTION_OVER:
        raise Refused(f"it is over: {run.state}", field="execution", remedy="plan its playbook anew", status=409)
    incident, alerts = await _incident(desk, scope, run.incident)
    told = _told(desk, run.definition, incident, about(run, alerts))
    return {**told, "changed": told["sha256"] != run.plan_sha256}


def _told(desk: Desk, definition: Definition, incident: Incident, alerts: Sequence[Alert]) -> dict[str, Any]:
    """The plan as it is now, with the moment it was worked out. Raises Refused."""
    try:
        made = plan(definition, known_of(definition, incident, alerts), _library(desk).actions)
    except Unplannable as error:
        raise Refused(f"{error.step}: {error.reason}", field="playbook", remedy=error.remedy, status=409) from error
    return {**structs.asdict(made), "planned_at": desk.clock.now()}


def _library(desk: Desk) -> Library:
    return desk.playbooks() or library({}, {})


async def _incident(desk: Desk, scope: Scope, number: int) -> tuple[Incident, Sequence[Alert]]:
    """An open incident that the scope sees and playbooks may run on, and its alerts. Raises Refused."""
    found = await desk.rows(scope, kind="incidents", ids=(str(number),), limit=1)
    if found and of_names(found[0].names):
        told = "no playbook runs on a suspicion of fraud"
        raise Refused(told, field="incident", remedy="confirm or dismiss it", status=409)
    if not found:
        raise Refused("not found among the incidents", field="incident", remedy="name one that you see", status=404)
    if found[0].state in ENDED:
        raise Refused(f"it is {found[0].state}", field="incident", remedy="name an open one", status=409)
    return found[0], await desk.rows(scope, kind="alerts", incident=number, limit=MOST, sort="id")


@report("playbooks/fitting", capability="playbook:run", also="playbook:approve", params=FittingParams)
async def fitting(desk: Desk, scope: Scope, params: FittingParams) -> Sequence[Any]:
    """Every playbook against one incident, those whose trigger finds it first: whether it can run there, on how many
    targets, whom it asks, and how its runs of 30 days ended."""
    incident, alerts = await _incident(desk, scope, params.incident)
    figures = {row["playbook"]: row for row in await statistics(desk, scope, StatisticsParams())}
    rows = [
        {**_fit(desk, loaded, incident, alerts), **{key: figures.get(name, {}).get(key) for key in SHOWN}}
        for name, loaded in _library(desk).of(scope.tenant).items()
    ]
    return sorted(rows, key=lambda row: (not row["triggered"], bool(row["trouble"]), row["playbook"]))


def _fit(desk: Desk, loaded: Loaded, incident: Incident, alerts: Sequence[Alert]) -> dict[str, Any]:
    definition = loaded.definition
    row: dict[str, Any] = {
        "playbook": definition.name,
        "version": definition.version,
        "description": definition.description,
        "mode": definition.policy.mode,
        "triggered": loaded.applies is not None and loaded.applies(incident, desk.clock.now()),
        "has_trigger": loaded.applies is not None,
        "trouble": "",
        "blast_radius": None,
        "asks": "",
    }
    try:
        told = _told(desk, definition, incident, alerts)
    except Refused as error:
        return {**row, "trouble": f"{error.reason}; {error.remedy}"}
    return {**row, "blast_radius": told["blast_radius"], "asks": told["asks"]}


@report("playbooks/files", capability="playbook:run", also="playbook:approve")
async def files(desk: Desk, scope: Scope, params: Any) -> Sequence[Any]:
    """Each playbook that is loaded, and each file that could not be, with the place of what is wrong."""
    shelf = _library(desk)
    loaded = [
        {
            "name": name,
            "version": found.definition.version,
            "sha256": found.sha256,
            "description": found.definition.description,
            "mode": found.definition.policy.mode,
            "triggered": found.applies is not None,
            "trouble": "",
        }
        for name, found in shelf.of(scope.tenant).items()
    ]
    troubles = shelf.troubles_of(scope.tenant)
    return loaded + [{"name": trouble.file, "trouble": str(trouble)} for trouble in troubles]


@report("playbooks/actions", capability="playbook:run", also="playbook:approve")
async def actions(desk: Desk, scope: Scope, params: Any) -> Sequence[Any]:
    """Every action with its parameters and results."""
    return [
        {
            "name": action.name,
            "words": action.words,
            "params": list(action.params.__struct_encode_fields__),
            "gives": sorted(action.gives),
        }
        for action in _library(desk).actions.values()
    ]


@report("playbooks/schema", cache_seconds=3600.0)
async def format_schema(desk: Desk, scope: Scope, params: Any) -> Sequence[Any]:
    """The format of playbooks as a JSON schema."""
    return [schema()]


@report("playbooks/statistics", params=StatisticsParams, cache_seconds=30.0)
async def statistics(desk: Desk, scope: Scope, params: StatisticsParams) -> Sequence[Any]:
    """Runs by playbook: how they ended, how long they took, how many incidents they resolved.

    `success_rate` is successes over the runs that acted to their end (success, partial, failed); None without one.
    """
    since = desk.clock.now() - timedelta(days=params.days)
    where = Compare(field="entity", op=Op.EQ, value=params.playbook) if params.playbook else None
    runs: Sequence[Execution] = await desk.rows(scope, kind="executions", where=where, since=since, limit=MOST)
    by_name: dict[str, list[Execution]] = {}
    for run in runs:
        by_name.setdefault(run.playbook, []).append(run)
    return [_figures(name, found, len(runs) == MOST, since) for name, found in sorted(by_name.items())]


def _figures(name: str, runs: Sequence[Execution], cut: bool, since: Any) -> dict[str, Any]:
    seconds = sorted(
        (run.ended_at - run.started_at).total_seconds()
        for run in runs
        if run.started_at is not None and run.ended_at is not None
    )
    states: Counter[str] = Counter(run.state for run in runs)
    acted = sum(states[state] for state in ACTED)
    return {
        "playbook": name,
        "runs": len(runs),
        "cut_at": MOST if cut else None,
        "by_state": dict(states),
        "success_rate": round(states["success"] / acted, 4) if acted else None,
        "acted": acted,
        "verified": sum(run.verified for run in runs),
        "mean_seconds": round(sum(seconds) / len(seconds), 1) if seconds else None,
        "last_at": max(run.at for run in runs),
        "triggered": sum(run.triggered for run in runs),
        "resolved": sum(run.resolved for run in runs),
        "median_seconds": round(seconds[len(seconds) // 2], 1) if seconds else None,
        "kind": "executions",
        "q": f"entity={quoted(name)}",
        "since": since,
    }
