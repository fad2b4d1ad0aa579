"""Evidence: an alert as a statement of how far which kind of figure of an entity is from what is usual.

Owns the kinds and how strong an alert without a figure is. Never compares entities.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from math import isfinite, log1p
from re import compile as pattern

from msgspec import Struct

from data.records import Alert, AlertId, Severity


class Kind(StrEnum):
    PROCESSOR = "processor"
    MEMORY = "memory"
    ERRORS = "errors"
    LATENCY = "latency"
    STATE = "state"
    TRAFFIC = "traffic"


#: What an entity uses up is its own doing; how slow it answers may be the fault of what it asks, and how much it is
#: asked is the doing of others.
KIND_WEIGHT = {
    Kind.PROCESSOR: 1.0,
    Kind.MEMORY: 0.5,
    Kind.ERRORS: 1.0,
    Kind.LATENCY: 0.3,
    Kind.STATE: 1.0,
    Kind.TRAFFIC: 0.1,
}
#: The first that is found in the name of the alert and its metric decides.
_WORDS = (
    (Kind.PROCESSOR, pattern(r"cpu|processor|throttl|load_?avg")),
    (Kind.MEMORY, pattern(r"mem(ory)?(?![a-z])|memory|swap|oom|heap|disk|filesystem|inode")),
    (Kind.LATENCY, pattern(r"laten|slow|duration|response_?time|delay|p9\d")),
    (Kind.ERRORS, pattern(r"error|availab|success|5xx|4xx|fail|exception|crash|refused")),
    (Kind.TRAFFIC, pattern(r"traffic|request|workload|throughput|bytes|network|syscall|packets|connections")),
)
#: Labels and annotations that say by how many standard deviations the figure is off.
_SCORES = ("score", "z", "z_score", "strength")
#: Labels that name what the entity asks or hangs on, parted by commas.
DEPENDS_ON = ("depends_on", "parent", "upstream")
_TEXT_CHARS = 400
_ENTITIES_MOST = 50
#: An alert without a figure counts as so many standard deviations.
_BY_SEVERITY = {
    Severity.CRITICAL: 10.0,
    Severity.HIGH: 7.0,
    Severity.MEDIUM: 5.0,
    Severity.LOW: 3.0,
    Severity.INFO: 1.0,
}
_MOST = 1e6


class Evidence(Struct, frozen=True, kw_only=True):
    """`strength` in standard deviations, 0 or more; `unusual` 0..1 as in `Alert`."""

    alert: AlertId
    entity: str
    entity_type: str
    kind: Kind
    strength: float
    began_at: datetime
    unusual: float
    depends_on: tuple[str, ...]
    name: str

    @property
    def weight(self) -> float:
        return KIND_WEIGHT[self.kind] * log1p(self.strength)


def of(alert: Alert) -> Evidence:
    return Evidence(
        alert=alert.id,
        entity=alert.entity or alert.service or alert.site or alert.name,
        entity_type=alert.entity_type,
        kind=kind_of(f"{alert.name} {alert.labels.get('metric', '')}"),
        strength=_strength(alert),
        began_at=alert.starts_at,
        unusual=alert.unusual,
        depends_on=_depends_on(alert),
        name=alert.name,
    )


def kind_of(text: str) -> Kind:
    """The kind of figure that an alert's name is about; STATE where it is about none.

    >>> kind_of("HostHighCpuLoad"), kind_of("device_offline")
    (<Kind.PROCESSOR: 'processor'>, <Kind.STATE: 'state'>)
    """
    text = text[:_TEXT_CHARS].lower()
    return next((kind for kind, words in _WORDS if words.search(text)), Kind.STATE)


def _strength(alert: Alert) -> float:
    for texts in (alert.annotations, alert.labels):
        for name in _SCORES:
            found = texts.get(name)
            if found is not None:
                try:
                    value = abs(float(found[:32]))
                except ValueError:
                    continue
                if isfinite(value):
                    return min(value, _MOST)
    return _BY_SEVERITY[alert.severity]


def _depends_on(alert: Alert) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for name in DEPENDS_ON:
        for entity in alert.labels.get(name, "").split(",")[:_ENTITIES_MOST]:
            if entity.strip():
                found[entity.strip()] = None
    return tuple(found)
