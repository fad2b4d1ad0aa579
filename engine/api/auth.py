"""Tokens and roles.

Owns the form of a token, its making and its checking. Never stores one: `data.ports.Store.save_token` does, and
it gets only the SHA-256 of the secret (the secret has 256 random bits, so a slow hash would add nothing).
"""

from __future__ import annotations

import hmac
import secrets
import string
import zlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from hashlib import sha256

from data.records import DEFAULT_TENANT, TenantId, Token
from data.scope import CAPABILITIES, Scope

MAX_DAYS = 365
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_SECRET_CHARS = 43  # 32 bytes in base 62
_CRC_CHARS = 6  # 32 bits in base 62
_ID_CHARS = 12

_OPERATOR = frozenset({"noc:view", "noc:ack", "noc:manage", "silence:write", "playbook:run", "ticket:write"})

#: Role → capabilities. There is no wildcard: admin is the list of all.
ROLES: dict[str, frozenset[str]] = {
    "viewer": frozenset({"noc:view"}),
    "operator": _OPERATOR,
    "supervisor": _OPERATOR | {"playbook:approve"},
    "fraud_analyst": frozenset({"noc:view", "noc:ack", "ticket:write", "security:fraud:view"}),
    "admin": CAPABILITIES,
}


def issue(
    *,
    name: str,
    capabilities: Iterable[str],
    now: datetime,
    tenant: TenantId = DEFAULT_TENANT,
    days: float = 90,
    sites: Iterable[str] = (),
    owner: str = "",
) -> tuple[Token, str]:
    """A new token: the record to store, and the text to show once.

    Raises ValueError on an unknown capability, none at all, or a life that is not within 0–365 days.
    """
    wanted = tuple(sorted(set(capabilities)))
    unknown = set(wanted) - CAPABILITIES
    if unknown or not wanted:
        raise ValueError(f"capabilities: expected some of {', '.join(sorted(CAPABILITIES))}; got {sorted(unknown)}")
    if not 0 < days <= MAX_DAYS:
        raise ValueError(f"days: expected more than 0 and at most {MAX_DAYS}, got {days}")
    id = "".join(secrets.choice(_ALPHABET) for _ in range(_ID_CHARS))
    secret = _base62(secrets.randbits(256), _SECRET_CHARS)
    stem = f"noc_{id}_{secret}"
    token = Token(
        id=id,
        tenant=tenant,
        name=name,
        secret_sha256=_digest(secret),
        capabilities=wanted,
        created_at=now,
        expires_at=now + timedelta(days=days),
        sites=tuple(sorted(set(sites))),
        owner=owner.strip(),
    )
    return token, f"{stem}_{_crc(stem)}"


def split_token(text: str) -> tuple[str, str] | None:
    """(id, secret) of a token's text, None if it is not one: a typing error is told from a wrong secret for free."""
    parts = text.split("_")
    if len(parts) != 4 or parts[0] != "noc" or len(text) > 128:
        return None
    if not text.isascii() or _crc("_".join(parts[:3])) != parts[3]:
        return None
    return parts[1], parts[2]


def matches(token: Token, secret: str) -> bool:
    """Constant time in the secret."""
    return hmac.compare_digest(token.secret_sha256, _digest(secret))


def alive(token: Token, now: datetime) -> bool:
    return now < token.expires_at and (token.revoked_at is None or now < token.revoked_at)


def scope_of(token: Token, origin: str) -> Scope:
    return Scope(
        tenant=token.tenant,
        actor=token.name,
        capabilities=frozenset(token.capabilities) & CAPABILITIES,
        sites=frozenset(token.sites) or None,
        origin=origin,
        token=token.id,
        owner=token.owner,
    )


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


def _crc(stem: str) -> str:
    return _base62(zlib.crc32(stem.encode()), _CRC_CHARS)


def _base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, rest = divmod(number, 62)
        digits.append(_ALPHABET[rest])
    return "".join(reversed(digits))
