"""Where the engine may send to: which URLs, ports and addresses are taken, and which never are.

Owns the verdicts, all pure. Never resolves a name and never connects: `engine.outbound` does, and asks here first.
Whatever is not plainly a public address is refused; hosts that the operator listed himself are the exception.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

#: Ports that may be called when the operator lists no others.
PORTS = (80, 443, 8080, 8443)
_DEFAULT_PORT = {"http": 80, "https": 443}
_URL_MAX_CHARS = 2048
_UNSAFE = re.compile(r"[^\x21-\x7e]|\\")
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?")
#: A last label that is a number makes parsers read the whole as an IPv4 address, each in its own way.
_NUMBER = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)")

#: Addresses of IPv4 that are nobody's public server (IANA special-purpose registry), and Azure's metadata address.
_DENIED_V4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16",
        "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
        "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    )
)  # fmt: skip
#: All unicast that is routed in public; loopback, mapped, NAT64, unique local, link-local, multicast lie outside.
_PUBLIC_V6 = IPv6Network("2000::/3")
#: Inside of it: protocol assignments with Teredo, documentation, and 6to4, which carries any IPv4 address.
_DENIED_V6 = tuple(IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))


class Forbidden(Exception):
    """The engine does not send there. Neither text shows more of a URL than scheme, host and port."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason, self.remedy = reason, remedy


class Destination(NamedTuple):
    """A URL that may be called once its addresses are checked; `trusted`: the operator listed the host.

    `target` is path and query, as they go out. `origin` is what may be logged.
    """

    scheme: str
    host: str
    port: int
    target: str
    trusted: bool

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.authority}"

    @property
    def authority(self) -> str:
        """Host and port as the Host header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORT[self.scheme] else f"{host}:{self.port}"


def destination(
    url: str, *, allow_http: bool = False, allow_hosts: Iterable[str] = (), ports: Iterable[int] = PORTS
) -> Destination:
    """The parts of `url`. Raises Forbidden.

    An entry of `allow_hosts` is a host, or host:port; it frees that host from the address rules, and with a port
    from the list of ports too. Plain http needs `allow_http`, or a listed host of this machine.
    """
    scheme, host, port, target = _parts(url)
    listed = frozenset(allow_hosts)
    named = _with_port(host, port) in listed
    trusted = named or host in listed
    if scheme == "http" and not (allow_http or (trusted and is_loopback(host))):
        raise Forbidden("http sends everything in clear text", "use https, or set allow_http = true")
    if port not in ports and not named:
        raise Forbidden(f"port {port} is not in the list of ports", f"add {port} to notify.ports")
    if not trusted and (address := _literal(host)) is not None and denied(address):
        raise Forbidden(f"{host} is not a public address", "name a public host, or add it to notify.allow_hosts")
    return Destination(scheme, host, port, target, trusted)


def as_http(url: str) -> str:
    """The URL by whose rules a websocket's is judged: wss as https, ws as http."""
    scheme, separator, rest = url.partition("://")
    return {"wss": "https", "ws": "http"}.get(scheme.lower(), scheme) + separator + rest


def denied(address: str) -> bool:
    """Whether the engine refuses to connect to this address; one that cannot be read is refused."""
    try:
        found = ip_address(address)
    except ValueError:
        return True
    if found.version == 4:
        return any(found in network for network in _DENIED_V4)
    return found not in _PUBLIC_V6 or any(found in network for network in _DENIED_V6)


def is_loopback(host: str) -> bool:
    address = _literal(host)
    return host == "localhost" or (address is not None and ip_address(address).is_loopback)


def listed_host(text: str) -> bool:
    """Whether `text` can be an entry of allow_hosts: a host, or host:port."""
    try:
        _, host, port, target = _parts(f"https://{text}")
    except Forbidden:
        return False
    return target == "/" and text in (host, _with_port(host, port), f"[{host}]")


def _with_port(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _parts(url: str) -> tuple[str, str, int, str]:
    """Scheme, host in lower case, port, and path with query."""
    if len(url) > _URL_MAX_CHARS or _UNSAFE.search(url):
        raise Forbidden("a URL is at most 2048 visible ASCII characters", "write the host in its xn-- form")
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").removesuffix("."), parts.port
    except ValueError as error:
        raise Forbidden("the URL cannot be read", 'write "https://host/path"') from error
    if parts.scheme not in _DEFAULT_PORT:
        raise Forbidden("only https is called", 'write "https://host/path"')
    if "@" in parts.netloc:
        raise Forbidden("a user or password does not belong into a URL", "sign with secret instead")
    if not _is_host(host) or ("[" in parts.netloc and ":" not in host):
        raise Forbidden("the host cannot be read", "write a name or a plain address, as in 192.0.2.1 or [2001:db8::1]")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return parts.scheme, host, _DEFAULT_PORT[parts.scheme] if port is None else port, target


def _is_host(host: str) -> bool:
    if _literal(host) is not None:
        return True
    labels = host.split(".")
    return bool(_HOST.fullmatch(host)) and all(labels) and not _NUMBER.fullmatch(labels[-1])


def _literal(host: str) -> str | None:
    """`host` when it is an address in its only spelling (no zone, no octal, no short form)."""
    try:
        found = ip_address(host)
    except ValueError:
        return None
    return host if "%" not in host and (found.version == 6 or str(found) == host) else None
