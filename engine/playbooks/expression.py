"""Conditions: a closed language of comparisons over named values.

    incident.severity >= "high" and not alert.site in ["Lab", "Test"]      steps.check.state == "done"

    condition = and {"or" and};  and = not {"and" not};  not = ["not"] test
    test      = "(" condition ")" | operand [operator operand]
    operator  = == != < <= > >= "in" "not in"
    operand   = "text" | number | true | false | null | name | "[" operand {"," operand} "]"

Owns grammar, limits and evaluation. There are no calls, no arithmetic and no access to anything but a flat table of
values: a name is a key of that table and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec import Struct

from data.records import RANK, Severity

MOST_CHARS = 1000
MOST_DEPTH = 16
MOST_ITEMS = 50

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"\\]|\\["\\])*"|'(?:[^'\\]|\\['\\])*')
    |(?P<number>-?\d{1,15}(?:\.\d{1,15})?(?![\w.]))
    |(?P<sign>==|!=|<=|>=|<|>|\(|\)|\[|\]|,)
    |(?P<name>[A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_][A-Za-z0-9_/-]*)*))""",
    re.VERBOSE,
)
_CONSTANTS: Mapping[str, Any] = {"true": True, "false": False, "null": None}
_WORDS = frozenset({"and", "or", "not", "in"})
_RANKS: Mapping[str, int] = {str(severity): RANK[severity] for severity in Severity}


class ExpressionError(Exception):
    """What is wrong, at which character (0-based), and what to write instead."""

    def __init__(self, position: int, reason: str, remedy: str) -> None:
        super().__init__(f"at character {position + 1}: {reason}; {remedy}")
        self.position, self.reason, self.remedy = position, reason, remedy


class Literal(Struct, frozen=True):
    value: Any


class Name(Struct, frozen=True):
    name: str


class Items(Struct, frozen=True):
    items: tuple[Literal | Name, ...]


Operand = Literal | Name | Items


class Test(Struct, frozen=True):
    """`right` None: the operand alone, which must be true or false."""

    operator: str
    left: Operand
    right: Operand | None = None


class Negation(Struct, frozen=True):
    part: Expression


class Joined(Struct, frozen=True):
    every: bool
    parts: tuple[Expression, ...]


Expression = Test | Negation | Joined


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


def parse(text: str) -> Expression:
    """Raises ExpressionError."""
    if len(text) > MOST_CHARS:
        raise ExpressionError(MOST_CHARS, "the condition is too long", f"use at most {MOST_CHARS} characters")
    parser = _Parser(list(_tokens(text)))
    found = parser.either(0)
    parser.expect_end()
    return found


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            place = at + len(text[at:]) - len(text[at:].lstrip())
            raise ExpressionError(place, f"unexpected {text[place]!r}", 'write name == "value"')
        kind = found.lastgroup
        word = found[kind]
        yield _Token("word" if kind == "name" and word in _WORDS else kind, word, found.start(kind))
        at = found.end()
    yield _Token("end", "", len(text))


