"""Renders alerts for the Alertmanager API before anybody asks, while nothing else is to be done.

Owns when: no new alert for a second, two milliseconds of every twenty, and it stops as soon as one arrives. Owns no
picture: that is `engine.alertmanager_view.AlertBoard`'s, which renders what is missing when it is asked too early.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from data.records import Alert, AlertId, TenantId
from engine.alertmanager_view import AlertBoard
from engine.ports import Clock
from engine.service import Board

QUIET_SECONDS = 1.0
#: Between two steps: a thread that never rests takes the interpreter from the one that commits, row by row.
REST_SECONDS = 0.018


class Warming:
    """One tenant's alerts. Costs one look a second at the newest alert when there is nothing to do."""

    def __init__(self, clock: Clock, source: Board, tenant: TenantId, board: AlertBoard) -> None:
        self._clock, self._source, self._tenant, self._board = clock, source, tenant, board
        self._newest: AlertId | None = None
        self._done: AlertId | None = None

    async def run(self) -> None:
        while True:
            await self._clock.sleep(QUIET_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Once: render what is missing if no alert is newer than at the last look."""
        alerts = self._source.alerts(self._tenant)
        newest = _newest(alerts)
        quiet, self._newest = newest == self._newest, newest
        if not quiet or newest is None or newest == self._done:
            return
        for _ in self._board.warm(list(alerts.values())):
            await self._clock.sleep(REST_SECONDS)
            if _newest(self._source.alerts(self._tenant)) != newest:
                return
        self._done = newest


def _newest(alerts: Mapping[AlertId, Alert]) -> AlertId | None:
    """The board keeps them in the order in which they came."""
    return next(reversed(cast("dict[AlertId, Alert]", alerts)), None)
