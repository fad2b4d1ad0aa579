"""The console itself: on an engine of its own, or attached to a running one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from noc_console.commands.connection import local_scope, own_url, running_url, token_of
from noc_console.commands.outcome import Failure
from noc_console.commands.start import Start

if TYPE_CHECKING:
    from engine.client import EngineClient
    from engine.settings import ConsoleSettings
    from noc_console.clock import Clock
    from noc_console.desk import Options


class Look(Struct, frozen=True, kw_only=True):
    """How the screen was asked for on the command line."""

    readonly: bool = False
    ascii: bool = False
    mouse: bool = True
    slow: bool = False


def open_console(start: Start, look: Look) -> int:
    """An engine and the console on it; when the directory's engine runs already, the console on that one."""
    settings = start.settings()
    check_terminal(look)
    at = running_url(settings)
    if at is not None:
        return attach(at, token_of(None, start), settings.console, look)
    import logging

    from engine.logs import configure, log_file
    from noc_console.embedded import EngineThread

    # The screen is the terminal's: the engine's log goes to a file beside its data.
    with log_file(Path(settings.store.data_dir)) as log, EngineThread(settings) as engine:
        configure(log, logging.INFO)
        options = options_of(settings.console, look, url=own_url(settings), remote=False)
        code = show(engine.client(local_scope(settings)), options)
    from noc_console.console_keys import PLAY_DEMO

    if code != PLAY_DEMO:
        return code
    from noc_console.commands.demo import play

    return play(start, look)


def attach(url: str, token: str, console: ConsoleSettings, look: Look) -> int:
    """The console on the engine at `url`, which goes on when the console ends."""
    from engine.remote import RemoteClient

    return show(RemoteClient(url, token), options_of(console, look, url=url, remote=True))


def check_terminal(look: Look) -> None:
    """Raises Failure when no console can be drawn here."""
    if look.slow:
        # Textual reads it when it is imported: 256 colours take fewer bytes than 16 million.
        os.environ.setdefault("TEXTUAL_COLOR_SYSTEM", "256")
    from noc_console.app import unfit_terminal

    reason = unfit_terminal()
    if reason:
        raise Failure(reason.removeprefix("noc-console: "))


def options_of(console: ConsoleSettings, look: Look, *, url: str, remote: bool) -> Options:
    import platformdirs

    from engine.login import login_name
    from noc_console.desk import Options
    from noc_console.keymap import load_keymap

    theme = "mono" if "NO_COLOR" in os.environ else console.theme
    return Options(
        actor=login_name(),
        readonly=look.readonly,
        ascii=look.ascii or console.ascii,
        mouse=look.mouse and console.mouse,
        slow=look.slow,
        theme=theme,
        frames=0.5 if look.slow else console.refresh_hz,
        bell=console.bell,
        notify=console.notify,
        zone=console.time_zone,
        keymap=load_keymap(Path(platformdirs.user_config_path("noc"))),
        listen=url,
        state_dir=Path(platformdirs.user_state_path("noc")),
        remote=remote,
    )


def show(client: EngineClient, options: Options, clock: Clock | None = None) -> int:
    """Run the console until the operator leaves → its exit code. `clock`: the engine's own."""
    from engine.clock import SystemClock
    from noc_console.app import ConsoleApp

    code = ConsoleApp(client, clock or SystemClock(), options).run(mouse=options.mouse)
    return code or 0
