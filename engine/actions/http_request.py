"""http_request: one request to an endpoint of the settings, by the one outgoing client.

The URL comes from the settings; a playbook gives the method and the body. GET and HEAD only read, PUT and DELETE may be
repeated, POST and PATCH are never done twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, json

from engine.destinations import Forbidden, destination
from engine.effects import Around
from engine.outbound import Unreached
from engine.playbooks.actions import Act, Done, Failed, Idempotency, Planned, Refusal, StepAction
from engine.playbooks.settings import Endpoint

#: Bytes of the answer that are kept.
KEPT = 4000
_CHECKS = frozenset({"GET", "HEAD"})
_UNSAFE = frozenset({"POST", "PATCH"})
_LATER = frozenset({408, 425, 429, 500, 502, 503, 504})


class HttpParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`body` goes out as JSON; `subject` names what the request is about: that is the target then, not the endpoint."""

    endpoint: Annotated[str, Meta(min_length=1, max_length=128)]
    method: Literal["GET", "HEAD", "PUT", "DELETE", "POST", "PATCH"] = "GET"
    body: dict[str, Any] | None = None
    subject: Annotated[str, Meta(max_length=200)] = ""


class HttpRequest(StepAction):
    name = "http_request"
    words = "Send one request to a listed endpoint."
    params = HttpParams
    gives = frozenset({"status", "body"})
    free = frozenset({"body"})
    one_line = frozenset({"subject"})

    def __init__(self, around: Around) -> None:
        self._endpoints = {entry.name: entry for entry in around.settings.playbooks.endpoints}
        self._notify = around.settings.notify
        self._outbound = around.outbound

    def idempotency(self, params: HttpParams) -> Idempotency:
        if params.method in _CHECKS:
            return Idempotency.CHECK
        return Idempotency.UNSAFE if params.method in _UNSAFE else Idempotency.SAFE

    def plan(self, params: HttpParams) -> Planned:
        endpoint = self._endpoint(params)
        try:
            to = destination(
                endpoint.url,
                allow_http=endpoint.allow_http,
                allow_hosts=self._notify.allow_hosts,
                ports=self._notify.ports,
            )
        except Forbidden as error:
            raise Refusal(error.reason, error.remedy) from None
        target = params.subject or f"endpoint:{endpoint.name}"
        about = f" about {params.subject}" if params.subject else ""
        return Planned(
            targets=() if params.method in _CHECKS else (target,),
            words=f"{params.method} {endpoint.name} at {to.origin}{about}",
        )

    def check(self, written: Mapping[str, Any]) -> None:
        if "endpoint" in written:
            self._allowed(written["endpoint"], written.get("method", "GET"))

    def _endpoint(self, params: HttpParams) -> Endpoint:
        return self._allowed(params.endpoint, params.method)

    def _allowed(self, name: Any, method: Any) -> Endpoint:
        endpoint = self._endpoints.get(name) if isinstance(name, str) else None
        if endpoint is None:
            raise Refusal(f"no endpoint is called {name!r}", "add it to [[playbooks.endpoints]]")
        if method not in endpoint.methods:
            raise Refusal(f"{name} does not take {method}", "add it to its methods")
        return endpoint

    async def run(self, act: Act, params: HttpParams) -> Done:
        unsafe = params.method in _UNSAFE
        try:
            endpoint = self._endpoint(params)
            answer = await self._outbound.request(
                params.method,
                endpoint.url,
                body=b"" if params.body is None else json.encode(params.body),
                headers=_headers(act, endpoint),
                allow_http=endpoint.allow_http,
            )
        except Refusal as error:
            raise Failed(str(error)) from error
        except Forbidden as error:
            raise Failed(f"{error.reason}; {error.remedy}") from None
        except Unreached as error:
            raise Failed(str(error), again=not unsafe, unseen=unsafe) from None
        output = {"status": answer.status, "body": answer.body[:KEPT].decode("utf-8", "replace").replace("\0", "")}
        if not 200 <= answer.status < 300:
            raise Failed(f"answered {answer.status}", again=not unsafe and answer.status in _LATER, output=output)
        return Done(output=output)


def _headers(act: Act, endpoint: Endpoint) -> dict[str, str]:
    headers = {"Content-Type": "application/json", "Idempotency-Key": act.key}
    if endpoint.token is not None:
        headers["Authorization"] = f"Bearer {endpoint.token.reveal()}"
    return headers


STEP = HttpRequest
