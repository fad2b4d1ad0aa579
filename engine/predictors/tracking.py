"""Predictions from the moment they are made to the end of their horizon, and what everything that was scored came to.

Owns the life of a prediction and of its alert, and the examples. A prediction is made when the probability reaches the
threshold, withdrawn when it falls well below, and validated when its horizon ends or its event comes. Beside these, of
each thing one score per horizon waits for its outcome, whether it was raised or not: these outcomes say what
probabilities are worth, and are what models learn from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import blake2b
from operator import itemgetter
from typing import Any
from zlib import crc32

from msgspec.structs import replace

from data.nouns.predictions import Chance, Foretold, Prediction, PredictionExample
from engine.book import Draft
from engine.domain import known
from engine.domain.alerts import cleared, current, fire
from engine.domain.registry import raise_signal
from engine.predictors import quiet, scoring
from engine.predictors import waiting as waiting_scores
from engine.predictors.examples import columns_id, packed
from engine.predictors.memory import RATES, Shares
from engine.predictors.predictor import Happened, Predictor, Row, Thing
from engine.predictors.waiting import Key, Pending, pending
from engine.reasons import ReasonCode

#: A prediction is withdrawn below this share of its threshold.
WITHDRAWN = 0.6
#: Changes of probability that are told, and written into the history at least this often.
MOVED, HISTORY_S, HISTORY = 0.05, 300.0, 60
#: Predictions of one model and tenant that stand at once, and scores that wait for their outcome.
MOST_OPEN, MOST_PENDING = 500, 50_000
#: News of an event come so much later than the event: a horizon is settled after that.
LATE = timedelta(seconds=90)
#: Examples without event that are kept of a model in a day, about.
KEPT_A_DAY = 300
_OPEN, _CAME, _KEEP = "predictions.open", "predictions.came", "predictions.keep"
_TIMES_MOST = 50_000


def open_predictions(draft: Draft) -> dict[Any, Any]:
    """(tenant, model, entity) → id of the prediction whose horizon runs, and (tenant, model) → how many there are."""
    return known.index(draft, _OPEN, ("predictions",), _enter)


def _enter(table: dict[Any, Any], kind: str, record: Prediction) -> None:
    table[record.tenant, record.model, record.entity] = record.id
    place = (record.tenant, record.model)
    table[place] = table.get(place, 0) + 1


def standing(draft: Draft, key: Key) -> Prediction | None:
    id = open_predictions(draft).get(key)
    found: Prediction | None = draft.noun("predictions", id) if id else None
    return found


# -- looking at one thing


def visit(draft: Draft, of: Predictor, id: Any) -> bool:
    """Look at a thing: did its event come, and how likely is it now? `id` begins with its tenant. → whether it was
    scored."""
    draft.tenant = id[0]
    thing = of.thing(draft, id)
    key: Key = (draft.tenant, of.name, of.entity(id))
    event = of.happened(draft, id)
    if event is not None:
        came(draft, of, key, event)
    if thing is not None:
        _weigh(draft, of, (key, id), thing)
    return thing is not None


def _weigh(draft: Draft, of: Predictor, place: tuple[Key, Any], thing: Thing) -> None:
    key, id = place
    table, prediction = pending(draft), standing(draft, key)
    is_new = key not in table and len(table) < MOST_PENDING
    is_whole = is_new or prediction is not None or of.name in draft.rules.predictor_models
    row = of.row(draft, thing) if is_whole or of.asked is None else of.asked(draft, thing)
    found = scoring.score(draft, of, row, thing)
    if is_new:
        due = thing.due_at or draft.now + timedelta(seconds=of.horizon_s)
        share, site = found.share, thing.site
        entry = Pending(id, draft.now, due, row, found.probability, share, found.basis, found.version, site)
        waiting_scores.add(draft, key, entry)
    if prediction is not None:
        _update(draft, of, (prediction, id), (thing, row, found))
    elif _is_due(draft, of, key, thing, found.probability):
        _make(draft, of, key, (thing, of.row(draft, thing), found))


def _is_due(draft: Draft, of: Predictor, key: Key, thing: Thing, probability: float) -> bool:
    """Whether a new prediction is to be made: likely enough, early enough, and not just after a false alarm."""
    if probability < limit(draft, of):
        return False
    if thing.due_at is not None and (thing.due_at - draft.now).total_seconds() < of.least_lead_s:
        return False
    if open_predictions(draft).get(key[:2], 0) >= MOST_OPEN:
        return False
    return not quiet.is_quiet(draft, key)


def limit(draft: Draft, of: Predictor) -> float:
    rules = draft.rules
    return scoring.threshold(of, rules.predictor_models.get(of.name), rules.predict_at.get(of.name))


def _make(draft: Draft, of: Predictor, key: Key, seen: tuple[Thing, Row, scoring.Score]) -> None:
    thing, row, found = seen
    contributions = scoring.explain(draft, of, row, thing)
    site = draft.noun("sites", thing.site) if thing.site else None
    text = "\x1f".join((of.name, thing.entity, draft.now.isoformat()))
    prediction = Prediction(
        tenant=draft.tenant,
        id=blake2b(text.encode("utf-8", "replace"), digest_size=10).hexdigest(),
        model=of.name,
        entity=thing.entity,
        entity_kind=thing.kind,
        entity_name=thing.name[:200],
        site=thing.site,
        client=site.client if site is not None else "",
        made_at=draft.now,
        due_at=thing.due_at or draft.now + timedelta(seconds=of.horizon_s),
        probability=round(found.probability, 4),
        first=round(found.probability, 4),
        threshold=limit(draft, of),
        basis=found.basis,
        version=found.version,
        reasons=scoring.reasons(contributions),
        contributions=contributions,
        action=of.action(row, thing)[:300],
        updated_at=draft.now,
        history=(Chance(draft.now, round(found.probability, 4)),),
    )
    table = open_predictions(draft)
    draft.set(table, key, prediction.id)
    draft.set(table, key[:2], table.get(key[:2], 0) + 1)
    draft.put_noun(prediction)
    _alert(draft, of, prediction, thing)


def _alert(draft: Draft, of: Predictor, prediction: Prediction, thing: Thing) -> None:
    facts = {
        "probability": f"{prediction.probability:.2f}",
        "until": prediction.due_at.isoformat(timespec="seconds"),
        "because": "; ".join(prediction.reasons)[:500],
        "suggested": prediction.action,
        "prediction": prediction.id,
        "basis": f"model {prediction.version}"
        if prediction.basis == "model"
        else "rules of thumb, not a trained model",
    }
    fire(draft, of.warns, of.about(thing), title=of.title(thing), since=draft.now, facts=facts)


def _update(draft: Draft, of: Predictor, place: tuple[Prediction, Any], seen: tuple[Thing, Row, scoring.Score]) -> None:
    old, id = place
    thing, row, found = seen
    new = _acted(draft, of, _linked(draft, of, old, thing), id)
    probability = round(found.probability, 4)
    if old.state == "open" and probability < WITHDRAWN * old.threshold:
        new = replace(new, state="cleared", cleared_at=draft.now)
        _end_alert(draft, new)
    elif old.state == "cleared" and probability >= old.threshold:
        new = replace(new, state="open", cleared_at=None)
        _alert(draft, of, new, thing)
    last = old.history[-1]
    moved = abs(probability - last.probability) >= MOVED
    if moved or new != old or (draft.now - last.at).total_seconds() >= HISTORY_S:
        contributions = scoring.explain(draft, of, row, thing)
        new = replace(
            new,
            probability=probability,
            basis=found.basis,
            version=found.version,
            contributions=contributions,
            reasons=scoring.reasons(contributions),
            action=of.action(row, thing)[:300],
            updated_at=draft.now,
            history=(*old.history, Chance(draft.now, probability))[-HISTORY:],
        )
        _told(draft, new, "prediction_updated")


def _told(draft: Draft, prediction: Prediction, change: str) -> None:
    reason = ReasonCode.TEXT_CHANGED if change == "prediction_updated" else ReasonCode.ALL_RESOLVED
    draft.put_noun(prediction, reason, announce=False)
    draft.announce_noun(prediction, change, reason)


def _linked(draft: Draft, of: Predictor, old: Prediction, thing: Thing) -> Prediction:
    """With its alert and the incident of that, which the line made after the prediction."""
    found = current(draft, of.warns, of.about(thing))
    if found is None or found.ended_at is not None or not found.incident:
        return old
    return old if (old.alert, old.incident) == (found.id, found.incident) else replace(
        old, alert=found.id, incident=found.incident
    )  # fmt: skip


def _acted(draft: Draft, of: Predictor, old: Prediction, id: Any) -> Prediction:
    """With the first act that was taken on it: on the thing itself, or on the incident of its alert."""
    if old.acted:
        return old
    acts = [act for act in of.acts(draft, id) if act[0] > old.made_at]
    incident = draft.book.incidents.get(old.incident) if old.incident is not None else None
    if incident is not None and incident.owner:
        acts.append((draft.now, f"taken on by {incident.owner}"))
    for run in draft.book.nouns["executions"].values() if incident is not None else ():
        if run.incident == old.incident and run.tenant == old.tenant and run.state in ("success", "partial"):
            acts.append((draft.now, f"playbook {run.playbook}"))
    if not acts:
        return old
    at, words = min(acts)
    return replace(old, acted=words[:200], acted_at=at)


def _end_alert(draft: Draft, prediction: Prediction) -> None:
    alert = draft.book.alerts.get(prediction.alert) if prediction.alert is not None else None  # type: ignore[call-overload]
    if alert is not None and alert.ended_at is None:
        raise_signal(draft, cleared(draft, alert, draft.now))


# -- outcomes


def came(draft: Draft, of: Predictor, key: Key, event: Happened) -> None:
    """The event came to a thing. Taken once, however often it is seen."""
    times = draft.derived(_CAME)
    if times.get(key) == event.at:
        return
    draft.set(times, key, event.at)
    if len(times) > _TIMES_MOST:
        draft.discard(times, next(iter(times)))
    waiting = pending(draft).get(key)
    if waiting is not None and not waiting.at < event.at <= waiting.due:
        waiting = None
    prediction = standing(draft, key)
    if prediction is not None and prediction.made_at < event.at <= prediction.due_at:
        _fulfil(draft, of, prediction, event)
    elif waiting is not None and (event.at - waiting.at).total_seconds() >= of.least_lead_s:
        _miss(draft, of, key, waiting, event)
    if waiting is not None:
        _conclude(draft, of, key, waiting, event.at)


def _fulfil(draft: Draft, of: Predictor, prediction: Prediction, event: Happened) -> None:
    lead = (event.at - prediction.made_at).total_seconds()
    is_hit = prediction.state == "open" and lead >= of.least_lead_s
    quiet.came_true(draft, of, (prediction.tenant, prediction.model, prediction.entity))
    found = current(draft, *event.alert) if event.alert is not None else None
    _validate(
        draft,
        replace(
            prediction,
            state="hit" if is_hit else "missed",
            event_at=event.at,
            lead_s=lead,
            foretold=found.id if found is not None else None,
        ),
    )


def _validate(draft: Draft, prediction: Prediction) -> None:
    _end_alert(draft, prediction)
    table = open_predictions(draft)
    draft.discard(table, (prediction.tenant, prediction.model, prediction.entity))
    place = (prediction.tenant, prediction.model)
    draft.set(table, place, max(0, table.get(place, 0) - 1))
    _told(draft, replace(prediction, validated_at=draft.now, updated_at=draft.now), "prediction_validated")


def _miss(draft: Draft, of: Predictor, key: Key, waiting: Pending, event: Happened) -> None:
    """An event that nobody was warned of, though the thing was watched early enough."""
    found = current(draft, *event.alert) if event.alert is not None else None
    text = "\x1f".join((of.name, key[2], event.at.isoformat(), "missed"))
    probability = round(waiting.probability, 4)
    record = Prediction(
        tenant=draft.tenant,
        id=blake2b(text.encode("utf-8", "replace"), digest_size=10).hexdigest(),
        model=of.name,
        entity=key[2],
        entity_kind=_KINDS[of.name],
        site=waiting.site,
        made_at=waiting.at,
        due_at=waiting.due,
        probability=probability,
        first=probability,
        threshold=limit(draft, of),
        basis=waiting.basis,
        version=waiting.version,
        state="missed",
        validated_at=draft.now,
        updated_at=draft.now,
        event_at=event.at,
        foretold=found.id if found is not None else None,
        history=(Chance(waiting.at, probability),),
    )
    _told(draft, record, "prediction_validated")


_KINDS: Mapping[Foretold, str] = {"sla": "ticket", "device": "device", "staffing": "post"}


def settle(draft: Draft, of: Predictor, key: Key) -> None:
    """The horizon of a score, of a prediction or of both has ended: say what came of it."""
    draft.tenant = key[0]
    waiting, prediction = pending(draft).get(key), standing(draft, key)
    id = waiting.id if waiting is not None else None
    event = of.happened(draft, id) if id is not None else None
    if event is not None:
        came(draft, of, key, event)
        waiting, prediction = pending(draft).get(key), standing(draft, key)
    if prediction is not None and prediction.due_at + LATE <= draft.now:
        if id is not None:
            prediction = _acted(draft, of, prediction, id)
        _validate(draft, replace(prediction, state="prevented" if prediction.acted else "false_alarm"))
        quiet.quieten(draft, of, key, false_alarm=not prediction.acted)
    if waiting is not None and waiting.due + LATE <= draft.now:
        acted = prediction is not None and bool(prediction.acted)
        _conclude(draft, of, key, waiting, None, acted=acted)


def _conclude(
    draft: Draft, of: Predictor, key: Key, waiting: Pending, event_at: datetime | None, *, acted: bool = False
) -> None:
    """The outcome of a score: counted, learned from, and kept as an example."""
    waiting_scores.drop(draft, key)
    is_event = event_at is not None
    Shares(draft, RATES, of.half_life_s).add((draft.tenant, of.name), float(is_event))
    of.outcome(draft, waiting.id, is_event)
    one_of = 1 if is_event else draft.derived(_KEEP).get(of.name, 1)
    text = "\x1f".join((of.name, key[2], waiting.at.isoformat()))
    if crc32(text.encode("utf-8", "replace")) % one_of:
        return
    draft.put_noun(
        PredictionExample(
            tenant=draft.tenant,
            id=blake2b(text.encode("utf-8", "replace"), digest_size=10).hexdigest(),
            at=waiting.at,
            model=of.name,
            entity=key[2],
            columns=columns_id(of.features),
            row=packed(waiting.row),
            label=is_event,
            probability=round(waiting.probability, 5),
            recent=round(waiting.share, 5),
            basis=waiting.basis,
            version=waiting.version,
            site=waiting.site,
            weight=float(one_of),
            acted=acted,
            lead_s=(event_at - waiting.at).total_seconds() if event_at is not None else None,
        ),
        announce=False,
    )


def running(draft: Draft) -> list[Key]:
    """All scores and predictions whose outcome is not known."""
    found = dict.fromkeys(pending(draft))
    found.update(dict.fromkeys(key for key in open_predictions(draft) if len(key) == _KEY_PARTS))
    return list(found)


#: A key names a tenant, a model and an entity; what is counted has no entity.
_KEY_PARTS = 3


def has_ended(draft: Draft, key: Key) -> bool:
    """Whether the horizon of its score or of its prediction has ended, and late news of it has come."""
    before = draft.now - LATE
    score = pending(draft).get(key)
    if score is not None and score.due <= before:
        return True
    id = open_predictions(draft).get(key)
    prediction: Prediction | None = draft.book.nouns["predictions"].get((key[0], id)) if id else None
    return prediction is not None and prediction.due_at <= before


def ended(draft: Draft) -> list[Key]:
    """Scores and predictions whose horizon has ended."""
    return [key for key in running(draft) if has_ended(draft, key)]


def thin(draft: Draft, horizons: Mapping[Foretold, float]) -> None:
    """Keep one in so many of the outcomes without event, that a day brings about KEPT_A_DAY of each model."""
    waiting = Counter(map(itemgetter(1), pending(draft)))
    for name, seconds in horizons.items():
        a_day = waiting[name] * 86_400.0 / seconds
        draft.set(draft.derived(_KEEP), name, max(1, round(a_day / KEPT_A_DAY)))
