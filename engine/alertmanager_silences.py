"""Silences as Alertmanager's API v2 takes and shows them.

Owns what a posted silence must be, when an update keeps its id, and the JSON of a silence. Pure: the caller looks
up, gives new ids and stores. Words of errors are Alertmanager's own.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from data.matchers import matches_empty
from data.records import Matcher, Silence, TenantId
from data.regexes import RegexError, full_match
from engine.alertmanager_view import FaceError, Params, flag, read_matcher, timestamp
from engine.formats import strict_json
from engine.ports import FormatError
from engine.stages.times import parse_time

_NOT_FOUND = "silence not found"
_ORDER = {"active": 0, "pending": 1, "expired": 2}

_encode = msgspec.json.Encoder(order="sorted").encode


class PostedSilence(Struct, frozen=True, kw_only=True):
    """A silence as sent. `id` is empty for a new one; a time of None is the year 1."""

    matchers: tuple[Matcher, ...]
    starts_at: datetime | None
    ends_at: datetime | None
    created_by: str
    comment: str
    id: str = ""
    annotations: dict[str, str] = {}


class SilenceFilter(Struct, frozen=True, kw_only=True):
    """Which silences a request wants; each of `matchers` must be one of the silence's own."""

    active: bool = True
    pending: bool = True
    expired: bool = True
    matchers: tuple[Matcher, ...] = ()


class SilenceWrite(Struct, frozen=True, kw_only=True):
    """What to store: the silence, and the one that it replaces, now expired."""

    silence: Silence
    replaced: Silence | None = None


def read_silence(body: bytes) -> PostedSilence:
    """The body of POST /silences. Raises FaceError: 400 for JSON or types, 422 for what is missing."""
    if not body.strip():
        raise _missing("silence")
    try:
        posted = strict_json.decode(body)
        if not isinstance(posted, dict):
            raise FormatError("body", "expected an object", "send a silence")
        for name in ("matchers", "startsAt", "endsAt", "createdBy", "comment"):
            if posted.get(name) is None:
                raise _missing(name)
        return PostedSilence(
            matchers=_matchers(posted["matchers"]),
            starts_at=parse_time(posted["startsAt"], "startsAt"),
            ends_at=parse_time(posted["endsAt"], "endsAt"),
            created_by=_text(posted, "createdBy"),
            comment=_text(posted, "comment"),
            id=_text(posted, "id"),
            annotations=strict_json.convert(posted.get("annotations") or {}, dict[str, str], "annotations"),
        )
    except FormatError as error:
        message = f'parsing silence body from "" failed, because {error}'
        raise FaceError(400, {"code": 400, "message": message}) from error


def check_silence(
    posted: PostedSilence, existing: Silence | None, now: datetime, new_id: str, tenant: TenantId
) -> SilenceWrite:
    """What a posted silence comes to. `existing` is the silence of `posted.id`, `new_id` a fresh UUID.

    The id is kept when the matchers are equal and, for an active silence, the start is in the same second, for a
    pending one not in the past; else a new silence begins and the old one ends. Raises FaceError (400, 404).
    """
    _check_times(posted, now)
    if posted.id and existing is None:
        raise FaceError(404, _NOT_FOUND)
    _check_matchers(posted.matchers)
    starts, ends = posted.starts_at or now, posted.ends_at or now
    annotations = posted.annotations or (existing.annotations if existing else {})
    silence = Silence(
        id=new_id,
        tenant=tenant,
        matchers=posted.matchers,
        starts_at=max(starts, now),
        ends_at=ends,
        created_by=posted.created_by,
        comment=posted.comment,
        updated_at=now,
        ticket=annotations.get("ticket", existing.ticket if existing else ""),
        annotations=annotations,
    )
    if existing is None:
        return SilenceWrite(silence=silence)
    if _keeps_id(existing, posted.matchers, starts, now):
        return SilenceWrite(silence=replace(silence, id=existing.id, starts_at=starts))
    over = silence_state(existing, now) == "expired"
    return SilenceWrite(silence=silence, replaced=None if over else expire_silence(existing, now))


def expire_silence(silence: Silence, now: datetime) -> Silence:
    """The silence ended at `now`; one that has ended already stays as it is."""
    if silence_state(silence, now) == "expired":
        return silence
    return replace(silence, starts_at=min(silence.starts_at, now), ends_at=now, updated_at=now)


def silence_state(silence: Silence, now: datetime) -> str:
    """pending, active or expired, from the stored times."""
    if silence.ends_at <= now:
        return "expired"
    return "pending" if silence.starts_at > now else "active"


