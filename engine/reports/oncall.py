"""On-call: who has duty now, who has it next, and where the escalation of an incident stands. Never tells anybody."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct
from msgspec.structs import replace

from data.nouns.oncall import Escalation, Override
from data.scope import Scope
from engine.client import Refused
from engine.oncall.escalation import id_of
from engine.oncall.rotas import Turn, on_call, turns
from engine.oncall.rules import OnCall
from engine.reports.registry import report

if TYPE_CHECKING:
    from engine.desk import Desk

#: How far `now` looks for the end of a turn and the next one.
AHEAD = timedelta(days=400)
MOST = 1000


class NowParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`rota` empty = all; `at` a moment to come, absent = now."""

    rota: Annotated[str, Meta(max_length=64)] = ""
    at: Annotated[datetime, Meta(tz=True)] | None = None


class NextParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    rota: Annotated[str, Meta(max_length=64)] = ""
    days: Annotated[int, Meta(ge=1, le=366)] = 14


class IncidentParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`id` is the incident's number."""

    id: Annotated[int, Meta(ge=1)]


@report("oncall/now", params=NowParams)
async def now(desk: Desk, scope: Scope, params: NowParams) -> Sequence[Any]:
    """Who has duty: {"rota", "person", "since", "until", "why", "next", "ways", "time_zone"} for each rota."""
    at = max(params.at or desk.clock.now(), desk.clock.now())
    found = []
    for rota, overrides in await _rotas(desk, scope, params.rota):
        ahead = _ahead(turns(rota, overrides, at, at + AHEAD))
        turn = ahead[0]
        following = next((one.person for one in ahead[1:]), "")
        ways = [way.words for way in desk.oncall().contacts.get(turn.person, ())]
        found.append(
            {
                "rota": rota.name,
                "person": turn.person,
                "since": turn.start,
                "until": turn.end,
                "why": turn.why,
                "next": following,
                "ways": ways,
                "time_zone": rota.time_zone,
            }
        )
    return found


@report("oncall/next", params=NextParams)
async def upcoming(desk: Desk, scope: Scope, params: NextParams) -> Sequence[Any]:
    """Turns of the days ahead, by rota and time: {"rota", "person", "since", "until", "why"}."""
    at = desk.clock.now()
    return [
        {"rota": turn.rota, "person": turn.person, "since": turn.start, "until": turn.end, "why": turn.why}
        for rota, overrides in await _rotas(desk, scope, params.rota)
        for turn in turns(rota, overrides, at, at + timedelta(days=params.days))
    ]


@report("incidents/{id}/oncall", params=IncidentParams)
async def of_incident(desk: Desk, scope: Scope, params: IncidentParams) -> Sequence[Any]:
    """Who has duty, and where the telling of an incident stands: state, who was told, the next step and when.

    `state` is empty when no policy is for it; nothing at all is answered where there are neither rotas nor policies."""
    if not await desk.rows(scope, kind="incidents", ids=(str(params.id),), limit=1):
        raise Refused("not found among the incidents", field="id", remedy="name one that you see", status=404)
    oncall: OnCall | None = desk.oncall()
    if oncall is None:
        return []
    at, rotas = desk.clock.now(), await _rotas(desk, scope, "")
    turns_now = [on_call(rota, overrides, at) for rota, overrides in rotas]
    duty = [{"rota": turn.rota, "person": turn.person, "until": turn.end} for turn in turns_now]
    # Who sees the incident by any of its sites sees where it stands.
    everywhere = replace(scope, sites=None)
    stored: Sequence[Escalation] = await desk.rows(everywhere, kind="escalations", ids=(id_of(params.id),), limit=1)
    if not stored:
        return [{"state": "", "duty": duty}]
    stands = _stands(oncall, stored[0])
    then = stored[0].next_at or at
    persons = {f"rota:{rota.name}": on_call(rota, overrides, then).person for rota, overrides in rotas}
    people = [persons.get(target, target.removeprefix("person:")) for target in stands["next_notify"]]
    return [{**stands, "next_people": people, "duty": duty}]


def _stands(oncall: OnCall, found: Escalation) -> dict[str, Any]:
    policy, step, round = oncall.policy(found.policy), found.step, found.round
    notify: tuple[str, ...] = ()
    if policy is not None and found.next_at is not None:
        if step >= len(policy.levels):
            step, round = 0, round + 1
        notify = policy.levels[step].notify if round <= policy.repeat else ()
    return {
        "state": found.state,
        "policy": found.policy,
        "why": found.why,
        "told": found.told,
        "pages": found.pages,
        "steps": len(policy.levels) if policy is not None else 0,
        "next_step": step + 1 if notify else 0,
        "next_notify": notify,
        "next_at": found.next_at,
        "remind_at": found.remind_at,
    }


async def _rotas(desk: Desk, scope: Scope, name: str) -> list[tuple[Any, list[Override]]]:
    """The rotas asked for, each with its overrides. Raises Refused for one that is not there."""
    oncall: OnCall | None = desk.oncall()
    known = oncall.rotas if oncall is not None else {}
    if name and name not in known:
        remedy = f"known: {', '.join(known)}" if known else "add [[oncall.rotas]] to the configuration"
        raise Refused(f"no rota is called {name!r}", field="rota", remedy=remedy, status=404)
    # Duty is of all sites, also to those who see only some of them.
    everywhere = replace(scope, sites=None)
    rows = await desk.rows(everywhere, kind="oncall_overrides", active=True, limit=MOST)
    return [
        (rota, [one for one in rows if one.rota == rota.name]) for rota in known.values() if name in ("", rota.name)
    ]


def _ahead(found: Sequence[Turn]) -> list[Turn]:
    """Turns of the same person one after the other as one."""
    kept: list[Turn] = []
    for turn in found:
        if not kept or kept[-1].person != turn.person:
            kept.append(turn)
    return kept
