"""What the line needs of the configuration, compiled once: thresholds, weights and matchers.

Built from `config.Settings` when the engine starts or reloads; stages read it and never change it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct, field

from data.load import SEEN_SECONDS
from data.records import Incident, Matcher, Severity
from engine.domain.rules import DEFAULTS as DOMAIN_DEFAULTS
from engine.domain.rules import DomainRules, domain_rules
from engine.oncall.rules import OnCall, compile_oncall, minute_of
from engine.similarity.cosine import Cosine
from engine.similarity.method import Method, Streaming

_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

Predicate = Callable[[Mapping[str, str]], bool]


#: Minutes from opening to the moment an incident should be resolved.
SLA_MINUTES = {
    Severity.CRITICAL: 15.0,
    Severity.HIGH: 60.0,
    Severity.MEDIUM: 240.0,
    Severity.LOW: 1440.0,
    Severity.INFO: 4320.0,
}


class InhibitRule(Struct, frozen=True, kw_only=True):
    """While an alert that `source` matches fires, alerts that `target` matches with the same values of
    `equal` are inhibited. Every label of `equal` must be present on both: missing ones never mute."""

    name: str
    source: Predicate
    target: Predicate
    equal: tuple[str, ...]


class Window(Struct, frozen=True, kw_only=True):
    """A recurring maintenance window.

    `days`: Monday 0 … Sunday 6 on which it begins; minutes of the day; an end before the start is next day."""

    name: str
    matchers: tuple[Matcher, ...]
    days: frozenset[int]
    start_minute: int
    end_minute: int
    time_zone: str


class SuppressRule(Struct, frozen=True, kw_only=True):
    """Alerts that `match` and joined a cluster with a likeness of at least `above` are folded away; `never` keeps them
    from being folded."""

    name: str
    match: Predicate
    above: float = 0.0
    never: bool = False


class KeyRule(Struct, frozen=True, kw_only=True):
    """A dedup rule as far as the line counts it."""

    name: str
    match: Predicate


class Notice(Struct, frozen=True, kw_only=True):
    """Who is told of what: `on` names events of an incident, `when` says of which incidents, at a moment."""

    name: str
    on: frozenset[str]
    when: Callable[[Incident, datetime], bool]


class Weights(Struct, frozen=True, kw_only=True):
    """Points of 100 that each priority feature can add at most. They sum to 100."""

    severity: float = 45.0
    affected_sites: float = 10.0
    business_hours: float = 4.0
    client_tier: float = 10.0
    historical_impact: float = 7.0
    recurrence: float = 6.0
    resolution_time: float = 5.0
    site_workload: float = 5.0
    on_call: float = 3.0
    sla: float = 5.0


class Rules(Struct, frozen=True, kw_only=True):
    """Defaults are the documented ones; durations in seconds, shares 0..1."""

    method: Method | Streaming = Cosine()
    join_at: float = 0.75
    suppress_above: float = 0.90
    window_seconds: float = 1800.0
    cap_alerts: int = 500
    cap_seconds: float = 86_400.0
    lateness_seconds: float = 600.0
    answers_per_minute: int = 10
    recent_seconds: float = 3600.0
    flapping_window: int = 20
    flapping_on: float = 0.30
    flapping_off: float = 0.25
    close_after_seconds: float = 86_400.0
    needs_ack: frozenset[Severity] = frozenset({Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM})
    undo_seconds: float = 600.0
    seen_limit: int = 200_000
    seen_seconds: float = SEEN_SECONDS
    weights: Weights = Weights()
    tiers: Mapping[str, str] = {}
    sla_minutes: Mapping[Severity, float] = field(default_factory=lambda: dict(SLA_MINUTES))
    business_days: frozenset[int] = frozenset({0, 1, 2, 3, 4})
    business_start_hour: float = 8.0
    business_end_hour: float = 18.0
    time_zone: str = "UTC"
    on_call: bool | None = None
    inhibitions: Sequence[InhibitRule] = ()
    maintenance: Sequence[Window] = ()
    notices: Sequence[Notice] = ()
    suppressions: Sequence[SuppressRule] = ()
    dedups: Sequence[KeyRule] = ()
    #: An `engine.priority.model.PriorityModel`; None = the formula ranks.
    priority_model: Any = None
    #: What the handlers and audits of `engine.domain` need.
    domain: DomainRules = DOMAIN_DEFAULTS
    #: An `engine.models.loading.Served` of the fraud model; None = the heuristic scores.
    fraud_model: Any = None
    #: Name of a predictor → the `engine.models.loading.Served` that serves; without one it goes by rules of thumb.
    predictor_models: Mapping[str, Any] = {}
    #: Whether predictions are made, and name of a predictor → the probability from which they are, where that is given.
    predicting: bool = True
    predict_at: Mapping[str, float] = {}
    #: Monotonic seconds, by which a slice of a round of predictions ends; None = it ends by what it does alone.
    stopwatch: Callable[[], float] | None = None
    #: An `engine.playbooks.library.Library`; None = there are no playbooks.
    playbooks: Any = None
    #: Rotas and escalation policies; None = there are none.
    oncall: OnCall | None = None


def inhibit_rule(name: str, source: Sequence[Matcher], target: Sequence[Matcher], equal: Sequence[str]) -> InhibitRule:
    from data.matchers import compile_matchers

    return InhibitRule(name=name, source=compile_matchers(source), target=compile_matchers(target), equal=tuple(equal))


def compile_rules(settings: Any, method: Method | Streaming | None = None) -> Rules:
    """Rules of `settings` (see `engine.config`), with this method of clustering or the one that they name.

    Raises ValueError when that method cannot be made."""
    from data.matchers import parse_matchers
    from engine.similarity import registry

    clustering, flapping, triage = settings.clustering, settings.flapping, settings.triage
    return Rules(
        method=method or registry()[clustering.method].make(),
        join_at=clustering.join_at,
        suppress_above=clustering.suppress_above if settings.suppression.enabled else 1.01,
        window_seconds=clustering.window_minutes * 60.0,
        cap_alerts=clustering.cap_alerts,
        cap_seconds=clustering.cap_hours * 3600.0,
        answers_per_minute=settings.approvals.per_minute,
        flapping_window=flapping.window,
        flapping_on=flapping.on,
        flapping_off=flapping.off,
        close_after_seconds=triage.close_after_hours * 3600.0,
        needs_ack=frozenset(triage.needs_ack),
        sla_minutes=dict(triage.sla_minutes),
        domain=domain_rules(settings),
        predicting=settings.predictions.enabled,
        predict_at=settings.predictions.given(),
        tiers=dict(settings.priority.tiers),
        business_days=frozenset(settings.priority.business_days),
        business_start_hour=settings.priority.business_start_hour,
        business_end_hour=settings.priority.business_end_hour,
        time_zone=settings.priority.time_zone,
        on_call=settings.priority.on_call,
        oncall=compile_oncall(settings.oncall, incident_test),
        weights=Weights(**{name: getattr(settings.priority.weights, name) for name in Weights.__struct_fields__}),
        inhibitions=tuple(
            inhibit_rule(
                rule.name or f"inhibition {position + 1}",
                parse_matchers(rule.source),
                parse_matchers(rule.target),
                rule.equal,
            )
            for position, rule in enumerate(settings.inhibition.rules)
        ),
        maintenance=tuple(_window(window) for window in settings.suppression.maintenance),
        suppressions=tuple(_suppressions(settings.suppression.rules)),
        dedups=tuple(_dedups(settings.dedup.rules)),
        notices=tuple(
            Notice(name=webhook.name, on=frozenset(webhook.on), when=incident_test(webhook.when))
            for webhook in settings.notify.webhooks
        ),
    )


def incident_test(text: str) -> Callable[[Incident, datetime], bool]:
    """A query as a test of incidents at a moment; compiled once unless the answer moves with time."""
    from data.query import parse
    from data.query_memory import predicate

    node = parse(text)
    if _moves(node):
        return lambda incident, now: predicate(node, now)(incident)
    test = predicate(node, datetime.min.replace(tzinfo=UTC))
    return lambda incident, now: test(incident)


def _moves(node: Any) -> bool:
    from data.query import And, Compare, FieldType, Not, Or
    from data.query_fields import field_of

    if isinstance(node, Compare):
        return field_of(node.field).type in (FieldType.DURATION, FieldType.TIME, FieldType.FLAG)
    if isinstance(node, And | Or):
        return any(_moves(part) for part in node.parts)
    return isinstance(node, Not) and _moves(node.part)


def _suppressions(given: Sequence[Any]) -> Iterator[SuppressRule]:
    from data.matchers import compile_matchers, parse_matchers

    for rule in given:
        match = compile_matchers(parse_matchers(rule.match))
        yield SuppressRule(name=rule.name, match=match, above=rule.above, never=rule.never)


def _dedups(given: Sequence[Any]) -> Iterator[KeyRule]:
    from data.matchers import compile_matchers, parse_matchers

    for position, rule in enumerate(given):
        yield KeyRule(name=rule.name or f"dedup {position + 1}", match=compile_matchers(parse_matchers(rule.match)))


def _window(given: Any) -> Window:
    from data.matchers import parse_matchers

    return Window(
        name=given.name,
        matchers=parse_matchers(given.match),
        days=frozenset(_WEEKDAYS.index(day) for day in given.days),
        start_minute=minute_of(given.start),
        end_minute=minute_of(given.end),
        time_zone=given.time_zone,
    )
