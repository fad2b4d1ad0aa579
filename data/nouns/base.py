"""What a kind of record declares of itself, and how a record answers to it. Never holds a kind itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from msgspec import Struct

from data.records import RANK, Severity

#: Parts the sites of a record that has several, in its column.
SITE_MARK = "\x1f"


class Noun(Struct, frozen=True, kw_only=True):
    """One kind.

    `kind` is plural: path of the API and `Query.kind`; `subject` is singular: "ticket:17" names one on the feed.
    `event` is the kind of change that each write announces, "" for none. `capability` opens lists, items and changes.
    `at`, `site`, `sites`, `entity`, `state`, `value`, `severity`, `incident` name the attributes that get a column, ""
    where there is none: `at` is what lists are sorted and forgotten by (required), `value` a number to sort by.
    `states` are all its words of state, `over` those in which it is over. `held`: kept in memory while not over.
    `settled` names an attribute that says of a record which is over that no late news of it are waited for any more:
    until then it counts as not over; "" = at once.
    `narrowed` takes a record and the sites of a reader who may see only those, and leaves out what is of others.
    `keep_days`: after its `at`, once it is over; None = for ever.
    """

    kind: str
    subject: str
    record: type[Struct]
    words: str
    at: str
    event: str = ""
    capability: str = "noc:view"
    site: str = ""
    sites: str = ""
    entity: str = ""
    state: str = ""
    value: str = ""
    severity: str = ""
    incident: str = ""
    states: tuple[str, ...] = ()
    over: frozenset[str] = frozenset()
    settled: str = ""
    held: bool = True
    keep_days: float | None = None
    narrowed: Callable[[Any, frozenset[str]], Any] | None = None

    def is_over(self, record: Any) -> bool:
        if not self.state or getattr(record, self.state) not in self.over:
            return False
        return not self.settled or bool(getattr(record, self.settled))

    def site_of(self, record: Any) -> str:
        """Where it is; of several sites the first."""
        if self.sites:
            found = getattr(record, self.sites)
            return str(found[0]) if found else ""
        return str(getattr(record, self.site)) if self.site else ""

    def site_column(self, record: Any) -> str:
        """The site, or all of them between marks."""
        if not self.sites:
            return self.site_of(record)
        found = getattr(record, self.sites)
        return SITE_MARK + SITE_MARK.join(found) + SITE_MARK if found else ""

    def state_of(self, record: Any) -> str:
        return str(getattr(record, self.state)).lower() if self.state else ""

    def rank_of(self, record: Any) -> int:
        """The rank of its severity, 0 where the kind has none."""
        return RANK[Severity(getattr(record, self.severity))] if self.severity else 0

    def value_of(self, record: Any) -> float:
        return float(getattr(record, self.value) or 0.0) if self.value else 0.0

    def incident_of(self, record: Any) -> int | None:
        return getattr(record, self.incident) if self.incident else None

    def time_of(self, record: Any) -> datetime:
        found: datetime = getattr(record, self.at)
        return found
