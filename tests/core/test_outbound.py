"""Where requests may go: every spelling of a private address is refused, before and after the name is resolved."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import ssl
import subprocess
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from engine.destinations import Forbidden, denied, destination, listed_host
from engine.outbound import ANSWER_BYTES, Answer, Outbound, Unreached
from tests.fakes.receiver import Handler, Receiver, plain, receivers

#: Refused as they are written.
UNWRITABLE = [
    "http://hooks.example/",
    "ftp://hooks.example/",
    "file:///etc/passwd",
    "gopher://hooks.example/",
    "//hooks.example/",
    "hooks.example",
    "",
    "https://",
    "https:///path",
    "https://user@hooks.example/",
    "https://user:hunter2@hooks.example/",
    "https://hooks.example@127.0.0.1/",
    "https://hooks.example:22/",
    "https://hooks.example:0/",
    "https://hooks.example:99999/",
    "https://hooks.example:x/",
    "https://hooks.example\\@127.0.0.1/",
    "https://hooks.example/\r\nHost: evil",
    "https://hooks.example/ x",
    "https://hooks.exa\tmple/",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f.1/",
    "https://0x7f000001/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://127.0.0.01/",
    "https://127.0.0.1./",
    "https://①②⑦.⓪.⓪.①/",
    "https://127。0。0。1/",
    "https://ⓛocalhost/",
    "https://%31%32%37.0.0.1/",
    "https://1.2.3.4.5/",
    "https://1.2.3/",
    "https://hooks..example/",
    "https://-hooks.example/",
    "https://0.0.0.0/",
    "https://10.1.2.3/",
    "https://100.64.0.1/",
    "https://100.100.100.200/",
    "https://168.63.129.16/",
    "https://169.254.169.254/latest/meta-data/",
    "https://172.31.255.255/",
    "https://192.0.0.192/",
    "https://192.168.1.1/",
    "https://198.19.0.1/",
    "https://203.0.113.9/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://[::]/",
    "https://[::1]/",
    "https://[::127.0.0.1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b:1::a00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/",
    "https://[2001:db8::1]/",
    "https://[fc00::1]/",
    "https://[fd00:ec2::254]/",
    "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[fec0::1]/",
    "https://[ff02::1]/",
    "https://[100::1]/",
    "https://[::1/",
    "https://[v1.x]/",
]


@pytest.mark.parametrize("url", UNWRITABLE)
def test_refused_before_anything_is_resolved(url: str) -> None:
    with pytest.raises(Forbidden) as caught:
        destination(url)
    assert "hunter2" not in f"{caught.value.reason} {caught.value.remedy}"


@pytest.mark.parametrize(
    ("url", "origin", "target"),
    [
        ("https://hooks.example/a?b=c#d", "https://hooks.example", "/a?b=c"),
        ("HTTPS://Hooks.EXAMPLE:443", "https://hooks.example", "/"),
        ("https://hooks.example.:8443/x", "https://hooks.example:8443", "/x"),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example", "/"),
        ("https://8.8.8.8/", "https://8.8.8.8", "/"),
        ("https://[2606:4700::1111]:8443/", "https://[2606:4700::1111]:8443", "/"),
    ],
)
def test_public_places_are_taken(url: str, origin: str, target: str) -> None:
    found = destination(url)
    assert (found.origin, found.target, found.trusted) == (origin, target, False)


@pytest.mark.parametrize(
    ("url", "listed", "taken"),
    [
        ("https://10.0.0.5/", ["10.0.0.5"], True),
        ("https://10.0.0.5:9000/", ["10.0.0.5"], False),
        ("https://10.0.0.5:9000/", ["10.0.0.5:9000"], True),
        ("https://10.0.0.5:9001/", ["10.0.0.5:9000"], False),
        ("https://10.0.0.6/", ["10.0.0.5"], False),
        ("http://127.0.0.1:9000/", ["127.0.0.1:9000"], True),
        ("http://10.0.0.5:9000/", ["10.0.0.5:9000"], False),
        ("https://[::1]:9000/", ["[::1]:9000"], True),
    ],
)
def test_a_listed_host_is_freed_and_no_other(url: str, listed: list[str], taken: bool) -> None:
    if taken:
        assert destination(url, allow_hosts=listed).trusted
    else:
        with pytest.raises(Forbidden):
            destination(url, allow_hosts=listed)


def test_http_is_taken_where_it_is_allowed_and_frees_nothing_else() -> None:
    assert destination("http://hooks.example/", allow_http=True).port == 80
    with pytest.raises(Forbidden):
        destination("http://127.0.0.1/", allow_http=True)


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("hooks.lan", True),
        ("hooks.lan:8080", True),
        ("[::1]:80", True),
        ("http://x/", False),
        ("x/y", False),
        ("", False),
    ],
)
def test_entries_of_the_list(text: str, good: bool) -> None:
    assert listed_host(text) is good


@pytest.mark.parametrize("address", ["8.8.8.8", "192.0.1.1", "2606:4700::1111", "2a00:1450::1"])
def test_public_addresses(address: str) -> None:
    assert not denied(address)


@pytest.mark.parametrize("address", ["", "localhost", "1.2.3", "fe80::1%eth0", "::ffff:8.8.8.8", "2002:808:808::"])
def test_what_is_not_plainly_public_is_denied(address: str) -> None:
    assert denied(address)


class Resolver:
    """Gives one answer after the other, the last for ever; counts how often it was asked."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["2606:4700::1111", "::1"], ["::ffff:8.8.8.8"], ["169.254.169.254"]],
)
async def test_one_denied_address_of_a_name_forbids_it(addresses: list[str]) -> None:
    client = Outbound(resolve=Resolver(addresses))
    with pytest.raises(Forbidden):
        await client.request("POST", "https://hooks.example/", headers={})


