"""What one comparison asks of one value: the tests that both evaluators run.

Owns the meaning of the operators. Never looks at a record or a row.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from operator import ge, gt, le, lt
from typing import Any

from data.query_ast import POSITIVE, Compare, Op
from data.query_fields import SEVERITIES, STATES
from data.regexes import Test, full_match

_ORDER: dict[Op, Callable[[Any, Any], bool]] = {Op.GT: gt, Op.GE: ge, Op.LT: lt, Op.LE: le}
_MIRROR: dict[Op, Op] = {Op.GT: Op.LT, Op.GE: Op.LE, Op.LT: Op.GT, Op.LE: Op.GE}
#: The words an enum field can hold; "" is what a kind of record without the field reads as.
_WORDS: dict[str, tuple[str, ...]] = {"severity": (*SEVERITIES, ""), "state": (*STATES, "")}


def positive(compare: Compare) -> tuple[Op, bool]:
    """The operator without its negation → (positive operator, whether the answer is to be turned round)."""
    return POSITIVE.get(compare.op, compare.op), compare.op in POSITIVE


def text_test(field: str, op: Op, value: Any) -> Test:
    """A positive operator on a text field → a test of one text. Case counts, except for `~` and for enums."""
    if field in _WORDS:
        return enum_words(field, op, value).__contains__
    match op:
        case Op.EQ:
            return frozenset((value,)).__contains__
        case Op.IN:
            return frozenset(value).__contains__
        case Op.RE:
            return full_match(value)
        case Op.GLOB:
            return glob_test(value)
    return contains_test(value)


def enum_words(field: str, op: Op, value: Any) -> frozenset[str]:
    """The words of severity or state that satisfy a positive operator."""
    words = _WORDS[field]
    if op in _ORDER:  # SEVERITIES has the worst first
        limit = SEVERITIES.index(value)
        return frozenset(word for at, word in enumerate(SEVERITIES) if _ORDER[op](limit, at))
    match op:
        case Op.EQ:
            return frozenset((value,))
        case Op.IN:
            return frozenset(value)
        case Op.RE:
            return frozenset(filter(full_match(value, ignore_case=True), words))
        case Op.GLOB:
            return frozenset(filter(glob_test(value), words))
    return frozenset(filter(contains_test(value), words))


def contains_test(needle: str) -> Test:
    folded = needle.casefold()
    return lambda text: folded in text.casefold()


def glob_test(pattern: str) -> Test:
    """`*` stands for any text, also none. Looks for the pieces from left to right: no backtracking."""
    head, *middle, tail = pattern.split("*")
    least = len(head) + len(tail)

    def test(text: str) -> bool:
        if len(text) < least or not text.startswith(head) or not text.endswith(tail):
            return False
        at, end = len(head), len(text) - len(tail)
        for piece in middle:
            found = text.find(piece, at, end)
            if found < 0:
                return False
            at = found + len(piece)
        return True

    return test


def number_test(op: Op, value: Any) -> Callable[[float], bool]:
    """A positive operator on a number."""
    if op in _ORDER:
        order = _ORDER[op]
        return lambda number: order(number, value)
    return frozenset(value if op is Op.IN else (value,)).__contains__


def time_bound(compare: Compare, now: datetime) -> tuple[Op, datetime]:
    """A comparison of age, last or opened → how the record's time compares with a fixed one."""
    if isinstance(compare.value, str):
        return compare.op, datetime.fromisoformat(compare.value).astimezone(UTC)
    assert isinstance(compare.value, (int, float))
    return _MIRROR[compare.op], now - timedelta(seconds=compare.value)


def time_test(compare: Compare, now: datetime) -> Callable[[datetime], bool]:
    op, bound = time_bound(compare, now)
    order = _ORDER[op]
    return lambda at: order(at, bound)
