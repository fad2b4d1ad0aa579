"""The interface of a predictor: what it looks at, in which numbers, and what it makes of them without a model.

Owns the shapes. A predictor is one file with a `PREDICTOR`; scoring, warnings, tracking and training are the same for
all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from data.nouns.predictions import Foretold
from engine.book import Draft
from engine.domain.alerts import About

Row = tuple[float, ...]
#: What people did about a thing: when, and in words.
Acts = tuple[tuple[datetime, str], ...]


class Thing(Struct, frozen=True, kw_only=True, gc=False):
    """One thing that an event is foretold of. `record` is what its file made it from. `due_at` ends the horizon where
    that is known beforehand."""

    entity: str
    kind: str
    name: str
    site: str
    record: Any
    due_at: datetime | None = None


class Happened(Struct, frozen=True, kw_only=True, gc=False):
    """The event came to this thing, then. `alert` is the type and subject of the alert that says so."""

    at: datetime
    alert: tuple[str, About] | None = None


class Predictor(Struct, frozen=True, kw_only=True):
    """One kind of event.

    `features` names the columns of a row, in order; NaN = not known. "age" is a feature, "age.quiet" another column of
    it: words know the features, which come first, rules of thumb take few of the other columns, a model all.
    `horizon_s` is how far ahead, `least_lead_s` how long before the event a warning must stand to be of use.
    `half_life_s`: the share of events forgets half in so long; `prior` is that share before anything is known. `warns`
    is the type of alert that is raised. `calm` has the features of a row of which nothing speaks for the event,
    `raise_at` the probability from which a warning without a model is raised.

    With more of a column of `rising` the event is never less likely to a model, with more of `falling` never more.

    `things(draft)` → the ids to look at in this round, of all tenants, each a tuple that begins with its tenant;
    `entity(id)` → what records call it. `thing(draft, id)` → the thing, or None when it can have no event now.
    `happened(draft, id)` → when the event came the last time. `acts(draft, id)` → what people did about it.
    `outcome(draft, id, came)` is told how each horizon ended. `row(draft, thing)` → its features; `asked(draft, thing)`
    → only those without the other columns, where that costs much less: rules of thumb need no more of what is looked at
    again. `margin(row, share, thing)` → log odds without a model, given the share of events. `words(name, value)` →
    a value in words. `action(row, thing)` → what to do. `about(thing)` → what the warning is of, `title(thing)` its
    headline.
    """

    name: Foretold
    event: str
    features: tuple[str, ...]
    horizon_s: float
    least_lead_s: float
    half_life_s: float
    prior: float
    warns: str
    calm: Row
    raise_at: float
    things: Callable[[Draft], Sequence[Any]]
    entity: Callable[[Any], str]
    thing: Callable[[Draft, Any], Thing | None]
    happened: Callable[[Draft, Any], Happened | None]
    acts: Callable[[Draft, Any], Acts]
    outcome: Callable[[Draft, Any, bool], None]
    row: Callable[[Draft, Thing], Row]
    margin: Callable[[Row, float, Any], float]
    words: Callable[[str, float], str]
    action: Callable[[Row, Thing], str]
    about: Callable[[Thing], About]
    title: Callable[[Thing], str]
    asked: Callable[[Draft, Thing], Row] | None = None
    rising: frozenset[str] = frozenset()
    falling: frozenset[str] = frozenset()

    @property
    def groups(self) -> dict[str, list[int]]:
        """The places of each feature's columns, its own first."""
        found: dict[str, list[int]] = {}
        for place, column in enumerate(self.features):
            found.setdefault(column.partition(".")[0], []).append(place)
        return found


def known(values: Iterable[float | None]) -> Row:
    """
    >>> known([1, None])
    (1.0, nan)
    """
    return tuple(float("nan") if value is None else float(value) for value in values)
