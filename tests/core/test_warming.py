"""Rendering ahead waits for quiet, stops when an alert arrives, and does nothing the second time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from data.records import DEFAULT_TENANT, Alert, AlertId, Silence, TenantId
from engine.alertmanager_view import AlertBoard
from engine.api.warming import Warming
from tests.fakes.still_clock import StillClock
from tests.fakes.stored import alert


class _Board:
    """Active alerts of one tenant."""

    def __init__(self) -> None:
        self.active: dict[AlertId, Alert] = {}

    def add(self, number: int) -> None:
        self.active[AlertId(number)] = alert(number)

    def alerts(self, tenant: TenantId) -> Mapping[AlertId, Alert]:
        return self.active if tenant == DEFAULT_TENANT else {}

    def silences(self, tenant: TenantId) -> Mapping[str, Silence]:
        return {}


class _Noting(AlertBoard):
    """Notes what it was asked to render; an alert arrives in the middle when it was told so."""

    def __init__(self, source: _Board) -> None:
        super().__init__()
        self.asked: list[int] = []
        self.finished = 0
        self.arriving: int | None = None
        self._source = source

    def warm(self, alerts: Sequence[Alert]) -> Iterator[None]:  # type: ignore[override]
        self.asked.append(len(alerts))
        if self.arriving is not None:
            self._source.add(self.arriving)
        yield
        yield from super().warm(alerts)
        self.finished += 1


def _parts() -> tuple[_Board, _Noting, Warming]:
    source = _Board()
    board = _Noting(source)
    return source, board, Warming(StillClock(), source, DEFAULT_TENANT, board)


async def test_it_waits_until_no_alert_has_come_for_a_while() -> None:
    source, board, warming = _parts()
    for number in (1, 2):
        source.add(number)
        await warming.look()
    assert board.asked == []
    await warming.look()
    assert board.asked == [2]


async def test_what_is_done_is_done() -> None:
    source, board, warming = _parts()
    source.add(1)
    for _ in range(4):
        await warming.look()
    assert board.asked == [1]
    assert board.finished == 1


async def test_an_arriving_alert_stops_it_and_it_comes_back() -> None:
    source, board, warming = _parts()
    source.add(1)
    await warming.look()
    board.arriving = 2
    await warming.look()
    assert board.finished == 0
    board.arriving = None
    await warming.look()
    await warming.look()
    assert board.asked == [1, 2]
    assert board.finished == 1


async def test_nothing_active_is_nothing_to_do() -> None:
    source, board, warming = _parts()
    source.add(1)
    source.active.clear()
    await warming.look()
    await warming.look()
    assert board.asked == []
