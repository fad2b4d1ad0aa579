"""What `doctor` looks at, one function per matter. Nothing is changed; a check that cannot be made says so."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from noc_console.commands.connection import own_url
from noc_console.commands.sender import Sender
from noc_console.commands.start import Start

if TYPE_CHECKING:
    from engine.settings import Settings

_ENOUGH_DISK = 1 << 30


class Finding(NamedTuple):
    what: str
    ok: bool
    words: str


def findings(start: Start) -> Iterator[Finding]:
    from engine.config import ConfigError, find

    yield from terminal()
    try:
        settings = start.settings()
    except ConfigError as error:
        yield Finding("configuration", False, str(error))
        return
    file = find(start.config, start.environ())
    yield Finding("configuration", True, str(file) if file else "defaults (noc-console config default > noc.toml)")
    for check in _CHECKS:
        yield from check(settings)


def terminal() -> Iterator[Finding]:
    if not sys.stdin.isatty():
        yield Finding("terminal", True, "not looked at: standard input is no terminal")
        return
    term = os.environ.get("TERM", "")
    fit = term not in {"", "dumb", "unknown"}
    yield Finding("terminal", fit, f"TERM={term}" if fit else "set TERM, as in TERM=xterm-256color")
    columns, lines = shutil.get_terminal_size()
    fits = columns >= 80 and lines >= 24
    yield Finding("size", fits, f"{columns}x{lines}" + ("" if fits else ": make the window 80x24 or larger"))
    yield Finding("colours", True, _colours(term))
    encoding = (getattr(sys.__stderr__, "encoding", "") or "").lower()
    utf8 = encoding.replace("-", "") == "utf8"
    yield Finding("characters", utf8, "UTF-8" if utf8 else f"{encoding or 'none'}: set LC_ALL=C.UTF-8, or use --ascii")
    inside = bool(os.environ.get("TMUX"))
    yield Finding("mouse", True, "with `set -g mouse on` in tmux" if inside else "as the terminal has it")


def _colours(term: str) -> str:
    if "NO_COLOR" in os.environ:
        return "none, by NO_COLOR"
    if os.environ.get("COLORTERM") in {"truecolor", "24bit"}:
        return "true colour"
    return "256" if "256color" in term or os.environ.get("TMUX") else "16 (TERM=xterm-256color gives more)"


def disk(settings: Settings) -> Iterator[Finding]:
    folder = Path(settings.store.data_dir)
    there = next(place for place in (folder, *folder.parents) if place.exists())
    if not os.access(there, os.W_OK):
        yield Finding("data folder", False, f"{there} is not writable: chown it, or set store.data_dir")
        return
    free = shutil.disk_usage(there).free
    enough = free >= max(_ENOUGH_DISK, 2 * settings.store.reserve_mib << 20)
    words = f"{folder}, {free / (1 << 30):.1f} GiB free"
    yield Finding("data folder", enough, words if enough else f"{words}: free some, commits need it")


def database(settings: Settings) -> Iterator[Finding]:
    from data import migrate
    from data.files import database_path
    from data.ports import StoreError

    folder = Path(settings.store.data_dir)
    path = database_path(folder)
    if not path.exists():
        yield Finding("database", True, "none yet; the first start makes it")
        return
    private = not stat.S_IMODE(path.stat().st_mode) & 0o077
    yield Finding("rights", private, f"{path} is this user's alone" if private else f"chmod 600 {path}")
    try:
        version = migrate.current(folder)
    except StoreError as error:
        yield Finding("database", False, str(error))
        return
    newest = version == migrate.HEAD
    words = f"schema {version}"
    yield Finding("database", newest, words if newest else f"{words}: run noc-console db upgrade")


def rules(settings: Settings) -> Iterator[Finding]:
    from data.files import database_path
    from data.ports import StoreError
    from engine.clock import SystemClock
    from engine.idle_rules import idle_rules

    folder = Path(settings.store.data_dir)
    if not database_path(folder).exists():
        return
    try:
        idle = idle_rules(folder, settings.engine.tenant, SystemClock().now())
    except StoreError:
        return  # what is wrong with it is said where the database is looked at
    yield Finding("rules", True, "; ".join(idle[:5]) or "none has been without effect for 30 d")


def port(settings: Settings) -> Iterator[Finding]:
    listen = settings.listen
    if Sender(own_url(settings), "", lambda _: True, tries=1).answers():
        yield Finding("port", True, f"an engine answers at {own_url(settings)}")
        return
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((listen.host, listen.port))
        except OSError as error:
            words = f"{listen.host}:{listen.port}: {error.strerror}; set listen.port to a free one"
            yield Finding("port", False, words)
            return
    yield Finding("port", True, f"{listen.host}:{listen.port} is free")


def tls(settings: Settings) -> Iterator[Finding]:
    for name in ("tls_cert", "tls_key"):
        file = getattr(settings.listen, name)
        if file:
            readable = os.access(file, os.R_OK)
            yield Finding(name, readable, file if readable else f"cannot read {file}: check listen.{name}")


def time_zone(settings: Settings) -> Iterator[Finding]:
    from engine.clock import SystemClock

    here = SystemClock().now().astimezone()
    yield Finding("time zone", True, f"{settings.priority.time_zone} for business hours, this machine {here:%Z %z}")


def sources(settings: Settings) -> Iterator[Finding]:
    if not settings.sources:
        yield Finding("sources", True, f"none configured; Prometheus and amtool can send to {own_url(settings)}")
    for name, source in settings.sources.items():
        proven = bool(source.token or source.hmac or source.allow)
        words = f"{source.format} at {own_url(settings)}/ingest/webhook/{name}"
        yield Finding(f"source {name}", proven, words if proven else f"give sources.{name}.token, or hmac, or allow")
        yield from _readable_by_others(name, [source.token, source.hmac])


def _readable_by_others(name: str, secrets: list[object]) -> Iterator[Finding]:
    for secret in secrets:
        where, _, path = getattr(secret, "origin", "").partition(" ")
        if where == "file" and Path(path).stat().st_mode & 0o077:
            yield Finding(f"source {name}", False, f"others can read its secret: chmod 600 {path}")


_CHECKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    disk,
    database,
    rules,
    port,
    tls,
    time_zone,
    sources,
)
