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

#: Half-lives in seconds: of the share of beginnings that were short, lately and usually, and of how well it was filled.
LATELY_S, USUALLY_S, FILLED_S = 2 * 3600.0, 28 * 86_400.0, 86_400.0
#: Cases that what is known of more counts as, in the share of less.
CASES = 4.0
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


COLUMNS = (
    "short_site",
    "short_post",
    "short_day",
    "short_time",
    "short_week",
    "short_lately",
    "last",
    "last_age",
    "mean",
    "yesterday",
    "week_ago",
    "at_time",
)


def learn(draft: Draft, of: Slot, there: int, required: int) -> None:
    """So many were there when its shift began."""
    short, filled = float(there < required), min(FILLED_MOST, there / required)
    keys, now = of.keys(), of.starts_at.timestamp()
    usually, lately = Shares(draft, POSTS, USUALLY_S), Shares(draft, POSTS, LATELY_S)
    for key in keys.values():
        usually.add(key, short)
    lately.add((*keys["post"], "lately"), short)
    for name in ("post", "time", "week"):
        key = (*keys[name], "filled")
        _, mean, at = draft.derived(POSTS).get(key, (filled, filled, now))
        step = 1.0 - faded(1.0, now - at, FILLED_S) if name == "post" else 0.3
        put(draft, POSTS, key, (filled, mean + max(0.05, step) * (filled - mean), now))


def columns(draft: Draft, of: Slot, prior: float) -> tuple[float, ...]:
    """Log odds of being short above those of all: its site, post, day of the week, time of the day, time of the week,
    and the post lately; then how well the post was filled last and how long ago, on average, at this time of the
    day before and of the week before, and at this time on average."""
    keys, now = of.keys(), draft.now.timestamp()
    usually, lately = Shares(draft, POSTS, USUALLY_S), Shares(draft, POSTS, LATELY_S)
    whole = usually.of(keys["all"], prior, 20.0)
    site = usually.of(keys["site"], whole, CASES)
    post = usually.of(keys["post"], site, CASES)
    day, time = usually.of(keys["day"], post, CASES), usually.of(keys["time"], post, CASES)
    week = usually.of(keys["week"], time, CASES)
    soon = lately.of((*keys["post"], "lately"), post, 1.0)
    base = log_odds(whole)
    table = draft.derived(POSTS)
    last, mean, at = table.get((*keys["post"], "filled"), (nan, nan, nan))
    yesterday, usual, _ = table.get((*keys["time"], "filled"), (nan, nan, nan))
    week_ago = table.get((*keys["week"], "filled"), (nan, nan, nan))[0]
    odds = (log_odds(share) - base for share in (site, post, day, time, week, soon))
    return (*odds, last, log(1.0 + max(0.0, now - at) / 3600.0), mean, yesterday, week_ago, usual)
