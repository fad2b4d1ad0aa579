"""A row → the probability of the event, by the model that serves or without one, and which features make it so.

Owns calibration against the share of events. A model is fit beside the share that held when its rows were made, so that
its trees say by how much a thing differs from the rest, and not how bad those weeks were; when it serves, the share of
the newest outcomes is added instead. So a share that halves halves the probabilities, without training again (Saerens
et al., "Adjusting the outputs of a classifier to new a priori probabilities", 2002). Pure; never imports numpy.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import nan
from typing import TYPE_CHECKING, Any, NamedTuple

from data.nouns.predictions import Basis, Contribution, Foretold
from engine.book import Draft
from engine.models.calibration import logistic
from engine.predictors.memory import RATES, Shares, log_odds
from engine.predictors.predictor import Predictor, Row, Thing

if TYPE_CHECKING:
    from engine.models.loading import Served
    from engine.models.serving import Models

#: Outcomes that the prior counts as, in the share of events.
PRIOR_CASES = 50.0
#: Features that are named, and how much one must add to the log odds to be.
REASONS_MOST, REASON_LEAST = 4, 0.1


class Score(NamedTuple):
    probability: float
    basis: Basis
    version: str
    #: The share of events that it was worked out with.
    share: float


def serving(models: Models, predictors: Mapping[Foretold, Predictor]) -> dict[str, Served]:
    """The models that may serve; one of other features is refused with words. Reads files: never on the line."""
    found: dict[str, Served] = {}
    for name, predictor in predictors.items():
        served = models.serve(name)
        if served is not None and served.trees.features != predictor.features:
            models.refuse(name, "it was made for other features; predictions go by rules of thumb")
        elif served is not None:
            found[name] = served
    return found


def share_of(draft: Draft, of: Predictor, served: Served | None) -> float:
    """The share of cases in which the event came, of the newest outcomes."""
    prior = of.prior
    if served is not None and served.manifest.trained_on.rows:
        prior = float(served.manifest.facts.get("base_rate", prior))
    return Shares(draft, RATES, of.half_life_s).of((draft.tenant, of.name), prior, PRIOR_CASES)


def score(draft: Draft, of: Predictor, row: Row, thing: Thing) -> Score:
    served: Served | None = draft.rules.predictor_models.get(of.name)
    share = share_of(draft, of, served)
    probability = logistic(_margin(of, served, row, share, thing))
    if served is not None and served.trees.calibration is not None:
        probability = served.trees.calibration.apply(probability)
    version = served.manifest.version if served is not None else ""
    return Score(probability, "model" if served is not None else "heuristic", version, share)


def threshold(of: Predictor, served: Served | None, given: float | None) -> float:
    """From which probability on a warning is raised: as configured, else the model's word, else the predictor's."""
    if given is not None:
        return given
    if served is not None and served.manifest.threshold is not None:
        return min(0.95, max(0.05, served.manifest.threshold))
    return of.raise_at


def explain(draft: Draft, of: Predictor, row: Row, thing: Thing) -> tuple[Contribution, ...]:
    """What each feature adds to the log odds, largest first: the difference that it makes to put what is typical in the
    place of all of its columns (for a heuristic: what is not known). One feature at a time: what two only say together
    is not shared out."""
    served: Served | None = draft.rules.predictor_models.get(of.name)
    share = share_of(draft, of, served)
    typical = _typical(of, served)
    whole = _margin(of, served, row, share, thing)
    found = []
    for name, places in of.groups.items():
        other = list(row)
        for place in places:
            other[place] = typical[place]
        added = whole - _margin(of, served, tuple(other), share, thing)
        found.append(Contribution(name, of.words(name, row[places[0]]), round(added, 3)))
    return tuple(sorted(found, key=lambda one: -abs(one.weight)))


def reasons(contributions: tuple[Contribution, ...]) -> tuple[str, ...]:
    """The features that speak for the event, in words."""
    return tuple(one.words for one in contributions if one.weight >= REASON_LEAST)[:REASONS_MOST]


def _margin(of: Predictor, served: Served | None, row: Row, share: float, thing: Thing) -> float:
    if served is None:
        return of.margin(row, share, thing)
    return served.trees.margin(row) + log_odds(share)


def _typical(of: Predictor, served: Served | None) -> Row:
    """The medians of the rows that the model learned from; without one the calm values of the feature."""
    found: Any = served.manifest.facts.get("typical") if served is not None else None
    if isinstance(found, list) and len(found) == len(of.features):
        return tuple(nan if value is None else float(value) for value in found)
    return (*of.calm, *(nan for _ in of.features[len(of.calm) :]))
