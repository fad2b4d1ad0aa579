"""What is kept up on every page: questions of playbooks that wait for an answer, and the switch that stops them all.

Owns these two lists, their order, and when a question rings. An expiry is computed from the stored time: what has
expired does not wait any more, whether or not the engine has said so. Never decides anything.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from noc_console.bell import SPACING
from noc_console.mirror import Dirty, Mirror
from noc_console.record_lists import Watch

if TYPE_CHECKING:
    from data.nouns.playbooks import Approval, KillSwitch

WAITING = Watch(kind="approvals")
SWITCHES = Watch(kind="kill_switches")
STANDING = (WAITING, SWITCHES)
#: A question that ends within this time rings once more.
LAST_CALL = timedelta(seconds=60)


def waiting(mirror: Mirror, now: datetime) -> list[Approval]:
    """Open questions, the first to expire on top; those that do not expire after them, oldest first."""
    found = [one for one in mirror.lists.of(WAITING).records.values() if is_waiting(one, now)]
    return sorted(found, key=_first_to_expire)


def is_waiting(approval: Approval, now: datetime) -> bool:
    return approval.state == "open" and (approval.expires_at is None or approval.expires_at > now)


def stopped(mirror: Mirror) -> KillSwitch | None:
    """The kill switch, while it is on."""
    return next((one for one in mirror.lists.of(SWITCHES).records.values() if one.state == "on"), None)


def seconds_left(approvals: list[Approval], now: datetime) -> float | None:
    """Until the first of them expires."""
    ends = [one.expires_at for one in approvals if one.expires_at is not None]
    return (min(ends) - now).total_seconds() if ends else None


def _first_to_expire(approval: Approval) -> tuple[bool, datetime, str]:
    at = approval.expires_at
    return (at is None, at or approval.at, approval.id)


class WaitingBell:
    """Rings once when a question comes and once in its last minute, at most once a minute. Call `due` on every look.

    What waits when the console opens is on the screen and does not ring before its last minute.
    """

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._told: set[tuple[str, str, bool]] | None = None
        self._rang_at: datetime | None = None

    def due(self, dirty: Dirty, now: datetime) -> list[Approval]:
        """The questions to ring for now; empty for silence."""
        if not self._mirror.lists.of(WAITING).loaded:
            return []
        calls = {(one.id, one.plan_sha256, _is_last(one, now)): one for one in waiting(self._mirror, now)}
        if self._told is None:
            self._told = {call for call in calls if not call[2]}
        self._told &= calls.keys()
        fresh = [one for call, one in calls.items() if call not in self._told]
        if not fresh or (self._rang_at is not None and now - self._rang_at < SPACING):
            return []
        self._told, self._rang_at = set(calls), now
        return fresh


def _is_last(approval: Approval, now: datetime) -> bool:
    return approval.expires_at is not None and approval.expires_at - now <= LAST_CALL
