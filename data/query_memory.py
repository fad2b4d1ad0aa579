"""Runs a query on records in memory: tree → one predicate.

Owns nothing but the composition; `data.query_sql` gives equal answers on stored rows. Never raises on a record.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from data.query_answers import OF_RECORD, Answers
from data.query_ast import And, Compare, Node, Not, Or
from data.query_fields import LABEL, FieldType, field_of
from data.query_leaves import number_test, positive, text_test, time_test
from data.query_values import check
from data.regexes import Test

Predicate = Callable[[Any], bool]
_AGES = {"age": "opened"}


def predicate(node: Node | None, now: datetime) -> Predicate:
    """The query as a test of records of any kind; None matches everything. Raises QueryError for a bad tree.

    `now` is fixed: age, last, acked, silenced and shelved are seen from there.
    """
    if node is None:
        return lambda record: True
    check(node)
    compiled: dict[type, Predicate] = {}

    def test(record: Any) -> bool:
        found = compiled.get(type(record))
        if found is None:
            found = compiled[type(record)] = compiled_for(node, OF_RECORD[type(record)], now)
        return found(record)

    return test


def compiled_for(node: Node, answers: Answers, now: datetime) -> Predicate:
    """A checked tree as a test of records that give these answers."""
    if isinstance(node, Not):
        return _not(compiled_for(node.part, answers, now))
    if isinstance(node, And):
        return _all(tuple(compiled_for(part, answers, now) for part in node.parts))
    if isinstance(node, Or):
        return _any(tuple(compiled_for(part, answers, now) for part in node.parts))
    return compare_test(node, answers, now)


def compare_test(compare: Compare, answers: Answers, now: datetime) -> Predicate:
    _, negative = positive(compare)
    test = _positive_test(compare, answers, now)
    return _not(test) if negative else test


def _positive_test(compare: Compare, answers: Answers, now: datetime) -> Predicate:
    match field_of(compare.field).type:
        case FieldType.NUMBER:
            return _number(compare, answers)
        case FieldType.DURATION | FieldType.TIME:
            return _time(compare, answers, now)
        case FieldType.FLAG:
            return _flag(compare, answers, now)
    return _text(compare, answers)


def _text(compare: Compare, answers: Answers) -> Predicate:
    op, _ = positive(compare)
    test = text_test(compare.field, op, compare.value)
    one = answers.word.get(compare.field)
    if one is not None:
        return lambda record: test(one(record))
    if compare.field.startswith(LABEL):
        return _any_text(test, answers.label(compare.field.removeprefix(LABEL)))
    several = answers.words.get(compare.field)
    return _constant(test("")) if several is None else _any_text(test, several)


def _any_text(test: Test, several: Callable[[Any], tuple[str, ...]]) -> Predicate:
    """Any of the texts; no text at all reads as the empty one."""
    return lambda record: any(map(test, several(record) or ("",)))


def _number(compare: Compare, answers: Answers) -> Predicate:
    test = number_test(positive(compare)[0], compare.value)
    one = answers.number.get(compare.field)
    if one is not None:
        return lambda record: test(one(record))
    several = answers.numbers.get(compare.field)
    return _constant(False) if several is None else lambda record: any(map(test, several(record)))


def _time(compare: Compare, answers: Answers, now: datetime) -> Predicate:
    test = time_test(compare, now)
    at = answers.time.get(_AGES.get(compare.field, compare.field))
    return _constant(False) if at is None else lambda record: test(at(record))


def _flag(compare: Compare, answers: Answers, now: datetime) -> Predicate:
    wanted = compare.value
    flag = answers.flag.get(compare.field)
    return _constant(wanted is False) if flag is None else lambda record: flag(record, now) is wanted


def _constant(answer: bool) -> Predicate:
    return lambda record: answer


def _not(test: Predicate) -> Predicate:
    return lambda record: not test(record)


def _all(tests: tuple[Predicate, ...]) -> Predicate:
    def test(record: Any) -> bool:
        for part in tests:
            if not part(record):
                return False
        return True

    return test


def _any(tests: tuple[Predicate, ...]) -> Predicate:
    def test(record: Any) -> bool:
        for part in tests:
            if part(record):
                return True
        return False

    return test
