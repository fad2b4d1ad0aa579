"""Views under a name: which screen, its filter and its order, kept with the session. `v` lists them.

Owns the names. Never holds rows or cursors: those belong to the moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from noc_console.safe_text import Safe, safe_text
from noc_console.screens.frame import FrameScreen
from noc_console.session import SavedView
from noc_console.views import VIEWS

if TYPE_CHECKING:
    from noc_console.console_keys import ConsoleKeys

MOST = 35
KEPT = ("filter", "sort", "descending")
_LETTERS = "123456789abcdefghijklmnopqrtuvwxyz"
_SAVE = "s"


class SavedViews:
    """`saved` in the order of their making."""

    def __init__(self, app: ConsoleKeys, saved: Mapping[str, SavedView]) -> None:
        self._app = app
        self.saved = dict(saved)

    async def act(self, argument: str) -> None:
        """ "" lists them, "save NAME", "drop NAME", or the name of one to show."""
        verb, _, name = argument.strip().partition(" ")
        if verb == "save" and name.strip():
            self.save(name.strip())
        elif verb == "drop" and name.strip():
            self.drop(name.strip())
        elif argument.strip():
            await self.show(argument.strip())
        else:
            await self._choose()

    def save(self, name: str) -> None:
        frame = self._app.frame()
        if frame is None:
            return
        if len(self.saved) >= MOST and name not in self.saved:
            self._say(f"there are {MOST} already; :views drop NAME makes room", "warn")
            return
        state = frame.save_state()
        kept = {key: state[key] for key in KEPT if key in state}
        self.saved[name[:40]] = SavedView(view=frame.spec.name, state=kept)
        self._say(f"saved as {name[:40]}; v shows it again", "ok")

    def drop(self, name: str) -> None:
        dropped = self.saved.pop(name, None)
        self._say(f"dropped {name}" if dropped else self._unknown(name), "ok" if dropped else "warn")

    async def show(self, name: str) -> None:
        saved = self.saved.get(name)
        if saved is None or saved.view not in VIEWS:
            self._say(self._unknown(name), "warn")
            return
        self._app.trail.visit(saved.view)
        await self._app.switch_mode(saved.view)
        screen = self._app.screen_stack[0]
        if isinstance(screen, FrameScreen):
            text = saved.state.get("filter")
            screen.set_filter(text if isinstance(text, str) else "")
            screen.restore_state(saved.state)

    async def _choose(self) -> None:
        from noc_console.dialogs.menu import MenuDialog

        names = dict(zip(_LETTERS, self.saved, strict=False))
        items = [(key, name, _words(self.saved[name])) for key, name in names.items()]
        found = await self._app.push_screen_wait(
            MenuDialog(Safe("Saved views"), [*items, (_SAVE, "save", "what is shown now, under a name")])
        )
        if found == _SAVE:
            name = await self._app.desk.ask(Safe("name of this view: "), kind="view")
            if name and name.strip():
                self.save(name.strip())
        elif found:
            await self.show(names[found])

    def _unknown(self, name: str) -> str:
        return f"no saved view {name!r}: {', '.join(self.saved) or 'v, then s, saves one'}"

    def _say(self, words: str, tone: str) -> None:
        self._app.desk.say(safe_text(words), tone)


def _words(saved: SavedView) -> str:
    text, sort = saved.state.get("filter") or "everything", saved.state.get("sort")
    return f"{saved.view}: {text}" + (f", by {sort}" if sort else "")
