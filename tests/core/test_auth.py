"""Tokens, roles, who a connection is, signatures: tables on pure parts."""

from __future__ import annotations

import hmac
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from msgspec.structs import replace

from data.ports import StoreFull
from data.records import DEFAULT_TENANT, TenantId
from data.scope import CAPABILITIES
from engine.api.auth import MAX_DAYS, ROLES, alive, issue, matches, split_token
from engine.api.gate import BELIEVE_SECONDS, Gate
from engine.api.peers import NoProc, PeerOwners, find_owner, is_loopback, within
from engine.api.signatures import delivery, verify
from engine.api.throttle import Throttle
from engine.api.wire import Problem
from engine.ports import Overloaded
from engine.settings import ListenSettings
from tests.fakes.service import START, FakeTokens, HandClock

LOCAL = ("127.0.0.1", 40000)
SERVER = ("127.0.0.1", 8099)


def test_a_token_is_its_own_proof_and_only_its_hash_is_kept() -> None:
    token, text = issue(name="ana", capabilities=["noc:view"], now=START, days=30, sites=["Depot 11"])
    parts = split_token(text)
    assert parts is not None and parts[0] == token.id and matches(token, parts[1])
    assert len(parts[1]) == 43 and text.startswith("noc_") and text.count("_") == 3
    assert parts[1] not in repr(token)
    assert token.secret_sha256 == sha256(parts[1].encode()).hexdigest()
    assert token.expires_at == START + timedelta(days=30) and token.sites == ("Depot 11",)


def test_every_flipped_character_is_refused() -> None:
    token, text = issue(name="x", capabilities=["noc:view"], now=START)
    for place in range(len(text)):
        wrong = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
        parts = split_token(wrong)
        assert parts is None or parts[0] != token.id or not matches(token, parts[1]), place


@pytest.mark.parametrize("text", ["", "noc", "noc_a_b", "noc_a_b_c_d", "ghp_a_b_c", "noc_é_b_c", "noc_" + "a" * 500])
def test_what_is_no_token(text: str) -> None:
    assert split_token(text) is None


@pytest.mark.parametrize(
    ("capabilities", "days"), [([], 1.0), (["noc:all"], 1.0), (["noc:view"], 0.0), (["noc:view"], MAX_DAYS + 1.0)]
)
def test_tokens_that_are_not_issued(capabilities: list[str], days: float) -> None:
    with pytest.raises(ValueError, match="expected"):
        issue(name="x", capabilities=capabilities, now=START, days=days)


def test_alive_between_birth_and_end() -> None:
    token, _ = issue(name="x", capabilities=["noc:view"], now=START, days=1)
    assert alive(token, START) and not alive(token, START + timedelta(days=1))
    assert not alive(replace(token, revoked_at=START), START)


def test_roles_are_sets_without_wildcards() -> None:
    assert set(ROLES) == {"viewer", "operator", "supervisor", "fraud_analyst", "admin"}
    for role, capabilities in ROLES.items():
        assert capabilities <= CAPABILITIES and "noc:view" in capabilities, role
    assert ROLES["viewer"] < ROLES["operator"] < ROLES["supervisor"] < ROLES["admin"] == CAPABILITIES
    assert [role for role, has in ROLES.items() if "security:fraud:view" in has] == ["fraud_analyst", "admin"]
    assert [role for role, has in ROLES.items() if "playbook:approve" in has] == ["supervisor", "admin"]


def gate(
    host: str = "127.0.0.1", *, uid_trusted: bool = True, tokens: FakeTokens | None = None, share: bool = False
) -> Gate:
    owners = PeerOwners(lambda peer, local: 7 if uid_trusted else 8, uid=7)
    listen = ListenSettings(host=host, share_face=share)
    return Gate(listen, DEFAULT_TENANT, HandClock(), tokens or FakeTokens(), owners=owners)


def asked(method: str = "GET", peer: tuple[str, int] = LOCAL) -> dict[str, object]:
    type_ = "websocket" if method == "WEBSOCKET" else "http"
    return {"type": type_, "method": method, "client": peer, "server": SERVER}


