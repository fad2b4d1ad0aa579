"""Devices: signs of life, states, batteries, errors, and silence; what hangs on what.

Owns a device's state, which is worked out of what it said last, what it has not reported as mended, and the clock. A
device that is offline because one above it is, is marked with that one and raises no alert of its own: the alert of the
device above carries them all.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from data.nouns.world import Device
from engine.book import Draft
from engine.domain import known
from engine.domain.alerts import About, clear, fire, is_raised
from engine.domain.events import DeviceData, DomainEvent
from engine.domain.merging import is_news, latest, newest_times, patched
from engine.domain.registry import every, on
from engine.domain.rhythm import listening_since
from engine.domain.settings import rules_of

#: Steps up the topology that are followed: a loop of parents must end.
LEVELS = 8
ERRORS = 50
ERRORS_FOR = timedelta(hours=24)
#: After the device above is back, what hangs on it has so long to come back.
FOLLOW = timedelta(seconds=120)
_TROUBLE = {"sync_failed": "sync_failed", "tampered": "tampered", "online": "", "maintained": ""}
#: Errors that are more than errors: the code in the event → the alert type.
_INTRUSION, _DENIED = "intrusion", "access_denied"


@on("noc.device", order=10)
def device(draft: Draft, event: DomainEvent) -> None:
    data: DeviceData = event.data  # type: ignore[assignment]
    old: Device | None = draft.noun("devices", data.id)
    start = old if old is not None else Device(tenant=draft.tenant, id=data.id, at=event.at)
    found = _taken(draft, start, event, data)
    if data.site:
        known.site(draft, data.site, event.at)
    if data.parent:
        known.device(draft, data.parent, event.at)
    if old is not None and not old.verified:
        known.completed(draft, "devices")
    if data.error:
        found = _error(draft, found, event, data.error)
    _put(draft, old, settle(draft, found))
    if data.status in ("online", "maintained"):
        clear(draft, _INTRUSION, about(found), at=event.at)


def _taken(draft: Draft, of: Device, event: DomainEvent, data: DeviceData) -> Device:
    """What is absent stays as it was; each field has a time of its own."""
    values: dict[str, Any] = {}
    for name in ("name", "type", "site", "firmware", "battery", "parent"):
        value = getattr(data, name)
        if value is not None:
            values[name] = value
    values["said"] = "offline" if data.status == "offline" else "online"
    if data.status in _TROUBLE:
        values["trouble"] = _TROUBLE[data.status]
    more: dict[str, Any] = {"at": min(of.at, event.at), "verified": True}
    if data.status != "offline":
        more["last_seen"] = latest(of.last_seen, event.at)
    if data.status == "maintained":
        more["maintained_at"] = latest(of.maintained_at, event.at)
    if data.status == "error":
        more["error_times"] = newest_times(of.error_times, event.at, ERRORS)
    return patched(of, event.at, values, **more)


def settle(draft: Draft, of: Device) -> Device:
    """The device with the state, its cause and the errors of the last day that follow at the draft's time."""
    now = draft.now
    limit = silence(draft, of.type)
    silent_at = of.last_seen + limit if of.last_seen is not None else None
    if of.state != "offline" and listening_since(draft) + limit > now:
        silent_at = None  # after a start everybody gets the time to be heard
    if of.said == "offline":
        state, since = "offline", of.stamps.get("said")
    elif silent_at is not None and silent_at <= now:
        state, since = "offline", silent_at
    else:
        state, since = of.trouble or ("online" if of.said else "unknown"), of.stamps.get("trouble")
    errors = tuple(time for time in of.error_times if time > now - ERRORS_FOR)
    cause = _cause(draft, of) if state == "offline" else ""
    return replace(
        of,
        state=state,
        state_at=since if state != of.state or state == "offline" else of.state_at,
        cause=cause,
        errors=len(errors),
        errors_since=errors[0] if errors else None,
        error_times=errors,
    )


def silence(draft: Draft, type: str) -> timedelta:
    """How long a device of this type may be silent."""
    rules = rules_of(draft)
    return timedelta(seconds=rules.silence_seconds.get(type, rules.silence_default_seconds))


def _cause(draft: Draft, of: Device) -> str:
    """The topmost device above that is offline, or came back only a moment ago; "" = none."""
    cause, parent = "", of.parent
    for _ in range(LEVELS):
        above: Device | None = draft.noun("devices", parent) if parent and parent != of.id else None
        if above is None:
            break
        back = above.stamps.get("said")
        was = above.id == of.cause and back is not None and draft.now - back < FOLLOW
        if above.state == "offline" or was:
            cause = above.id
        parent = above.parent
    return cause


def _put(draft: Draft, old: Device | None, new: Device) -> None:
    if new == old:
        return
    _index(draft, old, new)
    loud = old is None or _loud(old) != _loud(new)
    draft.put_noun(new, announce=loud)
    if loud:
        _judge(draft, new)
        if old is None or (old.state == "offline") != (new.state == "offline"):
            _tell_below(draft, new)


def _loud(of: Device) -> tuple[Any, ...]:
    """What the feed and the alerts are about; a heartbeat changes nothing of it."""
    low = of.battery if of.battery is not None and of.battery < 35.0 else None
    return of.state, of.trouble, of.cause, low, of.site, of.name, of.type, of.parent, of.firmware


