"""Cuts the text of a query into tokens. Knows quotes and operators, no grammar."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from data.go_strings import unescape_tolerant
from data.query_ast import MAX_TEXT, QueryError
from data.query_values import WORD

_SPACE = re.compile(r"\s*")
_TOKEN = re.compile(
    rf"""(?P<or>\|\|)|(?P<and>&&)|(?P<pipe>\|)|(?P<op>=~|!=|!~|>=|<=|==|=|~|>|<)|(?P<not>!)
      |(?P<open>\()|(?P<close>\))|(?P<comma>,)
      |(?P<braces>\{{(?:[^{{}}"]|"(?:[^"\\]|\\.)*")*\}})
      |"(?P<string>(?:[^"\\]|\\.)*)"|'(?P<single>(?:[^'\\]|\\.)*)'
      |(?P<word>{WORD})""",
    re.DOTALL | re.VERBOSE,
)
_UNCLOSED = {
    '"': ("the quote is not closed", 'add a " at its end'),
    "'": ("the quote is not closed", "add a ' at its end"),
    "{": ("the brace is not closed", "add a } after the matchers"),
    "}": ("there is no { before this }", "remove it or put the text in quotes"),
}


class Token(Struct, frozen=True):
    """`kind` is the name of a group of the token pattern, "string" for both quotes, or "end".

    `text` is unescaped for strings, as typed for the rest; `start` and `stop` are positions in the query.
    """

    kind: str
    text: str
    start: int
    stop: int

    def is_word(self, *words: str) -> bool:
        return self.kind == "word" and self.text.lower() in words


def tokens(text: str) -> Iterator[Token]:
    """All tokens of the text and one of kind "end". Raises QueryError."""
    if len(text) > MAX_TEXT:
        raise QueryError(MAX_TEXT, f"the query is longer than {MAX_TEXT} characters", "shorten it")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise QueryError(error.start, "the query holds a broken character", "remove it") from error
    at = _skip(text, 0)
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise QueryError(at, *_UNCLOSED.get(text[at], (f"unexpected ‘{text[at]}’", "put the text in quotes")))
        yield _token(found)
        at = _skip(text, found.end())
    yield Token("end", "", at, at)


def _skip(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return space.end() if space else at


def _token(found: re.Match[str]) -> Token:
    kind = found.lastgroup or ""
    body = found[kind]
    if kind == "single":
        kind, body = "string", unescape_tolerant(body.replace("\\'", "'"))
    elif kind == "string":
        body = unescape_tolerant(body)
    return Token(kind, body, found.start(), found.end())
