"""What predictors remember of the past: what is typical of a type, how often an event came, what a device was like.

Owns the tables, all of them dicts of `Book.derived` from tuples of words to tuples of numbers, so that they are written
with the draft's undo and kept by `keeping`. Bounded; what was entered first leaves first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import log

from engine.book import Draft

EFFECTS, RATES, DEVICES, TYPES, TICKETS, CODES, POSTS = (
    "predictions.effects",
    "predictions.rates",
    "predictions.devices",
    "predictions.types",
    "predictions.tickets",
    "predictions.codes",
    "predictions.past_posts",
)
#: The tables that a restart must not forget.
KEPT = (EFFECTS, RATES, DEVICES, TYPES, TICKETS, CODES, POSTS)
MOST = 100_000
Key = tuple[str, ...]
Numbers = tuple[float, ...]


def put(draft: Draft, name: str, key: Key, value: Numbers) -> None:
    table = draft.derived(name)
    draft.set(table, key, value)
    if len(table) > MOST:
        draft.discard(table, next(iter(table)))


def faded(value: float, seconds: float, half_life: float) -> float:
    """
    >>> faded(8.0, 20.0, 10.0)
    2.0
    """
    return value * 0.5 ** (max(0.0, seconds) / half_life) if value else 0.0


def levels(part: str, name: str) -> Iterator[tuple[str, str]]:
    """A name and what it is a part of: "network/vpn" is a "network", too.

    >>> list(levels("type", "network/vpn"))
    [('type', 'network'), ('type', 'network/vpn')]
    """
    at = name.find("/")
    while at > 0:
        yield part, name[:at]
        at = name.find("/", at + 1)
    if name:
        yield part, name


class Effects:
    """What each property of a thing adds to a number that is known of it later: an additive model that learns online.

    number = mean + sum of the effects of its properties; each observation moves every effect by its share of what is
    left over, the less the more has been seen (stochastic ridge regression with a step of 1/(n + PRIOR)). The mean
    moves faster, so that a drift of everything is not taken for an effect. Fails where properties only matter together.
    """

    PRIOR, SEEN_MOST, MEAN_STEP = 10.0, 400.0, 0.02

    def __init__(self, draft: Draft, name: str) -> None:
        self._draft, self._name = draft, name
        self._table: dict[Key, Numbers] = draft.derived(EFFECTS)

    def typical(self, parts: Iterable[tuple[str, str]]) -> tuple[float, float]:
        """→ (the mean, what these properties add to it). (nan, 0) while nothing has been seen."""
        tenant, table = self._draft.tenant, self._table
        mean = table.get((tenant, self._name))
        if mean is None:
            return float("nan"), 0.0
        own = sum(table.get((tenant, self._name, *part), _NOTHING)[1] for part in parts)
        return mean[1], own

    def learn(self, parts: Sequence[tuple[str, str]], value: float) -> None:
        draft, table = self._draft, self._table
        whole = (draft.tenant, self._name)
        seen, mean = table.get(whole, (0.0, value))
        keys = [(*whole, *part) for part in parts]
        found = [table.get(key, _NOTHING) for key in keys]
        rest = value - mean - sum(effect for _, effect in found)
        step = rest * max(1.0 / (seen + 1.0), self.MEAN_STEP)
        put(draft, EFFECTS, whole, (seen + 1.0, mean + step))
        rest -= step
        for key, (number, effect) in zip(keys, found, strict=True):
            moved = rest / (min(number + 1.0, self.SEEN_MOST) + self.PRIOR)
            put(draft, EFFECTS, key, (number + 1.0, effect + moved))
            rest -= moved


_NOTHING = (0.0, 0.0)


class Shares:
    """In what share of cases something came, by key; the newest weigh most."""

    def __init__(self, draft: Draft, name: str, half_life_s: float) -> None:
        self._draft, self._name, self._half_life = draft, name, half_life_s
        self._table: dict[Key, Numbers] = draft.derived(name)

    def of(self, key: Key, prior: float, cases: float) -> float:
        """`prior` counts as so many `cases`."""
        number, came = self._now(key)
        return (came + prior * cases) / (number + cases)

    def add(self, key: Key, came: float) -> None:
        """One more case, in which it came (1) or not (0)."""
        number, before = self._now(key)
        put(self._draft, self._name, key, (number + 1.0, before + came, self._draft.now.timestamp()))

    def _now(self, key: Key) -> tuple[float, float]:
        number, came, at = self._table.get(key, (0.0, 0.0, 0.0))
        past = self._draft.now.timestamp() - at
        return faded(number, past, self._half_life), faded(came, past, self._half_life)


def log_odds(share: float) -> float:
    held = min(max(share, 1e-6), 1.0 - 1e-6)
    return log(held / (1.0 - held))