# -- topology


def below(draft: Draft) -> dict[Any, Any]:
    """(tenant, device) → ids of what hangs on it."""
    return known.index(draft, "domain.below", ("devices",), _enter)


def _enter(table: dict[Any, Any], kind: str, record: Device) -> None:
    if record.parent:
        place = (record.tenant, record.parent)
        table[place] = (*table.get(place, ()), record.id)


def _index(draft: Draft, old: Device | None, new: Device) -> None:
    before = old.parent if old is not None else ""
    if before == new.parent:
        return
    table = below(draft)
    if before:
        known.left(draft, table, (new.tenant, before), new.id)
    if new.parent:
        known.entered(draft, table, (new.tenant, new.parent), new.id)


def _tell_below(draft: Draft, of: Device) -> None:
    """What hangs on it is looked at again, level by level."""
    table, seen, level = below(draft), {of.id}, [of.id]
    for _ in range(LEVELS):
        level = [id for above in level for id in table.get((of.tenant, above), ()) if id not in seen]
        seen.update(level)
        for id in level:
            child: Device | None = draft.noun("devices", id)
            if child is None or child.state != "offline":
                continue
            found = settle(draft, child)
            if found != child:
                draft.put_noun(found)
                _judge(draft, found)


# -- alerts


def about(of: Device) -> About:
    return About(
        entity=of.id,
        entity_type=of.type or "device",
        site=of.site,
        parts={"device": of.id},
        # Only what has a common cause is tied to it: an id of its own would set each device apart from its neighbours.
        correlation=f"device:{of.cause}" if of.cause else "",
    )


def _judge(draft: Draft, of: Device) -> None:
    subject, name = about(of), of.name or of.id
    since = of.state_at or draft.now
    if of.state == "offline" and not of.cause:
        hanging = len(below(draft).get((of.tenant, of.id), ()))
        facts = {"devices_below": str(hanging)} if hanging else None
        fire(draft, "device_offline", subject, title=f"{name} is offline", since=since, facts=facts)
    else:
        clear(draft, "device_offline", subject, at=of.last_seen or draft.now)
    for trouble, words in (("sync_failed", "cannot synchronise"), ("tampered", "was tampered with")):
        type = f"device_{trouble}"
        if of.trouble == trouble:
            fire(draft, type, subject, title=f"{name} {words}", since=of.stamps.get("trouble", draft.now))
        else:
            clear(draft, type, subject, at=of.stamps.get("trouble", draft.now))
    _judge_battery(draft, of, subject, name)


def _judge_battery(draft: Draft, of: Device, subject: About, name: str) -> None:
    rules = rules_of(draft)
    if of.battery is None:
        return
    since = of.stamps.get("battery", draft.now)
    if of.battery < rules.battery_low_percent:
        if not is_raised(draft, "device_low_battery", subject):
            fire(draft, "device_low_battery", subject, title=f"Battery of {name} is low", since=since)
    elif of.battery >= rules.battery_ok_percent:
        clear(draft, "device_low_battery", subject, at=since)


def _error(draft: Draft, of: Device, event: DomainEvent, error: str) -> Device:
    """Codes of errors that stand for more: an intrusion, a denied access."""
    name, subject = of.name or of.id, about(of)
    if error == _INTRUSION and is_news(of.stamps, "trouble", event.at, "", "~"):
        fire(draft, _INTRUSION, subject, title=f"Intrusion reported by {name}", since=event.at)
    if error != _DENIED:
        return of
    rules = rules_of(draft)
    times = newest_times(of.denied_times, event.at, rules.denied_burst)
    span = (times[-1] - times[0]).total_seconds()
    if len(times) >= rules.denied_burst and span <= rules.denied_seconds:
        title = f"Access denied again and again at {name}"
        fire(draft, "access_denied_burst", subject, title=title, since=times[0])
    return replace(of, denied_times=times)


# -- by the clock


@every(30.0)
def look_at_devices(draft: Draft) -> None:
    """Who has fallen silent, what above it is the cause, and denials that have stopped."""
    rules = rules_of(draft)
    quiet = draft.now - timedelta(seconds=min((*rules.silence_seconds.values(), rules.silence_default_seconds)))
    stopped = draft.now - timedelta(seconds=rules.denied_seconds)
    for of in draft.all_nouns("devices"):
        if of.denied_times and of.denied_times[-1] < stopped:
            draft.tenant = of.tenant
            clear(draft, "access_denied_burst", about(of), at=of.denied_times[-1])
            draft.put_noun(replace(of, denied_times=()), announce=False)
        elif of.state == "offline" or (of.last_seen is not None and of.last_seen <= quiet):
            draft.tenant = of.tenant
            _look_again(draft, of)


def _look_again(draft: Draft, of: Device) -> None:
    """Those above first, so that what hangs on them is told apart at once."""
    chain, parent = [of], of.parent
    for _ in range(LEVELS):
        above: Device | None = draft.noun("devices", parent) if parent else None
        if above is None or above in chain:
            break
        chain.append(above)
        parent = above.parent
    for found in reversed(chain):
        current: Device = draft.noun("devices", found.id)
        settled = settle(draft, current)
        if settled != current:
            _put(draft, current, settled)
