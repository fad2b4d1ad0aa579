"""Quiet: after a prediction has its outcome nothing is foretold of the same thing for a while.

Owns for how long. After an event for a horizon: that it came is known, and that it may come again is no news. After a
false alarm it grows with each one in a row: a device that looks ill for days and works must not be told of every other
hour. Not kept over a start: then each is told of once more at most.
"""

from __future__ import annotations

from datetime import timedelta

from engine.book import Draft
from engine.predictors.predictor import Predictor
from engine.predictors.waiting import Key

#: One horizon, so many times as long after each false alarm more, and at most so many horizons.
TIMES, MOST = 4, 64
_QUIET = "predictions.quiet"
_THINGS_MOST = 50_000


def is_quiet(draft: Draft, key: Key) -> bool:
    found = draft.derived(_QUIET).get(key)
    return found is not None and bool(found[0] > draft.now)


def quieten(draft: Draft, of: Predictor, key: Key, *, false_alarm: bool) -> None:
    """A prediction has its outcome. `false_alarm`: its event did not come, and nobody had acted."""
    quiet = draft.derived(_QUIET)
    before: int = quiet.get(key, (None, 0))[1]
    until = draft.now + timedelta(seconds=of.horizon_s * min(TIMES**before, MOST))
    draft.set(quiet, key, (until, before + false_alarm))
    if len(quiet) > _THINGS_MOST:
        draft.discard(quiet, next(iter(quiet)))


def came_true(draft: Draft, of: Predictor, key: Key) -> None:
    """False alarms before it are forgotten."""
    draft.discard(draft.derived(_QUIET), key)
    quieten(draft, of, key, false_alarm=False)
