"""Acts on silences that hold: extend, end now, read. Mix in where a SilencesPane is shown."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from data.records import Silence
from noc_console.dialogs.facts import FactsDialog
from noc_console.dialogs.words import WordsDialog
from noc_console.durations import read_minutes
from noc_console.safe_text import Safe, safe_text
from noc_console.screens.acting import Acting
from noc_console.screens.silence_rows import matchers_text

if TYPE_CHECKING:
    from noc_console.screens.silences_pane import SilencesPane


class SilenceActs(Acting):
    """`silences_pane` is the pane whose rows are meant."""

    silences_pane: SilencesPane

    async def do_silence_extend(self) -> None:
        """From its end on, by what is typed; or until a time."""
        chosen = self.silences_pane.chosen()
        if not chosen:
            self.desk.say(Safe("extend: no silence under the cursor"), "warn")
            return
        title = Safe(f"Extend {_names(chosen)}")
        text = await self.show(WordsDialog(title, "by", "1h", hint="30m, 2h, 1d or until 18:30 (UTC)"))
        if not text:
            return
        try:
            minutes = read_minutes(text, self.desk.clock.now())
        except ValueError as error:
            self.desk.say(safe_text(f"extend: {error}"), "warn")
            return
        until = ":" in text
        for silence in chosen:
            await self._extend(silence, minutes, until=until)
        await self.silences_pane.read()

    async def _extend(self, silence: Silence, minutes: int, *, until: bool) -> None:
        start = self.desk.clock.now() if until else silence.ends_at
        params = {
            "id": silence.id,
            "matchers": matchers_text(silence.matchers),
            "starts_at": silence.starts_at.isoformat(),
            "ends_at": (start + timedelta(minutes=minutes)).isoformat(),
            "comment": silence.comment,
            "ticket": silence.ticket,
            "created_by": silence.created_by,
            "annotations": silence.annotations,
        }
        ends = start + timedelta(minutes=minutes)
        if await self.desk.acts.send("silence", (), params, quiet=True) is not None:
            words = f"{matchers_text(silence.matchers)} silenced until {ends:%d %b %H:%M}Z"
            self.desk.say(safe_text(words), "ok")

    async def do_silence_expire(self) -> None:
        chosen = self.silences_pane.chosen()
        if not chosen:
            self.desk.say(Safe("end: no silence under the cursor"), "warn")
            return
        lines = [safe_text(f"{matchers_text(found.matchers)}, by {found.created_by or '-'}") for found in chosen[:6]]
        lines.append(Safe("What it mutes is heard again at once. This has no undo; S makes a new one."))
        if await self.yes(Safe(f"End {_names(chosen)} now?"), lines, Safe("End")):
            await self.desk.acts.send("expire_silence", [f"silence:{silence.id}" for silence in chosen])
            await self.silences_pane.read()

    async def look_at_silence(self, key: str) -> None:
        silence = self.silences_pane.silences.get(key)
        if silence is not None:
            await self.show(FactsDialog(Safe("Silence"), self.silences_pane.told(silence)))


def _names(silences: list[Silence]) -> str:
    return "this silence" if len(silences) == 1 else f"{len(silences)} silences"
