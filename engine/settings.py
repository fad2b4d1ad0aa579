"""Every setting of this version: name, type, range, default and one line of explanation.

Owns the shape only. Reading files and the environment, and the errors, are `engine.config`'s.
A new section is one struct here: validation, `config default` and the documentation follow from it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from data.records import Severity
from engine.destinations import PORTS
from engine.oncall.settings import OnCallSettings
from engine.playbooks.settings import ApprovalSettings, PlaybookSettings
from engine.secret import Secret
from engine.training.settings import TrainingSettings

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

Share = Annotated[float, Meta(ge=0, le=1)]
Probability = Annotated[float, Meta(ge=0.01, le=0.99)]
Points = Annotated[float, Meta(ge=0, le=100)]
Days = Annotated[float, Meta(ge=0.01, le=36_500)]
ClockTime = Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
Notice = Literal["opened", "severity_rose", "acknowledged", "returned", "resolved"]
MatcherText = Annotated[str, Meta(max_length=16_384)]


class EngineSettings(Struct, frozen=True, kw_only=True):
    name: Annotated[str, Meta(min_length=1, max_length=64, description="this engine, in logs and on screens")] = "noc"
    tenant: Annotated[
        str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$", description="the operating company served")
    ] = "default"
    batch_max: Annotated[int, Meta(ge=1, le=4096, description="envelopes in one transaction")] = 256
    inbox_max: Annotated[
        int, Meta(ge=16, le=1_000_000, description="alerts waiting before senders are answered 503")
    ] = 20_000
    resolve_timeout_seconds: Annotated[
        float, Meta(ge=1, le=604_800, description="an alert without an end time ends after this")
    ] = 300.0
    stop_seconds: Annotated[
        float, Meta(ge=1, le=600, description="time for an orderly stop; three quarters of it drain")
    ] = 10.0


class StoreSettings(Struct, frozen=True, kw_only=True):
    data_dir: Annotated[str, Meta(description="folder of the database; empty = the platform's data folder")] = ""
    synchronous: Annotated[
        Literal["full", "normal"], Meta(description="normal may lose the last acknowledged alerts in a power cut")
    ] = "full"
    reserve_mib: Annotated[
        int, Meta(ge=0, le=4096, description="kept free so that ack and resolve work on a full disk")
    ] = 64
    backup_dir: Annotated[str, Meta(description="empty = backup/ in data_dir")] = ""


class ListenSettings(Struct, frozen=True, kw_only=True):
    host: Annotated[str, Meta(min_length=1, description="address to listen on")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535, description="0 = any free one")] = 8099
    tls_cert: Annotated[str, Meta(description="PEM file; needs tls_key")] = ""
    tls_key: Annotated[str, Meta(description="PEM file; needs tls_cert")] = ""
    insecure: Annotated[bool, Meta(description="allow other addresses than loopback without TLS")] = False
    share_face: Annotated[
        bool, Meta(description="let other users of this machine read and silence by the Alertmanager API")
    ] = False
    origins: Annotated[tuple[str, ...], Meta(description="web origins that may open the feed; none by default")] = ()


class LimitSettings(Struct, frozen=True, kw_only=True):
    """Lengths of text are in characters, sizes in bytes, rates per second; a rate of 0 is no limit."""

    body_max_bytes: Annotated[int, Meta(ge=1024, le=1 << 30, description="a webhook's or command's body")] = 524_288
    batch_body_max_bytes: Annotated[
        int, Meta(ge=1024, le=1 << 30, description="a body on /api/v2/alerts or /ingest/events: 10,000 alerts fit")
    ] = 16 * 1024 * 1024
    labels_max: Annotated[int, Meta(ge=1, le=4096, description="labels of one alert")] = 64
    label_name_chars: Annotated[int, Meta(ge=512, le=65_536)] = 1024
    label_value_chars: Annotated[int, Meta(ge=16, le=1_048_576)] = 8192
    annotation_chars: Annotated[int, Meta(ge=16, le=1_048_576)] = 65_536
    source_rate: Annotated[float, Meta(ge=0, description="alerts per second and source")] = 20_000.0
    source_burst: Annotated[float, Meta(ge=1, description="alerts at once and source")] = 100_000.0
    token_rate: Annotated[float, Meta(ge=0, description="requests per second and token")] = 2_000.0
    token_burst: Annotated[float, Meta(ge=1, description="requests at once and token")] = 10_000.0
    feed_queue: Annotated[int, Meta(ge=16, le=100_000, description="changes waiting per watcher before a resync")] = 500
    query_seconds: Annotated[float, Meta(ge=0.1, le=60, description="longest read")] = 2.0
    records_max: Annotated[
        int, Meta(ge=1, le=100_000_000, description="records of one kind (tickets, devices ...) that a tenant holds")
    ] = 100_000
    records_max_of: Annotated[
        dict[
            Literal[
                "assets", "clients", "devices", "people", "shifts", "signals", "sites", "tasks", "tickets", "tours",
                "workorders",
            ],
            Annotated[int, Meta(ge=1, le=100_000_000)],
        ],
        Meta(description="the same for single kinds, such as { tickets = 500000 }"),
    ] = {}  # fmt: skip


class SourceSettings(Struct, frozen=True, kw_only=True):
    """One webhook at /ingest/webhook/<name>. Without token and hmac it is open to whoever `allow` lets in.

    With type = "websocket" the engine connects to `url` instead, and shows `token` there."""

    format: Annotated[
        Literal["alertmanager", "grafana", "pagerduty", "generic", "cloudevents", "prometheus"],
        Meta(description="what the sender's bodies look like"),
    ]
    type: Annotated[
        Literal["webhook", "websocket", "prometheus"],
        Meta(description="websocket and prometheus = the engine goes out to url, from its next start on"),
    ] = "webhook"
    url: Annotated[str, Meta(max_length=2048, description="wss://host/path, or https://host of a Prometheus")] = ""
    queries: Annotated[
        dict[Annotated[str, Meta(min_length=1, max_length=200)], Annotated[str, Meta(min_length=1, max_length=4096)]],
        Meta(description="prometheus only: name of the series = PromQL that gives an instant vector"),
    ] = {}
    every: Annotated[float, Meta(ge=5, le=3600, description="prometheus only: seconds between two rounds")] = 60.0
    allow_http: Annotated[bool, Meta(description="websocket and prometheus: read in clear text")] = False
    token: Annotated[Secret | None, Meta(description="bearer token of the sender")] = None
    token_previous: Annotated[Secret | None, Meta(description="still taken while senders change over")] = None
    hmac: Annotated[Secret | None, Meta(description="key of the sender's signature over the raw body")] = None
    hmac_previous: Annotated[Secret | None, Meta(description="still taken while senders change over")] = None
    mapping: Annotated[dict[str, str], Meta(description="generic only: field of the product = path in the body")] = {}
    dedup: Annotated[
        Literal["labels", "text"],
        Meta(description="generic only: text = alerts are the same when their titles say the same but for values"),
    ] = "labels"
    allow: Annotated[tuple[str, ...], Meta(description="networks that may send, as CIDR; empty = any")] = ()
    rate: Annotated[
        Annotated[float, Meta(ge=0)] | None,
        Meta(description="alerts per second; absent = limits.source_rate, 0 = no limit"),
    ] = None


class AuditSettings(Struct, frozen=True, kw_only=True):
    """What audits make of their findings, and how long the world may be silent."""

    on_call: Annotated[
        str, Meta(max_length=200, description="gets tickets of sites without supervisor and manager")
    ] = ""
    ticket_every_hours: Annotated[
        float, Meta(ge=0.1, le=168, description="one ticket per finding type and entity in so long")
    ] = 4.0
    guard_silent_minutes: Annotated[
        float, Meta(ge=5, le=720, description="no sign of a guard on shift for so long is an alert")
    ] = 45.0
    missed_after_minutes: Annotated[
        float, Meta(ge=1, le=720, description="nobody came to a shift so long after its start")
    ] = 30.0
    silence_minutes: Annotated[
        dict[str, Annotated[float, Meta(ge=0.5, le=10_080)]],
        Meta(description="type of device = it is offline when silent for so long; other = all other types"),
    ] = {}


class BaselineSettings(Struct, frozen=True, kw_only=True):
    """Dynamic thresholds in spreads (z) from what is usual; the weekly tuning keeps them between floor and ceiling."""

    z: Annotated[float, Meta(ge=2, le=5, description="where a new baseline begins")] = 3.0
    z_floor: Annotated[float, Meta(ge=2, le=5)] = 2.0
    z_ceiling: Annotated[float, Meta(ge=2, le=5)] = 5.0


class ClusteringSettings(Struct, frozen=True, kw_only=True):
    method: Annotated[
        Literal["cosine", "xgboost_similarity"], Meta(description="how likeness is judged; the second needs a model")
    ] = "cosine"
    join_at: Annotated[Share, Meta(description="an alert at least this like a cluster joins it")] = 0.75
    suppress_above: Annotated[Share, Meta(description="one more like it than this is folded away, and counted")] = 0.90
    window_minutes: Annotated[
        float, Meta(ge=0.1, le=10_080, description="a cluster without a new alert for so long takes no more")
    ] = 30.0
    cap_alerts: Annotated[int, Meta(ge=2, le=100_000, description="then a linked successor opens")] = 500
    cap_hours: Annotated[float, Meta(ge=0.1, le=720, description="then a linked successor opens")] = 24.0


class DedupRule(Struct, frozen=True, kw_only=True):
    """Alerts that `match` are one alert when their name and these labels agree. The first rule that matches decides."""

    match: Annotated[MatcherText, Meta(description="matchers, as in a silence")]
    labels: Annotated[tuple[Annotated[str, Meta(min_length=1)], ...], Meta(description="what makes it the same alert")]
    name: Annotated[str, Meta(max_length=64)] = ""


class DedupSettings(Struct, frozen=True, kw_only=True):
    rules: tuple[DedupRule, ...] = ()


class FlappingSettings(Struct, frozen=True, kw_only=True):
    window: Annotated[int, Meta(ge=4, le=20, description="last reports of an alert that are looked at")] = 20
    on: Annotated[Share, Meta(description="flapping when more than this share of them changed")] = 0.30
    off: Annotated[Share, Meta(description="calm again below this share")] = 0.25


class TriageSettings(Struct, frozen=True, kw_only=True):
    close_after_hours: Annotated[float, Meta(ge=0.01, le=8760, description="resolved incidents close by then")] = 24.0
    needs_ack: Annotated[
        tuple[Severity, ...], Meta(description="incidents that stay until seen, also when all is well again")
    ] = (Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM)
    sla_minutes: Annotated[
        dict[Severity, Annotated[float, Meta(gt=0, le=525_600)]], Meta(description="time to act by severity")
    ] = field(
        default_factory=lambda: {
            Severity.CRITICAL: 15.0,
            Severity.HIGH: 60.0,
            Severity.MEDIUM: 240.0,
            Severity.LOW: 1440.0,
            Severity.INFO: 4320.0,
        }
    )


class PriorityWeights(Struct, frozen=True, kw_only=True):
    """Points of 100 that each feature can add at most; together they are 100."""

    severity: Points = 45.0
    affected_sites: Points = 10.0
    business_hours: Points = 4.0
    client_tier: Points = 10.0
    historical_impact: Points = 7.0
    recurrence: Points = 6.0
    resolution_time: Points = 5.0
    site_workload: Points = 5.0
    on_call: Points = 3.0
    sla: Points = 5.0


class MetricsSettings(Struct, frozen=True, kw_only=True):
    """Series are kept as five minutes for 7 days, as hours for 90 and as days for two years."""

    time_zone: Annotated[
        str, Meta(description="where days begin, as in Europe/Berlin; days that were kept before stay as they are")
    ] = "UTC"
    own: Annotated[bool, Meta(description="keep the engine's own figures as series too, from its next start on")] = True


class PrioritySettings(Struct, frozen=True, kw_only=True):
    weights: PriorityWeights = field(default_factory=PriorityWeights)
    tiers: Annotated[
        dict[str, Literal["vip", "gold", "standard"]], Meta(description="client = its contract; others are standard")
    ] = {}
    weekdays: Annotated[tuple[Weekday, ...], Meta(description="days with business hours")] = field(
        default=("mon", "tue", "wed", "thu", "fri"), name="business_days"
    )
    business_start_hour: Annotated[float, Meta(ge=0, le=24)] = 8.0
    business_end_hour: Annotated[float, Meta(ge=0, le=24)] = 18.0
    time_zone: Annotated[str, Meta(description="of the business hours, as in Europe/Berlin")] = "UTC"
    on_call: Annotated[bool | None, Meta(description="whether somebody is on call; absent = not known")] = None

    @property
    def business_days(self) -> frozenset[int]:
        """Monday 0 … Sunday 6."""
        return frozenset(WEEKDAYS.index(day) for day in self.weekdays)


class PredictionSettings(Struct, frozen=True, kw_only=True):
    """Probabilities from which predictions are made; absent = where the model says that it is worth it."""

    enabled: Annotated[bool, Meta(description="look ahead at tickets, devices and shifts")] = True
    sla_at: Annotated[Probability | None, Meta(description="a ticket breaches its SLA within 2 h")] = None
    device_at: Annotated[Probability | None, Meta(description="a device goes offline within 1 h")] = None
    staffing_at: Annotated[Probability | None, Meta(description="a post is short of people within 4 h")] = None

    def given(self) -> dict[str, float]:
        """Predictor → probability, of those that are set."""
        found = {"sla": self.sla_at, "device": self.device_at, "staffing": self.staffing_at}
        return {name: value for name, value in found.items() if value is not None}


class MaintenanceWindow(Struct, frozen=True, kw_only=True):
    """Recurring: mutes what `match` holds from `start` to `end` of these days; an end before the start is next day."""

    name: Annotated[str, Meta(min_length=1, max_length=128)]
    match: Annotated[MatcherText, Meta(description="matchers, as in a silence")]
    start: Annotated[ClockTime, Meta(description="HH:MM")]
    end: Annotated[ClockTime, Meta(description="HH:MM")]
    days: Annotated[tuple[Weekday, ...], Meta(min_length=1)] = WEEKDAYS
    time_zone: str = "UTC"


class SuppressionRule(Struct, frozen=True, kw_only=True):
    """Folds alerts that `match` into the incident that they have joined; never one that is worse, or at a new site."""

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    match: Annotated[MatcherText, Meta(description="matchers, as in a silence")]
    above: Annotated[Share, Meta(description="only with at least this likeness; 0 = whatever has joined")] = 0.0
    never: Annotated[bool, Meta(description="the opposite: what matches is never folded away")] = False


class SuppressionSettings(Struct, frozen=True, kw_only=True):
    enabled: Annotated[bool, Meta(description="fold alerts away by clustering.suppress_above")] = True
    rules: tuple[SuppressionRule, ...] = ()
    maintenance: tuple[MaintenanceWindow, ...] = ()


class InhibitionRule(Struct, frozen=True, kw_only=True):
    """While `source` fires, `target` is muted if both have all labels of `equal`, with the same values."""

    source: Annotated[MatcherText, Meta(description="matchers, as in a silence")]
    target: Annotated[MatcherText, Meta(description="matchers, as in a silence")]
    equal: tuple[Annotated[str, Meta(min_length=1)], ...] = ()
    name: Annotated[str, Meta(max_length=64)] = ""


class InhibitionSettings(Struct, frozen=True, kw_only=True):
    rules: tuple[InhibitionRule, ...] = ()


class WebhookSettings(Struct, frozen=True, kw_only=True):
    """One receiver of notices about incidents. Each notice goes out until it is answered 2xx, always under one key."""

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
    url: Annotated[str, Meta(min_length=1, max_length=2048, description="a POST goes here; shown where it is shown")]
    when: Annotated[str, Meta(max_length=4096, description="a query on the incident; empty = all")] = "severity>=high"
    on: Annotated[tuple[Notice, ...], Meta(min_length=1, description="what to tell of")] = (
        "opened",
        "severity_rose",
        "resolved",
    )
    secret: Annotated[Secret | None, Meta(description="key of X-Signature, HMAC-SHA256 over the raw body")] = None
    allow_http: Annotated[bool, Meta(description="send in clear text")] = False
    max_per_minute: Annotated[int, Meta(ge=1, le=1200, description="more wait for their turn")] = 60


class NotifySettings(Struct, frozen=True, kw_only=True):
    webhooks: tuple[WebhookSettings, ...] = ()
    allow_hosts: Annotated[
        tuple[Annotated[str, Meta(min_length=1)], ...],
        Meta(description="host or host:port that may be called though its address is not public"),
    ] = ()
    ports: Annotated[
        tuple[Annotated[int, Meta(ge=1, le=65_535)], ...], Meta(description="ports that may be called")
    ] = PORTS


class RetentionSettings(Struct, frozen=True, kw_only=True):
    """Days that rows are kept after they ended. The audit is kept for ever."""

    alerts_days: Days = 90.0
    incidents_days: Annotated[Days, Meta(description="with their clusters and timeline")] = 365.0
    events_days: Annotated[Days, Meta(description="the change log: how far back the feed resumes")] = 30.0
    rejects_days: Days = 30.0
    effects_days: Days = 30.0
    silences_days: Days = 5.0

    def keep_days(self) -> dict[str, float]:
        """Kind of row → days, as `data.ports.Store.prune` takes it."""
        return {name.removesuffix("_days"): getattr(self, name) for name in self.__struct_fields__}


class ConsoleSettings(Struct, frozen=True, kw_only=True):
    theme: Annotated[
        Literal["", "dark", "light", "high-contrast", "colour-blind", "mono"],
        Meta(description="empty = as it was left"),
    ] = ""
    refresh_hz: Annotated[float, Meta(ge=0.1, le=4, description="frames per second of live panes")] = 2.0
    bell: Annotated[bool, Meta(description="for unacknowledged critical incidents, at most one a minute")] = True
    notify: Annotated[bool, Meta(description="the bell as a desktop notification too (OSC 9)")] = False
    mouse: Annotated[bool, Meta(description="never needed")] = True
    ascii: Annotated[bool, Meta(description="draw with ASCII only")] = False
    time_zone: Annotated[str, Meta(description="of plots, as in Europe/Berlin; empty = this machine's")] = ""


class CalendarSettings(Struct, frozen=True, kw_only=True):
    """Days that are like no other day of the week; a day is one of the site's own time zone."""

    holidays: Annotated[tuple[str, ...], Meta(description='of everybody, such as ["2026-12-25"]')] = ()
    of_clients: Annotated[
        dict[str, tuple[str, ...]], Meta(description='by id of a client, beside those of everybody')
    ] = {}


