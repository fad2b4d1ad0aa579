"""The one gate: who is asking, and may they.

Owns the answer to every request's first question. Never knows what the request is about beyond the capability
that its route declares. Every doubt is a refusal.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Protocol

from data.ports import StoreError
from data.records import TenantId, Token
from data.scope import CAPABILITIES, Scope
from engine.api.auth import alive, matches, scope_of, split_token
from engine.api.peers import PeerOwners, is_loopback
from engine.api.throttle import Throttle
from engine.api.wire import AsgiScope, Grant, Problem
from engine.login import login_name
from engine.ports import Clock, Overloaded
from engine.settings import ListenSettings

#: Seconds that the list of tokens is believed: a revoked token is dead within this and one round of checks.
BELIEVE_SECONDS = 2.0
#: Seconds between two checks of an open feed's token.
RECHECK_SECONDS = 2.0

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

#: What a program of another user of this machine may do: send. With `listen.share_face` the whole Alertmanager API.
GUEST = frozenset({"ingest:write"})
FACE_GUEST = frozenset({"noc:view", "silence:write", "ingest:write"})


class TokenSource(Protocol):
    """Where the stored tokens are read: `data.ports.Reader` is one."""

    async def tokens(self) -> Sequence[Token]: ...


class Gate:
    """Admits by token, or on a loopback listener by who owns the connection.

    Programs of the engine's own user and root may do everything there. Those of other users may send, and use
    the Alertmanager API (`face`), as they could with Alertmanager itself; for the rest they need a token.
    """

    def __init__(
        self,
        listen: ListenSettings,
        tenant: TenantId,
        clock: Clock,
        tokens: TokenSource,
        *,
        owners: PeerOwners | None = None,
        requests: Throttle | None = None,
    ) -> None:
        self._clock, self._tokens = clock, tokens
        self._requests = requests
        self._owners = owners or PeerOwners()
        self.tokenless = is_loopback(listen.host)
        self._origins = frozenset(origin.encode() for origin in listen.origins) - {b"null"}
        self._hosts: dict[bytes, bool] = {}
        self._known: dict[str, Token] = {}
        self._read_at: float | None = None
        self._own = Grant(Scope(tenant=tenant, actor=login_name(), capabilities=CAPABILITIES))
        #: For answers that everybody gets: sees nothing, may do nothing.
        self.nobody = Grant(Scope(tenant=tenant, actor="", capabilities=frozenset(), sites=frozenset()))
        guest = FACE_GUEST if listen.share_face else GUEST
        self._guest = Grant(Scope(tenant=tenant, actor="local guest", capabilities=guest))

    def intake(self, asgi: AsgiScope, headers: Mapping[bytes, bytes]) -> Grant | None:
        """The fast way in for a sender of this machine without a token; None = ask `admit`."""
        if not self.tokenless or b"authorization" in headers:
            return None
        self._check_local(asgi, headers)
        if b"origin" in headers:
            self.check_origin("POST", headers)
        return self._guest

    async def admit(
        self, asgi: AsgiScope, headers: Mapping[bytes, bytes], capability: str, *, face: bool = False, also: str = ""
    ) -> Grant:
        """Who asks, holding `capability` or, where one is given, `also`. Raises Problem 401 (who?), 403 (may not)."""
        self.check_origin(asgi.get("method", "WEBSOCKET"), headers)
        grant = await self.identify(asgi, headers, guest=face or capability == "ingest:write")
        if not (also and grant.scope.may(also)):
            require(grant.scope, capability)
        return grant

    async def identify(self, asgi: AsgiScope, headers: Mapping[bytes, bytes], *, guest: bool = False) -> Grant:
        text = bearer(headers)
        if text:
            return await self.by_token(text, asgi)
        if not self.tokenless:
            raise unknown("This listener needs a token.")
        self._check_local(asgi, headers)
        if self._owners.trusted(asgi["client"], asgi["server"]):
            return self._own
        if guest:
            return self._guest
        raise Problem(403, "Not allowed", "Another user of this machine runs the engine.", remedy="send a token of it")

    async def by_token(self, text: str, asgi: AsgiScope) -> Grant:
        """The grant of a token's text. One answer for every way in which it can be wrong."""
        parts = split_token(text)
        if parts is None:
            raise unknown("The token is not valid.")
        token = (await self._current()).get(parts[0])
        if token is None or not matches(token, parts[1]) or not alive(token, self._clock.now()):
            raise unknown("The token is not valid.")
        self._slow_down(token)
        client = asgi.get("client")
        return Grant(scope_of(token, f"{client[0] if client else '-'} token {token.id}"), token)

    def _slow_down(self, token: Token) -> None:
        if self._requests is None:
            return
        try:
            self._requests.admit(token.id)
        except Overloaded as error:
            raise Problem(429, "Too many requests", str(error), retry_after=error.retry_after) from None
        self._requests.charge(token.id, 1)

    def source_scope(self, name: str) -> Scope:
        """The scope of a configured source that proved itself by its own token."""
        tenant = self._own.scope.tenant
        return Scope(tenant=tenant, actor=f"source {name}", capabilities=frozenset({"ingest:write"}), origin="webhook")

    async def renewed(self, grant: Grant) -> Grant | None:
        """The grant as it is now; None when its token was revoked, expired or deleted."""
        if grant.token is None:
            return grant
        token = (await self._current()).get(grant.token.id)
        if token is None or not alive(token, self._clock.now()):
            return None
        return Grant(scope_of(token, grant.scope.origin), token)

    async def _current(self) -> Mapping[str, Token]:
        now = self._clock.monotonic()
        if self._read_at is None or now - self._read_at >= BELIEVE_SECONDS:
            try:
                self._known = {token.id: token for token in await self._tokens.tokens()}
            except StoreError as error:
                # Without the list nobody can be told from a revoked one.
                raise Problem(503, "Store unavailable", "Tokens cannot be checked.", retry_after=1.0) from error
            self._read_at = now
        return self._known

    def check_origin(self, method: str, headers: Mapping[bytes, bytes]) -> None:
        """A browser's page may not act here unless its origin is listed; "null" never is."""
        origin = headers.get(b"origin")
        if origin is not None and method not in SAFE_METHODS and origin not in self._origins:
            raise Problem(403, "Origin not allowed", remedy="list the origin under listen.origins", field="Origin")

    def _check_local(self, asgi: AsgiScope, headers: Mapping[bytes, bytes]) -> None:
        """A loopback peer, addressed by a loopback name, not through a proxy: else trust would be borrowed."""
        client = asgi["client"]
        if client is None or not is_local(client[0]) or b"x-forwarded-for" in headers or b"forwarded" in headers:
            raise unknown("Only programs of this machine come in without a token.")
        if asgi["type"] == "websocket" and b"origin" not in headers:
            # Every browser names the page's origin when it opens a websocket: this is none.
            return
        host = headers.get(b"host", b"localhost")
        known = self._hosts.get(host)
        if known is None:
            known = is_loopback(host_name(host.decode("latin-1")))
            if len(self._hosts) < 256:
                self._hosts[host] = known
        if not known:
            # A page whose name was re-bound to 127.0.0.1 sends its own name here.
            raise Problem(
                403, "Host not allowed", "Only loopback names are.", field="Host", remedy="use localhost or 127.0.0.1"
            )


def require(scope: Scope, capability: str) -> None:
    """Raises Problem 403 unless the scope holds the capability."""
    if not scope.may(capability):
        raise Problem(403, "Not allowed", f"This needs the capability {capability}.", remedy="use a token that has it")


def unknown(detail: str) -> Problem:
    return Problem(401, "Not authenticated", detail, remedy="send Authorization: Bearer noc_…")


def is_local(host: str) -> bool:
    return host.startswith("127.") or host == "::1" or host.startswith("::ffff:127.")


def host_name(host: str) -> str:
    """A Host header without its port: `[::1]:8099` → `::1`."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()


def bearer(headers: Mapping[bytes, bytes]) -> str:
    """The token of `Authorization: Bearer …`, or of Basic as the password; "" = none.

    Raises Problem 401 on another scheme.
    """
    value = headers.get(b"authorization", b"").decode("latin-1")
    if not value:
        return ""
    scheme, _, rest = value.partition(" ")
    if scheme.lower() == "bearer" and rest:
        return rest.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(rest, validate=True).decode("latin-1").partition(":")[2] or "-"
        except (binascii.Error, ValueError):
            pass
    raise unknown("The Authorization header is not understood.")
