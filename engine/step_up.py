"""Step-up: a grave act takes a PIN that was entered within the last minutes, by whoever asks now.

A right PIN is answered with a proof: a random text that holds for one token, for a few minutes of the monotonic clock,
and only as long as the PIN stays the same. Each session has its own; the engine keeps hashes of them in memory, so a
restart ends them all. Wrong tries lock the token's step-up for a while. Owns the proofs and the tries. Never logs a PIN
or a proof, never hands one to the line.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256

import structlog
from msgspec import Struct

from data.ports import StoreError
from data.records import TenantId, Token
from data.scope import Scope
from engine.client import NO_PIN, STEP_UP, Proof, Refused
from engine.pins import matches_pin
from engine.playbooks.settings import ApprovalSettings
from engine.ports import Clock

log = structlog.get_logger("engine.step_up")

#: The id under which the PIN of the engine's own user is kept: who comes without a token.
OWN_USER = "own-user"
#: Wrong tries within the lock's time after which the token's step-up is locked.
WRONG_TRIES = 5
LOCK_SECONDS = 900.0
#: Sessions of one token that hold a proof at a time; the oldest gives way.
SESSIONS = 16
#: Tries that may wait for their hash: each takes 32 MiB and a tenth of a second.
WAITING = 32

Tokens = Callable[[], Awaitable[Sequence[Token]]]
_Key = tuple[TenantId, str]


class _Open(Struct, frozen=True):
    key: _Key
    pin: str
    until: float


class StepUp:
    """`settings` may be replaced while it serves."""

    def __init__(self, tokens: Tokens, clock: Clock) -> None:
        self._tokens, self._clock = tokens, clock
        self.settings: Callable[[], ApprovalSettings] = ApprovalSettings
        self._open: dict[str, _Open] = {}
        self._wrong: dict[_Key, list[float]] = {}
        self._one_at_a_time = asyncio.Lock()
        self._waiting = 0

    async def confirm(self, scope: Scope, pin: str) -> Proof:
        """The proof for a right PIN. Raises Refused: 409 without a PIN to compare with, 403 wrong, 429 locked."""
        key, stored = _key(scope), await self._pin_of(scope)
        if not stored:
            raise Refused("this token has no PIN", field=NO_PIN, remedy=_remedy(scope), status=409)
        if self._waiting >= WAITING:
            raise Refused("too many PINs are being looked at", field="pin", remedy="try again", status=429)
        self._count_try(key)
        self._waiting += 1
        try:
            async with self._one_at_a_time:
                right = await asyncio.to_thread(matches_pin, stored, pin)
        finally:
            self._waiting -= 1
        if not right:
            left = WRONG_TRIES - len(self._wrong.get(key, ()))
            log.warning("step_up_refused", token=key[1], tries_left=max(0, left))
            remedy = f"{left} more before it is locked" if left > 0 else f"locked for {LOCK_SECONDS / 60:.0f} minutes"
            raise Refused("this is not the PIN", field="pin", remedy=remedy, status=403)
        self._wrong.pop(key, None)
        return self._opened(key, stored)

    async def check(self, scope: Scope, proof: str) -> None:
        """Raises Refused (403, its field is STEP_UP) when the act has to wait for a step-up."""
        stored = await self._pin_of(scope)
        if not stored:
            if self.settings().step_up == "required":
                raise Refused("this takes a PIN, and you have none", field=NO_PIN, remedy=_remedy(scope), status=403)
            return
        found = self._open.get(_digest(proof)) if proof else None
        now = self._clock.monotonic()
        if found is None or found.key != _key(scope) or found.pin != stored or now >= found.until:
            minutes = self.settings().fresh_seconds / 60.0
            reason = f"this takes your PIN, entered within the last {minutes:g} minutes"
            raise Refused(reason, field=STEP_UP, remedy="POST /api/v1/step-up, then send its proof", status=403)

    def _count_try(self, key: _Key) -> None:
        """Before the hash is worked out, so that tries at the same time are counted too. Raises Refused."""
        now = self._clock.monotonic()
        tries = [at for at in self._wrong.get(key, ()) if now < at + LOCK_SECONDS]
        if len(tries) >= WRONG_TRIES:
            wait = tries[-WRONG_TRIES] + LOCK_SECONDS - now
            log.warning("step_up_locked", token=key[1], seconds=round(wait))
            remedy = f"try again in {wait / 60.0:.0f} min"
            raise Refused("too many wrong PINs; it is locked", field="pin", remedy=remedy, status=429)
        self._wrong[key] = [*tries, now]

    def _opened(self, key: _Key, stored: str) -> Proof:
        now, seconds = self._clock.monotonic(), self.settings().fresh_seconds
        self._open = {name: one for name, one in self._open.items() if now < one.until}
        mine = [name for name, one in self._open.items() if one.key == key]
        for name in mine[: max(0, len(mine) - SESSIONS + 1)]:
            del self._open[name]
        text = secrets.token_urlsafe(32)
        self._open[_digest(text)] = _Open(key, stored, now + seconds)
        log.info("step_up", token=key[1], seconds=seconds)
        return Proof(proof=text, seconds=seconds)

    async def _pin_of(self, scope: Scope) -> str:
        try:
            tokens = await self._tokens()
        except StoreError as error:
            # Without the list nobody can be told from one who has a PIN.
            raise Refused("PINs cannot be looked up now", remedy="try again", status=503) from error
        tenant, id = _key(scope)
        return next((token.pin_scrypt for token in tokens if token.id == id and token.tenant == tenant), "")


def _key(scope: Scope) -> _Key:
    return scope.tenant, scope.token or OWN_USER


def _digest(proof: str) -> str:
    return sha256(proof.encode("utf-8", "surrogateescape")).hexdigest()


def _remedy(scope: Scope) -> str:
    whom = scope.token or "--own-user"
    return f"have one set: noc-console token pin {whom}"
