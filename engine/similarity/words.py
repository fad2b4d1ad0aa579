"""The figures of the learned method in words, as they stand in the facts of a reason.

Owns their names and what they say. Light: the console reads it too.
"""

from __future__ import annotations

from collections.abc import Mapping

#: Name → what it says, with `{value}`.
WORDS: dict[str, str] = {
    "gap_seconds": "{value:.0f} s from the cluster's life",
    "since_rare_seconds": "{value:.0f} s since the cluster's last rare alert",
    "heat": "rare alerts of the cluster weigh {value:.1f}",
    "rare_members": "{value:.0f} rare alerts in the cluster",
    "surprise": "its type is rare: {value:.1f} (5 = one in 150)",
    "seen": "its type was seen {value:.0f} times before",
    "since_type_seconds": "its type last came {value:.0f} s ago",
    "since_place_seconds": "its place last spoke {value:.0f} s ago",
    "burst": "{value:.1f} times the usual rate of its place",
    "same_type": "{value:.0%} of the first members are of its type",
    "same_entity": "{value:.0%} of the first members are of its entity",
    "same_entity_type": "{value:.0%} of the first members are of its kind of entity",
    "same_site": "at the same site",
    "same_service": "{value:.0%} of the first members are of its service",
    "same_correlation": "with the same correlation id",
    "severity_step": "{value:+.0f} steps of severity against the cluster",
    "hours_apart": "{value:.0f} hours of the day from the cluster's beginning",
    "same_weekday": "same day of the week: {value:.0f}",
    "text": "{value:.0%} of its words, by what they tell, are the cluster's",
    "members": "{value:.0f} alerts in the cluster",
    "entities": "{value:.0f} entities in the cluster",
    "sites": "{value:.0f} sites in the cluster",
    "age_seconds": "{value:.0f} s since the cluster began",
    "topology": "{value:.0f} links from the cluster's nearest entity",
    "together": "its type and the cluster's come together: {value:.1f}",
}
#: Stands before the name of a figure among the facts of a reason.
PREFIX = "f_"


def words(facts: Mapping[str, object]) -> list[str]:
    """The figures among the facts of a reason, in words.

    >>> words({"score": 0.9, "f_same_entity": 0.5, "f_gap_seconds": 12.0})
    ['50% of the first members are of its entity', "12 s from the cluster's life"]
    """
    return [
        WORDS[name.removeprefix(PREFIX)].format(value=value)
        for name, value in facts.items()
        if name.removeprefix(PREFIX) in WORDS and name.startswith(PREFIX) and isinstance(value, int | float)
    ]
