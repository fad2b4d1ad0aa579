"""Matchers that an incident could be silenced by, and how many of its alerts each of them hits. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from data.records import Alert, Matcher
from noc_console.screens.grave_acts import matchers_of

#: Names or sites in one matcher at most: beyond that nobody reads it before it is sent.
VALUES_MOST = 12
_SPECIAL = frozenset("\\.+*?()|[]{}^$")
#: Labels that change from one firing to the next, or that are not the thing itself.
NOISE = frozenset({"severity", "prometheus", "alertstate", "__name__", "endpoint", "pod_template_hash"})


class Subject(Struct, frozen=True):
    """What a silence is meant for: its name ("I-12") and the alerts of it that are active."""

    name: str
    alerts: Sequence[Alert]
    #: There are more alerts than were read.
    more: bool = False

    def hits(self, text: str) -> int:
        """How many of the alerts these matchers match. Raises ValueError for what are no matchers."""
        # It brings the regular expressions along, which no first frame pays for.
        from data.matchers import compile_matchers, parse_matchers

        matches = compile_matchers(parse_matchers(text))
        return sum(matches(alert.labels) for alert in self.alerts)


def proposals(first: str, alerts: Sequence[Alert]) -> list[str]:
    """`first`, then others, those that hit all alerts before those that hit a part, narrow ones before wide ones."""
    names, sites = _values(alerts, "alertname"), _values(alerts, "site")
    made = [
        matchers_of(_shared(alerts)),
        _joined(_one_of("alertname", names), _one_of("site", sites)),
        _one_of("site", sites),
        _one_of("alertname", names),
    ]
    counted = {text: _hits(text, alerts) for text in dict.fromkeys(made) if text and text != first}
    others = sorted((text for text, hits in counted.items() if hits), key=lambda text: -counted[text])
    return [text for text in (first, *others) if text]


def likeliest(proposed: Sequence[str], alerts: Sequence[Alert]) -> str:
    """The first that hits something, for what named an incident may be over; the first of all where none does."""
    return next((text for text in proposed if _hits(text, alerts)), proposed[0] if proposed else "")


def _hits(text: str, alerts: Sequence[Alert]) -> int:
    """0 also for what no matcher can say: labels come from outside."""
    try:
        return Subject("", alerts).hits(text)
    except ValueError:
        return 0


def _shared(alerts: Sequence[Alert]) -> dict[str, str]:
    """Labels that all the alerts have with the same value."""
    if not alerts:
        return {}
    shared = {name: value for name, value in sorted(alerts[0].labels.items()) if name not in NOISE}
    for alert in alerts[1:]:
        shared = {name: value for name, value in shared.items() if alert.labels.get(name) == value}
    return shared


def _values(alerts: Sequence[Alert], label: str) -> list[str]:
    return sorted({alert.labels.get(label, "") for alert in alerts})


def _one_of(label: str, values: Sequence[str]) -> str:
    """One matcher for all of these values; "" when there are none, too many, or one of them is empty."""
    if not values or len(values) > VALUES_MOST or "" in values:
        return ""
    if len(values) == 1:
        return matchers_of({label: values[0]})
    from data.matchers import matcher_text

    any_of = "|".join(_quoted(value) for value in values)
    return matcher_text(Matcher(name=label, value=any_of, is_regex=True))


def _quoted(value: str) -> str:
    """The value as a regular expression that matches nothing else."""
    return "".join(f"\\{letter}" if letter in _SPECIAL else letter for letter in value)


def _joined(*parts: str) -> str:
    return ", ".join(parts) if all(parts) else ""
