"""What a console, a test or a script knows of the engine: four verbs and the types on the wire.

Imports nothing of the engine's inside, so that a console on a remote engine stays light.
The same contract suite runs on `local.LocalClient` and `remote.RemoteClient`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, Protocol

from msgspec import Struct

from data.records import Change, Partition, Severity


class Query(Struct, frozen=True, kw_only=True):
    """A read. `kind`: alerts, incidents, clusters, silences, timeline, rejects, events, audits, sources, kpis, why,
    related, preview.

    `q` is the query language. `sort` is a column, "-" in front for descending. `id` picks one thing.
    `incident` / `cluster` restrict to its rows. `active` True = not ended, False = ended, None = both.
    why: `id` is "alert:12" or "incident:3". related: `id` is "incident:3".
    preview: `q` holds matchers; answers what a silence of these would hit.
    Every kind of `data.nouns` is one too ("tickets"), and every report of `engine.reports` by its path
    ("fraud/heatmap"): `params` are its parameters, those of the path among them.
    """

    kind: str
    q: str = ""
    sort: str = ""
    after: str = ""
    limit: int = 200
    id: str = ""
    incident: int | None = None
    cluster: int | None = None
    active: bool | None = None
    since: datetime | None = None
    until: datetime | None = None
    total: bool = False
    params: dict[str, Any] = {}


class Page(Struct, frozen=True, kw_only=True):
    """Answer to a Query: records of `data.records` by kind (dicts for kpis, why, related, sources, preview).

    `seq` is the feed position the page was read at: watch from there and nothing is missed.
    """

    items: Sequence[Any]
    seq: int
    next: str | None = None
    total: int | None = None


class View(Struct, frozen=True, kw_only=True):
    """What to watch: change kinds (empty = all) and sites (empty = all the scope allows)."""

    kinds: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()


class Resync(Struct, frozen=True, kw_only=True):
    """The cursor is older than retention, or the watcher was too slow: read the page again, watch from `seq`."""

    seq: int
    reason: str


class Command(Struct, frozen=True, kw_only=True):
    """An act. `verb`: ack, unack, shelve, unshelve, silence, expire_silence, assign, note, merge, split,
    resolve, close, reopen, undo, replay_reject, discard_reject, enrich.

    `targets` are "incident:3", "alert:12", "cluster:4", "silence:<uuid>", "reject:7", "undo:<id>".
    `request` is the idempotency key: the same request twice acts once. Params by verb:
    ack {minutes?, sticky?, note?}; shelve {minutes | until, note?}; assign {owner}; note {text};
    silence {matchers: [Matcher…] | text, minutes | ends_at, starts_at?, comment, ticket?, id?};
    merge: first target takes the others; split: targets are alerts of one incident (or whole clusters);
    resolve, close {note?}; replay_reject {body?}: the fixed text, else as it was.
    """

    verb: str
    targets: tuple[str, ...]
    params: dict[str, Any] = {}
    request: str = ""
    #: A step-up's proof; the engine takes it off before it does anything with the act.
    proof: str = ""


#: The field of a Refused act that has to wait for `EngineClient.step_up`; and of one for whom no PIN was set.
STEP_UP, NO_PIN = "step_up", "no_pin"


class Proof(Struct, frozen=True, kw_only=True):
    """A step-up: for `seconds` grave acts are taken with this `proof`, from the token that it was given to."""

    proof: str
    seconds: float


class CommandResult(Struct, frozen=True, kw_only=True):
    """`changed` targets that the act touched, `refused` those it could not with the reason;
    `undo` names the undo (10 minutes) where the verb has one."""

    partition: Partition
    seq: int
    changed: tuple[str, ...] = ()
    refused: dict[str, str] = {}
    undo: str | None = None
    words: str = ""
    id: str = ""


class Refused(Exception):
    """The act or query was not allowed or not understood. `field` and `remedy` say what to change."""

    def __init__(self, reason: str, *, field: str = "", remedy: str = "", status: int = 422) -> None:
        super().__init__(reason)
        self.reason, self.field, self.remedy, self.status = reason, field, remedy, status


class Unreachable(Exception):
    """No engine at the other end right now. The caller keeps what it has and shows it as stale."""


class Health(Struct, frozen=True, kw_only=True):
    """State of the engine at `at`. `state`: starting, live, lagging, degraded, store_down, read_only, stopping.

    Rates are per second over the last minute; `lag_seconds` is the age of the oldest input not yet committed;
    `alarms_10m` counts alerts that began in the last ten minutes (more than 10 per operator is a flood).
    """

    state: str
    at: datetime
    version: str
    tenant: str
    seq: int
    started_at: datetime
    rate: float = 0.0
    lag_seconds: float = 0.0
    inbox: int = 0
    active: dict[Severity, int] = {}
    incidents: dict[str, int] = {}
    shelved: int = 0
    silenced: int = 0
    rejects: int = 0
    alarms_10m: int = 0
    flood: bool = False
    banners: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    url: str = ""
    #: What the engine calls the one who asks; acts are recorded under this name.
    actor: str = ""
    #: Whom it takes them for when it counts approvals: the owner of the token.
    person: str = ""
    last_event_at: datetime | None = None


class EngineClient(Protocol):
    """All that the console and its tests know. Raises Refused or Unreachable, nothing else."""

    async def query(self, query: Query) -> Page: ...
    def watch(self, view: View, since: int | None = None) -> AsyncIterator[Sequence[Change] | Resync]:
        """Changes after `since` in order, in batches as committed; None = from now on."""
        ...
    async def command(self, command: Command) -> CommandResult: ...
    async def step_up(self, pin: str) -> float:
        """Confirm by PIN who this is: acts of the next seconds, which it returns, carry the proof by themselves."""
        ...
    async def health(self) -> Health: ...
    async def close(self) -> None: ...
