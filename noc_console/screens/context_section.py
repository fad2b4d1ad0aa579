"""The context of an incident: what else happened, what changed, what was alike, who and what is hit, how it stands.

Owns how its categories are told. Never gathers: the engine does, each time that it is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from engine.client import Query
from noc_console import words
from noc_console.reading import Reading
from noc_console.safe_text import Safe, safe_text, wrap
from noc_console.screens.detail_sections import TextSection
from noc_console.widgets.piece import Line, Piece

#: Category → its heading, and what is said when it is empty.
_CATEGORIES = {
    "related_alerts": ("Related alerts", "none of the last half hour at the same place or of the same kind"),
    "recent_changes": ("Recent changes", "nobody changed anything here in 4 hours"),
    "similar_incidents": ("Similar past incidents", "none of 90 days is like it"),
    "affected_resources": ("Affected", "nothing that is known by name"),
    "current_state": ("State now", "nothing is known of the place"),
}


class ContextSection(TextSection):
    """Five categories, each item with the reason why it is there."""

    name, key, label, empty = "context", "e", "Context", "no context could be gathered"

    def ask(self, incident: int) -> None:
        query = Query(kind="incidents/{id}/context", params={"id": incident})
        self.reading = Reading(self.desk.client, query)

    def count(self) -> str:
        found = sum(len(row.get("items", ())) for row in self.rows())
        return str(found) if found else ""

    def remark(self) -> str:
        return f"{words.many(int(self.count()), 'item')}, e gathers anew" if self.count() else ""

    def lines(self, cells: int) -> list[Line]:
        lines: list[Line] = []
        for row in self.rows():
            category, items = str(row.get("category", "")), row.get("items", ())
            title, nothing = _CATEGORIES.get(category, (category.replace("_", " "), "nothing"))
            count = f"  {len(items)}" if items else ""
            lines.append([Piece(safe_text(f" {title}"), "title"), Piece(Safe(count), "dim")])
            for item in items:
                lines += self._item(item, cells)
            if not items:
                lines.append([Piece(Safe("   ")), Piece(Safe(nothing), "dim")])
        return lines

    def _item(self, item: Mapping[str, Any], cells: int) -> list[Line]:
        """What, and below it why; how a past one ended."""
        at = msgspec.convert(item["at"], datetime) if item.get("at") is not None else None
        head = f"{words.age(at, self.desk.clock.now()):>5} " if at else "      "
        name = f"{_number(str(item.get('subject', '')))} " if item.get("subject") else ""
        told = wrap(self.desk.names.words(f"{name}{item.get('what', '')}"), max(20, cells - len(head) - 1))
        lines: list[Line] = [[Piece(Safe(head), "dim"), Piece(told[0], "strong")]]
        lines += [[Piece(Safe(" " * len(head))), Piece(part, "strong")] for part in told[1:]]
        because = str(item.get("reason") or "no reason given")
        if "resolved" in item:
            by = f" by {item['by']}" if item.get("by") else ""
            because += f"; resolved {item['resolved']}{by} in {item.get('took', '?')}"
        for part in wrap(safe_text(because), max(20, cells - len(head) - 3)):
            lines.append([Piece(Safe(" " * (len(head) + 2))), Piece(part, "dim")])
        return lines


def _number(subject: str) -> str:
    kind, _, number = subject.partition(":")
    letter = {"incident": "I-", "alert": "A-"}.get(kind)
    return f"{letter}{number}" if letter else subject
