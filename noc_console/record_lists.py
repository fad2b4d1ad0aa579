"""Lists of records that pages watch: tickets, approvals, predictions … kept by id as the feed tells of them.

A page names what it wants as `Watch`es. What is wanted is read once, then kept up by the feed's changes, and read anew
after a resync. Bounded: each list holds the newest `cap` records. Never asks the engine itself; `feed.Feed` does.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from data.records import Change
from noc_console.safe_text import Safe

if TYPE_CHECKING:
    from data.nouns import Noun

WATCH_CAP = 2_000
#: A list may grow by this share of its cap before the oldest are dropped, so that not every change sorts it.
SLACK = 0.1
_NOTHING = b"null"


class Watch(Struct, frozen=True, kw_only=True):
    """One list: a kind of `data.nouns` ("tickets"), the query's text, and whether only what is not over is wanted.

    `q` is the query language; changes are tested against it here as the engine tests its rows.
    """

    kind: str
    q: str = ""
    active: bool | None = True
    cap: int = WATCH_CAP


class RecordList:
    """What is known of one Watch. `records` by id; `problem` says why the last reading failed, "" = it did not.

    `unknown`: the engine has no such kind. `truncated`: there are more than are held.
    """

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.records: dict[str, Any] = {}
        self.loaded = False
        self.wanted = False
        self.truncated = False
        self.unknown = False
        self.problem = Safe("")

    def rows(self) -> list[Any]:
        """Newest first."""
        at = noun_of(self.watch.kind).at
        return sorted(self.records.values(), key=lambda record: getattr(record, at), reverse=True)

    def load(self, records: Iterable[Any], *, truncated: bool) -> None:
        self.records = {record.id: record for record in records}
        self.loaded, self.truncated, self.unknown, self.problem = True, truncated, False, Safe("")

    def fail(self, problem: Safe, *, unknown: bool) -> None:
        self.problem, self.unknown = problem, unknown

    def fold(self, number: str, record: Any | None, keeps: bool) -> bool:
        """One change; true when the list is another one now."""
        if record is None or not keeps:
            return self.records.pop(number, None) is not None
        self.records[number] = record
        if len(self.records) > self.watch.cap * (1 + SLACK):
            self.records = {kept.id: kept for kept in self.rows()[: self.watch.cap]}
            self.truncated = True
        return True


class RecordLists:
    """All lists of one console. `want` is told what the pages that are open need; the feed reads and folds."""

    def __init__(self) -> None:
        self._lists: dict[Watch, RecordList] = {}

    def of(self, watch: Watch) -> RecordList:
        """The list; an empty one that is not loaded when nobody wanted it yet."""
        found = self._lists.get(watch)
        if found is None:
            found = self._lists[watch] = RecordList(watch)
        return found

    def want(self, watches: Iterable[Watch]) -> bool:
        """From now on these and no others are kept up; true when some have to be read."""
        wanted = {self.of(watch).watch for watch in watches}
        for watch, found in self._lists.items():
            if found.wanted and watch not in wanted:
                found.loaded = False  # it grows old from here on; what it holds is shown until it is read again
            found.wanted = watch in wanted
        return bool(self.unread())

    def wanted(self) -> list[RecordList]:
        return [found for found in self._lists.values() if found.wanted]

    def unread(self) -> list[RecordList]:
        return [found for found in self.wanted() if not found.loaded and not found.unknown]

    def fold(self, change: Change) -> dict[str, set[str]]:
        """Fold a change into the lists that want it → kind → ids of what changed."""
        subject, _, number = change.subject.partition(":")
        touched: dict[str, set[str]] = {}
        for found in self._lists.values():
            if found.wanted and found.loaded and noun_of(found.watch.kind).subject == subject:
                record = _record(found.watch.kind, change)
                if found.fold(number, record, record is not None and _keeps(found.watch, record, change)):
                    touched.setdefault(found.watch.kind, set()).add(number)
        return touched


@lru_cache(maxsize=128)
def noun_of(kind: str) -> Noun:
    """The kind's declaration. Raises KeyError. Imported on first use, so that the first frame does not pay for it."""
    from data.nouns import NOUNS

    return NOUNS[kind]


@lru_cache(maxsize=128)
def _decoder(kind: str) -> Any:
    return msgspec.json.Decoder(noun_of(kind).record)


def _record(kind: str, change: Change) -> Any | None:
    return None if bytes(change.record) == _NOTHING else _decoder(kind).decode(change.record)


def _keeps(watch: Watch, record: Any, change: Change) -> bool:
    if watch.active is not None and noun_of(watch.kind).is_over(record) is watch.active:
        return False
    if not watch.q:
        return True
    from noc_console.filter import read_filter

    test = read_filter(watch.q)
    return test is None or test(change.at)(record)