def headers(**given: str) -> dict[bytes, bytes]:
    return {name.replace("_", "-").encode(): value.encode() for name, value in given.items()}


async def status_of(gate: Gate, capability: str, given: dict[bytes, bytes], **how: object) -> int:
    """200, or the status of the refusal."""
    face = bool(how.pop("face", False))
    try:
        await gate.admit(asked(**how), given, capability, face=face)  # type: ignore[arg-type]
    except Problem as problem:
        return problem.status
    return 200


@pytest.mark.parametrize(
    ("capability", "given", "how", "status"),
    [
        ("admin", {}, {}, 200),
        ("admin", {"host": "localhost:8099"}, {}, 200),
        ("admin", {"host": "[::1]:8099"}, {}, 200),
        ("admin", {"host": "127.0.0.2"}, {}, 200),
        ("admin", {"host": "evil.example"}, {}, 403),
        ("ingest:write", {"host": "evil.example:8099"}, {"method": "POST"}, 403),
        ("noc:view", {"host": "127.0.0.1.evil.example"}, {}, 403),
        ("noc:ack", {"origin": "http://evil.example"}, {"method": "POST"}, 403),
        ("noc:ack", {"origin": "null"}, {"method": "POST"}, 403),
        ("noc:view", {"origin": "http://evil.example"}, {"method": "GET"}, 200),
        ("noc:view", {"origin": "null"}, {"method": "WEBSOCKET"}, 403),
        ("noc:view", {"x_forwarded_for": "10.0.0.1"}, {}, 401),
        ("noc:view", {"forwarded": "for=10.0.0.1"}, {}, 401),
        ("noc:view", {}, {"peer": ("10.0.0.7", 4)}, 401),
        ("noc:view", {"authorization": "Bearer nonsense"}, {}, 401),
        ("noc:view", {"authorization": "Basic"}, {}, 401),
        ("noc:view", {"authorization": "Negotiate abc"}, {}, 401),
        ("noc:view", {"authorization": "Basic Og=="}, {}, 401),
    ],
)
async def test_a_loopback_listener_without_tokens(
    capability: str, given: dict[str, str], how: dict[str, object], status: int
) -> None:
    assert await status_of(gate(), capability, headers(**given), **how) == status


@pytest.mark.parametrize(
    ("capability", "face", "status", "shared"),
    [("ingest:write", False, 200, 200), ("noc:view", True, 403, 200), ("silence:write", True, 403, 200),
     ("noc:view", False, 403, 403), ("noc:ack", False, 403, 403), ("admin", False, 403, 403),
     ("admin", True, 403, 403)],
)  # fmt: skip
async def test_another_user_of_this_machine_may_send_and_only_if_shared_use_the_alertmanager_api(
    capability: str, face: bool, status: int, shared: int
) -> None:
    assert await status_of(gate(uid_trusted=False), capability, {}, face=face) == status
    assert await status_of(gate(uid_trusted=False, share=True), capability, {}, face=face) == shared


async def test_without_proc_a_loopback_peer_is_trusted_and_an_unknown_socket_is_not() -> None:
    def missing(peer: object, local: object) -> int | None:
        raise NoProc

    assert PeerOwners(missing, uid=7).trusted(LOCAL, SERVER)
    assert not PeerOwners(lambda peer, local: None, uid=7).trusted(LOCAL, SERVER)


def test_a_connection_is_looked_up_once_and_its_port_is_not_believed_for_the_next_one() -> None:
    found = [7, 8]
    owners = PeerOwners(lambda peer, local: found.pop(0), uid=7)
    first, second = (LOCAL[0], LOCAL[1]), ("127.0.0.1", int("40000"))
    assert first is not second
    assert owners.trusted(first, SERVER) and owners.trusted(first, SERVER)
    assert not owners.trusted(second, SERVER)


ROW = "   0: {local} {remote} {state} 00000000:00000000 00:00000000 00000000 {uid} 0 {inode} 1 x"


