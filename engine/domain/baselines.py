"""Baselines: what is usual per entity, metric and hour of the week, alarms beyond it, and the weekly tuning.

Owns the arithmetic (pure functions above the line) and the hourly audit of activity. Running mean and variance are
Welford's (1962). The spread is never below that of a Poisson count of the same mean, nor below 1, so that a quiet hour
is no cause for alarm. An hour of the week with fewer than four values is judged with the same hour of all days. It
fails on metrics whose level moves within weeks: the mean follows with the last eight weeks' weight.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from math import sqrt
from typing import NamedTuple

from msgspec.structs import replace

from data.nouns.baselines import Alarm, Baseline, Slot, ThresholdChange, Verdict
from data.nouns.samples import SeriesState
from data.nouns.signals import SignalWindow
from data.records import Severity, TenantId
from engine.book import Draft
from engine.detectors.feedback import Thresholds
from engine.domain.audits import audited
from engine.domain.calendar import hour_of_week
from engine.domain.findings import Observed
from engine.domain.registry import every
from engine.domain.settings import rules_of
from engine.reasons import ReasonCode

#: Values of an hour before it is judged, and what the running mean forgets: eight weeks.
ENOUGH, MEMORY = 4, 8
HOURS = 168
WEEK = 7 * 86_400.0
#: The weekly rule: verdicts of the last 30 days, at least 5 to raise and 100 to lower, a quarter of a spread a step.
VERDICT_DAYS, RAISE_ABOVE, LOWER_BELOW, TO_RAISE, TO_LOWER, STEP = 30, 0.30, 0.10, 5, 100, 0.25
#: Verdicts that a baseline keeps, and baselines of a tenant.
VERDICTS, BASELINES = 200, 20_000
#: Alarms of a series that an operator may still judge.
ALARMS = 20
#: The metric of a series' baseline: its samples themselves.
SAMPLES = "sample"


def learned(slot: Slot, value: float) -> Slot:
    """The slot with one more value; beyond `MEMORY` values old ones lose weight."""
    count = min(slot.count + 1, MEMORY)
    delta = value - slot.mean
    mean = slot.mean + delta / count
    kept = slot.squares * (count - 1) / count if slot.count >= MEMORY else slot.squares
    return Slot(count, round(mean, 6), round(kept + delta * (value - mean), 6))


def pooled(slots: Mapping[str, Slot], hour: int) -> Slot:
    """All that is known of this hour of the day, whatever the weekday."""
    found = [slot for number in range(hour % 24, HOURS, 24) if (slot := slots.get(str(number))) is not None]
    count = sum(slot.count for slot in found)
    if not count:
        return Slot()
    mean = sum(slot.mean * slot.count for slot in found) / count
    squares = sum(slot.squares + slot.count * (slot.mean - mean) ** 2 for slot in found)
    return Slot(count, mean, squares)


def spread_of(slot: Slot) -> float:
    variance = slot.squares / (slot.count - 1) if slot.count > 1 else 0.0
    return sqrt(max(variance, slot.mean, 1.0))


def judged(slots: Mapping[str, Slot], hour: int, value: float) -> tuple[float, float, float] | None:
    """→ (z, mean, spread) of a value at an hour of the week; None while too little is known."""
    slot = slots.get(str(hour), Slot())
    if slot.count < ENOUGH:
        slot = pooled(slots, hour)
    if slot.count < ENOUGH:
        return None
    spread = spread_of(slot)
    return (value - slot.mean) / spread, slot.mean, spread


class Tuning(NamedTuple):
    """What the weekly rule makes of the verdicts."""

    threshold: float
    alarms: int
    false_alarms: int
    reason: str

    @property
    def rate(self) -> float:
        return round(self.false_alarms / self.alarms, 4) if self.alarms else 0.0


def tuned(  # noqa: PLR0917 - the rule's inputs
    threshold: float, verdicts: Sequence[Verdict], now: datetime, samples: int, floor: float, ceiling: float
) -> Tuning:
    """The weekly rule. Above 30 % false alarms the threshold rises a step, below 10 % with at least 100 samples it
    falls one, always within floor and ceiling; without a verdict it stays."""
    since = now - timedelta(days=VERDICT_DAYS)
    recent = [verdict for verdict in verdicts if verdict.at >= since]
    false = sum(verdict.false_alarm for verdict in recent)
    rate = false / len(recent) if recent else 0.0
    if len(recent) >= TO_RAISE and rate > RAISE_ABOVE:
        words = f"{false} of {len(recent)} alarms of the last {VERDICT_DAYS} days were false: above {RAISE_ABOVE:.0%}"
        return Tuning(min(ceiling, threshold + STEP), len(recent), false, words)
    if recent and samples >= TO_LOWER and rate < LOWER_BELOW:
        words = f"{false} of {len(recent)} alarms were false, on {samples} samples: below {LOWER_BELOW:.0%}"
        return Tuning(max(floor, threshold - STEP), len(recent), false, words)
    return Tuning(threshold, len(recent), false, "")


# -- on the line


def id_of(metric: str, entity_type: str, entity: str) -> str:
    return f"{metric}:{entity_type}:{entity}"


class Measured(NamedTuple):
    """A value of an entity for the hour that began at `at`."""

    tenant: TenantId
    entity_type: str
    entity: str
    site: str
    metric: str
    value: float
    at: datetime


def observe(draft: Draft, of: Measured) -> Observed | None:
    """Judge a value by its baseline, then learn it → the finding that it is, if any. The draft's tenant is the value's.
    What is learned is cut to the threshold, so that an outage does not become usual."""
    id = id_of(of.metric, of.entity_type, of.entity)
    known: Baseline | None = draft.noun("baselines", id)
    if known is None:
        if len(draft.book.nouns["baselines"]) >= BASELINES:
            return None
        known = _new(draft, id, of)
    hour = hour_of_week(of.at, known.zone)
    verdict = judged(known.slots, hour, of.value)
    value = of.value
    if verdict is not None:
        _, mean, spread = verdict
        reach = known.threshold * spread
        value = min(max(value, mean - reach), mean + reach)
    slot = learned(known.slots.get(str(hour), Slot()), value)
    found = replace(known, slots={**known.slots, str(hour): slot}, samples=known.samples + 1)
    draft.put_noun(found, announce=False)
    if verdict is None or abs(verdict[0]) < known.threshold:
        return None
    return _alarm(of, known, hour, verdict)


def _new(draft: Draft, id: str, of: Measured) -> Baseline:
    site = draft.noun("sites", of.site) if of.site else None
    return Baseline(
        tenant=of.tenant,
        id=id,
        at=draft.now,
        entity=of.entity,
        entity_type=of.entity_type,
        metric=of.metric,
        site=of.site,
        zone=site.zone if site is not None else "UTC",
        threshold=rules_of(draft).z,
    )


def _alarm(of: Measured, known: Baseline, hour: int, verdict: tuple[float, float, float]) -> Observed:
    z, mean, spread = verdict
    low = z < 0
    return Observed(
        type="activity_low" if low else "activity_high",
        severity=Severity.HIGH if low and -z >= 2 * known.threshold else Severity.MEDIUM,
        title=f"{of.entity}: {of.metric.replace('_', ' ')} {of.value:g} where {mean:.1f} is usual",
        entity=of.entity,
        entity_type=of.entity_type,
        about=f"{of.entity_type}:{of.entity}/{of.metric}",
        site=of.site,
        since=of.at,
        evidence={
            "metric": of.metric,
            "value": of.value,
            "usual": round(mean, 2),
            "spread": round(spread, 2),
            "z": round(z, 2),
            "threshold": known.threshold,
            "hour_of_week": hour,
            "samples": known.samples,
        },
        baseline=known.id,
        value=round(abs(z), 2),
    )


@every(3600.0)
def audit_activity(draft: Draft) -> None:
    """Last hour's signs of life per person and site against what is usual."""
    began = draft.derived("domain.began")
    since = began.get("at")
    if since is None:
        draft.set(began, "at", draft.now)
    hour = draft.now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    if since is not None and since <= hour:  # an hour that was not watched from its beginning says nothing
        audited(draft, "1 h", ("activity_low", "activity_high"), lambda at: _unusual(at, hour))


