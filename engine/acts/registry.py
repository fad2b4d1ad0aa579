"""The table of verbs, and what an act works with: targets found, refusals kept, results counted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from msgspec import Struct, ValidationError, convert

from data.records import Alert, AlertId, ClusterId, Incident, IncidentId, IncidentState, Undo
from data.restricted import of_names
from data.scope import Scope
from engine.book import Draft
from engine.client import Command, Refused


class Verb(Struct, frozen=True, kw_only=True):
    """`capability` is what the scope must hold; `kinds` are the targets it takes; `params` their struct. `step_up`: it
    takes a PIN of whoever has one (`engine.step_up`)."""

    name: str
    capability: str
    kinds: frozenset[str]
    params: type[Struct]
    run: Callable[[Acting, Any], None]
    words: str
    step_up: bool = False


VERBS: dict[str, Verb] = {}
OTHER_SITES = "it reaches sites that you do not see; ask somebody who sees them"
#: Where msgspec names a field that is missing or unknown, it stands in the reason and not in the place.
_NAMED = re.compile(r"field `([^`]*)`")


def act(
    name: str, *, capability: str, kinds: str, params: type[Struct], step_up: bool = False
) -> Callable[[Callable[[Acting, Any], None]], Callable[[Acting, Any], None]]:
    """Enter a function as the verb `name`; its docstring is the help text."""

    def enter(run: Callable[[Acting, Any], None]) -> Callable[[Acting, Any], None]:
        VERBS[name] = Verb(
            name=name,
            capability=capability,
            kinds=frozenset(kinds.split()),
            params=params,
            run=run,
            words=(run.__doc__ or "").strip().splitlines()[0],
            step_up=step_up,
        )
        return run

    return enter


class Acting:
    """One command at work on a draft."""

    def __init__(self, draft: Draft, scope: Scope, command: Command) -> None:
        self.draft = draft
        self.scope = scope
        self.command = command
        self.actor = scope.actor
        self.person = scope.person
        self.changed: dict[str, None] = {}
        self.refused: dict[str, str] = {}
        self.undo: Undo | None = None
        self.id = ""

    def run(self, verb: Verb) -> None:
        params = read_params(verb, self.command)
        self._check_kinds(verb)
        verb.run(self, params)

    def _check_kinds(self, verb: Verb) -> None:
        for target in self.command.targets:
            kind = target.partition(":")[0]
            if kind not in verb.kinds:
                raise Refused(
                    f"{verb.name} does not take {target!r}", field="targets", remedy=f"give {_or(verb.kinds)}"
                )

    # -- targets

    def incidents(self) -> Iterator[Incident]:
        """The incidents that the targets name, merged ones followed to where they went. Each once."""
        seen: set[IncidentId] = set()
        for target in self.command.targets:
            kind, number = _number(target)
            if kind == "incident":
                incident = self._incident(target, IncidentId(number))
                if incident is not None and incident.id not in seen:
                    seen.add(incident.id)
                    yield incident

    def alerts(self) -> Iterator[Alert]:
        """The alerts that the targets name one by one. Each once."""
        for target in dict.fromkeys(self.command.targets):
            kind, number = _number(target)
            if kind == "alert":
                alert = self.draft.book.alerts.get(AlertId(number))
                if alert is None or alert.tenant != self.scope.tenant or not self._sees_alert(alert):
                    self.refuse(target, "not found among the active alerts")
                else:
                    yield alert

    def clusters(self) -> Iterator[ClusterId]:
        for target in self.command.targets:
            kind, number = _number(target)
            if kind == "cluster":
                found = self.draft.book.clusters.get(ClusterId(number))
                visible = found is not None and self.scope.sees(found.site) and self._may(found.names)
                if found is None or found.tenant != self.scope.tenant or not visible:
                    self.refuse(target, "not found among the active clusters")
                else:
                    yield found.id

    def names(self, kind: str) -> Iterator[str]:
        """The part behind the colon of the targets of one kind."""
        for target in self.command.targets:
            found, _, name = target.partition(":")
            if found == kind:
                yield name

    def _incident(self, target: str, number: IncidentId) -> Incident | None:
        incident = self.draft.book.incidents.get(number)
        while incident is not None and incident.merged_into is not None:
            incident = self.draft.book.incidents.get(incident.merged_into)
        visible = incident is not None and incident.tenant == self.scope.tenant and self.sees(incident)
        if not visible:
            self.refuse(target, "not found among the incidents that are not closed")
            return None
        if incident is not None and incident.state is IncidentState.CLOSED:  # it may have left memory at any time
            self.refuse(target, "it is closed")
            return None
        return incident

    def _sees_alert(self, alert: Alert) -> bool:
        return self.scope.sees(alert.site) and self._may((alert.name,))

    def _may(self, names: Iterable[str]) -> bool:
        needed = of_names(names)
        return not needed or self.scope.may(needed)

    def sees(self, incident: Incident) -> bool:
        if not self._may(incident.names):
            return False
        return self.scope.sites is None or any(self.scope.sees(site) for site in incident.sites or ("",))

    def sees_all(self, incident: Incident) -> bool:
        """Whether every site of it is seen: what reaches its alerts reaches all of them. Refuses it where not."""
        if all(self.scope.sees(site) for site in incident.sites):
            return True
        self.refuse(f"incident:{incident.id}", OTHER_SITES)
        return False

    # -- outcomes

    def change(self, kind: str, number: int | str) -> None:
        self.changed[f"{kind}:{number}"] = None

    def refuse(self, target: str, reason: str) -> None:
        self.refused[target] = reason


def read_params(verb: Verb, command: Command) -> Any:
    """The command's params as the verb's struct. Raises Refused that names the field."""
    try:
        return convert(command.params, verb.params, strict=False)
    except ValidationError as error:
        reason, _, place = str(error).partition(" - at `$.")
        named = _NAMED.search(reason)
        field = place.rstrip("`") or (named[1] if named else "params")
        raise Refused(reason, field=field, remedy=f"{verb.name} takes {_fields(verb.params)}") from error


def _fields(params: type[Struct]) -> str:
    return ", ".join(params.__struct_fields__) or "no parameters"


def _number(target: str) -> tuple[str, int]:
    kind, _, text = target.partition(":")
    return kind, int(text) if text.isascii() and text.isdigit() and len(text) < 16 else -1


def _or(kinds: frozenset[str]) -> str:
    return " or ".join(f"{kind}:ID" for kind in sorted(kinds))
