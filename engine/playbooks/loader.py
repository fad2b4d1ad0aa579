"""Loader: the text of a file → a checked definition, or the exact place of what is wrong with it.

Everything that can be known before an incident is there is checked here: shapes, names, actions and their parameters,
conditions, templates, the trigger's query. Owns the checks. Never opens a file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from data.nouns.playbooks import Definition, Step, key_of
from data.query import QueryError
from data.records import RANK, Incident
from engine.playbooks import expression, template
from engine.playbooks.actions import Refusal, StepAction, read_params, reversible
from engine.playbooks.facts import LABELS, NAMES, STEPS

if TYPE_CHECKING:
    from engine.playbooks.yaml_text import Document, Path

_PLACE = re.compile(r"\.([A-Za-z_]\w*)|\[(\d+|\.\.\.)\]")
_FIELD = re.compile(r"field `([^`]*)`")


class PlaybookError(Exception):
    """What is wrong: `file` and `line` (from 1), `key` in the document, the reason and the remedy.

    `playbook` and `tenants` say whose it would be, as far as the file could be read: () = all tenants', None = not
    known."""

    def __init__(self, file: str, line: int, key: str, reason: str, remedy: str) -> None:
        place = f"{file}:{line}: {key}" if key else f"{file}:{line}"
        super().__init__(f"{place}: {reason}; {remedy}")
        self.file, self.line, self.key, self.reason, self.remedy = file, line, key, reason, remedy
        self.playbook = ""
        self.tenants: tuple[str, ...] | None = None

    def of(self, playbook: str, tenants: tuple[str, ...] | None) -> PlaybookError:
        """Whose it is."""
        self.playbook, self.tenants = playbook, tenants
        return self


class Loaded(Struct, frozen=True, kw_only=True):
    """`applies` is the trigger's query as a test; None where only people run it."""

    definition: Definition
    sha256: str
    applies: Callable[[Incident, Any], bool] | None

    @property
    def for_seconds(self) -> float:
        """How long its trouble has to last."""
        return self.definition.trigger.for_seconds if self.definition.trigger is not None else 0.0

    def serves(self, tenant: str) -> bool:
        return not self.definition.tenants or tenant in self.definition.tenants