class _Parser:
    def __init__(self, tokens: Sequence[_Token]) -> None:
        self._tokens, self._at = tokens, 0

    @property
    def _here(self) -> _Token:
        return self._tokens[self._at]

    def _take(self, *texts: str) -> bool:
        if self._here.kind in ("word", "sign") and self._here.text in texts:
            self._at += 1
            return True
        return False

    def _wrong(self, remedy: str) -> ExpressionError:
        token = self._here
        what = "the condition ends too early" if token.kind == "end" else f"unexpected {token.text!r}"
        return ExpressionError(token.at, what, remedy)

    def expect_end(self) -> None:
        if self._here.kind != "end":
            raise self._wrong("join conditions by and / or")

    def either(self, depth: int) -> Expression:
        return self._joined(False, "or", lambda: self._joined(True, "and", lambda: self._not(depth)))

    def _joined(self, every: bool, word: str, part: Callable[[], Expression]) -> Expression:
        parts = [part()]
        while self._take(word):
            parts.append(part())
        return parts[0] if len(parts) == 1 else Joined(every, tuple(parts))

    def _not(self, depth: int) -> Expression:
        if depth > MOST_DEPTH:
            raise ExpressionError(self._here.at, "nested too deep", f"use at most {MOST_DEPTH} levels")
        if self._take("not"):
            return Negation(self._not(depth + 1))
        if self._take("("):
            found = self.either(depth + 1)
            if not self._take(")"):
                raise self._wrong("close the parenthesis")
            return found
        return self._test()

    def _test(self) -> Expression:
        left = self._operand()
        if self._take("not"):
            if not self._take("in"):
                raise self._wrong("write not in")
            return Negation(Test("in", left, self._operand()))
        operator = self._here.text
        if self._take("==", "!=", "<", "<=", ">", ">=", "in"):
            return Test(operator, left, self._operand())
        return Test("", left)

    def _operand(self) -> Operand:
        if self._take("["):
            return self._items()
        return self._single()

    def _items(self) -> Items:
        items = [self._single()]
        while self._take(","):
            items.append(self._single())
        if not self._take("]"):
            raise self._wrong("close the list with ]")
        if len(items) > MOST_ITEMS:
            raise self._wrong(f"a list has at most {MOST_ITEMS} items")
        return Items(tuple(items))

    def _single(self) -> Literal | Name:
        token = self._here
        if token.kind not in ("text", "number", "name"):
            raise self._wrong('write a name, a number or "text"')
        self._at += 1
        if token.kind == "text":
            return Literal(re.sub(r"\\(.)", r"\1", token.text[1:-1]))
        if token.kind == "number":
            return Literal(float(token.text) if "." in token.text else int(token.text))
        return Literal(_CONSTANTS[token.text]) if token.text in _CONSTANTS else Name(token.text)


def names(of: Expression | Operand) -> Iterator[str]:
    """Every name in it."""
    if isinstance(of, Name):
        yield of.name
    elif isinstance(of, Items):
        for item in of.items:
            yield from names(item)
    elif isinstance(of, Test):
        yield from names(of.left)
        if of.right is not None:
            yield from names(of.right)
    elif isinstance(of, Negation):
        yield from names(of.part)
    elif isinstance(of, Joined):
        for part in of.parts:
            yield from names(part)


def holds(of: Expression, values: Mapping[str, Any]) -> bool:
    """Whether it is true. Raises ExpressionError for a name without a value and for what cannot be compared."""
    if isinstance(of, Joined):
        return all(holds(part, values) for part in of.parts) if of.every else any(holds(p, values) for p in of.parts)
    if isinstance(of, Negation):
        return not holds(of.part, values)
    return _test(of, values)


def _test(of: Test, values: Mapping[str, Any]) -> bool:
    left = _value(of.left, values)
    if of.right is None:
        if not isinstance(left, bool):
            raise ExpressionError(0, "this is neither true nor false", "compare it with something")
        return left
    right = _value(of.right, values)
    if of.operator == "in":
        if not isinstance(right, list | tuple | str) or (isinstance(right, str) and not isinstance(left, str)):
            raise ExpressionError(0, "in needs a list, or text in text", 'write name in ["a", "b"]')
        return left in right if isinstance(right, str) else any(_equal(left, item) for item in right)
    if of.operator in ("==", "!="):
        return _equal(left, right) is (of.operator == "==")
    return _ordered(of.operator, left, right)


def _equal(left: Any, right: Any) -> bool:
    """True is not 1 here."""
    return isinstance(left, bool) is isinstance(right, bool) and bool(left == right)


def _ordered(operator: str, left: Any, right: Any) -> bool:
    if isinstance(left, str) and isinstance(right, str) and left in _RANKS and right in _RANKS:
        left, right = _RANKS[left], _RANKS[right]
    numbers = all(isinstance(side, int | float) and not isinstance(side, bool) for side in (left, right))
    if not numbers:
        raise ExpressionError(0, f"{operator} compares numbers and severities only", "compare text with == or in")
    low, high = (left, right) if operator in ("<", "<=") else (right, left)
    return bool(low < high or (operator in ("<=", ">=") and low == high))


def _value(of: Operand, values: Mapping[str, Any]) -> Any:
    if isinstance(of, Literal):
        return of.value
    if isinstance(of, Items):
        return [_value(item, values) for item in of.items]
    if of.name not in values:
        raise ExpressionError(0, f"{of.name} has no value", "name a value that is there by then")
    return values[of.name]
