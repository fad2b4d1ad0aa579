"""Keys typed right behind the one that opens something wait until it is open: `:res` types "res", it does not resolve.

A key finds its action only after it went through the focused widget and all around it, and opening a prompt, a dialog
or a view takes some milliseconds more. Owns the keys that wait meanwhile; never waits for long, and drops one only when
the app has ended.
"""

from __future__ import annotations

import asyncio
from typing import Any

from textual import events
from textual.app import App
from textual.widgets import Input
from textual.worker import Worker

#: How long a key waits: so many seconds and so many turns of the loop, because a machine that stood still has opened
#: nothing meanwhile; and never longer than the second number.
PATIENCE_SECONDS, PATIENCE_LOOKS = 0.15, 20
LONGEST_SECONDS = 1.5
LOOK_SECONDS = 0.005


class KeyGate:
    """`holds(key)` tells whether a key has to wait, and takes it; `came_back(key)` that one found its action or none.

    `close` when an action is about to open something.
    """

    def __init__(self, app: App[Any]) -> None:
        self._app = app
        self._waiting: list[events.Key] = []
        self._under_way: events.Key | None = None
        self._worker: Worker[Any] | None = None
        self._seen: tuple[object, object] | None = None
        self._until = float("-inf")
        self._looks = 0

    def close(self, worker: Worker[Any] | None = None) -> None:
        """Until the screen or the focus is another one, the worker is done, or patience is over."""
        self._worker, self._seen = worker, (self._app.screen, self._app.screen.focused)
        self._be_patient()

    def _be_patient(self) -> None:
        self._until, self._looks = _now() + PATIENCE_SECONDS, 0

    def holds(self, key: events.Key) -> bool:
        if self._waiting or not self._is_open():
            self._waiting.append(key)
            if len(self._waiting) == 1:
                self._app.set_timer(LOOK_SECONDS, self._look)
            return True
        self._sent(key)
        return False

    def came_back(self, key: events.Key) -> None:
        if key is self._under_way:
            self._under_way = None

    def _sent(self, key: events.Key) -> None:
        """What is typed into a field opens nothing, but for enter and escape."""
        if not (isinstance(self._app.screen.focused, Input) and key.is_printable):
            self._under_way = key
            self._be_patient()

    async def _look(self) -> None:
        if not self._app.screen_stack:  # the app has ended meanwhile: nobody is left to take a key
            self._waiting.clear()
            return
        self._looks += 1
        while self._waiting and self._is_open():
            key = self._waiting.pop(0)
            self._sent(key)
            await App.on_event(self._app, key)
        if self._waiting:
            self._app.set_timer(LOOK_SECONDS, self._look)

    def _is_open(self) -> bool:
        if not self._app.screen.is_mounted:  # a screen without its widgets cannot take a key
            return False
        late = _now() - self._until
        if (late >= 0 and self._looks >= PATIENCE_LOOKS) or late >= LONGEST_SECONDS - PATIENCE_SECONDS:
            self._under_way = self._seen = None
            return True
        if self._under_way is not None and not self._under_way._stop_propagation:
            return False
        return self._seen is None or self._has_opened()

    def _has_opened(self) -> bool:
        screen, focused = self._app.screen, self._app.screen.focused
        moved = focused is not None and (screen, focused) != self._seen
        if moved or (self._worker is not None and self._worker.is_finished):
            self._seen = None
            return True
        return False


def _now() -> float:
    return asyncio.get_running_loop().time()
