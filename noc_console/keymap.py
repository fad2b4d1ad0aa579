"""Keys of one's own: `keys.toml` in the configuration's folder, action → keys.

    "incident.ack" = "f7"
    "app.freeze" = ["F", "f8"]

An entry that is wrong is named and left out; the others hold. Never takes a key away without saying so.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from noc_console.actions import ACTIONS, Action
from noc_console.safe_text import Safe, safe_text
from noc_console.views import load_pages

FILE = "keys.toml"
_MOST_BYTES = 64 * 1024
#: A key as it stands on a keyboard → Textual's name of it.
_NAMES = {
    ":": "colon",
    "/": "slash",
    "?": "question_mark",
    "-": "minus",
    "+": "plus",
    "_": "underscore",
    "[": "left_square_bracket",
    "]": "right_square_bracket",
    "<": "less_than_sign",
    ">": "greater_than_sign",
    "esc": "escape",
    "pgup": "pageup",
    "pgdn": "pagedown",
}
_WORDS = frozenset(
    "escape enter tab space backspace delete insert up down left right home end pageup pagedown".split()
    + list(_NAMES.values())
)
_KEY = re.compile(r"((ctrl|alt|shift)\+)*([A-Za-z0-9]|f([1-9]|1[0-9]|2[0-4])|[a-z_]+)")
#: What a terminal cannot tell from another key, and that one.
_SAME = {"ctrl+m": "enter", "ctrl+i": "tab", "ctrl+h": "backspace", "ctrl+left_square_bracket": "escape"}


class Keymap(Struct, frozen=True):
    """`keys`: action id → keys. `problems`: one line for each entry that was left out."""

    keys: Mapping[str, tuple[str, ...]] = {}
    problems: tuple[Safe, ...] = ()


def load_keymap(folder: Path) -> Keymap:
    """The folder's keys; an empty keymap when there is no file."""
    path = folder / FILE
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES).decode()
    except FileNotFoundError:
        return Keymap()
    except (OSError, UnicodeDecodeError) as error:
        return Keymap(problems=(safe_text(f"{path} cannot be read: {error}"),))
    load_pages()
    return read_keymap(text)


def read_keymap(text: str) -> Keymap:
    try:
        entries = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return Keymap(problems=(safe_text(f"{FILE}: {error}"),))
    keys: dict[str, tuple[str, ...]] = {}
    problems: list[Safe] = []
    for name, value in _flat(entries):
        try:
            keys[name] = _keys_of(name, value, {**_usual(), **keys})
        except ValueError as error:
            problems.append(safe_text(f"{FILE}: {name}: {error}"))
    return Keymap(keys, tuple(problems))


def rebind(keymap: Keymap) -> None:
    """Let footer, help and palette show these keys."""
    from msgspec.structs import replace

    for name, keys in keymap.keys.items():
        ACTIONS[name] = replace(ACTIONS[name], keys=keys)


def _flat(entries: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """`incident.ack = "f7"` without quotes is a table in a table."""
    for name, value in entries.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield above + name, value


def _keys_of(name: str, value: object, taken: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    action = ACTIONS.get(name)
    if action is None:
        raise ValueError("there is no such action; ? lists them, as in incident.ack")
    words = value if isinstance(value, list) else [value]
    keys = tuple(_key(word) for word in words if isinstance(word, str))
    if not keys or len(keys) < len(words):
        raise ValueError('write a key or a list of keys, as in "f7" or ["a", "f7"]')
    for key in keys:
        other = next((n for n, theirs in taken.items() if n != name and key in theirs and _meet(action, n)), None)
        if other is not None:
            raise ValueError(f"{key} is the key of {other}; give that another one first")
    return keys


def _key(word: str) -> str:
    *modifiers, last = word.split("+") if word != "+" else ["+"]
    key = "+".join([*modifiers, _NAMES.get(last, last)])
    if key in _SAME:
        raise ValueError(f"a terminal cannot tell {word} from {_SAME[key]}")
    known = len(last) == 1 or _NAMES.get(last, last) in _WORDS or re.fullmatch(r"f\d{1,2}", last)
    if not _KEY.fullmatch(key) or not known:
        raise ValueError(f"{word!r} is not a key; write a, A, f7, ctrl+a, alt+a, enter, space, pgdn")
    return key


def _meet(action: Action, other: str) -> bool:
    """Whether the two can be pressed on the same screen."""
    scopes = {action.scope, ACTIONS[other].scope}
    return len(scopes) == 1 or bool(scopes & {"view", "app", "table"})


def _usual() -> dict[str, tuple[str, ...]]:
    return {name: action.keys for name, action in ACTIONS.items()}
