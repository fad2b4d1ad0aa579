"""The minute in which one more piece of what the detectors have learned is written down.

Owns the pieces. A restart takes them back with the first sample (`detection`, `device_scores`): after a power cut the
last minutes are missing, which is no more than a gap in the data. Never writes more than two pieces at a time.
"""

from __future__ import annotations

from zlib import crc32

from data.nouns.samples import DetectorState
from data.records import TenantId
from engine.book import Draft
from engine.domain import detection, device_scores
from engine.domain.registry import every

EVERY_SECONDS = 60.0
#: Series and devices in a piece, at most 6 KiB each, devices more by the square of their metrics.
PIECE = 64


@every(EVERY_SECONDS)
def keep_detectors(draft: Draft) -> None:
    turn = int(draft.now.timestamp() // EVERY_SECONDS)
    numbers = detection.numbers_of(draft)
    if numbers:
        _keep_series(draft, turn % -(-len(numbers) // PIECE))
    watched = device_scores.watched_so_far(draft)
    if watched:
        pieces = -(-len(watched) // PIECE)
        _keep_devices(draft, turn % pieces, pieces)


def _keep_series(draft: Draft, piece: int) -> None:
    detector = detection.detector_of(draft)
    rows: dict[TenantId, list[tuple[str, int]]] = {}
    for tenant, id, number in detection.kept_series(draft, piece * PIECE, PIECE):
        rows.setdefault(tenant, []).append((id, number))
    for tenant, found in rows.items():
        names = tuple(id for id, _ in found)
        _put(draft, tenant, ("series", piece), names, detector.saved([number for _, number in found]))


def _keep_devices(draft: Draft, piece: int, pieces: int) -> None:
    rows: dict[TenantId, dict[str, device_scores.Watched]] = {}
    for (tenant, device), of in device_scores.watched_so_far(draft).items():
        if crc32(device.encode("utf-8", "replace")) % pieces == piece:
            rows.setdefault(tenant, {})[device] = of
    for tenant, found in rows.items():
        _put(draft, tenant, ("devices", piece), tuple(found), device_scores.kept(found.values()))


def _put(draft: Draft, tenant: TenantId, place: tuple[str, int], names: tuple[str, ...], state: bytes) -> None:
    table, piece = place
    id = f"{table}/{piece}"
    before: DetectorState | None = draft.book.nouns["detector_states"].get((tenant, id))
    if before is None or (before.names, before.state) != (names, state):
        record = DetectorState(tenant=tenant, id=id, at=draft.now, table=table, names=names, state=state)
        draft.put_noun(record, announce=False)
