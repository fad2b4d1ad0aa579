"""Masks: what is a value in a message, by its form: ids, addresses, times, durations, sizes, paths, numbers.

Owns the patterns and their order, the more specific first. They are linear: no nested repeats over the same characters,
and only the first characters of a text are looked at.
"""

from __future__ import annotations

import re

#: Stands where a value stood.
VALUE = "<*>"
#: Longer texts are cut: what tells messages apart stands in front.
CHARS = 2000

_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}"
_DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6}"
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2})?(?:[.,]\d{1,9})?"

_PATTERNS = (
    # uuid
    r"\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b",
    # address of the web
    r"\b[a-z]{2,12}://\S+",
    # Fri Jun 17 07:07:00 2005
    rf"\b(?:{_DAY},? )? ?(?:{_MONTH} {{1,2}}\d{{1,2}}|\d{{1,2}} {_MONTH})\b,?(?: \d{{4}}\b)?(?: {_CLOCK})?"
    r"(?: (?:[A-Z]{3,4} )?\d{4}\b)?",
    # hardware address
    r"(?<![\w.])(?:[0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}\b",
    # IPv4, with port or prefix length
    r"/?\b\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?(?:/\d{1,2})?\b",
    # IPv6
    r"(?<![\w:])(?:[0-9a-fA-F]{1,4}:){3,7}[0-9a-fA-F]{0,4}(?:::[0-9a-fA-F]{0,4})?\b",
    # host:port
    r"\b(?:[a-zA-Z0-9][\w-]{0,62}\.){1,8}[a-zA-Z]{2,20}:\d{1,5}\b",
    # time of day, date
    rf"\b{_CLOCK}\b|\b\d{{4}}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d{{1,9}})?)?Z?\b",
    # duration, also as "<1 sec"
    r"<?\b\d{1,12}(?:[.,]\d{1,9})? {0,2}(?:ms|us|ns|secs?|seconds?|s|mins?|minutes?|hours?|days?)\b",
    # size
    r"\b\d{1,15}(?:[.,]\d{1,9})? {0,2}(?:[KMGT]i?B|[kMGT]b|bytes?|B)\b(?! {1,2}\w{0,40}:)",
    # hexadecimal
    r"\b0x[0-9a-fA-F]{1,64}\b",
    r"(?<![\w-])(?=[a-fA-F]{0,64}\d)[0-9a-fA-F]{8,64}(?![\w-])",
    # path
    r"(?<![\w/.-])(?:[A-Za-z]:)?(?:[/\\][\w.@%+~=:,$?&;#-]+){2,}[/\\]?",
    # number
    r"(?<![A-Za-z0-9_])[-+]?\d+(?:[.,]\d+)*(?![A-Za-z0-9_])",
)
_MASKS = tuple(re.compile(pattern) for pattern in _PATTERNS)
_EMPTY = re.compile(r"\( {0,3}\)")
_LIST = re.compile(r"<\*>(?: ?[,;] ?<\*>)+")


def mask(text: str) -> str:
    """The text with its values replaced; a list of values counts as one, empty brackets as a value that is missing.

    >>> mask("Connection from 10.0.0.7:5070 closed after 3.2 sec, 1190 bytes sent")
    'Connection from <*> closed after <*> sent'
    """
    text = text[:CHARS]
    for pattern in _MASKS:
        text = pattern.sub(VALUE, text)
    return _LIST.sub(VALUE, _EMPTY.sub(f"({VALUE})", text))
