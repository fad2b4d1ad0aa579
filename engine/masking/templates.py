"""Template miner: which message is this one, whatever values it holds?

Owns the templates of one source, learned message by message. After Drain (He, Zhu, Zheng, Lyu, ICWS 2017): messages
of the same length meet the templates of that length, the most alike takes them on and gives up the tokens in which
they differ. It differs in what may differ: a plain word is what a message says, so two of them are two messages,
unless the word stands where values stand (after "=", after "user"); what looks like an identifier may differ. The
verdict on a masked message is kept, so the same one costs a look-up. Bounded: past `limit` templates, a new message
is its own masked form. Fails on values that are plain words at any other place, and on values of several words.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import NamedTuple

from engine.masking.mask import VALUE, mask

#: Share of the tokens outside values that must agree.
ALIKE = 0.5
TOKENS = 256
_MARKS = re.compile(r"""[=:,;()\[\]{}"'|]""")
_WORD = re.compile(r"[A-Za-z]+(?:'[a-z]+)?\Z")
_FLAGS = frozenset({"true", "false", "null", "none", "nil", "yes", "no", "on", "off"})
#: Words after which a plain word is a value.
_BEFORE_VALUE = frozenset({"user"})
_VALUE_KIND, _IDENTIFIER, _PLAIN, _MARK = range(4)


class Template(NamedTuple):
    """`key` names it for good; `tokens` has VALUE where messages differed."""

    key: str
    tokens: tuple[str, ...]

    def text(self) -> str:
        return " ".join(self.tokens)


def tokens(text: str) -> tuple[str, ...]:
    """The masked text cut at blanks and marks; tokens with digits are values, and values in a row are one.

    >>> tokens("state=3 by eth0 10.0.0.1")
    ('state', '=', '<*>', 'by', '<*>')
    """
    found: list[str] = []
    for token in _MARKS.sub(r" \g<0> ", mask(text)).split()[:TOKENS]:
        flag = token.lower() in _FLAGS and found[-1:] in (["="], [":"])
        if flag or VALUE in token or any(map(str.isdigit, token)):
            if found[-1:] != [VALUE]:
                found.append(VALUE)
        else:
            found.append(token)
    return tuple(found)


class Miner:
    """Templates of one source. `add` is called in the order in which messages come."""

    def __init__(self, limit: int = 5_000) -> None:
        self._limit = limit
        self._count = 0
        self._by_length: dict[int, list[Template]] = {}
        self._known: dict[tuple[str, ...], str] = {}

    def add(self, text: str) -> Template:
        """The template of this message, learned from it if there is none."""
        message = tokens(text)
        known = self._known.get(message)
        if known is not None:
            return Template(known, message)
        place, best = self._closest(message)
        if best is not None:
            merged = tuple(old if old == new else VALUE for old, new in zip(best.tokens, message, strict=True))
            found = self._by_length[len(message)][place] = Template(best.key, merged)
        else:
            found = Template(blake2b("\x1f".join(message).encode(), digest_size=8).hexdigest(), message)
            if self._count < self._limit:
                self._count += 1
                self._by_length.setdefault(len(message), []).append(found)
        if len(self._known) >= 4 * self._limit:
            del self._known[next(iter(self._known))]
        self._known[message] = found.key
        return found

    def __len__(self) -> int:
        return self._count

    def _closest(self, message: tuple[str, ...]) -> tuple[int, Template | None]:
        best, place, most = None, 0, -1.0
        for at, template in enumerate(self._by_length.get(len(message), ())):
            alike = likeness(template.tokens, message)
            if alike >= ALIKE and alike > most:
                best, place, most = template, at, alike
        return place, best


def likeness(template: tuple[str, ...], message: tuple[str, ...]) -> float:
    """Share of the tokens that agree, of those that are no values in both; 0 when they say different things."""
    same = soft = 0
    for at, (old, new) in enumerate(zip(template, message, strict=True)):
        if old == new:
            same += old != VALUE
            continue
        kinds = (_kind(old), _kind(new))
        if _MARK in kinds or (_PLAIN in kinds and not _is_value_place(message, at)):
            return 0.0
        soft += 1
    return same / (same + soft) if same + soft else 1.0


def _kind(token: str) -> int:
    if token == VALUE:
        return _VALUE_KIND
    if _WORD.match(token):
        return _PLAIN
    return _IDENTIFIER if any(map(str.isalnum, token)) else _MARK


def _is_value_place(message: tuple[str, ...], at: int) -> bool:
    """After "=", after "user", between "for" and "from" or "by"."""
    if at and message[at - 1] == "for" and message[at + 1 : at + 2] in (("from",), ("by",)):
        return True
    before = at - 1
    while before >= 0 and _kind(message[before]) == _MARK:
        if message[before] == "=":
            return True
        before -= 1
    return before >= 0 and message[before].lower() in _BEFORE_VALUE
