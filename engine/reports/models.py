"""Models and their training: what serves, how it came to serve, how far a training is, and what each came to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct
from msgspec.structs import replace

from data.nouns.models import MLModelMetrics, ModelState
from data.query_ast import Compare, Op
from data.scope import CAPABILITIES, Scope
from engine.models.refused import ModelRefused
from engine.models.registry import Registry
from engine.reports.registry import report
from engine.training.registry import Trainer, trainers
from engine.training.runner import Progress

if TYPE_CHECKING:
    from engine.desk import Desk

#: Changes of the champion that are listed.
STEPS_MOST = 10


class HistoryParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`model` "" = of all."""

    model: Annotated[str, Meta(max_length=64)] = ""
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


@report("models/training")
async def training(desk: Desk, scope: Scope, params: Any) -> Sequence[Any]:
    """Each model: what serves, its figures, its last and its next training, and how far one that is under way is."""
    runner = desk.training
    if runner is None:
        return []
    states = {state.id: state for state in await desk.rows(_whole(scope), kind="models", limit=1000)}
    latest = {name: await _records(desk, scope, name, 1) for name in runner.names}
    served = await asyncio.to_thread(_served, runner.folder, tuple(runner.names))
    progress = runner.progress
    return [
        {
            "model": name,
            **_of(trainers()[name], states[name], scope, latest[name]),
            **(served[name] if _may(scope, trainers()[name]) else {"champion": served[name]["champion"]}),
            "next_at": runner.next_at(states[name]),
            "progress": _seen(progress, trainers()[name], states[name], scope) if progress is not None else None,
        }
        for name in runner.names
        if name in states
    ]


@report("models/history", params=HistoryParams)
async def history(desk: Desk, scope: Scope, params: HistoryParams) -> Sequence[Any]:
    """What each training came to, newest first: figures of the held-out rows beside baseline and champion."""
    return await _records(desk, scope, params.model, params.limit)


def _of(trainer: Trainer, state: ModelState, scope: Scope, latest: Sequence[MLModelMetrics]) -> dict[str, Any]:
    why = latest[0].why if latest and latest[0].at == state.last_at else state.why
    return {
        "words": trainer.words,
        "baseline": trainer.baseline,
        "state": state.state,
        "wish": state.wish,
        "wish_by": state.wish_by,
        "began_at": state.began_at,
        "last_at": state.last_at,
        "result": state.result,
        "why": why if _may(scope, trainer) else state.why,
        "last": latest[0] if latest else None,
    }


async def _records(desk: Desk, scope: Scope, model: str, limit: int) -> list[MLModelMetrics]:
    """Newest first, of the models whose figures the scope may see."""
    names = tuple(name for name, one in trainers().items() if model in ("", name) and _may(scope, one))
    if not names:
        return []
    # Narrowed before it is cut: how many are left out would tell of the trainings that may not be seen.
    where = Compare(field="entity", op=Op.IN, value=names)
    return await desk.rows(_whole(scope), kind="model_metrics", where=where, limit=limit, sort="-at")


def _whole(scope: Scope) -> Scope:
    """Models are of no site; whose figures may be seen is looked at one by one."""
    return replace(scope, capabilities=CAPABILITIES, sites=None)


def _seen(progress: Progress, trainer: Trainer, state: ModelState, scope: Scope) -> Progress | None:
    """How far the training of this model is; its words and numbers count cases, which may take a capability. The state
    was read a moment before the progress: what is idle there has none yet."""
    if progress.model != trainer.name or state.state != "running":
        return None
    return progress if _may(scope, trainer) else Progress(model=progress.model, what="training")


def _may(scope: Scope, trainer: Trainer) -> bool:
    return not trainer.capability or scope.may(trainer.capability)


def _served(folder: Path, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Of each model the champion, its figures, and how it and those before it came to serve. Reads files."""
    registry = Registry(folder / "models")
    return {name: _champion(registry, name) for name in names}


def _champion(registry: Registry, name: str) -> dict[str, Any]:
    nothing: dict[str, Any] = {"champion": "", "trouble": "", "metrics": {}, "baseline_metrics": {}, "steps": []}
    try:
        index = registry.index(name)
        if index.champion not in registry.versions(name):
            return nothing
        manifest = registry.manifest(name)
    except ModelRefused as error:
        return {**nothing, "trouble": str(error)}
    return {
        **nothing,
        "champion": index.champion,
        "metrics": manifest.metrics,
        "baseline_metrics": manifest.baseline,
        "primary": manifest.primary,
        "created_at": manifest.created_at,
        "steps": index.steps[-STEPS_MOST:],
        "before": _before(registry, name),
    }


def _before(registry: Registry, name: str) -> str:
    """What a way back leads to, "" = there is none."""
    steps = registry.index(name).steps
    if not steps:
        return ""
    before = steps[-2].version if len(steps) > 1 else "shipped"
    return before if before in registry.versions(name) else ""
