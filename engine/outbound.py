"""The one outgoing HTTP client: everything that an action sends leaves here.

A name is resolved once, every address is checked, and the connection goes to a checked address with the name kept
for Host and TLS. No redirect is followed, no proxy or password file of the environment is used, nothing is kept
between requests. Never logs or raises a path, a query or a header.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from engine.destinations import PORTS, Destination, Forbidden, denied, destination
from engine.version import VERSION

if TYPE_CHECKING:
    import httpx

#: Seconds for each step (connect, TLS, write, read), and for all together with the name's look-up.
STEP_SECONDS = 5.0
WHOLE_SECONDS = 10.0
#: Bytes of an answer that are read; the rest is left.
ANSWER_BYTES = 1024 * 1024
#: Addresses of a name that are tried while none of them accepts a connection.
ADDRESSES_TRIED = 3

#: Host and port → the addresses of the host.
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class Unreached(Exception):
    """No answer came: it may work later. The text names what happened, and scheme, host and port at most."""


class Answer(NamedTuple):
    """`headers` have lower-case names; `cut`: the body went on after the first mebibyte."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    cut: bool


class Outbound:
    """`allow_hosts` and `ports` as in `engine.destinations.destination`; `resolve` stands in for the system's."""

    def __init__(
        self, *, allow_hosts: Iterable[str] = (), ports: Iterable[int] = PORTS, resolve: Resolve | None = None
    ) -> None:
        self._allow_hosts = frozenset(allow_hosts)
        self._ports = frozenset(ports)
        self._resolve = resolve or _system
        self._tls: ssl.SSLContext | None = None

    async def request(
        self, method: str, url: str, *, body: bytes = b"", headers: Mapping[str, str], allow_http: bool = False
    ) -> Answer:
        """Send once. Raises Forbidden when the engine must not send there, Unreached when no answer came."""
        to = destination(url, allow_http=allow_http, allow_hosts=self._allow_hosts, ports=self._ports)
        try:
            async with asyncio.timeout(WHOLE_SECONDS):
                addresses = await self._addresses(to)
                return await self._send(method, to, addresses, body, headers)
        except TimeoutError:
            raise Unreached(f"{to.origin} did not answer within {WHOLE_SECONDS:g} s") from None

    async def _addresses(self, to: Destination) -> Sequence[str]:
        """Every address of the host; one that is denied forbids them all, or a resolver could mix in its own."""
        try:
            found = await self._resolve(to.host, to.port)
        except OSError as error:
            raise Unreached(f"{to.host} has no address: {error.strerror or 'look-up failed'}") from None
        if not found:
            raise Unreached(f"{to.host} has no address")
        if not to.trusted and any(denied(address) for address in found):
            raise Forbidden(f"{to.host} leads to an address that is not public", "add it to notify.allow_hosts")
        return found

    async def _send(
        self, method: str, to: Destination, addresses: Sequence[str], body: bytes, headers: Mapping[str, str]
    ) -> Answer:
        import httpx

        trouble: Exception | None = None
        for address in addresses[:ADDRESSES_TRIED]:
            # A client of its own for each try: a pool keyed by address would let one host use another's connection.
            async with self._client() as client:
                request = client.build_request(
                    method,
                    httpx.URL(scheme=to.scheme, host=address, port=to.port, raw_path=to.target.encode()),
                    headers={**_OWN, **headers, "Host": to.authority},
                    content=body,
                    extensions={"sni_hostname": to.host},
                )
                try:
                    return await _read(await client.send(request, stream=True))
                except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                    trouble = error
                except (httpx.HTTPError, httpx.InvalidURL) as error:
                    raise Unreached(f"{to.origin}: {_words(error)}") from None
        raise Unreached(f"{to.origin}: {_words(trouble)}")

    def _client(self) -> httpx.AsyncClient:
        import httpx

        # At INFO httpx logs whole URLs, at DEBUG httpcore logs headers.
        for name in ("httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return httpx.AsyncClient(
            timeout=httpx.Timeout(STEP_SECONDS),
            verify=self._tls,
            trust_env=False,
            follow_redirects=False,
        )


#: No compression: what was asked for plain cannot swell while it is read.
_OWN = {"Accept-Encoding": "identity", "User-Agent": f"noc-console/{VERSION}"}


async def _read(response: httpx.Response) -> Answer:
    found, cut = bytearray(), False
    try:
        async for part in response.aiter_raw():
            found += part
            if len(found) > ANSWER_BYTES:
                cut = True
                break
    finally:
        await response.aclose()
    return Answer(response.status_code, dict(response.headers), bytes(found[:ANSWER_BYTES]), cut)


async def _system(host: str, port: int) -> Sequence[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _words(error: Exception | None) -> str:
    """What went wrong, by its kind: messages of libraries may repeat the URL."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OSError):
        cause = cause.__cause__ or cause.__context__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted ({cause.verify_message})"
    name = type(error).__name__
    return f"{name} ({cause.strerror})" if isinstance(cause, OSError) and cause.strerror else name
