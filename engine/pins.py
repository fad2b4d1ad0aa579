"""The PIN of an approver: a short secret beside a token, that says a person is there now.

Owns its form and its hash. A PIN has few bits, so its hash is slow and salted (scrypt, RFC 7914); the PIN itself is
never kept. Without the token that it belongs to it opens nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import b64decode, b64encode

LEAST_CHARS, MOST_CHARS = 6, 128
#: 2^15 · 8 · 128 bytes = 32 MiB and about a tenth of a second for one try.
LOG_N, _R, _P = 15, 8, 1
_SALT_BYTES, _KEY_BYTES = 16, 32


def check_pin(pin: str) -> None:
    """Raises ValueError that says what a PIN is."""
    if not LEAST_CHARS <= len(pin) <= MOST_CHARS or not pin.isprintable() or pin != pin.strip():
        raise ValueError(f"a PIN has {LEAST_CHARS} to {MOST_CHARS} visible characters, and no blank at either end")
    if len(set(pin)) < 3:
        raise ValueError("a PIN has at least three different characters")


def hash_pin(pin: str, *, log_n: int = LOG_N) -> str:
    """The text to store; it says how dear it was, so that this can change. Raises ValueError on what is no PIN."""
    check_pin(pin)
    salt = secrets.token_bytes(_SALT_BYTES)
    return "$".join(("scrypt", str(log_n), str(_R), str(_P), _text(salt), _text(_key(pin, salt, log_n, _R, _P))))


def matches_pin(stored: str, pin: str) -> bool:
    """In a time that does not depend on where they differ. What is stored in another form matches nothing."""
    try:
        kind, log_n, r, p, salt, key = stored.split("$")
        known = b64decode(key, validate=True)
        given = _key(pin, b64decode(salt, validate=True), int(log_n), int(r), int(p))
    except ValueError:
        return False
    return kind == "scrypt" and hmac.compare_digest(known, given)


def _key(pin: str, salt: bytes, log_n: int, r: int, p: int) -> bytes:
    n = 1 << log_n
    secret = pin.encode("utf-8", "surrogateescape")
    return hashlib.scrypt(secret, salt=salt, n=n, r=r, p=p, maxmem=256 * n * r, dklen=_KEY_BYTES)


def _text(content: bytes) -> str:
    return b64encode(content).decode()
