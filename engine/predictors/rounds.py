"""Rounds: everything that is held is looked at again and again, a slice of it on each tick.

Owns whose turn it is. A slice is a number of things, not a stretch of time, so that the line comes to the same whenever
it runs. Never holds the line for long.
"""

from __future__ import annotations

from typing import Any

from data.nouns.predictions import Foretold
from engine.book import Draft
from engine.predictors import tracking, waiting
from engine.predictors.catalogue import PREDICTORS

#: What one tick spends, and what it costs to look at a thing, to score it, and to write a prediction about it.
BUDGET, LOOK, SCORE, WRITE = 120, 1, 2, 12
#: So many things are listed for the price of a look.
LISTED = 50
#: A round begins so long after the one before began, at the earliest.
EVERY_S = 15.0
#: A tick that comes so many seconds late does the work of those that were left out, up to so many times its own: a
#: clock that runs fast (the demo's) must not leave things unseen for an hour.
CATCH_UP = 4
_ROUND = "predictions.round"
#: The parts of a round: the things of each predictor, then the horizons that have ended.
_PARTS: tuple[Foretold | None, ...] = (*PREDICTORS, None)
_HORIZONS = {name: of.horizon_s for name, of in PREDICTORS.items()}


def step(draft: Draft) -> None:
    """Go on with the round; begin the next one when it is over and its time has come."""
    if not draft.rules.predicting:
        return
    table = draft.derived(_ROUND)
    part: int = table.get("part", len(_PARTS))
    passed = draft.now.timestamp() - table.get("stepped", draft.now.timestamp())
    draft.set(table, "stepped", draft.now.timestamp())
    if part >= len(_PARTS):
        if draft.now.timestamp() - table.get("began", 0.0) < EVERY_S:
            return
        draft.set(table, "began", draft.now.timestamp())
        part = _begin(draft, table, 0)
    budget = BUDGET * max(1, min(CATCH_UP, int(passed)))
    while part < len(_PARTS) and budget > 0:
        budget = _run(draft, table, _PARTS[part], budget)
        if table["at"] >= len(table["todo"]):
            part = _begin(draft, table, part + 1)
            budget -= len(table["todo"]) // LISTED
    waiting.keep(draft, PREDICTORS)


def _begin(draft: Draft, table: dict[Any, Any], part: int) -> int:
    """List what this part of the round looks at → the part."""
    todo: tuple[Any, ...] = ()
    if part < len(_PARTS):
        name = _PARTS[part]
        todo = tuple(PREDICTORS[name].things(draft)) if name else tuple(tracking.ended(draft))
        if not name:
            tracking.thin(draft, _HORIZONS)
    for key, value in (("part", part), ("todo", todo), ("at", 0)):
        draft.set(table, key, value)
    return part


def _run(draft: Draft, table: dict[Any, Any], name: Foretold | None, budget: int) -> int:
    """Look at what is next → what is left of the budget."""
    todo, at = table["todo"], table["at"]
    while at < len(todo) and budget > 0:
        before = len(draft.nouns)
        if name is not None:
            budget -= SCORE if tracking.visit(draft, PREDICTORS[name], todo[at]) else LOOK
        else:
            tracking.settle(draft, PREDICTORS[todo[at][1]], todo[at])
            budget -= SCORE
        budget -= WRITE * (len(draft.nouns) > before)
        at += 1
    draft.set(table, "at", at)
    return budget
