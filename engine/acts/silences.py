"""Silence and its end, by matchers. Who may silence by an API may do it by a key: one rule for both."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated
from uuid import NAMESPACE_OID, uuid5

from msgspec import Meta, Struct
from msgspec.structs import replace

from data.matchers import compile_matchers, matches_empty, parse_matchers
from data.records import Matcher, Silence
from engine.acts.acknowledge import Minutes, Moment, NoParams
from engine.acts.registry import Acting, act
from engine.acts.undo import remember
from engine.client import Refused
from engine.stages import mute

MATCHERS = 64
Words = Annotated[str, Meta(max_length=4096)]


class GivenMatcher(Matcher, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """A matcher as asked for: a mistyped key must not silence the opposite."""


class SilenceParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What (matchers as a list or as text), from when until when (or for `minutes`), and why.

    `id` updates that silence in place when its matchers stay the same, else it ends and a new one begins.
    """

    matchers: tuple[GivenMatcher, ...] | Annotated[str, Meta(max_length=65_536)]
    minutes: Minutes = 0.0
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    comment: Words = ""
    ticket: Words = ""
    created_by: Annotated[str, Meta(max_length=256)] = ""
    id: str = ""
    annotations: dict[str, str] = {}


@act("silence", capability="silence:write", kinds="", params=SilenceParams)
def silence(acting: Acting, params: SilenceParams) -> None:
    """Mute by matchers for a time."""
    draft = acting.draft
    old = draft.book.silences.get(draft.tenant, {}).get(params.id) if params.id else None
    if params.id and (old is None or reaches_others(acting, old.matchers)):
        raise Refused(f"no silence {params.id}", field="id", remedy="leave id out to make a new one", status=404)
    wanted = _silence(acting, params, old)
    if reaches_others(acting, wanted.matchers):
        raise Refused("this would reach other sites", field="matchers", remedy='add site="…" of a site of yours')
    changed = [wanted]
    if old is not None and _keeps_id(old, wanted, draft.now):
        wanted = changed[0] = replace(wanted, id=old.id)
        draft.put_silence(wanted, "silence_updated")
    else:
        wanted = changed[0] = replace(wanted, starts_at=max(wanted.starts_at, draft.now))
        draft.put_silence(wanted, "silence_created")
        if old is not None and old.ends_at > draft.now:
            changed.append(ended(old, draft.now))
            draft.put_silence(changed[1], "silence_updated")
    mute.resilence(draft, changed)
    for moment in (wanted.starts_at, wanted.ends_at):
        draft.book.at(moment, "silence", wanted.id)
    if old is None:
        remember(acting, "silence", silence=wanted.id)
    acting.id = wanted.id
    acting.change("silence", wanted.id)


def reaches_others(acting: Acting, matchers: tuple[Matcher, ...]) -> bool:
    """Whether these matchers may reach sites that the scope does not see: who sees some only may silence these only."""
    sites = acting.scope.sites
    if sites is None:
        return False
    named = {matcher.value for matcher in matchers if matcher.name == "site" and _is_plain(matcher)}
    return not named or not named <= sites


def _is_plain(matcher: Matcher) -> bool:
    return matcher.is_equal and not matcher.is_regex


def _keeps_id(old: Silence, new: Silence, now: datetime) -> bool:
    """Alertmanager's rule: same matchers, and what has begun does not begin again."""
    if set(old.matchers) != set(new.matchers) or old.ends_at <= now:
        return False
    if old.starts_at <= now:
        return old.starts_at.replace(microsecond=0) == new.starts_at.replace(microsecond=0)
    return new.starts_at >= now


def ended(silence: Silence, now: datetime) -> Silence:
    """The silence, over at `now`; one that has not begun never does."""
    return replace(silence, starts_at=min(silence.starts_at, now), ends_at=now, updated_at=now)


def _silence(acting: Acting, params: SilenceParams, old: Silence | None) -> Silence:
    now = acting.draft.now
    matchers = _matchers(params.matchers)
    living = old is not None and old.ends_at > now
    starts_at = params.starts_at or (old.starts_at if old is not None and living else now)
    ends_at = params.ends_at or max(starts_at, now) + timedelta(minutes=params.minutes)
    if ends_at <= starts_at or ends_at <= now:
        raise Refused("a silence must end after it begins, and not in the past", field="ends_at", remedy="give minutes")
    seed = f"{acting.draft.tenant}/{acting.command.request}/{now.isoformat()}/{matchers}"
    return Silence(
        id=str(uuid5(NAMESPACE_OID, seed)),
        tenant=acting.draft.tenant,
        matchers=matchers,
        starts_at=starts_at,
        ends_at=ends_at,
        created_by=params.created_by or acting.actor,
        comment=params.comment,
        updated_at=now,
        ticket=params.ticket,
        annotations=params.annotations,
    )


def _matchers(given: tuple[GivenMatcher, ...] | str) -> tuple[Matcher, ...]:
    try:
        matchers = parse_matchers(given) if isinstance(given, str) else tuple(map(plain, given))
        if len(matchers) > MATCHERS:
            raise Refused(f"more than {MATCHERS} matchers", field="matchers", remedy="use fewer")
        compile_matchers(matchers)
    except ValueError as error:
        remedy = 'write them like site="Harbour 2", severity=~"h.*"'
        raise Refused(str(error), field="matchers", remedy=remedy) from error
    if not matchers:
        raise Refused("no matcher", field="matchers", remedy="name at least one label")
    if all(matches_empty(matcher) for matcher in matchers):
        raise Refused("every matcher matches everything", field="matchers", remedy="name one value that must be there")
    return matchers


def plain(given: GivenMatcher) -> Matcher:
    """The matcher as it is stored and compared."""
    return Matcher(name=given.name, value=given.value, is_regex=given.is_regex, is_equal=given.is_equal)


@act("expire_silence", capability="silence:write", kinds="silence", params=NoParams)
def expire_silence(acting: Acting, params: NoParams) -> None:
    """End a silence now."""
    draft = acting.draft
    for name in acting.names("silence"):
        found = draft.book.silences.get(draft.tenant, {}).get(name)
        if found is None or reaches_others(acting, found.matchers):
            acting.refuse(f"silence:{name}", "not found")
        elif found.ends_at <= draft.now:
            acting.refuse(f"silence:{name}", "it is over already")
        else:
            over = ended(found, draft.now)
            draft.put_silence(over, "silence_updated")
            mute.resilence(draft, (over,))
            acting.change("silence", name)