def _unusual(draft: Draft, hour: datetime) -> Iterator[tuple[TenantId, Observed]]:
    for measured in _measured(draft, hour):
        draft.tenant = measured.tenant
        found = observe(draft, measured)
        if found is not None:
            yield measured.tenant, found


def _measured(draft: Draft, hour: datetime) -> Iterator[Measured]:
    """Signs in that hour: of sites that have a baseline or signs, and of people who were there all of it."""
    counts: defaultdict[tuple[TenantId, str, str], float] = defaultdict(float)
    windows: list[SignalWindow] = draft.all_nouns("signals")
    for window in windows:
        if hour <= window.at < hour + timedelta(hours=1):
            counts[window.tenant, window.entity_type, window.entity] += len(window.seen)
    metric = "signs_per_hour"
    for (tenant, id), site in draft.book.nouns["sites"].items():
        number = counts.get((tenant, "site", id))
        if number is not None or (tenant, id_of(metric, "site", id)) in draft.book.nouns["baselines"]:
            yield Measured(tenant, "site", id, site.id, metric, number or 0.0, hour)
    for (tenant, id), person in draft.book.nouns["people"].items():
        if person.on_site and person.on_site_since is not None and person.on_site_since <= hour:
            number = counts.get((tenant, "person", id), 0.0)
            yield Measured(tenant, "person", id, person.on_site, metric, number, hour)


