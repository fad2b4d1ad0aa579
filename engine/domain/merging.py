"""Merging news into records so that the order of arrival does not matter: newer wins, group by group.

Owns the comparison of event times. Of two events of the same time the greater text wins, so that both orders end alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec
from msgspec import structs

T = TypeVar("T", bound=msgspec.Struct)

#: News of what is over are expected for so long; then the record settles and leaves memory.
LATENESS = timedelta(hours=24)


def is_news(stamps: Mapping[str, datetime], group: str, at: datetime, old: Any, new: Any) -> bool:
    """Whether `new`, said at `at`, replaces `old`, which was said at the group's stamp."""
    known = stamps.get(group)
    return known is None or at > known or (at == known and str(new) > str(old))


def patched(record: T, said_at: datetime, values: Mapping[str, Any], /, **more: Any) -> T:
    """The record with those values that are newer than what it has. `more` is set as it stands. Returns the record
    itself when nothing is new."""
    stamps: dict[str, datetime] = record.stamps  # type: ignore[attr-defined]
    changed: dict[str, Any] = {}
    marks: dict[str, datetime] | None = None
    for name, value in values.items():
        if is_news(stamps, name, said_at, getattr(record, name), value):
            marks = marks if marks is not None else dict(stamps)
            marks[name] = said_at
            changed[name] = value
    for name, value in more.items():
        if getattr(record, name) != value:
            changed[name] = value
    if marks is None:
        return structs.replace(record, **changed) if changed else record
    return structs.replace(record, stamps=marks, **changed)


def replaces(old: Any, new: Any) -> bool:
    """Whether a whole record of master data takes the place of the one that is known; times are in `at`."""
    if old is None or not old.verified or new.at > old.at:
        return True
    return bool(new.at == old.at and str(new) > str(old))


def earliest(*moments: datetime | None) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)


def latest(*moments: datetime | None) -> datetime | None:
    return max((moment for moment in moments if moment is not None), default=None)


def newest(known: tuple[T, ...], more: T, limit: int) -> tuple[T, ...]:
    """`known` with one more, each once, in order, only the last `limit`: whatever the order of arrival."""
    if more in known:
        return known
    return tuple(sorted((*known, more), key=_order))[-limit:]


def newest_times(known: tuple[datetime, ...], more: datetime, limit: int) -> tuple[datetime, ...]:
    """The same for bare times."""
    if more in known:
        return known
    return tuple(sorted((*known, more)))[-limit:]


def _order(item: Any) -> tuple[datetime, str]:
    return item.at, str(item)
