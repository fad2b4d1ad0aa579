"""Nothing that somebody else wrote reaches the terminal as anything but text."""

from __future__ import annotations

import os
import pty
import re
import select
import struct
import sys
import termios
import time
from fcntl import ioctl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noc_console.safe_text import CAP, Safe, fit, safe_lines, safe_text, width, wrap

ANY_TEXT = st.text(st.characters(codec=None), max_size=300)


@settings(deadline=None)
@given(ANY_TEXT)
def test_is_printable_bounded_and_idempotent(text: str) -> None:
    safe = safe_text(text)
    assert safe.isprintable() and len(safe) <= CAP
    assert safe_text(safe) == safe
    safe.encode("utf-8")


@settings(deadline=None)
@given(ANY_TEXT, st.integers(0, 60))
def test_fit_is_exact(text: str, cells: int) -> None:
    assert width(fit(safe_text(text), cells)) == cells


@settings(deadline=None)
@given(ANY_TEXT, st.integers(2, 60))
def test_wrap_keeps_within_the_width(text: str, cells: int) -> None:
    assert all(width(line) <= cells for line in wrap(safe_text(text), cells))


@pytest.mark.parametrize(
    ("raw", "drawn"),
    [
        ("plain", "plain"),
        ("\x1b[31mred\x1b[0m", "\ufffd[31mred\ufffd[0m"),
        ("\x1b]52;c;ZXZpbA==\x07", "\ufffd]52;c;ZXZpbA==\ufffd"),
        ("\x9b31m", "\ufffd31m"),
        ("a\u202eb", "a\ufffdb"),
        ("a\u2066b\u2069", "a\ufffdb\ufffd"),
        ("a\u200bb\ufeff", "ab"),
        ("two\nlines\tand\rmore", "two lines and more"),
        ("\U000e0041tag", "tag"),
        ("lone \ud800", "lone \ufffd"),
        ("z\u0300\u0301\u0302\u0303\u0304", "z\u0300\u0301"),
        ("[@click=app.quit]x[/]", "[@click=app.quit]x[/]"),
        ("東京", "東京"),
    ],
)
def test_table(raw: str, drawn: str) -> None:
    assert safe_text(raw) == drawn


def test_length_is_capped() -> None:
    assert len(safe_text("x" * 200_000)) == CAP


def test_lines_are_capped() -> None:
    assert safe_lines("a\nb\x1b\nc", limit=2) == [Safe("a"), Safe("b\ufffd"), Safe("… 1 more lines")]


#: What the renderer itself may send: SGR, cursor, modes and their queries, and the mouse pointer's default shape.
ALLOWED = re.compile(
    rb"\x1b\[[0-9;:]*m|\x1b\[[0-9;]*[HABCDn]|\x1b\[[?>=<][0-9;]*[hlu]|\x1b\[\?[0-9]+\$p|\x1b\]22;default\x07|\r\n"
)


@pytest.mark.parametrize("extra", [[], ["--theme", "mono"]])
@pytest.mark.parametrize("keys", [b"2jjw\tq1", b"3\rj\r\tqqS", b"9wtsr\re", b"2\r\tx"])
def test_hostile_records_send_nothing_but_colours_and_cursor(extra: list[str], keys: bytes) -> None:
    sent = _session([sys.executable, "-m", "tests.fakes.demo_app", "--hostile", *extra], keys)
    rest = ALLOWED.sub(b"", sent)
    assert b"I-4411" in sent
    assert not re.findall(rb"[\x00-\x1f\x7f]", rest), re.findall(rb".{0,20}[\x00-\x1f\x7f].{0,20}", rest)[:3]
    text = rest.decode("utf-8")
    assert not re.search("[\x80-\x9f\u202a-\u202e\u2066-\u2069\u200b-\u200f\ufeff]", text)


def _session(command: list[str], keys: bytes) -> bytes:
    """All that the program sends until it has drawn, been given the keys and drawn again."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", COLORTERM="truecolor", LANG="C.UTF-8")
        os.environ.pop("NO_COLOR", None)
        os.execv(command[0], command)
    ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    sent, waiting, quiet_since, end = b"", keys, time.monotonic(), time.monotonic() + 30
    try:
        while time.monotonic() < end:
            if select.select([fd], [], [], 0.05)[0]:
                data = os.read(fd, 1 << 16)
                sent += data
                if b"\x1b[6n" in data:
                    os.write(fd, b"\x1b[1;1R")
                quiet_since = time.monotonic()
            elif b"I-4411" in sent and time.monotonic() - quiet_since > 0.2:
                if not waiting:
                    return sent
                os.write(fd, waiting[:1])
                waiting, quiet_since = waiting[1:], time.monotonic()
            elif waiting == b"" and time.monotonic() > end - 20:
                return sent
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(fd)
    return sent
