"""How a value as typed becomes the value of a node, and back; every check of a comparison, in an operator's words.

Owns what is refused and why. Never looks at a record.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from difflib import get_close_matches

from data.query_ast import Compare, Node, Op, QueryError, Value, check_size, walk
from data.query_fields import ANY_LABEL, BY_NAME, LABEL, OPERATORS, SEVERITIES, STATES, Field, FieldType, field_of
from data.records import IncidentState
from data.regexes import RegexError, full_match

_SEVERITY_WORDS = {**{word: word for word in SEVERITIES}, **{word[0]: word for word in SEVERITIES}}
_FLAG_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_NUMBER = re.compile(r"[+-]?\d{1,16}(\.\d{1,16})?([eE][+-]?\d{1,2})?")
_DURATION = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?")
_UNITS_MS = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
#: A hundred years: beyond it a time would leave the calendar.
_LONGEST_MS = 100 * 365 * 86_400_000
#: Integers up to here are exact as a float.
_LARGEST = float(1 << 53)

#: A word that needs no quotes; "!" and "&" end it only where they start an operator.
WORD = r"(?![!'])(?:[^\s(){},\"|=~<>!&]|!(?![=~])|&(?!&))+"
_WORD = re.compile(WORD)


def compared(position: int, name: str, op: Op, texts: tuple[str, ...]) -> Compare:
    """`name op value` as typed → a checked node. `texts` is one text, or the list of IN. Raises QueryError."""
    field = field_of(name)
    if op not in OPERATORS[field.type]:
        raise _wrong_operator(position, name, field, op)
    values = tuple(_value(position, field, op, text) for text in texts)
    value: Value = values if op is Op.IN else values[0]
    if op in (Op.GLOB, Op.NGLOB) and not ("*" in texts[0] and _WORD.fullmatch(texts[0])):
        raise QueryError(position, f"‘{texts[0]}’ is not a wildcard", "use * inside one word, or =~ with a regex")
    return Compare(field=name, op=op, value=value)


def check(node: Node) -> None:
    """Raises QueryError unless the tree is one that the parser could have made. For trees from outside."""
    check_size(node)
    for part, _ in walk(node):
        if isinstance(part, Compare) and recompared(part) != part:
            raise QueryError(0, f"the value of ‘{part.field}’ is not as the parser writes it", "send the query as text")


def recompared(compare: Compare) -> Compare:
    """The comparison made again from the text of its value. Raises QueryError when it is not valid."""
    value = compare.value
    several = isinstance(value, tuple)
    if several is not (compare.op is Op.IN) or value == ():
        raise QueryError(0, f"‘{compare.field} {compare.op}’ has the wrong kind of value", "give a list to “in” only")
    field = field_of(compare.field)
    texts = tuple(value_text(field, item) for item in (value if isinstance(value, tuple) else (value,)))
    return compared(0, compare.field, compare.op, texts)


def value_text(field: Field, value: str | float | bool) -> str:
    """The value as it is typed, without quotes."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    return _duration_text(value) if field.type is FieldType.DURATION else _number_text(value)


def _number_text(value: float) -> str:
    return str(int(value)) if math.isfinite(value) and value == int(value) else repr(value)


def _duration_text(seconds: float) -> str:
    rest = round(seconds * 1000) if math.isfinite(seconds) else -1
    if rest < 0:
        return repr(seconds)
    text = ""
    for unit, size in _UNITS_MS.items():
        number, rest = divmod(rest, size)
        text += f"{number}{unit}" if number else ""
    return text or "0s"


def _value(position: int, field: Field, op: Op, text: str) -> str | float | bool:
    match field.type:
        case FieldType.SEVERITY | FieldType.STATE:
            return _word(position, field, op, text)
        case FieldType.NUMBER:
            return _number(position, field, text)
        case FieldType.DURATION:
            return _duration(position, field, text)
        case FieldType.TIME:
            return _time(position, field, text)
        case FieldType.FLAG:
            return _flag(position, field, text)
        case FieldType.TEXT:
            return _checked_regex(position, text) if op in (Op.RE, Op.NRE) else text


def _word(position: int, field: Field, op: Op, text: str) -> str:
    if op in (Op.RE, Op.NRE):
        return _checked_regex(position, text)
    if op in (Op.HAS, Op.GLOB, Op.NGLOB):
        return text.lower()
    severity = field.type is FieldType.SEVERITY
    found = (_SEVERITY_WORDS if severity else dict(zip(STATES, STATES, strict=True))).get(text.lower())
    if found is None:
        words = SEVERITIES if severity else tuple(state.value for state in IncidentState)
        remedy = f"use {', '.join(words)}{_similar(text.lower(), words)}"
        if severity:
            remedy += f', or label.severity="{text}" for the label as it was sent'
        raise QueryError(position, f"unknown {field.name} ‘{text}’", remedy)
    return found


def _similar(text: str, words: tuple[str, ...]) -> str:
    close = get_close_matches(text, words, n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _checked_regex(position: int, text: str) -> str:
    try:
        full_match(text)
    except RegexError as error:
        raise QueryError(position, error.reason, error.remedy) from error
    return text


def _number(position: int, field: Field, text: str) -> float:
    text = text.removeprefix("#")
    if not (_NUMBER.fullmatch(text) and text.isascii()) or abs(float(text)) > _LARGEST:
        raise QueryError(position, f"‘{text}’ is not a number that {field.name} can have", f"write {field.name}>=10")
    return float(text)


def _duration(position: int, field: Field, text: str) -> float:
    found = _DURATION.fullmatch(text.lower()) if text and len(text) <= 40 and text.isascii() else None
    if found is None:
        raise QueryError(position, f"‘{text}’ is not a duration", f"write w, d, h, m or s behind it: {field.name}<2h")
    total = sum(int(number or 0) * size for number, size in zip(found.groups(), _UNITS_MS.values(), strict=True))
    if total > _LONGEST_MS:
        raise QueryError(position, f"‘{text}’ is longer than a hundred years", "use a shorter duration")
    return total / 1000


def _time(position: int, field: Field, text: str) -> str:
    try:
        at = datetime.fromisoformat(text)
        at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        remedy = f"write {field.name}>=2026-11-20T14:00Z, or age<2h for a time before now"
        raise QueryError(position, f"‘{text}’ is not a time", remedy) from error
    return at.replace(tzinfo=None).isoformat() + "Z"


def _flag(position: int, field: Field, text: str) -> bool:
    found = _FLAG_WORDS.get(text.lower())
    if found is None:
        remedy = f"write {field.name}=true or {field.name}=false"
        raise QueryError(position, f"‘{text}’ is neither true nor false", remedy)
    return found


def _wrong_operator(position: int, name: str, field: Field, op: Op) -> QueryError:
    if field is ANY_LABEL:
        label = name.removeprefix(LABEL)
        close = get_close_matches(label.lower(), list(BY_NAME), n=1)
        hint = f"did you mean {close[0]}?" if close else "labels take = != =~ !~ ~ in"
        return QueryError(position, f"‘{label}’ is a label and a label has no order", hint)
    takes = " ".join(op.value for op in Op if op in OPERATORS[field.type] and "*" not in op.value)
    typed = op.value.removesuffix("*")
    return QueryError(position, f"{field.name} ({field.type}) cannot be compared with ‘{typed}’", f"use {takes}")
