"""The REST writes: every verb of `engine.acts`, on one thing or on many.

Owns the way from a request to a Command, and the check of the verb's capability. Never acts itself.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from data.nouns import NOUN_OF_SUBJECT
from engine.acts import VERBS
from engine.api.context import Api
from engine.api.gate import require
from engine.api.routes import Handler
from engine.api.signatures import delivery
from engine.api.wire import Problem, Reply, Request, json_reply, not_found
from engine.client import Command, CommandResult
from engine.pins import MOST_CHARS

#: Where the proof of a step-up is sent.
PROOF_HEADER = b"step-up"

#: Targets of one command.
MAX_TARGETS = 1000
#: Of a request's id: what it makes is named after it, and has to be named as a target later.
MAX_REQUEST_CHARS = 255

#: "incident:3", "silence:<uuid>", "ticket:<its id in the source>".
_TARGET = re.compile(
    r"(?:alert|incident|cluster|reject):[0-9]{1,15}|(?:silence|undo):[A-Za-z0-9-]{1,64}"
    rf"|(?:{'|'.join(sorted(NOUN_OF_SUBJECT))}):[^\x00-\x1f\x7f]{{1,200}}"
)


class ReplayParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fixed text; null = as it was."""

    body: str | None = None


class DiscardParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing to say."""


#: Verbs that act on dead letters instead of on the line: name → (capability, params, help).
REJECT_VERBS: dict[str, tuple[str, type[Struct], str]] = {
    "replay_reject": ("noc:manage", ReplayParams, "Take a dead letter again, fixed or as it was."),
    "discard_reject": ("noc:manage", DiscardParams, "Put a dead letter away."),
}


class CommandBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`verb`, its `targets` and `params`. The Idempotency-Key header, else `request`, makes it happen once."""

    verb: str
    targets: tuple[str, ...] = ()
    params: dict[str, Any] = {}
    request: str = ""


class StepUpBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The PIN of the token that the request comes with."""

    pin: Annotated[str, Meta(min_length=1, max_length=MOST_CHARS)]


def capability_of(verb: str) -> str | None:
    """The capability that a verb takes; None = there is no such verb."""
    if verb in REJECT_VERBS:
        return REJECT_VERBS[verb][0]
    found = VERBS.get(verb)
    return found.capability if found else None


async def command(api: Api, request: Request) -> Reply:
    """Any verb on any targets. 200 with what changed and what was refused, target by target."""
    body: CommandBody = request.body
    capability = capability_of(body.verb)
    if capability is None:
        raise Problem(422, "Unknown verb", field="verb", remedy="one of " + ", ".join(sorted({*VERBS, *REJECT_VERBS})))
    require(request.who, capability)
    given = Command(verb=body.verb, targets=body.targets, params=body.params, request=body.request)
    return json_reply(await run(api, request, given))


def act(subject: str, verb: str) -> Handler:
    """The handler of `POST /api/v1/<kind>/{id}/<verb>`: the body is the verb's params, `?target=` adds targets."""

    async def handler(api: Api, request: Request) -> Reply:
        target = f"{subject}:{request.params['id']}"
        if not _TARGET.fullmatch(target):
            raise not_found()
        targets = (target, *request.query.get("target", ()))
        result = await run(api, request, Command(verb=verb, targets=targets, params=_params(request)))
        return _answer(result, target)

    return handler


def make(verb: str) -> Handler:
    """The handler of an act that makes something new."""

    async def handler(api: Api, request: Request) -> Reply:
        given = Command(verb=verb, targets=(), params=_params(request))
        return json_reply(await run(api, request, given), 201)

    return handler


async def run(api: Api, request: Request, given: Command) -> CommandResult:
    """The command, once its targets are well formed. What is allowed was checked before."""
    targets = given.targets
    if len(targets) > MAX_TARGETS:
        raise Problem(422, "Too many targets", field="targets", remedy=f"send at most {MAX_TARGETS} at once")
    for index, target in enumerate(targets):
        if not _TARGET.fullmatch(target):
            raise Problem(422, "No such target", field=f"targets[{index}]", remedy='send them like "incident:3"')
    key, proof = delivery(request.headers) or given.request, request.header(PROOF_HEADER)
    if len(key) > MAX_REQUEST_CHARS or not key.isprintable():
        remedy = f"send at most {MAX_REQUEST_CHARS} visible characters"
        raise Problem(422, "No such request id", field="request", remedy=remedy)
    return await api.service.command(request.who, replace(given, request=key, proof=proof))


async def step_up(api: Api, request: Request) -> Reply:
    """The proof for a PIN: acts that take one carry it in the header Step-Up."""
    body: StepUpBody = request.body
    return json_reply(await api.service.step_up(request.who, body.pin))


def _params(request: Request) -> dict[str, Any]:
    return {} if request.body is None else msgspec.structs.asdict(request.body)


def _answer(result: CommandResult, target: str) -> Reply:
    """200, or when nothing changed the reason: 404 for what cannot be seen, 409 for what cannot be done."""
    reason = result.refused.get(target)
    if result.changed or reason is None:
        return json_reply(result)
    if reason.startswith("not found"):
        raise not_found()
    raise Problem(409, "Refused", reason, field=target, remedy="read it again and act on what it is now")
