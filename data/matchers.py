"""Alertmanager matchers: text ↔ `Matcher`, and matchers → a fast test on labels.

Two grammars exist, the classic one and the UTF-8 one with quoted names; like Alertmanager's default mode
both are tried and the classic reading wins where they disagree. A regex is RE2 and anchored as `^(?:…)$`; a
missing label reads as the empty string. Never raises while matching.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from data.go_strings import quote_go, quote_tolerant, unescape_tolerant, unquote_go
from data.records import Matcher
from data.regexes import RegexError, full_match

_CLASSIC = re.compile(r"\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(=~|!=|!~|=)\s*(.*)", re.DOTALL)
_TOKEN = re.compile(
    r"""(?P<op>=~|!=|!~|=)|(?P<open>\{)|(?P<close>\})|(?P<comma>,)
      |"(?P<quoted>(?:[^"\\]|\\.)*)"
      |(?P<bare>[^\s{}!=~,\\"'`]+)""",
    re.DOTALL | re.VERBOSE,
)
_SPACE = re.compile(r"\s*")
_RESERVED = re.compile(r"""[\s{}!=~,\\"'`]""")
_SYMBOL = {(False, True): "=", (False, False): "!=", (True, True): "=~", (True, False): "!~"}
_MEANING = {symbol: meaning for meaning, symbol in _SYMBOL.items()}

Labels = Mapping[str, str]


class MatcherError(ValueError):
    """The text is no matcher. `position` is the character (from 0) in the text that was given."""

    def __init__(self, position: int, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}: {remedy}")
        self.position, self.reason, self.remedy = position, reason, remedy


def parse_matcher(text: str) -> Matcher:
    """Exactly one matcher, without braces. Raises MatcherError."""
    stripped = text.strip()
    if stripped.startswith("{") or stripped.endswith("}"):
        raise MatcherError(0, "a single matcher takes no braces", 'write name="value"')
    try:
        found = _utf8(text)
    except MatcherError:
        return _classic_one(text, 0)
    if len(found) != 1:
        raise MatcherError(0, f"expected one matcher, found {len(found)}", 'write name="value"')
    try:
        return _classic_one(text, 0)
    except MatcherError:
        return found[0]


def parse_matchers(text: str) -> tuple[Matcher, ...]:
    """Comma-separated matchers with or without outer braces; () for none. Raises MatcherError."""
    try:
        modern = _utf8(text)
    except MatcherError as error:
        try:
            return _classic(text)
        except MatcherError as classic:
            raise (classic if error.reason.startswith("unexpected") else error) from None
    try:
        return _classic(text)
    except MatcherError:
        return modern


def matcher_text(matcher: Matcher) -> str:
    """Alertmanager's spelling: the value always quoted, the name only where it must be."""
    symbol = _SYMBOL[matcher.is_regex, matcher.is_equal]
    if not matcher.name or _RESERVED.search(matcher.name):
        return f"{quote_go(matcher.name)}{symbol}{quote_go(matcher.value)}"
    return f"{matcher.name}{symbol}{quote_tolerant(matcher.value)}"


def matches_empty(matcher: Matcher) -> bool:
    """Whether the matcher is satisfied by a missing label. A silence of only such matchers is refused."""
    positive = full_match(matcher.value)("") if matcher.is_regex else matcher.value == ""
    return positive is matcher.is_equal


def compile_matchers(matchers: Sequence[Matcher]) -> Callable[[Labels], bool]:
    """All matchers as one test. Plain equality is looked at first: it is cheap and decides most cases.

    Raises RegexError for a pattern that RE2 refuses. No matchers match everything.
    """
    equal = tuple((m.name, m.value) for m in matchers if m.is_equal and not m.is_regex)
    unequal = tuple((m.name, m.value) for m in matchers if not m.is_equal and not m.is_regex)
    patterns = tuple((m.name, full_match(m.value), m.is_equal) for m in matchers if m.is_regex)

    def match(labels: Labels) -> bool:
        get = labels.get
        for name, value in equal:
            if get(name, "") != value:
                return False
        for name, value in unequal:
            if get(name, "") == value:
                return False
        for name, test, wanted in patterns:
            if test(get(name, "")) is not wanted:
                return False
        return True

    return match


def _made(name: str, symbol: str, value: str, position: int) -> Matcher:
    if not name:
        raise MatcherError(position, "the label name is empty", 'write name="value"')
    is_regex, is_equal = _MEANING[symbol]
    if is_regex:
        try:
            full_match(value)
        except RegexError as error:
            raise MatcherError(position, error.reason, error.remedy) from error
    return Matcher(name=name, value=value, is_regex=is_regex, is_equal=is_equal)


def _classic(text: str) -> tuple[Matcher, ...]:
    start = 1 if text.startswith("{") else 0
    end = len(text) - 1 if text.endswith("}") and len(text) > start else len(text)
    pieces = _split(text, start, end)
    if pieces and not text[pieces[-1][0] : pieces[-1][1]].strip():
        pieces.pop()
    return tuple(_classic_one(text[begin:stop], begin) for begin, stop in pieces)


def _split(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Cuts at the commas outside quotes → (begin, end) of every piece."""
    pieces, begin, quoted, escaped = [], start, False, False
    for at in range(start, end):
        char = text[at]
        if char == "," and not quoted:
            pieces.append((begin, at))
            begin = at + 1
        if char == '"' and not escaped:
            quoted = not quoted
        escaped = char == "\\" and not escaped
    return [*pieces, (begin, end)]


def _classic_one(text: str, offset: int) -> Matcher:
    found = _CLASSIC.fullmatch(text)
    if found is None:
        raise MatcherError(offset, f"‘{text.strip()}’ is not a matcher", 'write name="value", with = != =~ or !~')
    name, symbol, raw = found[1], found[2], found[3].rstrip()
    if not raw:
        raise MatcherError(offset + found.start(3), f"the value of ‘{name}’ is missing", 'write "" for an empty value')
    return _made(name, symbol, _classic_value(raw, offset + found.start(3)), offset + found.start(3))


def _classic_value(raw: str, position: int) -> str:
    body = raw[1:-1] if len(raw) > 1 and raw[0] == raw[-1] == '"' else raw
    if '"' in re.sub(r"\\.", "", body, flags=re.DOTALL) or (body is not raw and _odd_tail(body)):
        raise MatcherError(position, "a double quote inside the value is not escaped", 'write \\" inside quotes')
    return unescape_tolerant(body)


def _odd_tail(body: str) -> bool:
    """Whether the last backslash escapes what follows the body, i.e. the closing quote."""
    return (len(body) - len(body.rstrip("\\"))) % 2 == 1


class _Reader:
    """The tokens of the UTF-8 grammar, one at a time: (kind, text, position); kind "end" at the end."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.advance(0)

    def advance(self, at: int) -> None:
        at = _SPACE.match(self.text, at).end()  # type: ignore[union-attr]
        self.position = at
        if at == len(self.text):
            self.kind, self.value, self.after = "end", "the end", at
            return
        found = _TOKEN.match(self.text, at)
        if found is None:
            raise MatcherError(at, f"unexpected ‘{self.text[at]}’", 'put the value in quotes: name="value"')
        self.kind, self.value, self.after = found.lastgroup or "", found[found.lastgroup or 0], found.end()

    def take(self, kinds: tuple[str, ...], what: str) -> tuple[str, str]:
        kind, value, position = self.kind, self.value, self.position
        if kind not in kinds:
            raise MatcherError(position, f"unexpected ‘{value}’", f"expected {what}")
        self.advance(self.after)
        if kind != "quoted":
            return kind, value
        try:
            return kind, unquote_go(value)
        except ValueError as error:
            raise MatcherError(position, f"bad quoted text ({error})", 'use \\\\ and \\" inside quotes') from error


def _utf8(text: str) -> tuple[Matcher, ...]:
    reader = _Reader(text)
    braces = reader.kind == "open"
    if braces:
        reader.take(("open",), "{")
    last = "close" if braces else "end"
    found: list[Matcher] = []
    while reader.kind != last:
        position = reader.position
        _, name = reader.take(("bare", "quoted"), "a label name")
        _, symbol = reader.take(("op",), "one of = != =~ !~")
        _, value = reader.take(("bare", "quoted"), "a value")
        found.append(_made(name, symbol, value, position))
        if reader.kind != last:
            reader.take(("comma",), "a comma" + (" or }" if braces else ""))
    if braces:
        reader.take(("close",), "}")
    reader.take(("end",), "the end") if reader.kind != "end" else None
    return tuple(found)
