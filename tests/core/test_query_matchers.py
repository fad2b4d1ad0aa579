"""Matcher text: the vectors of both Alertmanager grammars, spelling, and matching."""

from __future__ import annotations

import pytest

from data.go_strings import quote_go, unquote_go
from data.matchers import MatcherError, compile_matchers, matcher_text, matches_empty, parse_matcher, parse_matchers
from data.records import Matcher
from data.regexes import RegexError, full_match, plain_words


def one(name: str, symbol: str, value: str) -> Matcher:
    return Matcher(name=name, value=value, is_regex="~" in symbol, is_equal="!" not in symbol)


VECTORS: list[tuple[str, list[tuple[str, str, str]]]] = [
    ("", []),
    ("{}", []),
    ("{foo=bar}", [("foo", "=", "bar")]),
    ("{foo=bar,}", [("foo", "=", "bar")]),
    ("{foo!=bar}", [("foo", "!=", "bar")]),
    ("{foo=~[a-z]+}", [("foo", "=~", "[a-z]+")]),
    ("{foo!~[a-z]+}", [("foo", "!~", "[a-z]+")]),
    ("{foo=🙂bar}", [("foo", "=", "🙂bar")]),
    ("foo=bar,", [("foo", "=", "bar")]),
    ("foo=~[a-z]+", [("foo", "=~", "[a-z]+")]),
    ('{"foo"="bar",}', [("foo", "=", "bar")]),
    ('{"foo"=~"[a-z]+"}', [("foo", "=~", "[a-z]+")]),
    (r'{"foo"="\xf0\x9f\x99\x82"}', [("foo", "=", "🙂")]),
    (r'{"foo"="\U0001f642"}', [("foo", "=", "🙂")]),
    (r'{"foo"="bar\n"}', [("foo", "=", "bar\n")]),
    (r'{"foo"="bar\t"}', [("foo", "=", "bar\t")]),
    (r'{"foo"="\"bar\""}', [("foo", "=", '"bar"')]),
    (r'{"foo"="bar\\"}', [("foo", "=", "bar\\")]),
    ("{foo=bar,bar!=baz}", [("foo", "=", "bar"), ("bar", "!=", "baz")]),
    ('"foo bar"="x", "ü"!="y"', [("foo bar", "=", "x"), ("ü", "!=", "y")]),
    ('{foo=""}', [("foo", "=", "")]),
    ('{foo="bar,quux", job="job1"}', [("foo", "=", "bar,quux"), ("job", "=", "job1")]),
    ('{foo = "bar", dings != "bums", }', [("foo", "=", "bar"), ("dings", "!=", "bums")]),
    (
        r"""{quote="She said: \"Hi, ladies! That's gender-neutral…\""}""",
        [("quote", "=", 'She said: "Hi, ladies! That\'s gender-neutral…"')],
    ),
    ("tricky=~~~", [("tricky", "=~", "~~")]),
    (r"trickier==\\=\=\"", [("trickier", "=", r"=\=\=" + '"')]),
    (
        r'contains_quote != "\"" , contains_comma !~ "foo,bar" , ',
        [("contains_quote", "!=", '"'), ("contains_comma", "!~", "foo,bar")],
    ),
    ("statuscode=~5..", [("statuscode", "=~", "5..")]),
    # Valid in both grammars with different meaning: the classic reading wins.
    (r'foo="a\tb"', [("foo", "=", r"a\tb")]),
    (r'foo=~"\d+"', [("foo", "=~", r"\d+")]),
    ("foo=a)(b", [("foo", "=", "a)(b")]),
    # Valid in the classic grammar only.
    ("foo=bar}", [("foo", "=", "bar")]),
    (r"{foo=bar\n}", [("foo", "=", "bar\n")]),
    ("foo=a b", [("foo", "=", "a b")]),
]

REFUSED = [
    ",", "{,}", '{foo=:"bar"}', "job=", 'job="value', 'job=value"', r'trickier==\\=\=\""', 'a = foo"bar',
    '{foo=~"invalid[regexp"}', "foo", "=x", '""="x"', '"foo"="a" "b"', r'"foo"="\xf0\x9f"', r'"foo"="\ud800"',
    r'"foo"="\w"', '"{foo=\\"bar"}', '"foo=\\"bar\\""', '{"foo"="bar"', '"foo"="bar"}', "a=b,,c=d",
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), VECTORS, ids=[text for text, _ in VECTORS])
def test_reads_both_grammars(text: str, expected: list[tuple[str, str, str]]) -> None:
    matchers = parse_matchers(text)
    assert matchers == tuple(one(*parts) for parts in expected)
    assert parse_matchers("{" + ",".join(map(matcher_text, matchers)) + "}") == matchers
    for matcher in matchers:
        assert parse_matcher(matcher_text(matcher)) == matcher