class Settings(Struct, frozen=True, kw_only=True):
    """The whole configuration, checked. Immutable: a reload builds a new one beside it."""

    engine: EngineSettings = field(default_factory=EngineSettings)
    store: StoreSettings = field(default_factory=StoreSettings)
    listen: ListenSettings = field(default_factory=ListenSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    sources: dict[str, SourceSettings] = {}
    calendar: CalendarSettings = field(default_factory=CalendarSettings)
    audit: AuditSettings = field(default_factory=AuditSettings)
    baselines: BaselineSettings = field(default_factory=BaselineSettings)
    clustering: ClusteringSettings = field(default_factory=ClusteringSettings)
    dedup: DedupSettings = field(default_factory=DedupSettings)
    flapping: FlappingSettings = field(default_factory=FlappingSettings)
    triage: TriageSettings = field(default_factory=TriageSettings)
    priority: PrioritySettings = field(default_factory=PrioritySettings)
    metrics: MetricsSettings = field(default_factory=MetricsSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    predictions: PredictionSettings = field(default_factory=PredictionSettings)
    suppression: SuppressionSettings = field(default_factory=SuppressionSettings)
    inhibition: InhibitionSettings = field(default_factory=InhibitionSettings)
    notify: NotifySettings = field(default_factory=NotifySettings)
    playbooks: PlaybookSettings = field(default_factory=PlaybookSettings)
    approvals: ApprovalSettings = field(default_factory=ApprovalSettings)
    oncall: OnCallSettings = field(default_factory=OnCallSettings)
    retention: RetentionSettings = field(default_factory=RetentionSettings)
    console: ConsoleSettings = field(default_factory=ConsoleSettings)
