"""The severity words of the field and the level that each stands for.

Owns the table only. Never looks at anything but the word and the name of the label that carried it.
"""

from __future__ import annotations

from data.records import Severity

_WORDS = {
    Severity.CRITICAL: "critical crit fatal emergency emerg alert panic page p1 s1 sev1 sev-1 disaster blocker severe",
    Severity.HIGH: "error err high major p2 s2 sev2 sev-2 urgent",
    Severity.MEDIUM: "warning warn average medium moderate minor p3 s3 sev3 sev-3",
    Severity.LOW: "low notice p4 s4 sev4 sev-4",
    Severity.INFO: "info informational information none ok normal debug trace p5 s5 sev5 sev-5",
}

#: Word → level, in the three spellings that senders use.
LEVELS: dict[str, Severity] = {
    spelling: level
    for level, words in _WORDS.items()
    for word in words.split()
    for spelling in (word, word.upper(), word.capitalize())
}

#: Bare digits are Zabbix's: 5 is the disaster, 2 the warning.
_DIGITS = {
    "5": Severity.CRITICAL,
    "4": Severity.HIGH,
    "3": Severity.MEDIUM,
    "2": Severity.MEDIUM,
    "1": Severity.INFO,
    "0": Severity.INFO,
}

#: In a label of this name a bare digit ranks the other way: priority 1 is the worst.
_RANKED_DOWNWARDS = frozenset({"priority", "prio", "urgency"})


def level(word: str, label: str = "severity") -> Severity:
    """A sender's word → one of the five levels; unknown or absent → MEDIUM, so that it is neither lost nor loud."""
    word = word.strip().lower()
    if word in _DIGITS:
        return LEVELS.get(f"p{word}", Severity.MEDIUM) if label in _RANKED_DOWNWARDS else _DIGITS[word]
    return LEVELS.get(word, Severity.MEDIUM)
