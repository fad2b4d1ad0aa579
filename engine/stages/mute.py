"""Mute: silences and inhibition. A muted alert is stored, counted and listed; it only does not call anyone.

A silence's effect is kept on the alert as the time until which it holds, so that reading it needs no timer.
Inhibition holds while a source alert fires; a rule whose `equal` labels are missing never mutes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from data.matchers import compile_matchers
from data.records import Alert, AlertId, Matcher, Silence
from engine.book import Book, Draft, is_firing
from engine.reasons import ReasonCode
from engine.rules import InhibitRule, Predicate, Rules

_compiled: dict[tuple[Matcher, ...], Predicate] = {}


def matching(silences: Mapping[str, Silence], labels: Mapping[str, str], now: datetime) -> list[Silence]:
    """Silences that hold at `now` and match all of these labels."""
    return [
        silence
        for silence in silences.values()
        if silence.starts_at <= now < silence.ends_at and predicate(silence.matchers)(labels)
    ]


def predicate(matchers: tuple[Matcher, ...]) -> Predicate:
    """The compiled form, kept: the same matchers are asked for every alert."""
    found = _compiled.get(matchers)
    if found is None:
        if len(_compiled) > 4096:
            _compiled.clear()
        found = _compiled[matchers] = compile_matchers(matchers)
    return found


def silence(draft: Draft, alert: Alert) -> Alert:
    """`alert` with the silences that hold for it now."""
    silences = draft.book.silences.get(alert.tenant)
    if not silences:
        return alert if not alert.silenced_by else replace(alert, silenced_by=(), silenced_until=None)
    hits = matching(silences, alert.labels, draft.now)
    names = tuple(sorted(hit.id for hit in hits))
    until = max((hit.ends_at for hit in hits), default=None)
    if names == alert.silenced_by and until == alert.silenced_until:
        return alert
    return replace(alert, silenced_by=names, silenced_until=until)


def resilence(draft: Draft, changed: Iterable[Silence]) -> int:
    """Look again at the firing alerts that one of `changed` matches or muted. Returns how many moved."""
    changed = tuple(changed)
    ids = {silence.id for silence in changed}
    tests = [predicate(silence.matchers) for silence in changed]
    moved = 0
    for alert in list(draft.book.alerts.values()):
        if alert.tenant != draft.tenant or not is_firing(alert) or not alert.incident:
            continue
        if not ids.isdisjoint(alert.silenced_by) or any(test(alert.labels) for test in tests):
            moved += _put_if_moved(draft, alert, silence(draft, alert), ReasonCode.SILENCED)
    return moved


def _put_if_moved(draft: Draft, old: Alert, new: Alert, reason: ReasonCode) -> int:
    if new is old:
        return 0
    draft.put_alert(new)
    draft.dirty.setdefault(new.incident, reason)
    draft.announce("alert", new.id, "alert_updated", reason, new.site)
    return 1


# -- inhibition


def equal_values(rule: InhibitRule, labels: Mapping[str, str]) -> tuple[str, ...] | None:
    """Values of the rule's equal labels, or None when one of them is missing."""
    values = tuple(labels.get(name, "") for name in rule.equal)
    return values if all(values) else None


def _places(rules: Rules, alert: Alert) -> Iterable[tuple[tuple[Any, ...], bool, bool]]:
    """(place, is a source, is a target) for each rule that this alert plays a part in."""
    for rule in rules.inhibitions:
        values = equal_values(rule, alert.labels)
        if values is None:
            continue
        source, target = rule.source(alert.labels), rule.target(alert.labels)
        if source or target:
            yield (alert.tenant, rule.name, values), source, target


def inhibit(draft: Draft, alert: Alert) -> Alert:
    """Enter a firing alert into the rules: it may mute others, and others may mute it. Returns it as muted now."""
    for place, source, target in _places(draft.rules, alert):
        if target:
            _enter(draft, draft.book.inhibited, place, alert.id)
        if source:
            _enter(draft, draft.book.inhibitors, place, alert.id)
            _reconsider(draft, place, alert.id)
    return _as_inhibited(draft.book, draft.rules, alert)


def uninhibit(draft: Draft, alert: Alert) -> None:
    """An ended alert leaves the rules; what only it muted speaks again."""
    for place, source, target in _places(draft.rules, alert):
        if target and place in draft.book.inhibited:
            draft.discard(draft.book.inhibited[place], alert.id)
        if source and place in draft.book.inhibitors:
            draft.discard(draft.book.inhibitors[place], alert.id)
            _reconsider(draft, place, alert.id)


def _enter(draft: Draft, table: dict[Any, dict[AlertId, None]], place: tuple[Any, ...], alert: AlertId) -> None:
    if place not in table:
        draft.set(table, place, {})
    draft.set(table[place], alert, None)


def _reconsider(draft: Draft, place: tuple[Any, ...], but: AlertId) -> None:
    for number in list(draft.book.inhibited.get(place, ())):
        alert = draft.book.alerts.get(number)
        if alert is not None and number != but and is_firing(alert):
            _put_if_moved(draft, alert, _as_inhibited(draft.book, draft.rules, alert), ReasonCode.INHIBITED)


def _as_inhibited(book: Book, rules: Rules, alert: Alert) -> Alert:
    sources: set[AlertId] = set()
    for place, _, target in _places(rules, alert):
        if target:
            inhibitors, both_sides = book.inhibitors.get(place, {}), book.inhibited.get(place, {})
            sources |= {
                number
                for number in inhibitors
                if number != alert.id
                and _fires(book, number)
                and not (number in both_sides and alert.id in inhibitors)
            }
    found = tuple(sorted(sources))
    return alert if found == alert.inhibited_by else replace(alert, inhibited_by=found)


def _fires(book: Book, number: AlertId) -> bool:
    source = book.alerts.get(number)
    return source is not None and is_firing(source)


def reinhibit(draft: Draft, alert: Alert) -> None:
    """Set the alert's inhibition to what the rules say now."""
    _put_if_moved(draft, alert, _as_inhibited(draft.book, draft.rules, alert), ReasonCode.INHIBITED)


def reindex_inhibition(book: Book, rules: Rules) -> None:
    """Rebuild the indexes after a start or a changed configuration. Alerts that are not muted as the rules say now
    come up at the next tick."""
    book.inhibitors.clear()
    book.inhibited.clear()
    firing = [alert for alert in book.active() if rules.inhibitions or alert.inhibited_by]
    for alert in firing:
        for place, source, target in _places(rules, alert):
            if source:
                book.inhibitors.setdefault(place, {})[alert.id] = None
            if target:
                book.inhibited.setdefault(place, {})[alert.id] = None
    for alert in firing:
        if _as_inhibited(book, rules, alert) is not alert:
            book.at(alert.received_at, "inhibition", alert.id)