async def test_a_name_without_address_is_unreached() -> None:
    with pytest.raises(Unreached):
        await Outbound(resolve=Resolver([])).request("GET", "https://hooks.example/", headers={})


receive = pytest.fixture(receivers)
OK = plain(200, "Set-Cookie: a=b", body=b"ok")


async def get(receiver: Receiver, resolver: Resolver, path: str = "/hook?token=hunter2") -> Answer:
    """To hooks.example, which leads to the receiver."""
    client = Outbound(allow_hosts=[f"hooks.example:{receiver.port}"], resolve=resolver)
    url = f"http://hooks.example:{receiver.port}{path}"
    return await client.request("POST", url, body=b"{}", headers={"X-A": "b"}, allow_http=True)


async def test_it_connects_to_the_address_and_keeps_the_name(receive: Callable[[Handler], Awaitable[Receiver]]) -> None:
    receiver = await receive(lambda _: OK)
    answer = await get(receiver, Resolver(["127.0.0.1"]))
    assert (answer.status, answer.body, answer.cut) == (200, b"ok", False)
    text = receiver.seen[0].raw.decode().lower()
    assert text.startswith("post /hook?token=hunter2 http/1.1")
    assert f"\r\nhost: hooks.example:{receiver.port}\r\n" in text
    assert "accept-encoding: identity" in text and "x-a: b" in text and text.endswith("{}")


async def test_a_name_that_changes_its_mind_is_asked_once(receive: Callable[[Handler], Awaitable[Receiver]]) -> None:
    """Rebinding: the address that was checked is the one that is called, whatever the name says a moment later."""
    receiver = await receive(lambda _: OK)
    resolver = Resolver(["127.0.0.1"], ["127.0.0.9"])
    assert (await get(receiver, resolver)).status == 200
    assert resolver.asked == 1
    with pytest.raises(Unreached):  # asked anew, it leads elsewhere: nothing was remembered either
        await get(receiver, resolver)
    assert len(receiver.seen) == 1


async def test_a_redirect_to_metadata_is_an_answer_and_not_followed(
    receive: Callable[[Handler], Awaitable[Receiver]],
) -> None:
    head = b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest/\r\nContent-Length: 0\r\n\r\n"
    receiver = await receive(lambda _: head)
    answer = await get(receiver, Resolver(["127.0.0.1"]))
    assert (answer.status, answer.headers["location"]) == (302, "http://169.254.169.254/latest/")
    assert len(receiver.seen) == 1


