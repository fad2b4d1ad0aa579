"""Acts that are hard to take back: resolve, close, merge, split, silence. Each says what will happen first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from data.records import RANK, Incident, Matcher
from engine.client import Query
from noc_console import words
from noc_console.acts import names
from noc_console.dialogs.merge import MergeDialog
from noc_console.dialogs.split import SplitDialog
from noc_console.reading import Reading
from noc_console.safe_text import Safe, safe_text
from noc_console.screens.acting import Acting

if TYPE_CHECKING:
    from noc_console.directory import Directory
    from noc_console.screens.silence_proposals import Subject


class GraveActs(Acting):
    # the end of an incident

    async def do_incident_resolve(self, argument: str) -> None:
        await self._end("resolve", argument)

    async def do_incident_close(self, argument: str) -> None:
        await self._end("close", argument)

    async def _end(self, verb: str, argument: str) -> None:
        targets, note = self.meant(verb, argument)
        if not targets:
            self.desk.say(Safe(f"{verb}: nothing under the cursor to do it to"), "warn")
            return
        targets = await self.present(verb, targets)
        if not targets:
            return
        title = Safe(f"{verb.capitalize()} {names(targets)}?")
        lines = _end_words(self.known(targets), len(targets), self.desk.names)
        if await self.yes(title, lines, Safe(verb.capitalize())):
            result = await self.desk.acts.send(verb, targets, {"note": note} if note else {})
            if result is not None:
                self.acted()

    def known(self, targets: Sequence[str]) -> list[Incident]:
        """The incidents of these names that the console has."""
        numbers = (name.partition(":")[2] for name in targets if name.startswith("incident:"))
        found = (self.desk.mirror.incident(int(number)) for number in numbers)
        return [incident for incident in found if incident is not None]

    # what belongs together

    async def do_incident_merge(self, argument: str) -> None:
        """The marked incidents, or those named; the worst of them is proposed to stay."""
        targets = await self.present("merge", self.merge_targets(argument))
        incidents = self.known(targets)
        if not targets and self.merge_targets(argument):
            return
        if len(incidents) < 2:
            self.desk.say(Safe("merge: mark two or more with space first"), "warn")
            return
        incidents.sort(key=lambda incident: (-RANK[incident.severity], -incident.priority, incident.id))
        stays = await self.show(MergeDialog(incidents, self.desk.clock.now()))
        if stays is None:
            return
        rest = [f"incident:{incident.id}" for incident in incidents if incident.id != stays]
        if await self.desk.acts.send("merge", [f"incident:{stays}", *rest]):
            self.acted()

    def merge_targets(self, argument: str) -> list[str]:
        """Names of the incidents that are meant."""
        chosen = [f"incident:{incident.id}" for incident in self.incident_targets()]
        named, _ = self.meant("merge", " ".join(_as_name(word) for word in argument.split()))
        return [*chosen[:1], *(name for name in named if name not in chosen[:1])] if argument else chosen

    async def do_incident_split(self) -> None:
        targets = self.split_targets()
        refused = self._cannot_split(targets)
        if refused:
            self.desk.say(safe_text(f"split: {refused}"), "warn")
            return
        if targets:
            lines = (Safe("They become an incident with its own number. u undoes it for 10 min."),)
            if not await self.yes(Safe(f"Split off {names(targets)}?"), lines, Safe("Split")):
                return
        else:
            found = self.incident_targets()
            if not found:
                self.desk.say(Safe("split: no incident under the cursor"), "warn")
                return
            chosen = await self.show(SplitDialog(found[0]))
            targets = [f"alert:{number}" for number in chosen or ()]
        if targets and await self.desk.acts.send("split", targets):
            self.acted()

    def _cannot_split(self, targets: Sequence[str]) -> str:
        """Why nothing can be parted here; "" when it can."""
        for incident in self.incident_targets():
            if incident.alerts < 2:
                return f"{words.number(incident.id)} has one alert only, there is nothing to part"
        leave, incidents = sum(map(self.alerts_of, targets)), self.incident_targets()
        if len(incidents) == 1 and targets and leave >= incidents[0].alerts:
            return f"these are all alerts of {words.number(incidents[0].id)}; leave at least one behind"
        return ""

    def alerts_of(self, target: str) -> int:
        """How many alerts it stands for."""
        return 1

    def split_targets(self) -> list[str]:
        """Alerts or clusters that are marked already; none = ask."""
        return []

    # silence

    async def do_incident_silence(self, argument: str) -> None:
        from noc_console.dialogs.silence import SilenceDialog
        from noc_console.screens.silence_proposals import likeliest, proposals

        first = argument or self.proposed_matchers()
        subject = await self._subject()
        others = proposals(first, subject.alerts) if subject is not None else ()
        if not argument and subject is not None:
            first = likeliest(others, subject.alerts)
        wanted = await self.show(SilenceDialog(first, subject=subject, proposals=others))
        if wanted is not None:
            params = {"matchers": wanted.matchers, "minutes": wanted.minutes, "comment": wanted.comment}
            if await self.desk.acts.send("silence", (), params):
                self.acted()

    async def _subject(self) -> Subject | None:
        """The one incident under the cursor with its active alerts; None for none, several, or no answer."""
        from noc_console.screens.silence_proposals import Subject

        found = self.incident_targets()
        if len(found) != 1:
            return None
        reading = Reading(self.desk.client, Query(kind="alerts", incident=found[0].id, active=True, limit=1000))
        await reading.load()
        return Subject(words.number(found[0].id), reading.rows, reading.more) if reading.rows else None

    def proposed_matchers(self) -> str:
        """Matchers that hit what is under the cursor: of an incident its alert name and site."""
        found = self.incident_targets()
        if not found:
            return ""
        name = found[0].names[0] if found[0].names else ""
        return matchers_of({"alertname": name, "site": found[0].site})


def matchers_of(labels: dict[str, str]) -> str:
    """Labels as matchers; those without a value are left out."""
    # It brings the regular expressions along, which no first frame pays for.
    from data.matchers import matcher_text

    made = (Matcher(name=name, value=value) for name, value in labels.items() if value)
    return ", ".join(map(matcher_text, made))


def _as_name(word: str) -> str:
    return f"I-{word}" if word.isdigit() else word


def _end_words(incidents: Sequence[Incident], count: int, called: Directory) -> list[Safe]:
    """What ending these will do, in sentences."""
    firing = sum(incident.firing for incident in incidents)
    lines = [
        Safe(f"{words.number(i.id)}  {words.many(i.alerts, 'alert')}, {i.firing:,} firing, {called.place(i)}")
        for i in incidents[:6]
    ]
    if count > len(lines):
        lines.append(Safe(f"and {count - len(lines)} more"))
    if firing:
        s = "s" if firing != 1 else ""
        lines.append(Safe(f"{firing} alert{s} still fire{'' if s else 's'}: muted until their source resolves them,"))
        lines.append(Safe("then a new firing opens a new incident."))
    else:
        lines.append(Safe("Nothing fires any more."))
    return [*lines, Safe("u takes it back for 10 minutes.")]
