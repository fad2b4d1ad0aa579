"""The grammar as tables: what parses to what, what is refused and with which words."""

from __future__ import annotations

import msgspec
import pytest

from data.query import FIELDS, And, Compare, Node, Not, Op, Or, QueryError, check, matchers_node, parse, unparse
from data.query_ast import MAX_TEXT
from data.records import Matcher


def is_(field: str, op: str, value: str | float | bool | tuple[str | float, ...]) -> Compare:
    return Compare(field=field, op=Op(op), value=value)


def word(text: str) -> Compare:
    return is_("text", "~", text)


READS: list[tuple[str, Node]] = [
    ("severity>=high and site=LIS*", And(parts=(is_("severity", ">=", "high"), is_("site", "=*", "LIS*")))),
    ("state=open or state=acknowledged", Or(parts=(is_("state", "=", "open"), is_("state", "=", "acknowledged")))),
    ('not text~"link down"', Not(part=word("link down"))),
    (
        '{alertname="Foo", job=~"node.*"}',
        And(parts=(is_("label.alertname", "=", "Foo"), is_("label.job", "=~", "node.*"))),
    ),
    (
        r'alertname="Foo" instance!~"10\\..*"',
        And(parts=(is_("name", "=", "Foo"), is_("label.instance", "!~", r"10\..*"))),
    ),
    (
        'site="Harbour 2" owner=ana priority>80',
        And(parts=(is_("site", "=", "Harbour 2"), is_("owner", "=", "ana"), is_("priority", ">", 80.0))),
    ),
    ("age<2h", is_("age", "<", 7200.0)),
    ("age<1d12h30m5s250ms", is_("age", "<", 131405.25)),
    ("last>10m", is_("last", ">", 600.0)),
    ("opened>=2026-11-20T14:00Z", is_("opened", ">=", "2026-11-20T14:00:00Z")),
    ("started<2026-11-20T16:00+02:00", is_("opened", "<", "2026-11-20T14:00:00Z")),
    ("opened<2026-11-20", is_("opened", "<", "2026-11-20T00:00:00Z")),
    ("fred blee", And(parts=(word("fred"), word("blee")))),
    ("fred, blee", And(parts=(word("fred"), word("blee")))),
    ("fred|blee", Or(parts=(word("fred"), word("blee")))),
    ("a b|c", And(parts=(word("a"), Or(parts=(word("b"), word("c")))))),
    ("a b || c", Or(parts=(And(parts=(word("a"), word("b"))), word("c")))),
    ("!x", Not(part=word("x"))),
    ("!fred|blee", Not(part=Or(parts=(word("fred"), word("blee"))))),
    ("-word", word("-word")),
    ("link*", word("link")),
    ("O'Brien", word("O'Brien")),
    ("'link down'", word("link down")),
    ("AT&T", word("AT&T")),
    ("sev>=M", is_("severity", ">=", "medium")),
    ("SEV=Crit*", is_("severity", "=*", "crit*")),
    ("severity in (c, High)", is_("severity", "in", ("critical", "high"))),
    ("STATE=Open", is_("state", "=", "open")),
    ("flapping=true", is_("flapping", "=", True)),
    ("acked=no", is_("acked", "=", False)),
    ("silenced!=1", is_("silenced", "!=", True)),
    ("label.env=prod", is_("label.env", "=", "prod")),
    ("env=prod", is_("label.env", "=", "prod")),
    ("label.site=x", is_("label.site", "=", "x")),
    ('label."a b"~x', is_("label.a b", "~", "x")),
    ('"a b"=x', is_("label.a b", "=", "x")),
    ("not=x", is_("label.not", "=", "x")),
    ('site="LIS*"', is_("site", "=", "LIS*")),
    ("site!=LIS*", is_("site", "!=*", "LIS*")),
    ("site=LIS|POR", Or(parts=(is_("site", "=", "LIS"), is_("site", "=", "POR")))),
    ("site!=LIS|POR", And(parts=(is_("site", "!=", "LIS"), is_("site", "!=", "POR")))),
    ("site=LIS|severity=C", Or(parts=(is_("site", "=", "LIS"), is_("severity", "=", "critical")))),
    ("site in (a, 'b c' d)", is_("site", "in", ("a", "b c", "d"))),
    ("site not in (a)", Not(part=is_("site", "in", ("a",)))),
    ("site in (a, L*)", Or(parts=(is_("site", "in", ("a",)), is_("site", "=*", "L*")))),
    ("id in (#12, 7)", is_("id", "in", (12.0, 7.0))),
    ("site == x", is_("site", "=", "x")),
    ("owner=and", is_("owner", "=", "and")),
    ('owner=""', is_("owner", "=", "")),
    ("not (a or b)", Not(part=Or(parts=(word("a"), word("b"))))),
    ("NOT a AND b Or c", Or(parts=(And(parts=(Not(part=word("a")), word("b"))), word("c")))),
    ("a && !b", And(parts=(word("a"), Not(part=word("b"))))),
    ("((a b) c)", And(parts=(word("a"), word("b"), word("c")))),
    (r'job=~"\d+"', is_("label.job", "=~", r"\d+")),
]

