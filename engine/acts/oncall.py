"""Acts on on-call: overrides and swaps of duty, their end, and the next step of an escalation at once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from data.nouns.oncall import Override
from data.records import ENDED
from engine.acts.acknowledge import Minutes, Moment, NoParams
from engine.acts.registry import Acting, act
from engine.client import Refused
from engine.oncall.duty import turn_now
from engine.oncall.escalation import advance
from engine.oncall.rotas import Rota, Turn, on_call
from engine.reasons import ReasonCode

Text = Annotated[str, Meta(max_length=1000)]
Rotas = Annotated[str, Meta(min_length=1, max_length=64)]
#: An override lasts at most so long, and begins at most so far ahead.
MOST = timedelta(days=366)


class OverrideParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From `starts_at` (absent = now) to `ends_at`, or for `minutes`; neither = to the end of the turn of then."""

    rota: Rotas
    person: Annotated[str, Meta(min_length=1, max_length=200)]
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    minutes: Minutes = 0.0
    reason: Text = ""


class SwapParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`first` and `second` are moments in the two turns that change places; what is over of a turn stays as it was."""

    rota: Rotas
    first: Moment
    second: Moment
    reason: Text = ""


@act("oncall_override", capability="noc:manage", kinds="", params=OverrideParams)
def override(acting: Acting, params: OverrideParams) -> None:
    """Let somebody have duty in a rota for a time, whoever has it by the plan."""
    now = acting.draft.now
    rota = _rota(acting, params.rota)
    starts_at = max(params.starts_at or now, now)
    _near(acting, starts_at, "starts_at")
    if params.ends_at is not None or params.minutes > 0:
        ends_at = params.ends_at or starts_at + timedelta(minutes=params.minutes)
    else:
        ends_at = on_call(rota, _overrides(acting), starts_at).end
    if not starts_at < ends_at <= starts_at + MOST:
        raise Refused("it must end after it begins, within a year", field="ends_at", remedy="give minutes")
    acting.id = _put(acting, params.rota, params.person, starts_at, ends_at, params.reason)


@act("oncall_swap", capability="noc:manage", kinds="", params=SwapParams)
def swap(acting: Acting, params: SwapParams) -> None:
    """Let two turns of a rota change places."""
    now = acting.draft.now
    rota, known = _rota(acting, params.rota), _overrides(acting)
    for name in ("first", "second"):
        _near(acting, getattr(params, name), name)
    one, other = (on_call(rota, known, max(at, now)) for at in (params.first, params.second))
    if one.person == other.person:
        raise Refused(f"both turns are of {one.person}", field="second", remedy="name a moment in another turn")
    for turn, person in ((one, other.person), (other, one.person)):
        acting.id = _put(acting, rota.name, person, max(turn.start, now), turn.end, params.reason, _pair(one, other))


@act("oncall_cancel", capability="noc:manage", kinds="oncall_override", params=NoParams)
def cancel(acting: Acting, params: NoParams) -> None:
    """Take back overrides; of a swap both."""
    _all_sites(acting)
    draft = acting.draft
    for name in dict.fromkeys(acting.names("oncall_override")):
        found: Override | None = draft.noun("oncall_overrides", name)
        if found is None or found.ends_at <= draft.now:
            if f"oncall_override:{name}" not in acting.changed:
                acting.refuse(f"oncall_override:{name}", "not found among those that hold or will")
            continue
        for one in _overrides(acting):
            if one.id == found.id or (found.swap and one.swap == found.swap):
                draft.put_noun(replace(one, state="cancelled"), ReasonCode.BY_OPERATOR)
                acting.change("oncall_override", one.id)


@act("escalate", capability="noc:ack", kinds="incident", params=NoParams)
def escalate(acting: Acting, params: NoParams) -> None:
    """Tell the next step of its policy of an incident now."""
    oncall, incidents = acting.draft.rules.oncall, list(acting.incidents())
    if incidents and (oncall is None or not oncall.policies):
        raise Refused("there are no policies", remedy="add [[oncall.policies]] to the configuration", status=409)
    for incident in incidents:
        assert oncall is not None
        target = f"incident:{incident.id}"
        if incident.state in ENDED:
            acting.refuse(target, f"it is {incident.state}")
            continue
        reason = advance(acting.draft, oncall, incident)
        if reason:
            acting.refuse(target, reason)
        else:
            acting.draft.record(incident.id, "escalated", acting.actor, "asked for the next step")
            acting.change("incident", incident.id)


def _rota(acting: Acting, name: str) -> Rota:
    _all_sites(acting)
    oncall = acting.draft.rules.oncall
    if oncall is None or turn_now(acting.draft, name) is None:
        known = ", ".join(oncall.rotas) if oncall is not None else ""
        remedy = f"known: {known}" if known else "add [[oncall.rotas]] to the configuration"
        raise Refused(f"no rota is called {name!r}", field="rota", remedy=remedy, status=404)
    found: Rota = oncall.rotas[name]
    return found


def _all_sites(acting: Acting) -> None:
    if acting.scope.sites is not None:
        raise Refused("rotas are of all sites", remedy="ask somebody who sees all sites", status=403)


def _near(acting: Acting, at: datetime, field: str) -> None:
    if at > acting.draft.now + MOST:
        raise Refused("more than a year ahead", field=field, remedy="give a nearer time")


def _overrides(acting: Acting) -> list[Override]:
    return [one for one in acting.draft.all_nouns("oncall_overrides") if one.tenant == acting.draft.tenant]


def _pair(one: Turn, other: Turn) -> str:
    return f"{one.start:%Y%m%dT%H%M}-{other.start:%Y%m%dT%H%M}"


def _put(  # noqa: PLR0917 - an override in parts
    acting: Acting, rota: str, person: str, starts_at: datetime, ends_at: datetime, reason: str, pair: str = ""
) -> str:
    draft = acting.draft
    stem = f"{rota}-{draft.now:%Y%m%dT%H%M%S%f}"
    taken = sum(1 for one in acting.draft.all_nouns("oncall_overrides") if one.id.startswith(stem))
    record = Override(
        tenant=draft.tenant,
        id=f"{stem}-{taken + 1}",
        at=draft.now,
        rota=rota,
        person=person,
        starts_at=starts_at,
        ends_at=ends_at,
        by=acting.actor,
        reason=reason,
        swap=f"{stem}-{pair}" if pair else "",
    )
    draft.put_noun(record, ReasonCode.BY_OPERATOR)
    acting.change("oncall_override", record.id)
    return record.id
