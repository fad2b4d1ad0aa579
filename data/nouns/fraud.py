"""What is known of attendance fraud: each judged event, its anomalies, and what is remembered of people and devices.

Owns the shape of these records. All of them take security:fraud:view, in lists, items and changes alike.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NamedTuple

from msgspec import Struct

from data.nouns.base import Noun
from data.records import TenantId

FRAUD_VIEW = "security:fraud:view"

#: "open" waits for an analyst, "unjudged" waited in vain.
Verdict = Literal["open", "confirmed", "dismissed", "unjudged"]


class FraudReason(Struct, frozen=True, kw_only=True, gc=False):
    """A part of a score: `points` of 100 that `feature` (or an anomaly's name) added or took, and the words for it."""

    feature: str
    points: float
    words: str


class FraudPrediction(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The judgement of one attendance event.

    `score` is 0..1 and only ranks: 0.80 is where it is worth a ticket. `probability` is the model's, calibrated, where
    one served. `features` are in
    the order of the model's, None = unknown. `kind` is the type of fraud that it looks like most. `verdict` is what
    operators found; `ticket` was opened for it, or is the one of the same person and type of the last 24 hours.
    """

    tenant: TenantId
    id: str
    at: datetime
    person: str
    site: str
    event_source: str
    event_id: str
    features: tuple[float | None, ...]
    score: float
    model: str
    kind: str = ""
    reasons: tuple[FraudReason, ...] = ()
    anomalies: tuple[str, ...] = ()
    verdict: Verdict = "open"
    verdict_by: str = ""
    verdict_at: datetime | None = None
    verdict_note: str = ""
    ticket: str = ""
    probability: float | None = None


class AttendanceAnomaly(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A named check that an attendance event or a tour did not pass, with its numbers. `prediction` is the
    FraudPrediction of the same event; its verdict is carried over. `others` are the persons it was shared with."""

    tenant: TenantId
    id: str
    at: datetime
    kind: str
    person: str
    site: str
    strength: float
    words: str
    numbers: dict[str, float] = {}
    others: tuple[str, ...] = ()
    prediction: str = ""
    verdict: Verdict = "open"


class Place(NamedTuple):
    """Where a person has been: the running mean of the points and how many there were."""

    lat: float
    lon: float
    visits: int


class Use(NamedTuple):
    """The last time that a person used a device, in seconds since 1970."""

    person: str
    at: float


class PersonHistory(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """Bounded memory of one person. Times are seconds since 1970; with `events` 0 nothing is known."""

    events: int = 0
    at: float = 0.0
    kind: str = ""
    site: str = ""
    point: tuple[float, float] | None = None
    slack_m: float = 0.0
    #: Begin of the stretch of work since the last rest.
    rested_at: float = 0.0
    rate_mean: float = 0.0
    rate_variance: float = 0.0
    recent: tuple[float, ...] = ()
    hours_in: tuple[float, ...] = ()
    hours_out: tuple[float, ...] = ()
    #: Events per day type: Monday to Sunday, holiday.
    days: tuple[int, ...] = (0, 0, 0, 0, 0, 0, 0, 0)
    places: tuple[Place, ...] = ()
    devices: tuple[str, ...] = ()


class FraudTicket(NamedTuple):
    """The latest ticket about a person, by type of fraud. `at` is in seconds since 1970."""

    kind: str
    ticket: str
    at: float


class AttendanceProfile(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is remembered under one key: "person:ID" has a history, "device:ID" its uses, "tickets:ID" the tickets of a
    person; "confirmed:person:ID" and "confirmed:site:ID" when anomalies were confirmed. `state` is kept or dropped."""

    tenant: TenantId
    id: str
    at: datetime
    history: PersonHistory | None = None
    uses: tuple[Use, ...] = ()
    confirmed: tuple[float, ...] = ()
    tickets: tuple[FraudTicket, ...] = ()
    state: str = "kept"


_VERDICTS = ("open", "confirmed", "dismissed", "unjudged")
_JUDGED = frozenset({"confirmed", "dismissed", "unjudged"})

NOUNS = (
    Noun(
        kind="fraud_scores",
        subject="fraud_score",
        record=FraudPrediction,
        words="Attendance events judged for fraud.",
        at="at",
        event="prediction_made",
        capability=FRAUD_VIEW,
        site="site",
        entity="person",
        state="verdict",
        value="score",
        states=_VERDICTS,
        over=_JUDGED,
        keep_days=365.0,
    ),
    Noun(
        kind="attendance_anomalies",
        subject="attendance_anomaly",
        record=AttendanceAnomaly,
        words="Checks that attendance did not pass.",
        at="at",
        event="anomaly_detected",
        capability=FRAUD_VIEW,
        site="site",
        entity="person",
        state="verdict",
        value="strength",
        states=_VERDICTS,
        over=_JUDGED,
        keep_days=365.0,
    ),
    Noun(
        kind="attendance_profiles",
        subject="attendance_profile",
        record=AttendanceProfile,
        words="What is remembered of people and devices to judge attendance.",
        at="at",
        capability=FRAUD_VIEW,
        state="state",
        states=("kept", "dropped"),
        over=frozenset({"dropped"}),
        keep_days=30.0,
    ),
)
