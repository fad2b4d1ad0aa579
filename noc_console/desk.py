"""The operator's desk: everything a screen or widget may use, in one place.

`desk_of(node)` gives it from any widget. Holds references and a few answers (how old is the data, may
this act be done); never draws and never talks to the engine itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from msgspec import Struct

from engine.client import EngineClient
from noc_console.clock import Clock
from noc_console.glyphs import Glyphs
from noc_console.mirror import Link, Mirror
from noc_console.palette import Palette
from noc_console.safe_text import Safe

if TYPE_CHECKING:
    from textual.dom import DOMNode

    from noc_console.acts import Acts
    from noc_console.bell import Bell
    from noc_console.pump import Pump
    from noc_console.record_lists import Watch

LIVE_SECONDS = 3.0
STALE_SECONDS = 30.0


class Options(Struct, frozen=True, kw_only=True):
    """How this console was started. `listen` is where alerts can be sent to ("" until the engine says).

    `bell` sounds the terminal's, `notify` sends it OSC 9 for a desktop notification. `zone` is the operator's time zone
    (IANA), "" this machine's.
    """

    actor: str = "operator"
    readonly: bool = False
    ascii: bool = False
    mouse: bool = True
    slow: bool = False
    theme: str = ""
    frames: float = 2.0
    listen: str = ""
    state_dir: Path | None = None
    remote: bool = False
    bell: bool = True
    notify: bool = False
    zone: str = ""
    keymap: Any = None  #: a noc_console.keymap.Keymap


class Age(StrEnum):
    """How fresh what is shown is; the words of the status bar."""

    STARTING = "STARTING"
    LIVE = "LIVE"
    LAG = "LAG"
    STALE = "STALE"
    DOWN = "DOWN"


class Say(Protocol):
    """Put a line on the notice line; `tone` is a style name (text, warn, alarm, ok)."""

    def __call__(self, text: Safe, tone: str = "text", *, seconds: float = 8.0) -> None: ...


class Ask(Protocol):
    """Ask for one line of text at the bottom of the screen; None when the operator leaves it."""

    async def __call__(self, label: Safe, *, initial: str = "", kind: str = "") -> str | None: ...


#: Sends a PIN → words when it was refused, and whether another try can come to anything.
Confirm = Callable[[str], Awaitable[tuple[Safe, bool]]]


class Desk:
    """Made by the app before the first frame; `acts`, `pump`, `bell`, `say`, `ask`, `ask_pin` are set there once."""

    acts: Acts
    pump: Pump
    bell: Bell
    say: Say
    ask: Ask
    #: Asks for the PIN until it is taken; False when the operator leaves it.
    ask_pin: Callable[[Confirm], Awaitable[bool]]

    def __init__(self, client: EngineClient, clock: Clock, options: Options, glyphs: Glyphs) -> None:
        self.client, self.clock, self.options, self.glyphs = client, clock, options, glyphs
        self.mirror = Mirror()
        #: What sites, people and clients are called.
        self.names = self.mirror.names
        self.palette: Palette = Palette({})
        self.readonly = options.readonly
        #: What each view saved in the last session, until the view is mounted and takes it.
        self.saved_views: dict[str, dict[str, Any]] = {}
        self.reload: Callable[[], None] = lambda: None
        self.copy: Callable[[str], str] = lambda text: ""
        #: Set by the app: from now on these lists and no others are kept up in `mirror.lists`.
        self.want: Callable[[Iterable[Watch]], None] = lambda watches: None

    @property
    def listen(self) -> str:
        """Base URL of the engine's intake, as the engine says, else as configured."""
        health = self.mirror.health
        return (health.url if health else "") or self.options.listen or "http://127.0.0.1:8099"

    @property
    def actor(self) -> str:
        """The operator's name as the engine records it; before it has said so, the login's."""
        health = self.mirror.health
        return (health.actor if health else "") or self.options.actor

    @property
    def person(self) -> str:
        """Whose approvals the engine takes the operator's for."""
        health = self.mirror.health
        return (health.person if health else "") or self.actor

    def data_seconds(self) -> float | None:
        """Age of what is shown: since the engine last answered, plus what it has not committed; None before that."""
        if self.mirror.contact is None:
            return None
        lag = self.mirror.health.lag_seconds if self.mirror.health else 0.0
        return self.clock.monotonic() - self.mirror.contact + lag

    def age(self) -> Age:
        if self.mirror.link is Link.DOWN:
            return Age.DOWN
        seconds = self.data_seconds()
        if seconds is None or not self.mirror.loaded:
            return Age.STARTING
        if seconds < LIVE_SECONDS:
            return Age.LIVE
        return Age.LAG if seconds <= STALE_SECONDS else Age.STALE

    def is_stale(self) -> bool:
        """Whether values are too old to trust; panes then say so and turn dim."""
        return self.age() in (Age.STALE, Age.DOWN)

    def may(self, capability: str) -> bool:
        """Whether the engine lets this operator do it; yes while the engine has not said."""
        health = self.mirror.health
        return not capability or health is None or not health.capabilities or capability in health.capabilities


class HasDesk(Protocol):
    desk: Desk


def desk_of(node: DOMNode) -> Desk:
    return cast("HasDesk", node.app).desk
