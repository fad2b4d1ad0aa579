"""The syntax tree of the query language: what a filter says, free of how it was typed or is run.

Owns the nodes, the operators and the error. Never parses text, never looks at a record.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Union

from msgspec import Struct

#: Nested groups and negations a query may have; a single comparison is 1 deep.
MAX_DEPTH = 8
#: Comparisons, groups and negations together.
MAX_NODES = 64
#: Characters of the text of a query.
MAX_TEXT = 2048


class QueryError(ValueError):
    """The query cannot be understood. `position` is the character (from 0) where it went wrong."""

    def __init__(self, position: int, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}: {remedy}" if remedy else reason)
        self.position, self.reason, self.remedy = position, reason, remedy


class Op(StrEnum):
    """How a field is compared. The negative ones are the exact complement of their positive one."""

    EQ = "="
    NE = "!="
    RE = "=~"
    NRE = "!~"
    HAS = "~"
    GT = ">"
    GE = ">="
    LT = "<"
    LE = "<="
    IN = "in"
    GLOB = "=*"
    NGLOB = "!=*"


#: Negative operator → the positive one it is the complement of.
POSITIVE: dict[Op, Op] = {Op.NE: Op.EQ, Op.NRE: Op.RE, Op.NGLOB: Op.GLOB}

Value = str | float | bool | tuple[str | float, ...]


class Compare(Struct, frozen=True, kw_only=True, tag="compare"):
    """`field op value`. `field` is a canonical name or "label." + the label's name.

    The value is of the field's type: text, a number, true/false, seconds for durations, ISO 8601 UTC text
    for times, the full lower-case word for severity and state, a tuple of these for IN.
    """

    field: str
    op: Op
    value: Value


class And(Struct, frozen=True, kw_only=True, tag="and"):
    """All of at least two parts; no part is itself an And."""

    parts: tuple[Node, ...]


class Or(Struct, frozen=True, kw_only=True, tag="or"):
    """Any of at least two parts; no part is itself an Or."""

    parts: tuple[Node, ...]


class Not(Struct, frozen=True, kw_only=True, tag="not"):
    part: Node


Node = Union[And, Or, Not, Compare]  # noqa: UP007 - msgspec resolves the recursive forward reference of this form


def all_of(parts: list[Node]) -> Node:
    """The parts joined by "and", flat."""
    flat = tuple(inner for part in parts for inner in (part.parts if isinstance(part, And) else (part,)))
    return flat[0] if len(flat) == 1 else And(parts=flat)


def any_of(parts: list[Node]) -> Node:
    """The parts joined by "or", flat."""
    flat = tuple(inner for part in parts for inner in (part.parts if isinstance(part, Or) else (part,)))
    return flat[0] if len(flat) == 1 else Or(parts=flat)


def children(node: Node) -> tuple[Node, ...]:
    if isinstance(node, (And, Or)):
        return node.parts
    return (node.part,) if isinstance(node, Not) else ()


def walk(node: Node) -> Iterator[tuple[Node, int]]:
    """Every node with its depth (root = 1), without recursion: the tree may come from outside."""
    stack = [(node, 1)]
    while stack:
        here, depth = stack.pop()
        yield here, depth
        stack.extend((child, depth + 1) for child in children(here))


def check_size(node: Node, position: int = 0) -> None:
    """Raises QueryError when the tree is deeper than MAX_DEPTH or has more than MAX_NODES nodes."""
    for number, (_, depth) in enumerate(walk(node), 1):
        if depth > MAX_DEPTH:
            raise QueryError(position, f"the query is nested deeper than {MAX_DEPTH}", "use fewer parentheses")
        if number > MAX_NODES:
            raise QueryError(position, f"the query has more than {MAX_NODES} terms", "use “in (…)” or a regex")
