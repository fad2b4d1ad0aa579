"""The silences that hold or will hold: listed, counted, told in full. Never makes one; `S` on what it is for does."""

from __future__ import annotations

from typing import Any

from data.records import Silence
from engine.client import Query, Refused, Unreachable
from noc_console import words
from noc_console.actions import bindings_for
from noc_console.desk import Desk
from noc_console.reading import Reading
from noc_console.safe_text import Safe, safe_text
from noc_console.screens.log_panes import PAGE, LogPane
from noc_console.screens.silence_rows import SILENCE_COLUMNS, SilenceRows, matchers_text
from noc_console.widgets.line_table import LineTable
from noc_console.widgets.pane import PaneState, text_lines
from noc_console.widgets.piece import Piece

#: Silences whose hits are counted at each reading: each is one question to the engine.
COUNTED_MOST = 50


class SilencesTable(LineTable[str]):
    """Its keys extend and end a silence."""

    BINDINGS = bindings_for("table", "silence")
    SCOPES = ("table", "silence")


class SilencesPane(LogPane):
    name, key, label, every = "silences", "S", "Silences", 10.0

    def __init__(self, desk: Desk) -> None:
        self.silences: dict[str, Silence] = {}
        self.hits: dict[str, int] = {}
        self.table = SilencesTable(SILENCE_COLUMNS, SilenceRows(desk, self.silences, self.hits), sort="left")
        super().__init__(desk, self.table)
        self._reading = Reading(desk.client, Query(kind="silences", active=True, limit=PAGE, total=True))

    async def read(self) -> None:
        await self._reading.load()
        self.draw()
        for silence in self._reading.rows[:COUNTED_MOST]:
            await self._count(silence)
        self.draw()

    async def _count(self, silence: Silence) -> None:
        try:
            page = await self.desk.client.query(Query(kind="preview", q=matchers_text(silence.matchers)))
        except (Refused, Unreachable):
            self.hits.pop(silence.id, None)
        else:
            self.hits[silence.id] = page.items[0].get("alerts", 0)

    def draw(self) -> None:
        if self.failed(self._reading):
            return
        now = self.desk.clock.now()
        self.silences.clear()
        self.silences.update({silence.id: silence for silence in self._reading.rows if silence.ends_at > now})
        self.table.set_keys(self.silences)
        self.table.live(sorting_changed=True)
        keys = (("enter", " read  "), ("e", " extend  "), ("x", " end now"))
        note = [piece for key, what in keys for piece in (Piece(Safe(key), "key"), Piece(Safe(what), "dim"))]
        muted = self.desk.mirror.health.silenced if self.desk.mirror.health else 0
        said = f"{words.many(muted, 'alert')} silenced now  "
        self.retitle(Safe("Silences"), [Piece(Safe(said), "strong" if muted else "dim"), *note])
        if self.silences:
            self.ready()
        else:
            empty = text_lines("", "No silence holds. S on an incident or an alert makes one, with a preview.")
            self.page(PaneState.EMPTY, empty)

    def badge(self) -> str:
        return f"{len(self.silences):,}" if self.silences else ""

    def chosen(self) -> list[Silence]:
        found = (self.silences.get(key) for key in self.table.targets)
        return [silence for silence in found if silence is not None]

    def told(self, silence: Silence) -> list[tuple[str, Safe]]:
        """All that is known of one, label and words."""
        rows: dict[str, Any] = {
            "matchers": matchers_text(silence.matchers),
            "by": silence.created_by or "-",
            "why": silence.comment or "-",
            "ticket": silence.ticket or "-",
            "from": f"{silence.starts_at:%Y-%m-%d %H:%M}Z",
            "until": f"{silence.ends_at:%Y-%m-%d %H:%M}Z",
            "hits now": words.many(self.hits[silence.id], "alert") if silence.id in self.hits else "not counted",
            "id": silence.id,
        }
        return [(label, safe_text(str(value))) for label, value in rows.items()]
