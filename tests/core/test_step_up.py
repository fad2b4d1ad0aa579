"""Step-up with hands on the clock: whom a proof is good for, for how long, and what comes of wrong PINs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from data.ports import StoreFull
from data.records import DEFAULT_TENANT, TenantId, Token
from data.scope import CAPABILITIES, Scope
from engine.api.auth import matches
from engine.client import NO_PIN, STEP_UP, Refused
from engine.pins import hash_pin, matches_pin
from engine.playbooks.settings import ApprovalSettings
from engine.step_up import LOCK_SECONDS, OWN_USER, SESSIONS, WRONG_TRIES, StepUp
from tests.fakes.service import START, FakeTokens, HandClock

PIN, OTHER = "tulip-77", "rose-4711"
#: Cheap ones: what is stored says how dear it was.
HASH, OTHER_HASH = hash_pin(PIN, log_n=4), hash_pin(OTHER, log_n=4)


def kept(id: str, pin: str = HASH, tenant: TenantId = DEFAULT_TENANT) -> Token:
    return Token(
        id=id,
        tenant=tenant,
        name="ana",
        secret_sha256="",
        capabilities=(),
        created_at=START,
        expires_at=START,
        pin_scrypt=pin,
    )


def who(token: str = "one", tenant: TenantId = DEFAULT_TENANT) -> Scope:
    return Scope(tenant=tenant, actor="ana", capabilities=CAPABILITIES, token=token)


class Guard:
    def __init__(self, *tokens: Token, **settings: Any) -> None:
        self.clock, self.tokens = HandClock(), FakeTokens(*tokens)
        self.step_up = StepUp(self.tokens.tokens, self.clock)
        self.step_up.settings = lambda: ApprovalSettings(**settings)

    async def proof(self, scope: Scope, pin: str = PIN) -> str:
        return (await self.step_up.confirm(scope, pin)).proof

    async def refused(self, scope: Scope, proof: str) -> Refused:
        with pytest.raises(Refused) as found:
            await self.step_up.check(scope, proof)
        return found.value

    async def wrong(self, scope: Scope, pin: str = "wrong-1") -> Refused:
        with pytest.raises(Refused) as found:
            await self.step_up.confirm(scope, pin)
        return found.value


def test_a_pin_is_kept_as_a_salted_slow_hash() -> None:
    assert matches_pin(HASH, PIN) and not matches_pin(HASH, PIN + "x") and not matches_pin(HASH, "")
    dear = hash_pin(PIN)
    assert dear.startswith("scrypt$15$8$1$") and PIN not in dear and dear != hash_pin(PIN)
    assert matches_pin(dear, PIN) and not matches_pin(dear, OTHER)


@pytest.mark.parametrize("stored", ["", "tulip-77", "scrypt$15$8$1$", "md5$1$1$1$AAAA$AAAA", "scrypt$x$8$1$AAAA$AAAA"])
def test_what_is_stored_in_another_form_matches_nothing(stored: str) -> None:
    assert not matches_pin(stored, PIN)


@pytest.mark.parametrize("pin", ["", "12345", " 123456", "123456\n", "a\x1b[31m6789", "111111", "121212", "x" * 129])
def test_what_is_no_pin(pin: str) -> None:
    with pytest.raises(ValueError, match="a PIN has"):
        hash_pin(pin)


async def test_without_a_pin_nothing_is_asked_unless_that_is_required() -> None:
    await Guard(kept("one", pin="")).step_up.check(who(), "")
    found = await Guard(kept("one", pin=""), step_up="required").refused(who(), "")
    assert (found.field, found.status) == (NO_PIN, 403) and "token pin one" in found.remedy
    found = await Guard(step_up="required").refused(who(token=""), "")
    assert "--own-user" in found.remedy


async def test_with_a_pin_a_proof_is_asked_for() -> None:
    guard = Guard(kept("one"))
    found = await guard.refused(who(), "")
    assert (found.field, found.status) == (STEP_UP, 403) and "5 minutes" in found.reason
    await guard.step_up.check(who(), await guard.proof(who()))
    assert (await guard.refused(who(), "guessed")).field == STEP_UP


async def test_who_comes_without_a_token_has_the_pin_of_the_engines_own_user() -> None:
    guard = Guard(kept(OWN_USER))
    proof = await guard.proof(who(token=""))
    await guard.step_up.check(who(token=""), proof)
    assert not matches(kept(OWN_USER), ""), "it keeps a PIN and lets nobody in"


async def test_a_proof_is_of_no_use_to_another_token() -> None:
    north, south = DEFAULT_TENANT, TenantId("south")
    guard = Guard(kept("one"), kept("two"), replace(kept("three"), tenant=south), kept(OWN_USER))
    proof = await guard.proof(who("one"))
    for thief in (who("two"), who("three", south), who("")):
        assert (await guard.refused(thief, proof)).field == STEP_UP
    await guard.step_up.check(who("one", north), proof)


async def test_a_proof_ends_by_the_clock() -> None:
    guard = Guard(kept("one"))
    proof = await guard.proof(who())
    guard.clock.advance(299.9)
    await guard.step_up.check(who(), proof)
    guard.clock.advance(0.1)
    assert (await guard.refused(who(), proof)).field == STEP_UP
    short = Guard(kept("one"), fresh_seconds=30.0)
    proof = await short.proof(who())
    short.clock.advance(30.0)
    assert (await short.refused(who(), proof)).field == STEP_UP


async def test_a_changed_pin_ends_every_proof() -> None:
    guard = Guard(kept("one"))
    proof = await guard.proof(who())
    guard.tokens.put(kept("one", OTHER_HASH))
    assert (await guard.refused(who(), proof)).field == STEP_UP
    guard.tokens.put(kept("one", hash_pin(PIN, log_n=4)))
    assert (await guard.refused(who(), proof)).field == STEP_UP, "the same words, set anew"


async def test_wrong_pins_lock_and_time_unlocks() -> None:
    guard = Guard(kept("one"), kept("two"))
    for left in reversed(range(WRONG_TRIES)):
        found = await guard.wrong(who())
        assert found.status == 403 and (f"{left} more" in found.remedy or (left == 0 and "locked" in found.remedy))
    assert (await guard.wrong(who(), PIN)).status == 429, "the right one comes too late"
    await guard.proof(who("two"))
    guard.clock.advance(LOCK_SECONDS - 1.0)
    assert (await guard.wrong(who(), PIN)).status == 429
    guard.clock.advance(1.0)
    await guard.proof(who())


async def test_a_right_pin_forgets_the_wrong_ones() -> None:
    guard = Guard(kept("one"))
    for _ in range(3):
        for _ in range(WRONG_TRIES - 1):
            assert (await guard.wrong(who())).status == 403
        await guard.proof(who())


async def test_a_flood_of_wrong_pins_at_once_is_counted_before_any_is_compared() -> None:
    guard = Guard(kept("one"))
    tries = [guard.step_up.confirm(who(), f"guess-{number}") for number in range(200)]
    found = await asyncio.gather(*tries, return_exceptions=True)
    statuses = [error.status for error in found if isinstance(error, Refused)]
    assert len(statuses) == 200 and statuses.count(403) == WRONG_TRIES and statuses.count(429) == 200 - WRONG_TRIES
    assert (await guard.wrong(who(), PIN)).status == 429


async def test_a_token_holds_so_many_proofs_and_no_more() -> None:
    guard = Guard(kept("one"))
    proofs = [await guard.proof(who()) for _ in range(SESSIONS + 1)]
    assert (await guard.refused(who(), proofs[0])).field == STEP_UP
    for proof in proofs[1:]:
        await guard.step_up.check(who(), proof)


async def test_without_the_list_of_tokens_nothing_is_let_through() -> None:
    guard = Guard(kept("one"))
    proof = await guard.proof(who())
    guard.tokens.error = StoreFull("full")
    assert (await guard.refused(who(), proof)).status == 503
    assert (await guard.wrong(who(), PIN)).status == 503


async def test_there_is_nothing_to_confirm_without_a_pin() -> None:
    found = await Guard(kept("one", pin="")).wrong(who(), PIN)
    assert (found.field, found.status) == (NO_PIN, 409)