@every(WEEK)
def tune(draft: Draft) -> None:
    """Move the thresholds by what operators said of the alarms."""
    rules = rules_of(draft)
    for known in draft.all_nouns("baselines"):
        if known.tuned_at is not None and draft.now - known.tuned_at < timedelta(seconds=WEEK - 3600.0):
            continue  # a start within the week
        found = tuned(known.threshold, known.verdicts, draft.now, known.samples, rules.z_floor, rules.z_ceiling)
        draft.tenant = known.tenant
        if found.threshold != known.threshold:
            draft.put_noun(replace(known, threshold=found.threshold, tuned_at=draft.now), announce=False)
            draft.put_noun(_change(draft, known, found))


def _change(draft: Draft, known: Baseline, found: Tuning, by: str = "weekly tuning") -> ThresholdChange:
    # The weekly tuning moves a threshold once; operators may move it several times within a second.
    moment = f"{draft.now:%Y%m%dT%H%M%S}" if by == "weekly tuning" else f"{draft.now:%Y%m%dT%H%M%S%f}"
    return ThresholdChange(
        tenant=known.tenant,
        id=f"{moment}-{known.id}",
        at=draft.now,
        baseline=known.id,
        entity=known.entity,
        metric=known.metric,
        old=known.threshold,
        new=found.threshold,
        alarms=found.alarms,
        false_alarms=found.false_alarms,
        rate=found.rate,
        reason=found.reason,
        site=known.site,
        by=by,
    )


# -- series that the streaming detector judges


def threshold_of(draft: Draft, series: str) -> float:
    """The threshold of a series of the draft's tenant, as a z-equivalent."""
    known: Baseline | None = draft.noun("baselines", id_of(SAMPLES, "series", series))
    return rules_of(draft).z if known is None else known.threshold