class _Wrong(Exception):
    def __init__(self, path: Path, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.path, self.reason, self.remedy = path, reason, remedy


def load(file: str, text: str, actions: Mapping[str, StepAction]) -> Loaded:
    """Raises PlaybookError."""
    # YAML is read where there is a playbook, not wherever the line is imported.
    from engine.playbooks.yaml_text import YamlError, named, read

    try:
        document = read(text)
    except YamlError as error:
        raise PlaybookError(file, error.line, error.key, error.reason, error.remedy) from error
    try:
        definition = _shaped(document)
        _check(definition, actions)
        return Loaded(definition=definition, sha256=fingerprint(definition), applies=_applies(definition))
    except _Wrong as error:
        line = _line(document, error.path)
        wrong = PlaybookError(file, line, named(error.path), error.reason, error.remedy)
        raise wrong.of(*_whose(document)) from error


def _whose(document: Document) -> tuple[str, tuple[str, ...] | None]:
    """The name and the tenants that a file gives which is wrong somewhere."""
    told = document.value if isinstance(document.value, dict) else {"tenants": None}
    try:
        tenants = msgspec.convert(told.get("tenants", ()), tuple[str, ...])
    except msgspec.ValidationError:
        return str(told.get("name", "")), None
    return str(told.get("name", "")), tenants


def read_definition(file: str, text: str) -> Definition:
    """Its shape alone, without a look at what the settings allow. Raises PlaybookError."""
    from engine.playbooks.yaml_text import YamlError, named, read

    try:
        document = read(text)
        return _shaped(document)
    except YamlError as error:
        raise PlaybookError(file, error.line, error.key, error.reason, error.remedy) from error
    except _Wrong as error:
        raise PlaybookError(file, 1, named(error.path), error.reason, error.remedy) from error


def needs(definition: Definition) -> tuple[str, ...]:
    """What has to be set up for it: endpoints, units that may be restarted, commands that may be run."""
    found: dict[str, None] = {}
    for step in definition.steps:
        if step.action == "http_request":
            found[f"endpoint {step.params.get('endpoint', '')}"] = None
        elif step.action == "restart_service":
            found[f"service {step.params.get('unit', '')}"] = None
        elif step.action == "collect_diagnostics":
            found.update((f"command {name}", None) for name in step.params.get("commands", ()))
    return tuple(found)


def fingerprint(definition: Definition) -> str:
    """Of what it does. Whom it serves is no part of it: that changes no plan, and no approval of one."""
    told = msgspec.to_builtins(definition, order="sorted")
    del told["tenants"]
    return sha256(msgspec.json.encode(told)).hexdigest()


def schema() -> dict[str, Any]:
    """The format as a JSON schema."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(Definition)}


def _line(document: Document, path: Path) -> int:
    """Of the nearest thing around that has one."""
    while path not in document.lines:
        path = path[:-1]
    return document.lines[path]


def _shaped(document: Document) -> Definition:
    try:
        return msgspec.convert(document.value, Definition, strict=True)
    except msgspec.ValidationError as error:
        reason, _, place = str(error).partition(" - at `$")
        path = tuple(_path(place))
        field = _FIELD.search(reason)
        if field is not None and "unknown" in reason:
            path = (*path, field[1])
        remedy = "leave it out" if "unknown" in reason else "see `noc-console playbook schema`"
        raise _Wrong(path, reason[0].lower() + reason[1:], remedy) from error


def _path(place: str) -> Iterator[str | int]:
    for name, number in _PLACE.findall(place):
        if number == "...":
            return
        yield name or int(number)


# -- what shapes cannot say


def _check(definition: Definition, actions: Mapping[str, StepAction]) -> None:
    known: dict[str, StepAction] = {}
    if definition.trigger is not None:
        _check_condition(definition.trigger.condition, ("trigger", "if"), known)
    for number, step in enumerate(definition.steps):
        path: Path = ("steps", number)
        if step.name in known:
            raise _Wrong((*path, "name"), f"two steps are called {step.name}", "give each its own name")
        action = actions.get(step.action)
        if action is None:
            raise _Wrong((*path, "action"), f"no action is called {step.action!r}", f"one of {', '.join(actions)}")
        _check_params(step, action, path, known)
        _check_condition(step.when, (*path, "if"), known)
        if step.rollback and not reversible(action):
            raise _Wrong((*path, "rollback"), f"{step.action} cannot be taken back", "leave rollback out")
        known[step.name] = action
    if definition.verification is not None:
        _check_condition(definition.verification.condition, ("verification", "condition"), known)
    _check_policy(definition)


def _check_policy(definition: Definition) -> None:
    policy = definition.policy
    if policy.approvers and policy.quorum > len({key_of(name) for name in policy.approvers}):
        raise _Wrong(("policy", "quorum"), "more must approve than there are approvers", "name more, or lower it")
    for name in policy.delegates:
        if policy.approvers and name not in policy.approvers:
            raise _Wrong(("policy", "delegates", name), f"{name} is not an approver", "add the name to approvers")


def _check_condition(text: str, path: Path, known: Mapping[str, StepAction]) -> None:
    if not text:
        return
    try:
        for name in expression.names(expression.parse(text)):
            _check_name(name, path, known)
    except expression.ExpressionError as error:
        raise _Wrong(path, f"at character {error.position + 1}: {error.reason}", error.remedy) from error


def _check_name(name: str, path: Path, known: Mapping[str, StepAction]) -> None:
    if name in NAMES or (name.startswith(LABELS) and name != LABELS):
        return
    step, _, result = name.removeprefix(STEPS).partition(".")
    if name.startswith(STEPS) and step in known:
        gives = known[step].gives
        if result == "state" or result in gives:
            return
        raise _Wrong(path, f"{step} gives no {result!r}", f"one of {', '.join(sorted({'state', *gives}))}")
    if name.startswith(STEPS):
        raise _Wrong(path, f"no step before this is called {step!r}", "name an earlier step")
    raise _Wrong(path, f"there is no value {name!r}", f"one of {', '.join(sorted(NAMES))}, {LABELS}NAME")


def _check_params(step: Step, action: StepAction, path: Path, known: Mapping[str, StepAction]) -> None:
    templated = False
    for name, value in step.params.items():
        place: Path = (*path, "params", name)
        if name not in action.params.__struct_encode_fields__:
            takes = ", ".join(action.params.__struct_encode_fields__)
            raise _Wrong(place, f"{action.name} has no parameter {name!r}", f"one of {takes}")
        try:
            used = list(template.names(value))
        except template.TemplateError as error:
            raise _Wrong(place, error.reason, error.remedy) from error
        templated = templated or bool(used)
        for wanted in used:
            _check_name(wanted, place, known)
            if name in action.fixed:
                raise _Wrong(place, f"{name} takes no template", "write it out")
            if wanted.startswith(STEPS) and name not in action.free:
                free = ", ".join(sorted(action.free)) or "none"
                raise _Wrong(place, f"{name} may not depend on the result of a step", f"of this action may: {free}")
    _check_values(step, action, path, templated=templated)


def _check_values(step: Step, action: StepAction, path: Path, *, templated: bool) -> None:
    """Without templates all is known now, also whether the settings allow it; with them what is written out."""
    try:
        if templated:
            action.check({name: value for name, value in step.params.items() if not any(template.names(value))})
        else:
            action.plan(read_params(action, step.params))
    except Refusal as error:
        raise _Wrong((*path, "params"), error.reason, error.remedy) from error


def _applies(definition: Definition) -> Callable[[Incident, Any], bool] | None:
    from engine.rules import incident_test

    trigger = definition.trigger
    if trigger is None:
        return None
    try:
        found = incident_test(trigger.when) if trigger.when else None
    except QueryError as error:
        raise _Wrong(("trigger", "when"), str(error), getattr(error, "remedy", "mend the query")) from error
    floor, names = RANK[trigger.severity], frozenset(trigger.names)

    def applies(incident: Incident, now: Any) -> bool:
        if RANK[incident.severity] < floor or (names and names.isdisjoint(incident.names)):
            return False
        return found is None or found(incident, now)

    return applies
