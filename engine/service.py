"""The use cases, as the API and the local client see them. `Service` is implemented by `engine.app.Engine`'s parts.

Owns nothing itself: reads go to the store, writes go through the inbox, watching goes through the bus.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from data.records import Alert, AlertId, Change, Silence, TenantId
from data.scope import Scope
from engine.client import Command, CommandResult, Health, Page, Proof, Query, Resync, View
from engine.ports import Clock, Envelope, Receipt


class Published(Struct, frozen=True, gc=False):
    """The changes of one commit, without their records; `encoded` holds each whole, as JSON, in the same order.

    `tenants` and `guarded` (some kind needs a capability) let a watcher that may see everything take it whole.
    """

    first: int
    last: int
    changes: Sequence[Change]
    encoded: Sequence[bytes]
    tenants: frozenset[str] = frozenset()
    guarded: bool = False


class Board(Protocol):
    """The committed picture of what is active, in memory: what the Alertmanager face and previews read.

    Changes only after a commit; records are immutable, so a reader may keep what it got.
    """

    def alerts(self, tenant: TenantId) -> Mapping[AlertId, Alert]:
        """Alerts that have not ended, by id."""
        ...

    def silences(self, tenant: TenantId) -> Mapping[str, Silence]: ...


class Subscription(Protocol):
    """One watcher: bounded, coalescing to a Resync when it is too slow."""

    def __aiter__(self) -> AsyncIterator[Published | Resync]: ...
    def close(self) -> None: ...


class Service(Protocol):
    """Everything a transport may ask for. Raises `client.Refused` and `ports.Overloaded`."""

    clock: Clock

    @property
    def board(self) -> Board: ...

    async def take(self, envelope: Envelope) -> Receipt:
        """Hand an envelope to the line; returns when it is durable. Raises Overloaded with nothing taken."""
        ...

    async def take_all(self, envelopes: Sequence[Envelope]) -> Sequence[Receipt]:
        """Hand over the parts of one delivery: all are taken, in one commit, or Overloaded is raised with nothing
        taken."""
        ...

    async def query(self, scope: Scope, query: Query) -> Page: ...
    async def command(self, scope: Scope, command: Command) -> CommandResult: ...
    async def step_up(self, scope: Scope, pin: str) -> Proof:
        """Confirm by PIN who asks; acts that take it are sent with the proof."""
        ...

    async def health(self, scope: Scope) -> Health: ...
    async def subscribe(self, scope: Scope, view: View, since: int | None) -> Subscription: ...
    def accepting(self) -> float | None:
        """None while intake is open, else the seconds after which a sender should try again.

        Asked before a body is read: overload costs no parsing.
        """
        ...
