"""What is remembered of posts: how often each was short of people, at which times, and how well it was filled last.

Owns the tables behind the predictor `staffing` that are of posts; who stays away is remembered by `staffing` itself.
A beginning of a shift counts from the moment on which it is known who came.
"""

from __future__ import annotations

from datetime import datetime
from math import log, nan
from typing import NamedTuple

from data.records import TenantId
from data.slots import zone_of
from engine.book import Draft
from engine.predictors.memory import POSTS, Shares, faded, log_odds, put

#: Half-lives in seconds: of the share of beginnings that were short, lately, at one time, and of the post as a whole,
#: and of how well it was filled.
LATELY_S, TIME_S, USUALLY_S, FILLED_S = 2 * 3600.0, 28 * 86_400.0, 365 * 86_400.0, 86_400.0
#: Cases that what is known of more counts as, in the share of less.
CASES = 4.0
_TIMES = frozenset({"day", "time", "week"})
#: How well a post is filled counts up to so many times what it needs.
FILLED_MOST = 3.0


class Slot(NamedTuple):
    """A post of a site, and the time at which a shift begins there."""

    tenant: TenantId
    site: str
    post: str
    starts_at: datetime
    zone: str

    def keys(self) -> dict[str, tuple[str, ...]]:
        """Of all posts, the site, the post, the post at this time of the day, and on this day of the week, too."""
        local = self.starts_at.astimezone(zone_of(self.zone))
        time = f"{local:%H:%M}"
        base = (str(self.tenant), "post", self.site, self.post)
        return {
            "all": (str(self.tenant), "all"),
            "site": (str(self.tenant), "site", self.site),
            "post": base,
            "day": (str(self.tenant), "weekday", self.site, self.post, str(local.weekday())),
            "time": (*base, time),
            "week": (*base, f"{local.weekday()}/{time}"),
        }


#: How often it was short, and how well it was filled; see `columns`.
SHORT = ("short_site", "short_post", "short_day", "short_time", "short_week", "short_lately")
FILLED = ("last", "mean", "at_time")
COLUMNS = (*SHORT, "last_age", *FILLED)


def learn(draft: Draft, of: Slot, there: int, required: int) -> None:
    """So many were there when its shift began."""
    short, filled = float(there < required), min(FILLED_MOST, there / required)
    keys, now = of.keys(), of.starts_at.timestamp()
    for name, key in keys.items():
        Shares(draft, POSTS, TIME_S if name in _TIMES else USUALLY_S).add(key, short)
    Shares(draft, POSTS, LATELY_S).add((*keys["post"], "lately"), short)
    for name in ("post", "time"):
        key = (*keys[name], "filled")
        _, mean, at = draft.derived(POSTS).get(key, (filled, filled, now))
        step = 1.0 - faded(1.0, now - at, FILLED_S) if name == "post" else 0.3
        put(draft, POSTS, key, (filled, mean + max(0.05, step) * (filled - mean), now))


def columns(draft: Draft, of: Slot, prior: float) -> tuple[float, ...]:
    """Log odds of being short above those of all: its site, post, day of the week, time of the day, time of the week,
    and the post lately; then how long ago the post was last filled, how well, on average, and on average at this
    time of the day."""
    keys, now = of.keys(), draft.now.timestamp()
    usually, times = Shares(draft, POSTS, USUALLY_S), Shares(draft, POSTS, TIME_S)
    whole = usually.of(keys["all"], prior, 20.0)
    site = usually.of(keys["site"], whole, CASES)
    post = usually.of(keys["post"], site, CASES)
    day, time = times.of(keys["day"], post, CASES), times.of(keys["time"], post, CASES)
    week = times.of(keys["week"], time, CASES)
    soon = Shares(draft, POSTS, LATELY_S).of((*keys["post"], "lately"), post, 1.0)
    base = log_odds(whole)
    table = draft.derived(POSTS)
    last, mean, at = table.get((*keys["post"], "filled"), (nan, nan, nan))
    usual = table.get((*keys["time"], "filled"), (nan, nan, nan))[1]
    odds = (log_odds(share) - base for share in (site, post, day, time, week, soon))
    return (*odds, log(1.0 + (now - min(at, now)) / 3600.0), last, mean, usual)
