"""What is foretold and what came of it: each prediction until its horizon has ended, and the examples that models are
judged by and learn from.

Owns the shape of these records. Never says how a probability is made.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NamedTuple

from msgspec import Struct

from data.nouns.base import Noun
from data.records import IncidentId, TenantId

#: "open": the horizon runs. "cleared": withdrawn, as it became unlikely; its outcome is seen when the horizon ends.
#: The rest are outcomes. "hit": the event came. "false_alarm": it did not. "prevented": it did not, and somebody had
#: acted on the prediction. "missed": it came, and no prediction stood early enough.
PredictionState = Literal["open", "cleared", "hit", "false_alarm", "prevented", "missed"]
Basis = Literal["model", "heuristic"]
Foretold = Literal["sla", "device", "staffing"]


class Contribution(NamedTuple):
    """What one feature says: its value in words, and the log odds that it adds (a model) or its weight (a
    heuristic)."""

    name: str
    words: str
    weight: float


class Chance(NamedTuple):
    """The probability as it was at a moment."""

    at: datetime
    probability: float


class Prediction(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event foretold of one thing.

    `probability` (0..1, calibrated) is that of the event until `due_at`, the end of the horizon, as it was last worked
    out; `first` as it was at `made_at`. `version` is the model's, "" for a heuristic. `history` is how it moved, oldest
    first, bounded. `acted` says which act was taken on it, by whom, since it was made. `event_at` is when the event
    came; `lead_s` how long before the prediction stood. `alert` and `incident` are its own alert and the incident of
    that; `foretold` is the alert of the event. `threshold` is the probability from which predictions were raised.
    """

    tenant: TenantId
    id: str
    model: Foretold
    entity: str
    entity_kind: str
    made_at: datetime
    due_at: datetime
    probability: float
    first: float
    threshold: float
    basis: Basis = "heuristic"
    version: str = ""
    entity_name: str = ""
    site: str = ""
    client: str = ""
    reasons: tuple[str, ...] = ()
    contributions: tuple[Contribution, ...] = ()
    action: str = ""
    state: PredictionState = "open"
    updated_at: datetime | None = None
    cleared_at: datetime | None = None
    validated_at: datetime | None = None
    event_at: datetime | None = None
    lead_s: float | None = None
    acted: str = ""
    acted_at: datetime | None = None
    alert: int | None = None
    incident: IncidentId | None = None
    foretold: int | None = None
    history: tuple[Chance, ...] = ()


class PredictionExample(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One thing as it was at a moment, the probability that was given, and whether the event came in the horizon.

    `row` holds the features as half-precision floats, little end first, NaN where not known, in the order that
    `columns` marks. It stands for `weight` cases like it: of those without event only some are kept. `recent` is the
    share of events among the outcomes that were known then, the baseline to be better than.
    """

    tenant: TenantId
    id: str
    at: datetime
    model: Foretold
    entity: str
    columns: str
    row: bytes
    label: bool
    probability: float
    recent: float
    basis: Basis = "heuristic"
    version: str = ""
    site: str = ""
    weight: float = 1.0
    acted: bool = False
    #: Seconds from the row to the event, where it came.
    lead_s: float | None = None


class WaitingScore(Struct, frozen=True, array_like=True, gc=False):
    """A score whose horizon runs. `thing` names what was scored to its predictor; `row` is as in an example."""

    entity: str
    thing: tuple[str | float, ...]
    at: datetime
    due: datetime
    row: bytes
    probability: float
    share: float
    basis: Basis = "heuristic"
    version: str = ""
    site: str = ""


class WaitingScores(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """Scores of one model that were made together and have no outcome yet. `columns` marks the order of their rows;
    over when the last has its outcome."""

    tenant: TenantId
    id: str
    at: datetime
    model: Foretold
    columns: str
    state: Literal["waiting", "over"] = "waiting"
    rows: tuple[WaitingScore, ...] = ()


_STATES = ("open", "cleared", "hit", "false_alarm", "prevented", "missed")

NOUNS = (
    Noun(
        kind="predictions",
        subject="prediction",
        record=Prediction,
        words="What is foretold, and what came of it.",
        at="made_at",
        event="prediction_made",
        site="site",
        entity="entity",
        state="state",
        value="probability",
        incident="incident",
        states=_STATES,
        over=frozenset({"hit", "false_alarm", "prevented", "missed"}),
        keep_days=365.0,
    ),
    Noun(
        kind="prediction_examples",
        subject="prediction_example",
        record=PredictionExample,
        words="Outcomes of what was foretold, for training and for the record of each model.",
        at="at",
        site="site",
        entity="entity",
        value="probability",
        state="model",
        states=("sla", "device", "staffing"),
        held=False,
        keep_days=90.0,
    ),
    # Things of all sites, not to be narrowed to those of a reader.
    Noun(
        kind="waiting_scores",
        subject="waiting_score",
        record=WaitingScores,
        words="Scores that wait for their outcome, for the next start.",
        at="at",
        state="state",
        states=("waiting", "over"),
        over=frozenset({"over"}),
        capability="admin",
        keep_days=1.0,
    ),
)
