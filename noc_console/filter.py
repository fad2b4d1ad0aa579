"""`/` over what the mirror holds: the product's query language, run here by its one in-memory evaluator.

Records know sites by their ids, lists show names: a comparison of `site`, and a plain word, is met by the name too.
The language is imported on the first filter only. Never asks the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from noc_console.safe_text import Safe, safe_text

if TYPE_CHECKING:
    from data.query_ast import Compare, Node

#: Given the time, a test of records of any kind.
Filter = Callable[[datetime], Callable[[Any], bool]]


class FilterError(ValueError):
    """The text is not a query; `words` say where and what to write instead."""

    def __init__(self, words: Safe) -> None:
        super().__init__(words)
        self.words = words


def read_filter(text: str, sites: Mapping[str, str] | None = None) -> Filter | None:
    """The filter that the text says; None for the empty text. `sites` are names by id. Raises FilterError."""
    if not text.strip():
        return None
    from data.query_memory import predicate

    node = _read(text, sites or {})
    return lambda now: predicate(node, now)


def with_names(text: str, sites: Mapping[str, str]) -> str:
    """The same filter as text that the engine understands: names of sites as their ids.

    What is not understood, or would be too long, is given back as it is: the engine says what is wrong with it.
    """
    from data.query import unparse
    from data.query_ast import MAX_TEXT

    if not text.strip() or not sites:
        return text
    try:
        node = _read(text, sites)
    except FilterError:
        return text
    made = unparse(node) if node is not None else text
    return made if len(made) <= MAX_TEXT else text


def _read(text: str, sites: Mapping[str, str]) -> Node | None:
    from data.query import QueryError, parse

    try:
        node = parse(text)
    except QueryError as error:
        raise FilterError(safe_text(f"at {error.position + 1}: {error.reason}; {error.remedy}")) from error
    return node if node is None or not sites else _named(node, sites)


def _named(node: Node, sites: Mapping[str, str]) -> Node:
    """The tree with each comparison that a site's name meets widened by the ids of these sites."""
    from data.query_ast import POSITIVE, And, Compare, Not, Op, Or, any_of

    if isinstance(node, And | Or):
        return type(node)(parts=tuple(_named(part, sites) for part in node.parts))
    if isinstance(node, Not):
        return Not(part=_named(node.part, sites))
    found = _ids(node, sites)
    if not found:
        return node
    there = Compare(field="site", op=Op.IN, value=found)
    return Not(part=any_of([_turned(node), there])) if node.op in POSITIVE else any_of([node, there])


def _turned(node: Compare) -> Compare:
    """A negative comparison without its negation."""
    from data.query_ast import POSITIVE, Compare

    return Compare(field=node.field, op=POSITIVE[node.op], value=node.value)


def _ids(node: Compare, sites: Mapping[str, str]) -> tuple[str, ...]:
    """The sites whose name meets a comparison of `site` or a plain word."""
    from data.query_ast import Op
    from data.query_leaves import positive, text_test

    if node.field not in {"site", "text"} or (node.field == "text" and node.op is not Op.HAS):
        return ()
    test = text_test(node.field, positive(node)[0], node.value)
    return tuple(id for id, name in sites.items() if name != id and test(name))