@pytest.mark.parametrize(
    ("name", "local", "remote", "uid", "inode", "owner"),
    [
        ("tcp", "0100007F:9C40", "0100007F:1FA3", 1000, 55, 1000),
        ("tcp6", "0000000000000000FFFF00000100007F:9C40", "0000000000000000FFFF00000100007F:1FA3", 1000, 55, 1000),
        # Its process has closed it: no owner, though the table says user 0.
        ("tcp", "0100007F:9C40", "0100007F:1FA3", 0, 0, None),
        # Our own end of the same connection says nothing about theirs.
        ("tcp", "0100007F:1FA3", "0100007F:9C40", 0, 55, None),
        ("tcp", "0100007F:9C41", "0100007F:1FA3", 0, 55, None),
    ],
)
def test_the_owner_in_the_kernels_table(
    tmp_path: Path, name: str, local: str, remote: str, uid: int, inode: int, owner: int | None
) -> None:
    row = ROW.format(local=local, remote=remote, state="01", uid=uid, inode=inode)
    (tmp_path / name).write_text(f"header\n{row}\n")
    assert find_owner(LOCAL, SERVER, tmp_path) == owner


def test_no_table_no_answer(tmp_path: Path) -> None:
    with pytest.raises(NoProc):
        find_owner(LOCAL, SERVER, tmp_path)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "[::1]", "localhost", "::ffff:127.0.0.1"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "example.org", "localhost.evil", "127.0.0.1.nip.io", ""])
def test_not_loopback(host: str) -> None:
    assert not is_loopback(host)


def test_networks() -> None:
    assert within("10.1.2.3", ["192.168.0.0/16", "10.0.0.0/8"]) and not within("11.0.0.1", ["10.0.0.0/8"])
    assert within("::ffff:10.1.2.3", ["10.0.0.0/8"])


async def test_a_revoked_token_is_dead_within_seconds() -> None:
    clock, tokens = HandClock(), FakeTokens()
    token, text = issue(name="ana", capabilities=["noc:view"], now=START)
    tokens.put(token)
    door = Gate(ListenSettings(host="0.0.0.0", insecure=True), DEFAULT_TENANT, clock, tokens)
    bearer = headers(authorization=f"Bearer {text}")
    grant = await door.admit(asked(), bearer, "noc:view")
    assert grant.scope.actor == "ana" and grant.scope.tenant == DEFAULT_TENANT and token.id in grant.scope.origin
    tokens.put(replace(token, revoked_at=START))
    clock.advance(BELIEVE_SECONDS)
    assert BELIEVE_SECONDS <= 5 and await status_of(door, "noc:view", bearer) == 401
    assert await door.renewed(grant) is None


async def test_a_token_sees_its_tenant_its_sites_and_its_capabilities_only() -> None:
    token, text = issue(
        name="b", tenant=TenantId("beta"), capabilities=["noc:view", "noc:ack"], sites=["Mall 9"], now=START
    )
    door = gate("0.0.0.0", tokens=FakeTokens(token))
    grant = await door.admit(asked(), headers(authorization=f"Bearer {text}"), "noc:ack")
    assert (grant.scope.tenant, grant.scope.sites) == ("beta", frozenset({"Mall 9"}))
    assert await status_of(door, "noc:manage", headers(authorization=f"Bearer {text}")) == 403
    assert await status_of(door, "noc:view", {}) == 401


async def test_basic_with_the_token_as_password() -> None:
    import base64

    token, text = issue(name="g", capabilities=["ingest:write"], now=START)
    door = gate("0.0.0.0", tokens=FakeTokens(token))
    basic = base64.b64encode(f"grafana:{text}".encode()).decode()
    assert await status_of(door, "ingest:write", headers(authorization=f"Basic {basic}"), method="POST") == 200


async def test_when_the_tokens_cannot_be_read_nobody_is_admitted() -> None:
    token, text = issue(name="ana", capabilities=["noc:view"], now=START)
    tokens = FakeTokens(token)
    tokens.error = StoreFull("no space")
    assert await status_of(gate("0.0.0.0", tokens=tokens), "noc:view", headers(authorization=f"Bearer {text}")) == 503


BODY = b'{"zen":"Keep it logically awesome."}'


