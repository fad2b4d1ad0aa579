"""The one query language: text of the search bar, the API, rules and playbook triggers ↔ syntax tree.

    severity>=high and site=LIS*       state=open or state=acknowledged      not text~"link down"
    {alertname="Foo", job=~"node.*"}   owner=ana priority>80 age<2h          fred|blee !test

Words next to each other are joined by "and"; `|` binds tighter than that, "or" looser. Owns grammar and spelling.
Never looks at a record: `data.query_memory` and `data.query_sql` run the tree, with equal answers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from data.go_strings import quote_tolerant
from data.matchers import MatcherError, parse_matchers
from data.query_ast import And, Compare, Node, Not, Op, Or, QueryError, all_of, any_of, check_size
from data.query_fields import BY_NAME, FIELDS, LABEL, Field, FieldType, canonical, field_of
from data.query_tokens import Token, tokens
from data.query_values import check, compared, value_text
from data.records import Matcher

__all__ = [
    "FIELDS",
    "And",
    "Compare",
    "Field",
    "FieldType",
    "Node",
    "Not",
    "Op",
    "Or",
    "QueryError",
    "check",
    "matchers_node",
    "parse",
    "unparse",
]

#: Parentheses and negations as typed, before the tree is made flat: keeps the parser's recursion shallow.
_MAX_OPEN = 32
_NEGATIVE = frozenset({Op.NE, Op.NRE, Op.NGLOB})
#: Words that mean something else when they stand alone.
_KEYWORDS = frozenset({"and", "or", "not", "in", LABEL})
_BARE = re.compile(r"[\w.:/@%+#-]+")
_LABEL_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LABEL_DOTTED = re.compile(r"[\w.:/-]+")


def parse(text: str) -> Node | None:
    """The tree of a query, None for an empty one. Raises QueryError with position, reason and remedy."""
    parser = _Parser(list(tokens(text)))
    if parser.here.kind == "end":
        return None
    node = parser.either()
    if parser.here.kind != "end":
        raise parser.unexpected()
    check_size(node)
    return node


def matchers_node(matchers: Sequence[Matcher]) -> Node | None:
    """Matchers as a query on labels with the same answers; None for no matchers. Raises QueryError."""
    ops = {(False, True): Op.EQ, (False, False): Op.NE, (True, True): Op.RE, (True, False): Op.NRE}
    found: list[Node] = [
        compared(0, LABEL + matcher.name, ops[matcher.is_regex, matcher.is_equal], (matcher.value,))
        for matcher in matchers
    ]
    return all_of(found) if found else None


class _Parser:
    """Recursive descent; every method leaves `here` at the first token it did not take."""

    def __init__(self, found: list[Token]) -> None:
        self.found, self.at, self.opened = found, 0, 0

    @property
    def here(self) -> Token:
        return self.found[self.at]

    def peek(self, ahead: int = 1) -> Token:
        return self.found[min(self.at + ahead, len(self.found) - 1)]

    def take(self) -> Token:
        token = self.here
        self.at = min(self.at + 1, len(self.found) - 1)
        return token

    def unexpected(self) -> QueryError:
        token = self.here
        if token.kind == "end":
            return QueryError(token.start, "the query ends too early", "add a condition, such as severity>=high")
        if token.kind == "op":
            return QueryError(token.start, f"there is no field before ‘{token.text}’", "write field, operator, value")
        return QueryError(token.start, f"unexpected ‘{token.text}’", "put the text in quotes if you mean the text")

    def either(self) -> Node:
        parts = [self.both()]
        while self.here.kind == "or" or self.here.is_word("or"):
            self.take()
            parts.append(self.both())
        return any_of(parts)

    def both(self) -> Node:
        parts = [self.negation()]
        while True:
            if self.here.kind in ("and", "comma") or self.here.is_word("and"):
                comma = self.take().kind == "comma"
                if comma and self.here.kind == "end":
                    break
            elif self.here.kind in ("end", "close", "or") or self.here.is_word("or"):
                break
            parts.append(self.negation())
        return all_of(parts)

    def negation(self) -> Node:
        """A "not" covers all alternatives behind it: `!fred|blee` has neither."""
        if self.negated():
            return Not(part=self.nested(self.take(), self.negation))
        return self.alternatives()

    def negated(self) -> bool:
        return self.here.kind == "not" or (self.here.is_word("not") and self.peek().kind != "op")

    def alternatives(self) -> Node:
        """Terms joined by a single |. After `field=a|b` the words repeat the field and the operator."""
        parts = [self.primary()]
        typed = self.found[self.at - 1].kind != "close"
        while self.here.kind == "pipe":
            self.take()
            if typed and self.repeats(parts[-1]):
                parts.append(self.repeated(parts[-1]))
            else:
                parts.append(self.negation() if self.negated() else self.primary())
                typed = self.found[self.at - 1].kind != "close"
        return all_of(parts) if _same_negative(parts) else any_of(parts)

    def repeats(self, previous: Node) -> bool:
        plain = self.here.kind in ("word", "string") and self.peek().kind != "op" and not self._list_at(1)
        return plain and isinstance(previous, Compare) and (previous.field, previous.op) != ("text", Op.HAS)

    def repeated(self, previous: Node) -> Node:
        assert isinstance(previous, Compare)
        token = self.take()
        return _comparison(token.start, previous.field, _typed_op(previous.op), token)

    def nested(self, token: Token, inside: Callable[[], Node]) -> Node:
        self.opened += 1
        if self.opened > _MAX_OPEN:
            raise QueryError(token.start, "the query is nested too deep", "use fewer parentheses")
        node = inside()
        self.opened -= 1
        return node

    def primary(self) -> Node:
        token = self.here
        if token.kind == "open":
            return self.group()
        if token.kind == "braces":
            return _braces(self.take())
        if token.kind not in ("word", "string"):
            raise self.unexpected()
        return self.term()

    def group(self) -> Node:
        token = self.take()
        if self.here.kind == "close":
            raise QueryError(token.start, "there is nothing between the parentheses", "remove them")
        node = self.nested(token, self.either)
        if self.here.kind != "close":
            raise QueryError(token.start, "the parenthesis is not closed", "add a )")
        self.take()
        return node

    def term(self) -> Node:
        token = self.take()
        name = canonical(token.text) if token.kind == "word" else LABEL + token.text
        if name == LABEL and self.here.kind == "string" and self.here.start == token.stop:
            name += self.take().text
        if self.here.kind == "op":
            return self.comparison(token, name)
        if self.lists():
            return self.listed(token, name)
        if token.is_word(LABEL):
            raise QueryError(token.start, "a label needs a name and an operator", "write label.env=prod")
        return _search(token)

    def comparison(self, token: Token, name: str) -> Node:
        typed = self.take()
        if self.here.kind not in ("word", "string"):
            what = f"after ‘{token.text}{typed.text}’"
            if self.here.kind == "end":
                raise QueryError(self.here.start, f"a value is missing {what}", 'write "" for an empty one')
            remedy = "put the value in quotes, or write “in (a, b)” for a list"
            raise QueryError(self.here.start, f"unexpected ‘{self.here.text}’ {what}", remedy)
        if name == LABEL:
            raise QueryError(token.start, "the label's name is missing", "write label.env=prod")
        return _comparison(self.here.start, name, Op("=" if typed.text == "==" else typed.text), self.take())

    def lists(self) -> bool:
        return self._list_at(0) or (self.here.is_word("not") and self._list_at(1))

    def _list_at(self, ahead: int) -> bool:
        return self.peek(ahead).is_word("in") and self.peek(ahead + 1).kind == "open"

    def listed(self, token: Token, name: str) -> Node:
        negative = self.here.is_word("not")
        self.at += 3 if negative else 2
        items: list[Token] = []
        while self.here.kind in ("word", "string"):
            items.append(self.take())
            if self.here.kind == "comma":
                self.take()
        if self.here.kind != "close" or not items:
            raise QueryError(self.here.start, "this is not a list", f"write {token.text} in (a, b)")
        self.take()
        node = _list(token.start, name, items)
        return Not(part=node) if negative else node


def _same_negative(parts: list[Node]) -> bool:
    """`site!=A|B` means neither of them, not one or the other."""
    fields = {part.field if isinstance(part, Compare) and part.op in _NEGATIVE else "" for part in parts}
    return len(fields) == 1 and "" not in fields


def _typed_op(op: Op) -> Op:
    """The operator as typed: a wildcard is an = or != whose value holds a *."""
    return {Op.GLOB: Op.EQ, Op.NGLOB: Op.NE}.get(op, op)


def _comparison(position: int, name: str, op: Op, token: Token) -> Compare:
    words = field_of(name).type in (FieldType.TEXT, FieldType.SEVERITY, FieldType.STATE)
    if words and token.kind == "word" and "*" in token.text:
        op = {Op.EQ: Op.GLOB, Op.NE: Op.NGLOB}.get(op, op)
    return compared(position, name, op, (token.text,))


def _list(position: int, name: str, items: list[Token]) -> Node:
    """A list of exact values stays one comparison; wildcards in it stand beside it."""
    wild = [item for item in items if item.kind == "word" and "*" in item.text]
    exact = tuple(item.text for item in items if item not in wild)
    nodes: list[Node] = [_comparison(item.start, name, Op.EQ, item) for item in wild]
    return any_of(([compared(position, name, Op.IN, exact)] if exact else []) + nodes)


def _search(token: Token) -> Node:
    needle = token.text.strip("*") if token.kind == "word" else token.text
    if not needle:
        raise QueryError(token.start, f"‘{token.text}’ alone is in everything", "leave it out")
    return Compare(field="text", op=Op.HAS, value=needle)


def _braces(token: Token) -> Node:
    try:
        node = matchers_node(parse_matchers(token.text))
    except MatcherError as error:
        raise QueryError(token.start + error.position, error.reason, error.remedy) from error
    if node is None:
        raise QueryError(token.start, "there is no matcher between the braces", 'write {name="value"}')
    return node


def unparse(node: Node) -> str:
    """The shortest spelling that `parse` reads back as the same tree."""
    if isinstance(node, Compare):
        return _compare_text(node)
    if isinstance(node, Not):
        return "not " + _wrapped(node.part, (And, Or))
    if isinstance(node, And):
        return " and ".join(_wrapped(part, (And, Or)) for part in node.parts)
    return " or ".join(_wrapped(part, (Or,)) for part in node.parts)


def _wrapped(node: Node, loose: tuple[type, ...]) -> str:
    return f"({unparse(node)})" if isinstance(node, loose) else unparse(node)


def _compare_text(node: Compare) -> str:
    if node.field == "text" and node.op is Op.HAS and node.value:
        return _quoted(str(node.value))
    field, name = field_of(node.field), _field_text(node.field)
    if isinstance(node.value, tuple):
        return f"{name} in ({', '.join(_quoted(value_text(field, item)) for item in node.value)})"
    text = value_text(field, node.value)
    return f"{name}{_typed_op(node.op)}{text if node.op in (Op.GLOB, Op.NGLOB) else _quoted(text)}"


def _field_text(name: str) -> str:
    label = name.removeprefix(LABEL)
    plain = _LABEL_WORD.fullmatch(label) and label.lower() not in BY_NAME and label.lower() not in _KEYWORDS
    if label == name or plain:
        return label
    return name if _LABEL_DOTTED.fullmatch(label) else LABEL + quote_tolerant(label)


def _quoted(text: str) -> str:
    return text if _BARE.fullmatch(text) and text.lower() not in _KEYWORDS else quote_tolerant(text)
