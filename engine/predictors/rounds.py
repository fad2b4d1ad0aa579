"""Rounds: everything that is held is looked at again and again, a slice of it on each tick.

Owns whose turn it is. A slice is so many things, so that the line comes to the same whenever it runs; where the rules
have a stopwatch it ends sooner when it has taken its time, and the next tick goes on. Never holds the line for long.
After a start a slice first takes back what was known, and nothing is scored before all of that is there.
"""

from __future__ import annotations

from typing import Any

from data.nouns.predictions import Foretold
from engine.book import Draft
from engine.predictors import ticket_memory, tracking, waiting
from engine.predictors.catalogue import PREDICTORS
from engine.predictors.predictor import Predictor

#: What one tick spends, and what it costs to look at a thing, to score it, and to write a prediction about it.
BUDGET, LOOK, SCORE, WRITE = 120, 1, 2, 12
#: So many things are listed for the price of a look.
LISTED = 50
#: So many scores that wait or tickets that are open are taken back for the price of a look.
TAKEN_BACK = 2
#: A slice goes on to nothing new after so many seconds, of which each record that is to be written again takes some.
SLICE_S, RECORD_S = 0.004, 0.00005
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
    now = draft.now.timestamp()
    passed = now - table.get("stepped", now)
    draft.set(table, "stepped", now)
    turn = Slice(draft, BUDGET * max(1, min(CATCH_UP, int(passed))))
    if _take_back(draft, table, turn):
        if part >= len(_PARTS) and now - table.get("began", 0.0) >= EVERY_S:
            draft.set(table, "began", now)
            part = _begin(draft, table, 0)
        while part < len(_PARTS):
            _run(draft, table, _PARTS[part], turn)
            if table["at"] >= len(table["todo"]):
                part = _begin(draft, table, part + 1)
                turn.left -= len(table["todo"]) // LISTED
            if turn.is_over():
                break
    waiting.keep(draft, PREDICTORS)


class Slice:
    """What one tick may still spend: so much work, and of the stopwatch, if there is one, so many seconds."""

    def __init__(self, draft: Draft, budget: float) -> None:
        self.left = budget
        self._draft, self._watch = draft, draft.rules.stopwatch
        self._began = self._watch() if self._watch is not None else 0.0

    def is_over(self) -> bool:
        if self.left <= 0:
            return True
        if self._watch is None:
            return False
        return self._watch() - self._began + RECORD_S * waiting.touched(self._draft) >= SLICE_S


def _take_back(draft: Draft, table: dict[Any, Any], turn: Slice) -> bool:
    """Go on with what is to be known before anything is scored → whether all of it is."""
    while not table.get("ready", False):
        taken = waiting.take_back(draft, PREDICTORS, TAKEN_BACK) or ticket_memory.prepare(draft, TAKEN_BACK)
        turn.left -= taken / TAKEN_BACK
        if not taken:
            draft.set(table, "ready", True)
        elif turn.is_over():
            return False
    return True


def _begin(draft: Draft, table: dict[Any, Any], part: int) -> int:
    """List what this part of the round looks at → the part."""
    todo: tuple[Any, ...] = ()
    if part < len(_PARTS):
        name = _PARTS[part]
        todo = tuple(PREDICTORS[name].things(draft)) if name else tuple(tracking.running(draft))
        if not name:
            tracking.thin(draft, _HORIZONS)
    for key, value in (("part", part), ("todo", todo), ("at", 0)):
        draft.set(table, key, value)
    return part


def _run(draft: Draft, table: dict[Any, Any], name: Foretold | None, turn: Slice) -> None:
    """Look at what is next, at one thing at least."""
    todo, at = table["todo"], table["at"]
    while at < len(todo):
        before = len(draft.nouns)
        turn.left -= _settle(draft, todo[at]) if name is None else _visit(draft, PREDICTORS[name], todo[at])
        turn.left -= WRITE * (len(draft.nouns) > before)
        at += 1
        if turn.is_over():
            break
    draft.set(table, "at", at)


def _visit(draft: Draft, of: Predictor, id: Any) -> float:
    """→ what it cost."""
    return SCORE if tracking.visit(draft, of, id) else LOOK


def _settle(draft: Draft, key: waiting.Key) -> float:
    """→ what it cost."""
    if not tracking.has_ended(draft, key):
        return LOOK / LISTED
    tracking.settle(draft, PREDICTORS[key[1]], key)
    return SCORE
