"""Conditions and templates: what they mean, what they refuse, and that values are never anything but values."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.playbooks import expression, template

VALUES: dict[str, Any] = {
    "incident.severity": "high",
    "incident.alerts": 3,
    "incident.sites": ["Depot", "Yard"],
    "alert.site": "Depot",
    "alert.labels.env": "prod",
    "alert.labels.a-b": "",
    "flag": True,
}

TRUE = [
    'incident.severity >= "medium"',
    'incident.severity < "critical"',
    "incident.alerts == 3 and incident.alerts > 2.5",
    'alert.site in ["Depot", "Yard"]',
    'alert.site in incident.sites and "ep" in alert.site',
    'alert.site not in ["Lab"]',
    'not alert.site == "Lab"',
    'flag and not (incident.alerts != 3 or alert.labels.env == "test")',
    'alert.labels.a-b == ""',
    "flag == true and flag != 1 and incident.alerts != null",
    "alert.labels.env == 'prod'",
    "incident.alerts >= -3",
]

WRONG = [
    "", "alert.site ==", "== 3", "f(x)", "a.b()", "alert.site == Depot or", "1 + 1", "__import__('os')", "x[0]",
    "(flag", "flag)", "flag flag", "flag and", '"open', "not", "a; b", "lambda: 1", "flag if flag else flag", "[]",
    "alert..site", "alert.", "{}", "a == `b`", "(" * 40 + "flag" + ")" * 40, "x" * 2000, "not " * 40 + "flag",
]  # fmt: skip


@pytest.mark.parametrize("text", TRUE)
def test_what_is_true(text: str) -> None:
    assert expression.holds(expression.parse(text), VALUES)
    assert not expression.holds(expression.parse(f"not ({text})"), VALUES)


@pytest.mark.parametrize("text", WRONG)
def test_what_is_not_of_the_language_is_refused_with_a_remedy(text: str) -> None:
    with pytest.raises(expression.ExpressionError) as found:
        expression.holds(expression.parse(text), VALUES)
    assert found.value.remedy


@pytest.mark.parametrize(
    "text", ["alert.site > 3", 'alert.site < "a"', "flag > 0", "alert.site", "3 in alert.site", "1 in 2", "none == 1"]
)
def test_what_cannot_be_compared_is_refused(text: str) -> None:
    with pytest.raises(expression.ExpressionError):
        expression.holds(expression.parse(text), VALUES)


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_a_condition_or_refused(text: str) -> None:
    try:
        expression.holds(expression.parse(text), VALUES)
    except expression.ExpressionError as error:
        assert 0 <= error.position <= len(text)


@settings(deadline=None)
@given(st.text(max_size=200))
def test_a_value_is_compared_and_never_read(text: str) -> None:
    values = {**VALUES, "alert.site": text}
    assert expression.holds(expression.parse('alert.site == "Depot"'), values) is (text == "Depot")


def test_a_text_that_is_one_template_keeps_the_type() -> None:
    assert template.fill({"a": "${incident.alerts}", "b": ["${incident.sites}"]}, VALUES) == {
        "a": 3,
        "b": [["Depot", "Yard"]],
    }
    assert template.fill("at ${alert.site}: ${incident.alerts}, ${flag} $${x}", VALUES) == "at Depot: 3, true ${x}"


@settings(deadline=None)
@given(st.text(max_size=200))
def test_what_was_put_in_is_not_looked_at_again(text: str) -> None:
    assert template.fill("<${alert.site}>", {"alert.site": text}) == f"<{text}>"
    assert template.fill("${alert.site}", {"alert.site": text, "x": "y"}) == text


@pytest.mark.parametrize("text", ["${", "${}", "${a b}", "${a.}", "${a()}", "${a.b", "${__a__.b['c']}", "${none}"])
def test_a_template_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(template.TemplateError):
        template.fill(text, VALUES)


def test_a_text_may_not_swell() -> None:
    with pytest.raises(template.TemplateError):
        template.fill("${a} " * 1000, {"a": "x" * 100})


def test_late_names_stay_as_they_are() -> None:
    given = {"text": "${alert.site} ${steps.look.said}", "plain": "${alert.site}"}
    assert template.fill(given, VALUES, late="steps.") == {"text": given["text"], "plain": "Depot"}
