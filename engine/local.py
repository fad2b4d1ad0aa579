"""The client on an engine in the same loop: the same four verbs as over the wire, without the wire."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from msgspec.json import Decoder
from msgspec.structs import replace

from data.records import Change
from data.scope import Scope
from engine.client import Command, CommandResult, Health, Page, Query, Refused, Resync, View
from engine.ports import Overloaded
from engine.service import Service

_decode = Decoder(Change).decode


class LocalClient:
    """Implements `engine.client.EngineClient` for one scope."""

    def __init__(self, service: Service, scope: Scope) -> None:
        self._service = service
        self._scope = scope
        self._proof = ""

    async def query(self, query: Query) -> Page:
        return await self._service.query(self._scope, query)

    async def command(self, command: Command) -> CommandResult:
        try:
            return await self._service.command(self._scope, replace(command, proof=self._proof))
        except Overloaded as error:
            raise Refused(str(error), remedy=f"try again in {error.retry_after:g} s", status=503) from error

    async def step_up(self, pin: str) -> float:
        found = await self._service.step_up(self._scope, pin)
        self._proof = found.proof
        return found.seconds

    async def health(self) -> Health:
        return await self._service.health(self._scope)

    async def watch(self, view: View, since: int | None = None) -> AsyncIterator[Sequence[Change] | Resync]:
        subscription = await self._service.subscribe(self._scope, view, since)
        try:
            async for item in subscription:
                yield item if isinstance(item, Resync) else [_decode(change) for change in item.encoded]
        finally:
            subscription.close()

    async def close(self) -> None:
        """Nothing is held."""