async def test_an_answer_is_read_up_to_its_cap(receive: Callable[[Handler], Awaitable[Receiver]]) -> None:
    body = b"x" * (ANSWER_BYTES + 100_000)
    receiver = await receive(lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    answer = await get(receiver, Resolver(["127.0.0.1"]))
    assert (len(answer.body), answer.cut) == (ANSWER_BYTES, True)


async def test_a_compressed_answer_is_not_unpacked(receive: Callable[[Handler], Awaitable[Receiver]]) -> None:
    receiver = await receive(
        lambda _: b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00"
    )
    assert (await get(receiver, Resolver(["127.0.0.1"]))).body == b"\x1f\x8b\x08\x00"


async def test_nothing_is_kept_between_requests(receive: Callable[[Handler], Awaitable[Receiver]]) -> None:
    receiver = await receive(lambda _: OK)
    client = Outbound(allow_hosts=[f"hooks.example:{receiver.port}"], resolve=Resolver(["127.0.0.1"]))
    for _ in range(2):
        await client.request("GET", f"http://hooks.example:{receiver.port}/", headers={}, allow_http=True)
    assert len(receiver.seen) == 2 and "cookie" not in receiver.seen[1].headers


async def test_the_next_address_is_tried_when_one_refuses(receive: Callable[[Handler], Awaitable[Receiver]]) -> None:
    receiver = await receive(lambda _: OK)
    assert (await get(receiver, Resolver(["127.0.0.2", "127.0.0.1"]))).status == 200


@pytest.mark.parametrize("answer", [b"garbage\r\n\r\n", b""], ids=["garbage", "hangs up"])
async def test_trouble_names_the_host_and_nothing_more(
    receive: Callable[[Handler], Awaitable[Receiver]], caplog: pytest.LogCaptureFixture, answer: bytes
) -> None:
    caplog.set_level(logging.DEBUG)
    receiver = await receive(lambda _: answer)
    with pytest.raises(Unreached) as caught:
        await get(receiver, Resolver(["127.0.0.1"]))
    assert f"hooks.example:{receiver.port}" in str(caught.value)
    assert "hunter2" not in str(caught.value) and "hunter2" not in caplog.text


async def test_a_request_that_worked_leaves_no_trace_in_the_log(
    receive: Callable[[Handler], Awaitable[Receiver]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await get(await receive(lambda _: OK), Resolver(["127.0.0.1"]))
    assert "hunter2" not in caplog.text


async def test_proxies_of_the_environment_are_not_used(receive: Callable[[Handler], Awaitable[Receiver]]) -> None:
    proxy, receiver = await receive(lambda _: OK), await receive(lambda _: OK)
    before = dict(os.environ)
    os.environ.update(dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY"), f"http://127.0.0.1:{proxy.port}"))
    try:
        await get(receiver, Resolver(["127.0.0.1"]))
    finally:
        os.environ.clear()
        os.environ.update(before)
    assert (len(proxy.seen), len(receiver.seen)) == (0, 1)


def a_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate that is its own authority, and its key."""
    certificate, key = folder / "cert.pem", folder / "key.pem"
    made = f"req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={name} -addext subjectAltName=DNS:{name}"
    subprocess.run(["openssl", *made.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificate with openssl")
@pytest.mark.parametrize("named", ["hooks.example", "other.example"])
async def test_tls_asks_for_the_name_and_believes_only_its_certificate(tmp_path: Path, named: str) -> None:
    certificate, key = a_certificate(tmp_path, named)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    asked: list[str | None] = []
    context.sni_callback = lambda _, name, __: asked.append(name)
    receiver = Receiver(lambda _: OK)
    server = await asyncio.start_server(receiver, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    client = Outbound(allow_hosts=[f"hooks.example:{port}"], resolve=Resolver(["127.0.0.1"]))
    os.environ["SSL_CERT_FILE"] = str(certificate)
    try:
        calling = client.request("POST", f"https://hooks.example:{port}/", headers={})
        if named == "hooks.example":
            assert (await calling).status == 200
        else:
            with pytest.raises(Unreached, match="certificate"):
                await calling
    finally:
        del os.environ["SSL_CERT_FILE"]
        server.close()
    assert asked == ["hooks.example"] and len(receiver.seen) == (named == "hooks.example")
