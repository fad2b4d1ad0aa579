"""The one registry of what an operator can do: keys, footer, help, `:` commands and palette all derive from it.

An action names itself; it does not know how it is done. `do_<id with underscores>` on the focused widget, one of its
parents, the screen or the app does it. To add an act: one entry here, one `do_…` method where it belongs.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from msgspec import Struct
from textual.binding import Binding, BindingType

from noc_console.safe_text import Safe
from noc_console.views import VIEWS


class Tier(IntEnum):
    """How much harm an act can do, and so how it is guarded."""

    LOOK = 0  #: no guard
    REVERSIBLE = 1  #: at once, undo shown; more than 20 rows ask
    GUARDED = 2  #: asks, saying what will happen; refused on stale data
    GRAVE = 3  #: as GUARDED, plus typing the incident's number


class Action(Struct, frozen=True, kw_only=True):
    """One act. `keys` are Textual key names, `command` its `:` word, `footer` its weight there (0 = not shown).

    `later` marks a key that is kept for muscle memory: pressing it says what to press here.
    """

    id: str
    keys: tuple[str, ...]
    title: Safe
    help: Safe
    scope: str
    capability: str = ""
    tier: Tier = Tier.LOOK
    command: str = ""
    footer: int = 0
    argument: str = ""
    later: str = ""

    @property
    def handler(self) -> str:
        return "do_" + self.id.replace(".", "_")

    @property
    def shown_key(self) -> Safe:
        return self.shown_keys[0]

    @property
    def shown_keys(self) -> list[Safe]:
        """All its keys as they stand on a keyboard; the `:` word when it has none."""
        return [Safe(_SHOWN.get(key, key)) for key in self.keys] or [Safe(":" + self.command)]


_SHOWN = {
    "colon": ":",
    "slash": "/",
    "question_mark": "?",
    "minus": "-",
    "plus": "+",
    "underscore": "_",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "ctrl+backslash": "ctrl+\\",
    "escape": "esc",
    "pageup": "pgup",
    "pagedown": "pgdn",
}


def declare(  # noqa: PLR0913  (a table row; every field is named at the call)
    id: str,
    keys: str,
    title: str,
    help: str,
    *,
    command: str = "",
    argument: str = "",
    footer: int = 0,
    capability: str = "",
    tier: Tier = Tier.LOOK,
    later: str = "",
) -> Action:
    """One action; the part of `id` before the dot is its scope. `keys` are parted by blanks."""
    return Action(
        id=id,
        keys=tuple(keys.split()),
        title=Safe(title),
        help=Safe(help),
        scope=id.split(".")[0],
        capability=capability,
        tier=tier,
        command=command,
        footer=footer,
        argument=argument,
        later=later,
    )


_a = declare

_VIEWS = tuple(
    declare(
        f"view.{view.name}",
        f"{view.number} f{view.number + 1}" if view.number < 9 else f"{view.number}",
        view.title,
        view.help,
        command=view.name,
        argument=view.argument,
    )
    for view in VIEWS.values()
)

# fmt: off
_GLOBAL = (
    _a("app.command", "colon", "Command", "type a command", footer=17),
    _a("app.filter", "slash", "Filter", "keep only rows that match; empty shows all", footer=16,
       command="filter", argument="text"),
    _a("app.help", "question_mark f1", "Help", "all keys of this screen", footer=50, command="help"),
    _a("app.last_view", "minus", "Last view", "back to the view before this one"),
    _a("app.back_view", "left_square_bracket", "History back", "the view visited before"),
    _a("app.forward_view", "right_square_bracket", "History forward", "the view visited after"),
    _a("app.next_pane", "tab", "Next pane", "focus the next pane"),
    _a("app.previous_pane", "shift+tab", "Previous pane", "focus the pane before"),
    _a("app.zoom", "z plus", "Zoom", "this pane alone, and back", command="zoom"),
    _a("app.unzoom", "underscore", "Unzoom", "all panes again"),
    _a("app.freeze", "F", "Freeze", "stop drawing news; intake goes on", command="freeze"),
    _a("app.refresh", "ctrl+r", "Refresh", "read again and sort now", command="refresh"),
    _a("app.redraw", "ctrl+l", "Redraw", "draw the whole screen again"),
    _a("app.suspend", "ctrl+z", "Suspend", "back to the shell; fg returns"),
    _a("app.save_screen", "ctrl+s", "Save screen", "write this screen to files, picture and text",
       command="save-screen"),
    _a("app.back", "escape backspace", "Back", "close the innermost thing: zoom, filter, marks, what is on top"),
    _a("app.leave", "q", "Leave", "close what is on top; at the root asks to quit"),
    _a("app.clear", "ctrl+c", "Clear", "clear the input; never ends the console"),
    _a("app.palette", "ctrl+p", "Palette", "find an action by name (tab completes)"),
    _a("app.theme", "", "Theme", "dark, light, high-contrast, colour-blind, mono", command="theme", argument="name"),
    _a("app.readonly", "", "Read-only", "switch acts off or on for this console", command="readonly"),
    _a("app.demo", "D", "Demo", "leave the empty console for one on a simulated operation", command="demo"),
    _a("app.quit", "ctrl+q", "Quit", "asks, then ends this console", command="quit"),
    _a("app.views", "v", "Saved views", "filter and order under a name", command="views",
       argument="[name | save NAME | drop NAME]"),
    _a("app.quiet", "", "Quiet", "no bell for a while; off ends it", command="quiet", argument="30m|until HH:MM|off"),
    _a("app.handover", "H", "Handover", "what the next shift has to know: what waits, ends soon or has no owner",
       command="handover"),
    _a("app.oncall", "", "On call", "who has duty now, until when, and how they are reached", command="oncall"),
)

_TABLE = (
    _a("table.down", "j down", "Down", "next row"),
    _a("table.up", "k up", "Up", "row above"),
    _a("table.left", "h left", "Left", "scroll left, or close a branch"),
    _a("table.right", "l right", "Right", "scroll right, or open a branch"),
    _a("table.top", "g home", "Top", "first row"),
    _a("table.bottom", "G end", "Bottom", "last row"),
    _a("table.half_down", "ctrl+d", "Half down", "half a page down"),
    _a("table.half_up", "ctrl+u", "Half up", "half a page up"),
    _a("table.page_down", "pagedown", "Page down", "a page down"),
    _a("table.page_up", "pageup", "Page up", "a page up"),
    _a("table.open", "enter", "Open", "open the row", footer=30),
    _a("table.mark", "space", "Mark", "mark the row for acts on many"),
    _a("table.unmark", "ctrl+backslash", "Unmark", "clear all marks"),
    _a("table.sort_left", "less_than_sign", "Sort left", "sort by the column to the left"),
    _a("table.sort_right", "greater_than_sign", "Sort right", "sort by the column to the right"),
    _a("table.invert", "I", "Invert", "turn the order round"),
    _a("table.follow", "f", "Follow", "keep the cursor on the first row"),
)

_INCIDENT = (
    _a("incident.next_unacked", "n", "Next!", "next unacknowledged, worst first", footer=14),
    _a("incident.previous_unacked", "N", "Previous!", "previous unacknowledged"),
    _a("incident.ack", "a", "Ack", "acknowledge", command="ack", argument="[minutes|sticky] [note]", footer=10,
       capability="noc:ack", tier=Tier.REVERSIBLE),
    _a("incident.unack", "A", "Un-ack", "take the acknowledgement back", command="unack", argument="[I-number …]",
       capability="noc:ack", tier=Tier.REVERSIBLE),
    _a("incident.shelve", "s", "Shelve", "put aside: 15m, 1h, 4h or until HH:MM", command="shelve",
       argument="15m|1h|4h|until HH:MM [reason]", footer=12, capability="noc:ack", tier=Tier.REVERSIBLE),
    _a("incident.silence", "S", "Silence", "mute alerts by matchers, with a preview of what they hit",
       command="silence", argument="matchers", footer=20, capability="silence:write", tier=Tier.REVERSIBLE),
    _a("incident.unshelve", "", "Unshelve", "take it off the shelf now", command="unshelve", argument="[I-number …]",
       capability="noc:ack", tier=Tier.REVERSIBLE),
    _a("incident.own", "o", "Own", "make it mine", command="own", argument="[I-number …]", footer=13,
       capability="noc:ack", tier=Tier.REVERSIBLE),
    _a("incident.assign", "O", "Assign", "give it to somebody", command="assign", argument="name",
       capability="noc:ack", tier=Tier.REVERSIBLE),
    _a("incident.note", "i", "Note", "write a note", command="note", argument="text", footer=22, capability="noc:ack",
       tier=Tier.REVERSIBLE),
    _a("incident.merge", "m", "Merge", "the marked incidents into one: asks which stays", command="merge",
       argument="[I-number …]", capability="noc:manage", tier=Tier.GUARDED),
    _a("incident.split", "x", "Split", "marked alerts into an incident of their own", command="split",
       capability="noc:manage", tier=Tier.GUARDED),
    _a("incident.resolve", "r", "Resolve", "say that it is over", command="resolve", argument="[note]", footer=24,
       capability="noc:manage", tier=Tier.GUARDED),
    _a("incident.close", "c", "Close", "close for good", command="close", argument="[note]",
       capability="noc:manage", tier=Tier.GUARDED),
    _a("incident.playbook", "p", "Playbook", "playbooks that fit: dry run, then run one or ask for it",
       command="playbook", argument="[name]", capability="playbook:run", tier=Tier.GUARDED),
    _a("incident.why", "w", "Why", "rules, fields and numbers behind it", command="why", footer=15),
    _a("incident.timeline", "t", "Timeline", "what happened when", command="timeline"),
    _a("incident.undo", "u", "Undo", "take the last act back", command="undo", capability="noc:ack",
       tier=Tier.REVERSIBLE),
    _a("incident.copy", "y", "Copy", "copy the id", command="copy"),
    _a("incident.copy_menu", "Y", "Copy as", "copy id, row, text or markdown", command="copy-as",
       argument="id|row|text|markdown"),
)

_ALERTS = (
    _a("alerts.suppressed", "d", "Duplicates", "show the near repeats that were folded away, or hide them",
       command="duplicates", footer=26),
)

_CONTEXT = (
    _a("context.show", "e", "Context", "what else happened, changed and was alike; again: gather it anew", footer=16),
)

_LOG = (
    _a("log.feed", "L", "Feed", "all that happened, newest last"),
    _a("log.sources", "s", "Sources", "who sends, how much, who has gone silent", footer=11),
    _a("log.rejects", "r", "Rejects", "what could not be taken, to fix and replay", footer=12),
    _a("log.silences", "S", "Silences", "what is muted, by whom, until when, what it hits", footer=15,
       command="silences"),
    _a("log.health", "b", "Health", "the engine's own state", footer=13),
    _a("log.kpis", "K", "KPIs", "operator load and noise, with their formulas", footer=14),
)

_FEED = (
    _a("feed.mark", "m", "Mark", "mark the line, to find it again; n goes to the next mark", footer=21),
    _a("feed.next_mark", "n", "Next mark", "cursor to the next marked line"),
    _a("feed.wrap", "w", "Wrap", "long lines on several", footer=22),
    _a("feed.times", "t", "Times", "UTC, relative or with the date", footer=23),
    _a("feed.copy", "y", "Copy", "copy the line"),
)

_REJECT = (
    _a("reject.replay", "R", "Replay", "take it again as it was", footer=23, capability="noc:manage",
       tier=Tier.REVERSIBLE),
    _a("reject.edit", "e", "Edit", "correct the body, then replay it", footer=22, capability="noc:manage",
       tier=Tier.REVERSIBLE),
    _a("reject.discard", "d", "Discard", "put it away for good", footer=24, capability="noc:manage",
       tier=Tier.GUARDED),
)
_SILENCE = (
    _a("silence.extend", "e", "Extend", "let it hold longer", footer=22, capability="silence:write",
       tier=Tier.REVERSIBLE),
    _a("silence.expire", "x", "End now", "hear again at once what it mutes", footer=23, capability="silence:write",
       tier=Tier.GUARDED),
)
# fmt: on

ACTIONS: dict[str, Action] = {
    action.id: action
    for action in (*_VIEWS, *_GLOBAL, *_TABLE, *_INCIDENT, *_ALERTS, *_CONTEXT, *_LOG, *_FEED, *_REJECT, *_SILENCE)
}


def register(*actions: Action) -> None:
    """Add the actions that a page's file brings (scope = the page's name); raises ValueError for a name in use."""
    for action in actions:
        if action.id in ACTIONS or (action.command and action.command in commands()):
            raise ValueError(f"action {action.id} or command {action.command!r} exists already")
        ACTIONS[action.id] = action


def in_scopes(scopes: Iterable[str]) -> list[Action]:
    """All actions of these scopes, in the registry's order."""
    wanted = set(scopes)
    return [action for action in ACTIONS.values() if action.scope in wanted]


def bindings_for(*scopes: str) -> list[BindingType]:
    """Bindings of these scopes, for a `BINDINGS` class variable; each has the action's id, so a keymap can move it."""
    return [
        Binding(",".join(action.keys), f"app.act('{action.id}')", action.title, id=action.id, show=False)
        for action in in_scopes(scopes)
        if action.keys
    ]


def commands() -> dict[str, Action]:
    """`:` word → action."""
    return {action.command: action for action in ACTIONS.values() if action.command}