def signed(secret: str, body: bytes, prefix: str = "sha256=") -> str:
    return prefix + hmac.new(secret.encode(), body, sha256).hexdigest()


@pytest.mark.parametrize(
    ("header", "prefix"),
    [
        ("x_signature", "sha256="),
        ("x_hub_signature_256", "sha256="),
        ("x_grafana_alerting_signature", ""),
        ("x_pagerduty_signature", "v1="),
    ],
)
def test_signatures_of_two_live_secrets(header: str, prefix: str) -> None:
    for secret in ("new", "old"):
        given = headers(**{header: signed(secret, BODY, prefix)})
        assert verify(given, BODY, ("new", "old"), START).startswith("sig:")
    with pytest.raises(Problem):
        verify(headers(**{header: signed("other", BODY, prefix)}), BODY, ("new", "old"), START)


def test_the_vector_that_github_documents() -> None:
    given = headers(x_hub_signature_256="sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17")
    assert verify(given, b"Hello, World!", ("It's a Secret to Everybody",), START)


def test_one_of_several_signatures_is_enough() -> None:
    given = headers(x_pagerduty_signature=f"v1={'0' * 64},{signed('s', BODY, 'v1=')}")
    assert verify(given, BODY, ("s",), START) == "sig:" + signed("s", BODY, "")


def test_each_changed_byte_breaks_the_signature() -> None:
    given = headers(x_signature=signed("s", BODY))
    for place in range(len(BODY)):
        changed = bytearray(BODY)
        changed[place] ^= 1
        with pytest.raises(Problem):
            verify(given, bytes(changed), ("s",), START)


@pytest.mark.parametrize(("off", "good"), [(0, True), (299, True), (-299, True), (301, False), (-301, False)])
def test_a_signed_timestamp_holds_for_five_minutes(off: int, good: bool) -> None:
    stamp = str(int(START.timestamp()) + off)
    given = headers(x_signature=signed("s", f"{stamp}:".encode() + BODY), x_signature_timestamp=stamp)
    if good:
        assert verify(given, BODY, ("s",), START)
    else:
        with pytest.raises(Problem):
            verify(given, BODY, ("s",), START)


@pytest.mark.parametrize("stamp", ["", "soon", "-1", "1" * 30, "12.5"])
def test_timestamps_that_are_none(stamp: str) -> None:
    given = headers(x_signature=signed("s", f"{stamp}:".encode() + BODY), x_signature_timestamp=stamp)
    with pytest.raises(Problem):
        verify(given, BODY, ("s",), START)


def test_a_missing_signature_is_refused() -> None:
    with pytest.raises(Problem):
        verify({}, BODY, ("s",), START)


def test_the_replay_key_of_a_signed_body_is_no_header_of_it() -> None:
    given = headers(x_signature=signed("s", BODY), idempotency_key="mine")
    assert verify(given, BODY, ("s",), START) == verify(headers(x_signature=signed("s", BODY)), BODY, ("s",), START)
    assert delivery(given) == "mine"
    with pytest.raises(Problem):
        delivery(headers(idempotency_key="k" * 256))


def test_a_sender_that_is_too_fast_pays_off_its_debt() -> None:
    clock = HandClock()
    throttle = Throttle(clock.monotonic, rate=100.0, burst=200.0, capacity=1000)
    throttle.admit("a")
    throttle.charge("a", 250)
    with pytest.raises(Overloaded) as refused:
        throttle.admit("a")
    throttle.admit("b")
    clock.advance(refused.value.retry_after)
    throttle.admit("a")


def test_one_sender_gets_half_of_what_waits_when_another_waits_too() -> None:
    throttle = Throttle(HandClock().monotonic, rate=0.0, burst=1.0, capacity=100)
    throttle.enter("babbler", 60)
    throttle.admit("babbler")
    throttle.enter("other", 1)
    with pytest.raises(Overloaded):
        throttle.admit("babbler")
    throttle.admit("other")
    throttle.leave("other", 1)
    throttle.admit("babbler")
    throttle.enter("babbler", 40)
    with pytest.raises(Overloaded):
        throttle.admit("babbler")