def alarmed(draft: Draft, of: SeriesState, entity: str, alarm: Alarm) -> None:
    """Keep an alarm of a series for an operator to judge: the worst one of each of the latest anomalies."""
    id = id_of(SAMPLES, "series", of.id)
    known: Baseline | None = draft.noun("baselines", id)
    if known is None:
        if len(draft.book.nouns["baselines"]) >= BASELINES:
            return
        site = of.labels.get("site", "")
        known = _new(draft, id, Measured(of.tenant, "series", entity or of.id, site, of.name, of.value, alarm.at))
    others = tuple(old for old in known.alarms if old.anomaly != alarm.anomaly)
    before = max((old.score for old in known.alarms if old.anomaly == alarm.anomaly), default=0.0)
    if alarm.score > before:
        draft.put_noun(replace(known, samples=of.count, alarms=(*others, alarm)[-ALARMS:]), announce=False)


def baseline_of_anomaly(draft: Draft, anomaly: str) -> Baseline | None:
    """The baseline that holds an alarm of this anomaly of the draft's tenant."""
    series = anomaly.rsplit("/", 2)[0]
    known: Baseline | None = draft.noun("baselines", id_of(SAMPLES, "series", series))
    return known if known is not None and any(alarm.anomaly == anomaly for alarm in known.alarms) else None


class Judged(NamedTuple):
    """What an operator's word on an alarm came to: the threshold before and after it, and the alarm itself."""

    alarm: Alarm
    false_alarm: bool
    old: float
    new: float


def judge_anomaly(draft: Draft, known: Baseline, verdict: Verdict, by: str) -> Judged | None:
    """An operator's word on an anomaly: the threshold of its series moves at once, within the bounds of the rules. The
    same word again changes nothing → None; the other word takes the first one's move back, where that was the last.
    It counts for the weekly tuning, too."""
    last = next((old for old in known.verdicts if old.finding == verdict.finding), None)
    if last is not None and last.false_alarm == verdict.false_alarm:
        return None
    is_latest = last is not None and last is known.verdicts[-1]
    before = last.before if last is not None and is_latest and last.before else known.threshold
    dispose(draft, known.id, Verdict(verdict.at, verdict.false_alarm, verdict.finding, before))
    (alarm,) = (alarm for alarm in known.alarms if alarm.anomaly == verdict.finding)
    thresholds = Thresholds({known.id: before})
    change = (thresholds.false_alarm if verdict.false_alarm else thresholds.confirmed)(
        known.id, alarm.score, alarm.threshold
    )
    rules = rules_of(draft)
    z = before if change is None else min(max(round(change.new, 4), rules.z_floor), rules.z_ceiling)
    if z != known.threshold:
        _move(draft, known, z, verdict, by)
    return Judged(alarm, verdict.false_alarm, known.threshold, z)


def _move(draft: Draft, known: Baseline, z: float, verdict: Verdict, by: str) -> None:
    known = draft.noun("baselines", known.id)
    false = sum(old.false_alarm for old in known.verdicts)
    words = "an operator called an alarm false" if verdict.false_alarm else "an operator confirmed an alarm"
    draft.put_noun(replace(known, threshold=z), announce=False)
    draft.put_noun(_change(draft, known, Tuning(z, len(known.verdicts), false, words), by))


def dispose(draft: Draft, baseline: str, verdict: Verdict) -> None:
    """An operator's word on an alarm: the last one on a finding counts."""
    known: Baseline | None = draft.noun("baselines", baseline)
    if known is not None:
        others = tuple(old for old in known.verdicts if old.finding != verdict.finding)
        draft.put_noun(replace(known, verdicts=(*others, verdict)[-VERDICTS:]), announce=False)


def undo(draft: Draft, change: ThresholdChange, by: str) -> None:
    """Take a change back: the threshold is again what it was before."""
    known: Baseline | None = draft.noun("baselines", change.baseline)
    if known is not None:
        draft.put_noun(replace(known, threshold=change.old), announce=False)
    undone = replace(change, state="undone", undone_by=by, undone_at=draft.now)
    draft.put_noun(undone, ReasonCode.UNDONE)
