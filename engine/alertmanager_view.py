"""What Alertmanager's API v2 answers about alerts, groups, receivers and status, as JSON bytes.

Owns the shapes, the filters and the cache of rendered alerts. Pure but for that cache; never reads the store and
never decides anything about an alert. Silences are in `engine.alertmanager_silences`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec
from msgspec import Struct

from data.matchers import MatcherError, compile_matchers, parse_matcher
from data.records import Alert, AlertId, AlertState, Matcher
from data.regexes import RegexError, full_match
from engine.fingerprint import fingerprint

#: The one receiver that every alert goes to.
RECEIVER = "noc-console"
GROUP_BY = ("alertname",)
#: Clients ask for 0.22 or later and read it by these rules; it is the version whose answers these are.
ALERTMANAGER_VERSION = "0.27.0"

#: Alerts of one chunk of an answer: some milliseconds of work.
_CHUNK = 1000
#: Rendering one takes so many times as long as looking whether it is rendered.
_RENDER_EFFORT = 100
#: Looks of one step of work ahead: about two milliseconds.
_WARM_CHUNK = 8_000
_ENDED = frozenset({AlertState.RESOLVED, AlertState.CLOSED})
_TRUE = frozenset({"true", "1", "yes", "ok", "y", "on", "selected", "checked", "t", "enabled"})
_ACTIVE = b',"status":{"inhibitedBy":[],"mutedBy":[],"silencedBy":[],"state":"active"}}'

_WITH_MICROSECONDS = len('"2024-05-01T12:00:00.123456Z"')

_encode = msgspec.json.Encoder(order="sorted").encode
Params = Iterable[tuple[str, str]]


class FaceError(Exception):
    """What Alertmanager would answer: its status and its body, a bare string or {code, message}."""

    def __init__(self, status: int, body: str | dict[str, str | int]) -> None:
        super().__init__(body if isinstance(body, str) else str(body["message"]))
        self.status, self.body = status, body

    def json(self) -> bytes:
        return _encode(self.body)


class AlertFilter(Struct, frozen=True, kw_only=True):
    """Which alerts a request wants; `receiver` is whether it wants this one's at all."""

    active: bool = True
    silenced: bool = True
    inhibited: bool = True
    unprocessed: bool = True
    muted: bool = True
    receiver: bool = True
    matches: Callable[[Mapping[str, str]], bool] | None = None


EVERYTHING = AlertFilter()


class _Entry(NamedTuple):
    """One rendered alert: the fragment that its labels and texts make, and the times that repeats move."""

    fingerprint: str
    alert: Alert
    stable: bytes
    times: bytes


def alert_filter(params: Params) -> AlertFilter:
    """The query parameters of /alerts and /alerts/groups. Raises FaceError (400)."""
    flags: dict[str, bool] = {}
    matchers: list[Matcher] = []
    receiver = True
    for name, value in params:
        if name in ("active", "silenced", "inhibited", "unprocessed", "muted"):
            flags[name] = flag(value)
        elif name == "filter":
            matchers.append(read_matcher(value))
        elif name == "receiver" and value:
            receiver = receiver and _receiver_matches(value)
        elif name == "receiver_matchers":
            # The receiver has no labels, and a missing label reads as the empty text.
            receiver = receiver and compile_matchers([read_matcher(value)])({})
    if len(matchers) > 16:
        raise FaceError(400, "at most 16 filters")
    return AlertFilter(**flags, receiver=receiver, matches=compile_matchers(matchers) if matchers else None)


def flag(value: str) -> bool:
    """A boolean parameter as Alertmanager's server reads it: empty is the default, unknown words are false."""
    return value == "" or value.lower() in _TRUE


def read_matcher(text: str) -> Matcher:
    """A `filter` parameter. Raises FaceError (400) in Alertmanager's words."""
    # Nothing behind the operator is the empty text here, not a slip of the keyboard.
    unsaid = text.rstrip().endswith(("=", "~"))
    try:
        matcher = parse_matcher(f'{text}""' if unsaid else text)
        compile_matchers([matcher])
    except RegexError as error:
        raise FaceError(400, f"error parsing regexp: {error.reason}") from error
    except MatcherError as error:
        regex = "regex" in error.reason
        raise FaceError(
            400, f"error parsing regexp: {error.reason}" if regex else f"bad matcher format: {text}"
        ) from error
    return matcher


def _receiver_matches(pattern: str) -> bool:
    try:
        return full_match(pattern)(RECEIVER)
    except RegexError as error:
        raise FaceError(400, f"failed to parse receiver param: error parsing regexp: {error.reason}") from error