REFUSED: list[tuple[str, int, str, str]] = [
    ("severity=hihg", 9, "unknown severity ‘hihg’", "did you mean high?"),
    ("a state=opne", 8, "unknown state ‘opne’", "open, acknowledged"),
    ("severtiy>=high", 10, "‘severtiy’ is a label", "did you mean severity?"),
    ("site>LIS", 5, "site (text) cannot be compared with ‘>’", "= !="),
    ("flapping>true", 9, "flapping (true/false)", "= !="),
    ("flapping=maybe", 9, "neither true nor false", "flapping=true"),
    ("priority=high", 9, "‘high’ is not a number", "priority>=10"),
    ("priority>99999999999999999", 9, "is not a number", "priority"),
    ("age<2", 4, "‘2’ is not a duration", "age<2h"),
    ("age<9999999w", 4, "longer than a hundred years", "shorter"),
    ("age=2h", 4, "age (duration) cannot be compared with ‘=’", "> >= < <="),
    ("opened>yesterday", 7, "‘yesterday’ is not a time", "2026-11-20T14:00Z"),
    ("opened>0001-01-01T00:00+14:00", 7, "is not a time", "age<2h"),
    ('job=~"a("', 5, "bad regex", "RE2"),
    ('job=~"(?=a)"', 5, "bad regex", "look-ahead"),
    ("job=~(a|b)", 5, "unexpected ‘(’", "quotes"),
    ("site=", 5, "a value is missing after ‘site=’", '""'),
    (">3", 0, "there is no field before ‘>’", "field"),
    ("(a", 0, "the parenthesis is not closed", "add a )"),
    ("a)", 1, "unexpected ‘)’", "quotes"),
    ("()", 0, "nothing between the parentheses", "remove"),
    ('a "b', 2, "the quote is not closed", '"'),
    ("a 'b", 2, "the quote is not closed", "'"),
    ("{a=b", 0, "the brace is not closed", "}"),
    ("a=b}", 3, "no { before this }", "quotes"),
    ("{}", 0, "no matcher between the braces", "name"),
    ("x {foo=~a[}", 3, "bad regex", "RE2"),
    ("site in ()", 9, "this is not a list", "site in (a, b)"),
    ("site in (a", 10, "this is not a list", "site in (a, b)"),
    ("a or", 4, "ends too early", "severity>=high"),
    ("not", 3, "ends too early", "severity>=high"),
    ("*", 0, "‘*’ alone is in everything", "leave it out"),
    ("label.", 0, "a label needs a name", "label.env=prod"),
    ("label.=x", 0, "the label's name is missing", "label.env=prod"),
    ("a \ud800", 2, "broken character", "remove"),
    ("x" * (MAX_TEXT + 1), MAX_TEXT, "longer than 2048", "shorten"),
    (" ".join("abcdefgh" * 8), 0, "more than 64 terms", "in (…)"),
    ("(a or (b (c or (d (e or (f (g or (h i))))))))", 0, "nested deeper than 8", "parentheses"),
    ("(" * 900 + "a" + ")" * 900, 32, "nested too deep", "parentheses"),
    ("!" * 900 + "a", 32, "nested too deep", "parentheses"),
]


@pytest.mark.parametrize(("text", "node"), READS, ids=[text for text, _ in READS])
def test_reads(text: str, node: Node) -> None:
    assert parse(text) == node
    assert parse(unparse(node)) == node
    check(node)


@pytest.mark.parametrize("text", ["", "  ", "\n\t"])
def test_nothing_is_no_query(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize(("text", "position", "reason", "remedy"), REFUSED, ids=range(len(REFUSED)))
def test_refuses_with_place_and_remedy(text: str, position: int, reason: str, remedy: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(text)
    assert caught.value.position == position
    assert reason in caught.value.reason
    assert remedy in caught.value.remedy


def test_sixty_four_terms_and_eight_levels_are_allowed() -> None:
    assert parse(" ".join(["a"] * 63)) is not None
    assert parse("a or (b (c or (d (e or (f (g or h))))))") is not None


@pytest.mark.parametrize(
    "node",
    [
        is_("severity", "=", "hihg"),
        is_("severity", "=", "H"),
        is_("nonsense", "=", "x"),
        is_("sev", "=", "high"),
        is_("label.", "=", "x"),
        is_("priority", "=", "80"),
        is_("priority", "=", float("nan")),
        is_("priority", ">", float("inf")),
        is_("age", "<", -5.0),
        is_("age", "<", float("nan")),
        is_("flapping", "=", "true"),
        is_("flapping", "in", (1.0,)),
        is_("site", "=", 5.0),
        is_("site", "=", ("a",)),
        is_("site", "in", "a"),
        is_("site", "in", ()),
        is_("site", "=*", "no wildcard"),
        is_("opened", ">", "2026-11-20"),
        is_("label.x", ">", "1"),
        is_("label.x", "=~", "("),
        And(parts=tuple(word("a") for _ in range(64))),
    ],
)
def test_a_tree_from_outside_is_checked(node: Node) -> None:
    with pytest.raises(QueryError):
        check(node)


def test_a_very_deep_tree_from_outside_is_refused_without_recursion() -> None:
    node: Node = word("a")
    for _ in range(5000):
        node = Not(part=node)
    with pytest.raises(QueryError, match="nested deeper"):
        check(node)


def test_trees_travel_as_json() -> None:
    for _, node in READS:
        assert msgspec.json.decode(msgspec.json.encode(node), type=Node) == node


def test_matchers_become_label_comparisons() -> None:
    matchers = [
        Matcher(name="site", value="x"),
        Matcher(name="a b", value="y", is_equal=False),
        Matcher(name="job", value="n.*", is_regex=True),
        Matcher(name="job", value="m", is_regex=True, is_equal=False),
    ]
    node = matchers_node(matchers)
    assert node == And(
        parts=(
            is_("label.site", "=", "x"),
            is_("label.a b", "!=", "y"),
            is_("label.job", "=~", "n.*"),
            is_("label.job", "!~", "m"),
        )
    )
    assert parse(unparse(node)) == node
    assert matchers_node([]) is None


def test_field_names_and_aliases_are_unique_and_explained() -> None:
    names = [name for field in FIELDS for name in (field.name, *field.aliases)]
    assert len(names) == len(set(names))
    assert all(field.doc and field.kinds for field in FIELDS)
