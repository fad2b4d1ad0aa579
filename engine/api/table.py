"""The route table: everything that is served, with the capability that each route needs.

Owns the list. Never holds logic: a handler is named, not written here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from data.nouns import NOUN_OF_SUBJECT, NOUNS
from engine.acts import VERBS
from engine.api import alertmanager, metrics, openapi, reads, webhooks
from engine.api.acts import REJECT_VERBS, CommandBody, StepUpBody, act, command, make, step_up
from engine.api.routes import PUBLIC, Handler, Route
from engine.client import CommandResult, Health, Proof
from engine.reports import REPORTS, load

#: Kinds that have items, and what hangs on an item: (kind, "list" of rows or "about" it).
_BELOW: dict[str, tuple[tuple[str, str], ...]] = {
    "incidents": (
        ("timeline", "rows"),
        ("alerts", "rows"),
        ("clusters", "rows"),
        ("why", "about"),
        ("related", "about"),
    ),
    "alerts": (("why", "about"),),
    "clusters": (),
    "silences": (),
    "rejects": (),
    **dict.fromkeys(NOUNS, ()),
    "predictions": (("why", "about"),),
}


def build_table() -> tuple[Route, ...]:
    """Every route, in the order of the documentation."""
    return (*_health(), *alertmanager.ROUTES, *_intake(), *_reads(), *_reports(), *_acts(), *_rest())


def _health() -> Iterator[Route]:
    for path, words, handler in (
        ("/-/healthy", "Is the process up.", metrics.healthy),
        ("/-/ready", "Can input be taken.", metrics.ready),
    ):
        for method in ("GET", "HEAD"):
            yield Route(method=method, path=path, capability=PUBLIC, words=words, handler=handler, face=True)
    yield Route(
        method="GET",
        path="/metrics",
        capability="noc:view",
        words="Prometheus text: the engine's counters.",
        handler=metrics.metrics,
        face=True,
    )


def _intake() -> Iterator[Route]:
    for path, words, handler, methods in (
        ("/ingest/webhook/{source}", "A configured sender's notification.", webhooks.webhook, ("POST", "PUT")),
        ("/ingest/events", "CloudEvents (structured, binary, batch), NDJSON or JSON.", webhooks.events, ("POST",)),
        ("/v2/enqueue", "PagerDuty Events API v2.", webhooks.enqueue, ("POST",)),
        ("/v2/change/enqueue", "PagerDuty change events.", webhooks.change, ("POST",)),
    ):
        for method in methods:
            yield Route(
                method=method,
                path=path,
                capability="ingest:write",
                words=words,
                handler=handler,
                out=webhooks.TakenDocument,
                status=202,
                raw=True,
                by_source=path in ("/ingest/webhook/{source}", "/v2/enqueue"),
            )


def _reads() -> Iterator[Route]:
    for kind, record in reads.RECORDS.items():
        capability = reads.CAPABILITY.get(kind, "noc:view")
        base = f"/api/v1/{reads.PATHS[kind]}"
        yield _get(base, capability, f"List {kind}.", reads.lists(kind), reads.page_of(kind), query=reads.ListQuery)
        if kind not in _BELOW:
            continue
        yield _get(f"{base}/{{id}}", capability, f"One of {kind}.", reads.item(kind), record)
        for below, form in _BELOW[kind]:
            make_handler, query = (reads.below, reads.ListQuery) if form == "rows" else (reads.about, None)
            yield _get(
                f"{base}/{{id}}/{below}",
                capability,
                f"{below.capitalize()} of one of {kind}.",
                make_handler(below, kind),
                reads.page_of(below),
                query=query,
            )


def _reports() -> Iterator[Route]:
    load()
    for path, found in REPORTS.items():
        items: Any = reads.PageDocument[dict[str, Any]]
        handler = reads.answer(path)
        route = _get(f"/api/v1/{path}", found.capability, found.words, handler, items, query=found.params)
        yield replace(route, also=found.also)


def _get(path: str, capability: str, words: str, handler: Handler, out: Any, *, query: Any = None) -> Route:
    return Route(method="GET", path=path, capability=capability, words=words, handler=handler, out=out, query=query)


def _acts() -> Iterator[Route]:
    yield Route(
        method="POST",
        path="/api/v1/commands",
        # Each verb's own capability is checked as well, once the body says which verb it is.
        capability="noc:view",
        words="Any act on any targets.",
        handler=command,
        body=CommandBody,
        out=CommandResult,
    )
    yield Route(
        method="POST",
        path="/api/v1/step-up",
        # Whoever may look may say who he is; what a proof is good for, each verb's own capability decides.
        capability="noc:view",
        words="The proof for a PIN, for acts that take one (header Step-Up).",
        handler=step_up,
        body=StepUpBody,
        out=Proof,
    )
    for name, verb in sorted(VERBS.items()):
        for subject in sorted(verb.kinds):
            kind = NOUN_OF_SUBJECT[subject].kind if subject in NOUN_OF_SUBJECT else f"{subject}s"
            word = next((name.removesuffix(f"_{of}") for of in verb.kinds if name.endswith(f"_{of}")), name)
            path = f"/api/v1/{kind}/{{id}}/{word}"
            yield _post(path, verb.capability, verb.words, act(subject, name), body=verb.params, verb=name)
        if not verb.kinds:
            plural = f"{name}es" if name.endswith("ch") else f"{name}s"
            yield _post(f"/api/v1/{plural}", verb.capability, verb.words, make(name), body=verb.params, verb=name)
    for name, (capability, params, words) in REJECT_VERBS.items():
        path = f"/api/v1/rejects/{{id}}/{name.removesuffix('_reject')}"
        yield _post(path, capability, words, act("reject", name), body=params, verb=name)


def _post(path: str, capability: str, words: str, handler: Handler, *, body: Any, verb: str) -> Route:
    status = 200 if "{id}" in path else 201
    return Route(
        method="POST",
        path=path,
        capability=capability,
        words=words,
        handler=handler,
        body=body,
        out=CommandResult,
        status=status,
        verb=verb,
    )


def _rest() -> Iterator[Route]:
    yield _get("/api/v1/health", "noc:view", "State of the engine.", reads.health, Health)
    yield _get("/openapi.json", "noc:view", "This document.", openapi.document, dict[str, Any])
    for path in ("/api/v1/feed", "/ws"):
        yield Route(
            method="WEBSOCKET",
            path=path,
            capability="noc:view",
            words="Changes as they are committed; `cursor` resumes, `types` and `sites` narrow down.",
            handler=None,
        )
