"""Regular expressions that hostile text may carry: RE2 only (linear time, bounded memory), fully anchored.

Owns compiling and its cache. Python's `re` never sees a pattern that came from outside.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import lru_cache

import re2

#: Bytes one compiled program may take; a larger one is refused when it is compiled.
MAX_BYTES = 1 << 20
#: Characters of a pattern, and how often a part of it may be repeated by count: `(a?){900}` is short and slow.
MAX_PATTERN = 4096
MAX_REPEATS = 64

_META = frozenset("\\.+*?()|[]{}^$")
Test = Callable[[str], bool]


class RegexError(ValueError):
    """RE2 refuses the pattern. Same words wherever a pattern is typed."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}: {remedy}")
        self.reason, self.remedy = reason, remedy


def _options() -> re2.Options:
    options = re2.Options()
    options.max_mem = MAX_BYTES
    options.log_errors = False
    options.never_capture = True
    return options


@lru_cache(maxsize=2048)
def full_match(pattern: str, ignore_case: bool = False) -> Test:
    """A test whether a whole text matches `pattern`, i.e. `^(?:pattern)$` in RE2 syntax. Raises RegexError.

    Plain words, alternatives of plain words and `word.*` never reach the regex engine.
    """
    if len(pattern) > MAX_PATTERN:
        raise RegexError("the regex is too long", f"use at most {MAX_PATTERN} characters")
    if math.prod(_counts(pattern)) > MAX_REPEATS:
        raise RegexError("the regex repeats too often", f"count to {MAX_REPEATS} at most, or write * or +")
    shortcut = None if ignore_case else _shortcut(pattern)
    return shortcut or _engine(pattern, ignore_case)


def _counts(pattern: str) -> Iterator[int]:
    """The largest number of each counted repetition, escaped braces included: better one refused too many."""
    for part in pattern.split("{")[1:]:
        numbers = part.partition("}")[0].split(",")
        counts = [int(number[:6]) for number in numbers if number.isascii() and number.isdigit()]
        if counts:
            yield max(1, *counts)


def plain_words(pattern: str) -> frozenset[str] | None:
    """The texts that `pattern` stands for if it is only plain words joined by |, else None."""
    body = pattern
    if pattern.startswith("(") and pattern.endswith(")"):
        body = pattern[3:-1] if pattern.startswith("(?:") else pattern[1:-1]
    words = body.split("|")
    return None if any(_META.intersection(word) for word in words) else frozenset(words)


def _shortcut(pattern: str) -> Test | None:
    words = plain_words(pattern)
    if words is not None:
        return words.__contains__
    head = pattern[:-2]
    if pattern.endswith((".*", ".+")) and not _META.intersection(head):
        return _starts(head, least=len(head) + (pattern[-1] == "+"))
    return None


def _starts(head: str, least: int) -> Test:
    """`head.*`: a dot matches no line feed."""

    def test(text: str) -> bool:
        return len(text) >= least and text.startswith(head) and text.find("\n", len(head)) < 0

    return test


def _engine(pattern: str, ignore_case: bool) -> Test:
    flags = "(?i)" if ignore_case else ""
    try:
        search = re2.compile(f"{flags}^(?:{pattern})$", _options()).search
    except re2.error as error:
        remedy = "write RE2 syntax, without look-ahead or back-references"
        raise RegexError(f"bad regex ({_words(error)})", remedy) from error
    except UnicodeEncodeError as error:
        raise RegexError("the regex is not valid Unicode", "remove the broken character") from error

    def test(text: str) -> bool:
        try:
            return search(text) is not None
        except UnicodeEncodeError:  # a lone surrogate: no valid text, and no reason to stop the line
            return search(text.encode("utf-8", "replace").decode()) is not None

    return test


def _words(error: Exception) -> str:
    first = error.args[0] if error.args else ""
    return first.decode("utf-8", "replace") if isinstance(first, bytes) else str(first)
