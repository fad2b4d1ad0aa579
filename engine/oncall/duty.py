"""Who a step is for, by the records that the line holds. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

from data.records import Incident
from engine.book import Draft
from engine.oncall.rotas import Turn, on_call

#: People that one role can mean in one step.
MOST_OF_ROLE = 20
_ROLES = "oncall.roles"
#: Roles are looked up in everybody who is known, so not for each page anew.
_ROLES_HOLD = timedelta(seconds=60)


class Called(NamedTuple):
    """`why` says as what a person is told."""

    person: str
    why: str


def turn_now(draft: Draft, rota: str) -> Turn | None:
    """Whose turn it is in a rota at the draft's time; None when there is no such rota."""
    oncall = draft.rules.oncall
    found = oncall.rotas.get(rota) if oncall is not None else None
    if found is None:
        return None
    overrides = [one for one in draft.all_nouns("oncall_overrides") if one.tenant == draft.tenant]
    return on_call(found, overrides, draft.now)


def called(draft: Draft, targets: tuple[str, ...], incident: Incident) -> list[Called]:
    """The people whom targets of a step mean for this incident, each once."""
    found: dict[str, Called] = {}
    for target in targets:
        for one in _called(draft, target, incident):
            found.setdefault(one.person, one)
    return list(found.values())


def _called(draft: Draft, target: str, incident: Incident) -> Iterator[Called]:
    kind, _, name = target.partition(":")
    if kind == "person":
        yield Called(name, "named")
    elif kind == "rota":
        turn = turn_now(draft, name)
        if turn is not None:
            yield Called(turn.person, f"on call in {name}")
    elif kind == "role":
        for person in _of_role(draft, name, incident.site):
            yield Called(person, name)
    elif kind == "supervisor":
        site = draft.noun("sites", incident.site) if incident.site else None
        if site is not None and site.supervisor:
            yield Called(site.supervisor, f"supervisor of {incident.site}")
    elif kind == "manager":
        yield from _manager(draft, incident)


def _manager(draft: Draft, incident: Incident) -> Iterator[Called]:
    site = draft.noun("sites", incident.site) if incident.site else None
    name = (site.client if site is not None else "") or incident.client
    client = draft.noun("clients", name) if name else None
    if client is not None and client.manager:
        yield Called(client.manager, f"manager of {name}")


def _of_role(draft: Draft, role: str, site: str) -> list[str]:
    """Active people of a role who are of this site or of none in particular, in the order of their ids."""
    table, place = draft.derived(_ROLES), (draft.tenant, role)
    until, known = table.get(place, (draft.now, ()))
    if until <= draft.now:
        known = tuple(
            (person.id, frozenset(person.sites))
            for (tenant, _), person in draft.book.nouns["people"].items()
            if tenant == draft.tenant and person.active and person.role == role
        )
        draft.set(table, place, (draft.now + _ROLES_HOLD, known))
    return sorted(id for id, sites in known if not sites or site in sites)[:MOST_OF_ROLE]