def silence_filter(params: Params) -> SilenceFilter:
    """The query parameters of GET /silences. Raises FaceError (400)."""
    flags: dict[str, bool] = {}
    matchers: list[Matcher] = []
    for name, value in params:
        if name in _ORDER:
            flags[name] = flag(value)
        elif name == "filter":
            matchers.append(read_matcher(value))
    return SilenceFilter(**flags, matchers=tuple(matchers))


def render_silences(silences: Iterable[Silence], now: datetime, wanted: SilenceFilter | None = None) -> bytes:
    """The JSON array: active ones by end, pending by start, expired by end, the latest first."""
    wanted = wanted or SilenceFilter()
    shown = {name for name in _ORDER if getattr(wanted, name)}
    chosen = [
        (state, silence)
        for silence in silences
        if (state := silence_state(silence, now)) in shown and set(wanted.matchers) <= set(silence.matchers)
    ]
    chosen.sort(key=lambda pair: _rank(*pair))
    return b"[%b]\n" % b",".join(render_silence(silence, now) for _, silence in chosen)


def render_silence(silence: Silence, now: datetime) -> bytes:
    """One silence as JSON."""
    shown: dict[str, Any] = {
        "id": silence.id,
        "status": {"state": silence_state(silence, now)},
        "updatedAt": timestamp(silence.updated_at),
        "comment": silence.comment,
        "createdBy": silence.created_by,
        "startsAt": timestamp(silence.starts_at),
        "endsAt": timestamp(silence.ends_at),
        "matchers": silence.matchers,
        "annotations": silence.annotations | ({"ticket": silence.ticket} if silence.ticket else {}),
    }
    return _encode(shown)


def check_silence_id(text: str) -> str:
    """The id in a path, in its usual spelling. Raises FaceError (422) when it is no UUID."""
    try:
        return str(UUID(text))
    except ValueError as error:
        message = f'silenceID in path must be of type uuid: "{text:.64}"'
        raise FaceError(422, {"code": 601, "message": message}) from error


def _rank(state: str, silence: Silence) -> tuple[int, float, str]:
    moment = silence.starts_at if state == "pending" else silence.ends_at
    seconds = moment.timestamp()
    return _ORDER[state], -seconds if state == "expired" else seconds, silence.id


def _keeps_id(existing: Silence, matchers: tuple[Matcher, ...], starts: datetime, now: datetime) -> bool:
    if set(matchers) != set(existing.matchers):
        return False
    state = silence_state(existing, now)
    if state == "active":
        return int(starts.timestamp()) == int(existing.starts_at.timestamp())
    return state == "pending" and starts >= now


def _check_times(posted: PostedSilence, now: datetime) -> None:
    if posted.ends_at is None or (posted.starts_at is not None and posted.ends_at <= posted.starts_at):
        raise FaceError(400, "Failed to create silence: start time must be before end time")
    if posted.ends_at <= now:
        raise FaceError(400, "Failed to create silence: end time can't be in the past")


def _check_matchers(matchers: tuple[Matcher, ...]) -> None:
    for index, matcher in enumerate(matchers):
        if not matcher.name:
            raise FaceError(400, f'silence invalid: invalid label matcher {index}: invalid label name ""')
        if matcher.is_regex:
            _check_regex(index, matcher.value)
    # Like Alertmanager's own check: a negative matcher never counts as matching the empty text.
    if all(matcher.is_equal and matches_empty(matcher) for matcher in matchers):
        raise FaceError(400, "silence invalid: at least one matcher must not match the empty string")


def _check_regex(index: int, pattern: str) -> None:
    try:
        full_match(pattern)
    except RegexError as error:
        reason = f'invalid regular expression "{pattern:.200}": {error.reason}'
        raise FaceError(400, f"silence invalid: invalid label matcher {index}: {reason}") from error


def _matchers(posted: Any) -> tuple[Matcher, ...]:
    if not isinstance(posted, list):
        raise FormatError("matchers", "expected an array", "send a list of matchers")
    if not posted:
        raise FaceError(422, {"code": 612, "message": "matchers in body should have at least 1 items"})
    for index, matcher in enumerate(posted):
        for name in ("name", "value", "isRegex"):
            if isinstance(matcher, dict) and matcher.get(name) is None:
                raise _missing(f"matchers.{index}.{name}")
    rows = [
        {name: value for name, value in row.items() if value is not None} for row in posted if isinstance(row, dict)
    ]
    if len(rows) < len(posted):
        raise FormatError("matchers", "expected objects", "send name, value, isRegex and isEqual")
    return tuple(strict_json.convert(rows, list[Matcher], "matchers"))


def _missing(name: str) -> FaceError:
    return FaceError(422, {"code": 602, "message": f"{name} in body is required"})


def _text(posted: dict[str, Any], name: str) -> str:
    value = posted.get(name)
    if not isinstance(value, str | None):
        raise FormatError(name, "expected a string", "send text")
    return value or ""