class AlertBoard:
    """Alerts as API v2 shows them, each rendered once for as long as its record stays the same.

    Keeps under 1 KiB beside an alert of ordinary size. Memory is given back when an answer
    to a full list has been made, so a caller passes every alert there is, not a part it chose.
    """

    def __init__(self) -> None:
        self._entries: dict[AlertId, _Entry] = {}

    def alerts(self, alerts: Iterable[Alert], now: datetime, wanted: AlertFilter = EVERYTHING) -> Iterator[bytes]:
        """The JSON array in pieces, sorted by fingerprint. Each piece is a few milliseconds of work and may be
        empty, so that a server can let others run in between."""
        # Sorted by the first digit at once and within it piece by piece: one long sort would stall the server.
        digits: dict[str, list[tuple[str, bytes, bytes, bytes]]] = {digit: [] for digit in "0123456789abcdef"}
        for count, (entry, status) in enumerate(self._wanted(alerts, now, wanted), 1):
            digits[entry.fingerprint[0]].append((entry.fingerprint, entry.stable, entry.times, status))
            if count % _CHUNK == 0:
                yield b""
        opening = b"["
        for rows in filter(None, digits.values()):
            parts = [part for row in sorted(rows) for part in (b",", *row[1:])]
            parts[0], opening = opening, b","
            yield b"".join(parts)
        yield b"[]\n" if opening == b"[" else b"]\n"

    def groups(
        self,
        alerts: Iterable[Alert],
        now: datetime,
        wanted: AlertFilter = EVERYTHING,
        by: Sequence[str] = GROUP_BY,
    ) -> Iterator[bytes]:
        """The JSON array of groups of equal `by` labels, sorted by these labels, in pieces like those of `alerts`."""
        found: dict[tuple[str, ...], list[tuple[str, bytes]]] = {}
        for count, (entry, status) in enumerate(self._wanted(alerts, now, wanted), 1):
            key = tuple(entry.alert.labels.get(label, "") for label in by)
            found.setdefault(key, []).append((entry.fingerprint, entry.stable + entry.times + status))
            if count % _CHUNK == 0:
                yield b""
        receiver = _encode({"name": RECEIVER})
        opening = b"["
        for key in sorted(found):
            labels = _encode({label: value for label, value in zip(by, key, strict=True) if value})
            yield opening + b'{"alerts":['
            yield from _members(found.pop(key))
            yield b'],"labels":%b,"receiver":%b,"routeLabels":{}}' % (labels, receiver)
            opening = b","
        yield b"[]\n" if opening == b"[" else b"]\n"

    def warm(self, alerts: Collection[Alert]) -> Iterator[None]:
        """Renders ahead of the first request what it does not have yet; for idle moments, with every alert there
        is. Between two steps, each a few milliseconds of work, others may run."""
        effort = 0
        for alert in alerts:
            known = alert.id in self._entries
            if not known:
                self._entry(alert)
            effort += 1 if known else _RENDER_EFFORT
            if effort >= _WARM_CHUNK:
                effort = 0
                yield
        if len(self._entries) > 2 * len(alerts) + _CHUNK:
            self._entries = {alert.id: self._entry(alert) for alert in alerts}

    def forget(self, alerts: Iterable[AlertId]) -> None:
        for alert in alerts:
            self._entries.pop(alert, None)

    def _wanted(self, alerts: Iterable[Alert], now: datetime, wanted: AlertFilter) -> Iterator[tuple[_Entry, bytes]]:
        """Long and straight on purpose: it runs for every active alert of every request."""
        entries, matches = self._entries, wanted.matches
        if not wanted.receiver:
            return
        seen = 0
        for alert in alerts:
            if alert.ends_at <= now or alert.ended_at is not None or alert.state in _ENDED:
                continue
            seen += 1
            if alert.silenced_until is alert.shelved_until is None and not alert.inhibited_by:
                if not wanted.active or (matches is not None and not matches(alert.labels)):
                    continue
                status = _ACTIVE
            else:
                muting = _muting(alert, now)
                if not _passes(muting, wanted) or (matches is not None and not matches(alert.labels)):
                    continue
                status = self._status(muting)
            entry = entries.get(alert.id)
            if entry is None or entry.alert is not alert:
                entry = self._entry(alert)
            yield entry, status
        if len(entries) > 2 * seen + _CHUNK:
            self._sweep(now)

    def _entry(self, alert: Alert) -> _Entry:
        old = self._entries.get(alert.id)
        if old is not None and _same_texts(old.alert, alert):
            entry = _Entry(old.fingerprint, alert, old.stable, _times(alert))
        else:
            mark = fingerprint(alert.labels)
            entry = _Entry(mark, alert, _stable(alert, mark), _times(alert))
        self._entries[alert.id] = entry
        return entry

    def _sweep(self, now: datetime) -> None:
        self._entries = {
            id: entry
            for id, entry in self._entries.items()
            if entry.alert.ended_at is None and entry.alert.ends_at > now
        }

    def _status(self, muting: _Muting) -> bytes:
        if not any(muting):
            return _ACTIVE
        status = {
            "inhibitedBy": [self._mark_of(alert) for alert in muting.inhibited_by],
            "mutedBy": muting.muted_by,
            "silencedBy": muting.silenced_by,
            "state": "suppressed",
        }
        return b',"status":%b}' % _encode(status)

    def _mark_of(self, alert: AlertId) -> str:
        entry = self._entries.get(alert)
        return str(alert) if entry is None else entry.fingerprint


