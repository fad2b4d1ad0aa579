"""What a command starts from: the configuration with the command line's options over it.

Owns the shared options and their path into the configuration, where they are checked like any other value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from engine.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])

#: Variable of the configuration → the option that set it, for the error's sake.
_OPTIONS = {
    "NOC__STORE__DATA_DIR": "--data-dir",
    "NOC__LISTEN__HOST": "--listen",
    "NOC__LISTEN__PORT": "--listen",
    "NOC__LISTEN__INSECURE": "--insecure",
    "NOC__CONSOLE__THEME": "--theme",
}


class Start:
    """Collects options; `settings()` reads the configuration once. Immutable: `with_…` gives a new one."""

    def __init__(self, config: str | None = None, options: Mapping[str, str] | None = None) -> None:
        self.config = Path(config) if config else None
        self._options = dict(options or {})

    def with_store(self, data_dir: str | None) -> Start:
        return self._and({"NOC__STORE__DATA_DIR": str(Path(data_dir).expanduser().absolute())} if data_dir else {})

    def with_listen(self, listen: tuple[str, int] | None, insecure: bool = False) -> Start:
        options = {"NOC__LISTEN__HOST": listen[0], "NOC__LISTEN__PORT": str(listen[1])} if listen else {}
        return self._and({**options, **({"NOC__LISTEN__INSECURE": "true"} if insecure else {})})

    def with_theme(self, theme: str | None) -> Start:
        return self._and({"NOC__CONSOLE__THEME": theme} if theme else {})

    def _and(self, options: Mapping[str, str]) -> Start:
        return Start(str(self.config) if self.config else None, {**self._options, **options})

    def environ(self) -> dict[str, str]:
        """The environment with the options over it."""
        import os

        return {**os.environ, **self._options}

    def settings(self) -> Settings:
        """Raises ConfigError, which names the option where one was to blame."""
        from engine.config import ConfigError, load

        try:
            return load(self.config, self.environ())
        except ConfigError as error:
            if error.origin in self._options:
                error.origin = _OPTIONS[error.origin]
            raise


class Address(click.ParamType[tuple[str, int]]):
    """HOST:PORT, [IPv6]:PORT, :PORT or PORT."""

    name = "host:port"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        if isinstance(value, tuple):
            return value
        host, _, port = str(value).rpartition(":")
        if not port.isdecimal() or int(port) > 65_535:
            self.fail(f"{value!r} is not HOST:PORT, as in 127.0.0.1:8099", param, ctx)
        return host.strip("[]") or "127.0.0.1", int(port)


def store_option(function: F) -> F:
    return click.option("--data-dir", metavar="DIR", help="Folder of the database.")(function)


def listen_option(function: F) -> F:
    insecure = click.option("--insecure", is_flag=True, help="Allow other addresses than loopback without TLS.")
    listen = click.option("--listen", metavar="HOST:PORT", type=Address(), help="Address of the intake and the API.")
    return listen(insecure(function))


def examples(*lines: str) -> str:
    """The epilog of a command's help."""
    return "\b\nExamples:\n" + "\n".join(f"  noc-console {line}".rstrip() for line in lines)
