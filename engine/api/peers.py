"""Where a connection comes from: this machine or not, and which of its users.

Owns the look-up in /proc/net/tcp and tcp6. Never decides what that user may do.
"""

from __future__ import annotations

import ipaddress
import os
import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

Address = tuple[str, int]

#: Connections whose owner is remembered; the oldest is forgotten.
CACHED = 1024


class NoProc(Exception):
    """This system does not tell who owns a connection."""


def is_loopback(host: str) -> bool:
    """Whether `host` names this machine's own loopback: `localhost`, 127.0.0.0/8 or ::1 (mapped forms too)."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def within(host: str, networks: Iterable[str]) -> bool:
    """Whether the address lies in one of the CIDR networks."""
    address = ipaddress.ip_address(host)
    address = getattr(address, "ipv4_mapped", None) or address
    return any(address in ipaddress.ip_network(network, strict=False) for network in networks)


def own_uid() -> int | None:
    """The user that this process runs as, None where users have no numbers."""
    return os.getuid() if hasattr(os, "getuid") else None


def find_owner(peer: Address, local: Address, proc: Path = Path("/proc/net")) -> int | None:
    """The uid that owns the socket `peer`, connected to our end `local`; None if there is no such socket.

    A socket whose process has closed it shows inode 0 and uid 0: it has no owner, and must not pass for root's.
    Raises NoProc where the tables do not exist.
    """
    wanted = set(_row_keys(peer, local))
    seen = False
    for name in ("tcp", "tcp6"):
        try:
            lines = (proc / name).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        seen = True
        for line in lines:
            fields = line.split()
            if len(fields) > 9 and (fields[1], fields[2]) in wanted and fields[9] != "0":
                return int(fields[7])
    if not seen:
        raise NoProc
    return None


def _row_keys(peer: Address, local: Address) -> Iterator[tuple[str, str]]:
    for theirs, ours in zip(_forms(peer[0]), _forms(local[0]), strict=False):
        yield f"{theirs}:{peer[1]:04X}", f"{ours}:{local[1]:04X}"


def _forms(host: str) -> list[str]:
    """An address as the kernel prints it; IPv4 also as the IPv4-mapped IPv6 address."""
    address = ipaddress.ip_address(host)
    mapped = getattr(address, "ipv4_mapped", None) or address
    if mapped.version == 4:
        return [_hex(mapped.packed), _hex(b"\0" * 10 + b"\xff\xff" + mapped.packed)]
    return [_hex(address.packed)]


def _hex(packed: bytes) -> str:
    words = struct.unpack(f"={len(packed) // 4}I", packed)
    return "".join(f"{word:08X}" for word in words)


class PeerOwners:
    """Whether a connection comes from the engine's own user or root, looked up once per connection.

    The transport hands out one address tuple per connection, so its identity tells two connections apart that
    used the same port one after the other.
    """

    def __init__(self, find: Callable[[Address, Address], int | None] = find_owner, uid: int | None = None) -> None:
        self._find = find
        self._uid = own_uid() if uid is None else uid
        self._known: dict[int, tuple[Address, bool]] = {}

    def trusted(self, peer: Address, local: Address) -> bool:
        entry = self._known.get(peer[1])
        if entry is not None and entry[0] is peer:
            return entry[1]
        verdict = self._look(peer, local)
        self._known.pop(peer[1], None)
        self._known[peer[1]] = (peer, verdict)
        if len(self._known) > CACHED:
            del self._known[next(iter(self._known))]
        return verdict

    def _look(self, peer: Address, local: Address) -> bool:
        if self._uid is None:
            return True
        try:
            owner = self._find(peer, local)
        except NoProc:
            return True
        return owner in (0, self._uid)
