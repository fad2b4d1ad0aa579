"""`p` on an incident: the playbooks that fit it, the plan of one, and letting it go or asking for it.

Mixed into every page that shows incidents. What it needs of the approvals page is imported when the key is pressed:
no first frame pays for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.client import Query
from noc_console import words
from noc_console.actions import ACTIONS
from noc_console.reading import Reading
from noc_console.safe_text import Safe, safe_text
from noc_console.screens.acting import Acting

if TYPE_CHECKING:
    from data.records import Incident


class PlaybookActs(Acting):
    async def do_incident_playbook(self, argument: str) -> None:
        found = self.incident_targets()
        if len(found) != 1:
            told = "one incident at a time" if found else "no incident under the cursor"
            self.desk.say(Safe(f"playbook: {told}"), "warn")
            return
        name = argument.strip() or await self._pick(found[0])
        if name:
            await self._run_playbook(found[0], name)

    async def _pick(self, incident: Incident) -> str | None:
        from noc_console.dialogs.execute_choice import ChoiceDialog

        read = Reading(self.desk.client, Query(kind="playbooks/fitting", params={"incident": int(incident.id)}))
        await read.load()
        if read.problem:
            self.desk.say(safe_text(f"playbook: {read.problem}"), "warn")
            return None
        if not read.rows:
            self.desk.say(Safe("no playbook is loaded; playbooks.directory in noc.toml names their folder"), "warn")
            return None
        title = Safe(f"Playbooks for {words.number(incident.id)}  {self.desk.names.words(incident.title)}"[:100])
        return await self.show(ChoiceDialog(title, read.rows))

    async def _run_playbook(self, incident: Incident, name: str) -> None:
        from noc_console.dialogs.execute import ExecuteDialog
        from noc_console.screens.approvals_matter import DryRuns, PlaybookMatter
        from noc_console.screens.frame import refusal

        async def run(sha256: str) -> Safe:
            params = {"playbook": name, "plan_sha256": sha256}
            result = await self.desk.acts.send("run_playbook", [f"incident:{incident.id}"], params, quiet=True)
            if result is None:
                return Safe("not sent or not answered: look at its playbooks before you repeat it")
            return safe_text(next(iter(result.refused.values()))) if result.refused else Safe("")

        def why_not() -> Safe:
            return refusal(self.desk, ACTIONS["incident.playbook"])

        matter = PlaybookMatter(self.desk, name, int(incident.id), DryRuns(self.desk), why_not, run)
        title = safe_text(f"RUN?  {name} on {words.number(incident.id)}")
        if await self.show(ExecuteDialog(title, matter)) == "went":
            asked = f"{name} waits for an approval: 4 shows it"
            said = f"{name} goes for {words.number(incident.id)}" if matter.go == "run it" else asked
            self.desk.say(safe_text(said), "ok")
            self.playbook_went()

    def playbook_went(self) -> None:
        """A run was asked for: a detail shows how it does."""
