"""Staffing: how many people are at a site's posts, and how many it needs.

Owns the count. A shift's post says which of the site's posts it fills; only posts that have a shift now are judged.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import NamedTuple

from data.nouns.world import Shift, Site
from data.records import TenantId
from engine.book import Draft
from engine.domain.alerts import About, clear, current, fire
from engine.domain.registry import every
from engine.domain.settings import rules_of


class Post(NamedTuple):
    """A post of a site as it is manned now. `since`: when the last of its shifts should have begun."""

    tenant: TenantId
    site: str
    name: str
    required: int
    present: int
    scheduled: int
    since: datetime
    until: datetime

    @property
    def missing(self) -> int:
        return max(0, self.required - self.present)


def posts(draft: Draft) -> list[Post]:
    """The posts that have a shift running now, of all tenants."""
    running: defaultdict[tuple[TenantId, str, str], list[Shift]] = defaultdict(list)
    for shift in draft.book.nouns["shifts"].values():
        if shift.post and shift.starts_at <= draft.now < shift.ends_at and shift.state not in ("cancelled",):
            running[shift.tenant, shift.site, shift.post].append(shift)
    found = []
    for (tenant, place, name), shifts in running.items():
        site: Site | None = draft.book.nouns["sites"].get((tenant, place))
        required = site.posts.get(name, 0) if site is not None else 0
        if required:
            present = sum(shift.state == "present" for shift in shifts)
            since, until = max(s.starts_at for s in shifts), max(s.ends_at for s in shifts)
            found.append(Post(tenant, place, name, required, present, len(shifts), since, until))
    return found


def about(site: str, post: str) -> About:
    return About(entity=site, entity_type="site", site=site, parts={"post": post})


@every(60.0)
def look_at_posts(draft: Draft) -> None:
    """Posts that are not filled a while after their shift began."""
    grace = timedelta(seconds=rules_of(draft).staffing_grace_seconds)
    table = draft.derived("domain.short")
    if not table:
        _remember(draft)
    short = set()
    for post in posts(draft):
        draft.tenant = post.tenant
        place = (post.tenant, post.site, post.name)
        if post.missing and draft.now >= post.since + grace:
            short.add(place)
            _raise(draft, post, post.since + grace)
            draft.set(table, place, True)
    for place in [place for place in table if place and place not in short]:
        draft.tenant, site, name = place
        clear(draft, "staffing_shortfall", about(site, name), at=draft.now)
        draft.discard(table, place)


def _raise(draft: Draft, post: Post, since: datetime) -> None:
    title = f"{post.site}: {post.present} of {post.required} people at post {post.name}"
    facts = {"present": str(post.present), "required": str(post.required)}
    fire(draft, "staffing_shortfall", about(post.site, post.name), title=title, since=since, facts=facts)


def _remember(draft: Draft) -> None:
    """After a start: which shortfalls still fire."""
    table = draft.derived("domain.short")
    draft.set(table, (), True)
    for (tenant, _), site in draft.book.nouns["sites"].items():
        draft.tenant = tenant
        for name in site.posts:
            known = current(draft, "staffing_shortfall", about(site.id, name))
            if known is not None and known.ended_at is None:
                draft.set(table, (tenant, site.id, name), True)
