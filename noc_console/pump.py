"""Live frames: drains the mirror twice a second and hands what changed to the screen, paced by the terminal's answers.

After each live frame the terminal is asked where its cursor is (ESC[6n). The answer comes behind everything that was
drawn, so a frame that is not answered is still on its way: the next one waits. A slow link then shows fewer frames
instead of older ones, and keys stay quick. Never touches widgets itself.
"""

from __future__ import annotations

from collections.abc import Callable

from noc_console.mirror import Dirty, Mirror

ASK_CURSOR = "\x1b[6n"
FRAMES_PER_SECOND = 2.0
MOST_FRAMES_PER_SECOND = 4.0
GIVE_UP_SECONDS = 10.0
SLOW_PERIOD_SECONDS = 5.0
SLOW_RTT_SECONDS = 1.0


class Pacer:
    """Whether the next live frame may be drawn; all times monotonic seconds."""

    def __init__(self) -> None:
        self.rtt: float | None = None
        self._asked_at: float | None = None
        self._painted_at = float("-inf")

    def may_paint(self, now: float) -> bool:
        if self._asked_at is None:
            return True
        return now - self._asked_at >= GIVE_UP_SECONDS and now - self._painted_at >= SLOW_PERIOD_SECONDS

    def painted(self, now: float) -> bool:
        """A frame is on its way; true when the terminal is to be asked (one question at a time)."""
        self._painted_at = now
        if self._asked_at is not None:
            return False
        self._asked_at = now
        return True

    def answered(self, now: float) -> None:
        if self._asked_at is not None:
            self.rtt = now - self._asked_at
            self._asked_at = None

    def unanswered(self, now: float) -> bool:
        return self._asked_at is not None and now - self._asked_at >= GIVE_UP_SECONDS

    def slow(self, now: float) -> bool:
        return self.unanswered(now) or (self.rtt is not None and self.rtt >= SLOW_RTT_SECONDS)


class Pump:
    """Calls `paint(dirty)` at most `frames` times a second while the pacer allows; what waits is merged, not queued."""

    def __init__(
        self,
        mirror: Mirror,
        paint: Callable[[Dirty], None],
        ask: Callable[[], None],
        monotonic: Callable[[], float],
    ) -> None:
        self._mirror, self._paint, self._ask, self._monotonic = mirror, paint, ask, monotonic
        self.pacer = Pacer()
        self.frames = FRAMES_PER_SECOND
        self.acknowledges = True
        self.held = Dirty()
        #: Told of all news when they come, also while nothing is drawn.
        self.heard: Callable[[Dirty], None] = lambda dirty: None
        self.frozen_at: float | None = None
        self._painted_at = float("-inf")
        self._hurry_until = float("-inf")

    def tick(self) -> None:
        """Called on a timer at twice the frame rate; draws when it is time and allowed."""
        now = self._monotonic()
        self._drain()
        if now - self._painted_at < 0.9 / self.frames:
            return
        self._frame(now)

    def hurry(self) -> None:
        """An operator acted: draw what comes of it at once, not at the next tick."""
        self._hurry_until = self._monotonic() + 1.0

    def arrived(self) -> None:
        """The feed brought something."""
        now = self._monotonic()
        if now < self._hurry_until:
            self._hurry_until = float("-inf")
            self._drain()
            self._frame(now)

    def freeze(self) -> bool:
        """Stop drawing news while the mirror goes on, or draw all that was held. Returns whether it is frozen now."""
        now = self._monotonic()
        self.frozen_at = now if self.frozen_at is None else None
        self._frame(now)
        return self.frozen_at is not None

    def _drain(self) -> None:
        dirty = self._mirror.drain()
        self.held = self.held.merge(dirty)
        self.heard(dirty)

    def _frame(self, now: float) -> None:
        if self.frozen_at is not None or (self.acknowledges and not self.pacer.may_paint(now)):
            return
        dirty, self.held = self.held, Dirty()
        self._painted_at = now
        self._paint(dirty)
        if dirty and self.acknowledges and self.pacer.painted(now):
            self._ask()