@pytest.mark.parametrize("text", REFUSED)
def test_refuses(text: str) -> None:
    with pytest.raises(MatcherError) as caught:
        parse_matchers(text)
    assert caught.value.reason
    assert caught.value.remedy
    assert 0 <= caught.value.position <= len(text)


@pytest.mark.parametrize("text", ["", "{foo=bar}", "foo=bar}", '"a"="b","c"="d"', "foo"])
def test_a_single_matcher_is_exactly_one_without_braces(text: str) -> None:
    with pytest.raises(MatcherError):
        parse_matcher(text)


@pytest.mark.parametrize(
    ("text", "labels", "matches"),
    [
        ('a="x"', {"a": "x"}, True),
        ('a="x"', {}, False),
        ('a=""', {}, True),
        ('a!="x"', {}, True),
        ('a!=""', {"a": ""}, False),
        ('a=~"x"', {"a": "xx"}, False),
        ('a=~"x|yy"', {"a": "yy"}, True),
        ('a=~"x|yy"', {"a": "xyy"}, False),
        ('a=~"(x|y)"', {"a": "y"}, True),
        ('a=~"node.*"', {"a": "node1"}, True),
        ('a=~"node.*"', {"a": "node\n1"}, False),
        ('a=~"node.+"', {"a": "node"}, False),
        ('a=~".*"', {}, True),
        ('a=~".+"', {}, False),
        ('a!~"node.*"', {"a": "nod"}, True),
        ('a=~"[0-9]+"', {"a": "12\n"}, False),
        ('a=~"(?i)ABC"', {"a": "abc"}, True),
        ('a=~"é."', {"a": "éé"}, True),
        ('a=~"x|"', {}, True),
        ('a="x",b!="y",c=~"z.*"', {"a": "x", "b": "n", "c": "z"}, True),
        ('a="x",b!="y",c=~"z.*"', {"a": "x", "b": "y", "c": "z"}, False),
        ("", {"a": "x"}, True),
    ],
)
def test_matches_anchored_and_missing_is_empty(text: str, labels: dict[str, str], matches: bool) -> None:
    assert compile_matchers(parse_matchers(text))(labels) is matches


@pytest.mark.parametrize(
    ("text", "empty"),
    [('a=""', True), ('a="x"', False), ('a!="x"', True), ('a!=""', False), ('a=~".*"', True), ('a!~".+"', True),
     ('a=~"x"', False), ('a!~"x?"', False)],
)  # fmt: skip
def test_knows_matchers_that_take_a_missing_label(text: str, empty: bool) -> None:
    assert matches_empty(parse_matcher(text)) is empty


def test_a_broken_character_in_a_label_stops_nothing() -> None:
    assert compile_matchers(parse_matchers('a=~"[a-z].*x"'))({"a": "\ud800x"}) is False


@pytest.mark.parametrize("pattern", ["(a{1000}){1000}", "(?=x)", r"(a)\1", "[", "x**", "\ud800.", "x" * 20_000 + "."])
def test_patterns_beyond_re2_or_the_limits_are_refused(pattern: str) -> None:
    with pytest.raises(RegexError):
        full_match(pattern)


@pytest.mark.parametrize(
    ("pattern", "words"),
    [("a", {"a"}), ("a|b", {"a", "b"}), ("(?:a|b)", {"a", "b"}), ("(a)|(b)", None), ("a.", None), ("", {""})],
)
def test_plain_words_need_no_regex(pattern: str, words: set[str] | None) -> None:
    assert plain_words(pattern) == words


@pytest.mark.parametrize("text", ["", 'a"b\\c\n\t\x00\x7fé🙂'])
def test_go_quoting_reads_back(text: str) -> None:
    assert unquote_go(quote_go(text)[1:-1]) == text


@pytest.mark.parametrize("body", ["\\", "\\q", "\\x1", "a\nb", "\\400", "\\'"])
def test_bad_go_strings_are_refused(body: str) -> None:
    with pytest.raises(ValueError):
        unquote_go(body)