def _members(rows: list[tuple[str, bytes]]) -> Iterator[bytes]:
    """The alerts of one group by fingerprint, with commas between; a large group in pieces, as it is sorted in them."""
    if len(rows) <= _CHUNK:
        yield b",".join(text for _, text in sorted(rows))
        return
    digits: dict[str, list[tuple[str, bytes]]] = {digit: [] for digit in "0123456789abcdef"}
    for row in rows:
        digits[row[0][0]].append(row)
    comma = b""
    for part in filter(None, digits.values()):
        yield comma + b",".join(text for _, text in sorted(part))
        comma = b","


class _Muting(NamedTuple):
    silenced_by: tuple[str, ...]
    inhibited_by: tuple[AlertId, ...]
    muted_by: tuple[str, ...]


def _muting(alert: Alert, now: datetime) -> _Muting:
    """What mutes the alert at `now`, from stored times: nothing stays muted because a process was down."""
    silenced = alert.silenced_until is not None and alert.silenced_until > now
    shelved = alert.shelved_until is not None and alert.shelved_until > now
    return _Muting(alert.silenced_by if silenced else (), alert.inhibited_by, ("shelved",) if shelved else ())


def _passes(muting: _Muting, wanted: AlertFilter) -> bool:
    if not any(muting):
        return wanted.active
    return (
        (wanted.silenced or not muting.silenced_by)
        and (wanted.inhibited or not muting.inhibited_by)
        and (wanted.muted or not muting.muted_by)
    )


def _same_texts(old: Alert, new: Alert) -> bool:
    return (
        (old.labels is new.labels or old.labels == new.labels)
        and (old.annotations is new.annotations or old.annotations == new.annotations)
        and old.starts_at == new.starts_at
        and old.url == new.url
    )


def _stable(alert: Alert, mark: str) -> bytes:
    url = b',"generatorURL":%b' % _encode(alert.url) if alert.url else b""
    return b'{"annotations":%b,"fingerprint":"%b","labels":%b,"receivers":[{"name":"%b"}],"startsAt":%b%b' % (
        _encode(alert.annotations),
        mark.encode(),
        _encode(alert.labels),
        RECEIVER.encode(),
        _stamp(alert.starts_at),
        url,
    )


def _times(alert: Alert) -> bytes:
    return b',"endsAt":%b,"updatedAt":%b' % (_stamp(alert.ends_at), _stamp(alert.last_at))


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, as Alertmanager writes every time."""
    return _stamp(moment)[1:-1].decode()


def _stamp(moment: datetime) -> bytes:
    """The timestamp in quotes: six digits of a fraction, or none, become three."""
    text = _encode(moment)
    return text[:24] + b'Z"' if len(text) == _WITH_MICROSECONDS else text[:20] + b'.000Z"'


def render_receivers() -> bytes:
    return _encode([{"labels": {}, "name": RECEIVER}])


def render_status(started_at: datetime, resolve_timeout_seconds: float = 300.0) -> bytes:
    """The object that every amtool command asks for first; its configuration loads in Alertmanager."""
    build = {"branch": "", "buildDate": "", "buildUser": "", "goVersion": "", "revision": ""}
    status = {
        "cluster": {"name": RECEIVER, "peers": [], "status": "disabled"},
        "config": {"original": configuration(resolve_timeout_seconds)},
        "uptime": timestamp(started_at),
        "versionInfo": {**build, "version": ALERTMANAGER_VERSION},
    }
    return _encode(status)


def configuration(resolve_timeout_seconds: float) -> str:
    """Alertmanager's YAML for what this face does: one route, one receiver."""
    return (
        f"global:\n  resolve_timeout: {max(1, round(resolve_timeout_seconds))}s\n"
        f"route:\n  receiver: {RECEIVER}\n  group_by:\n"
        + "".join(f"  - {label}\n" for label in GROUP_BY)
        + f"receivers:\n- name: {RECEIVER}\ntemplates: []\n"
    )
