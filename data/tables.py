"""The tables of the store as SQLAlchemy Core: what reads and migrations are built from.

Owns names, types, keys and indexes; holds no query and opens nothing. The writer does not import this module
(its statements are built from `data.codec`); a test holds the two and `migrations/head.sql` equal.

Conventions: a time is an integer of microseconds since 1970 UTC (`codec.micros`), null where the record has None;
a severity is its rank (critical 5 … info 1); a flag is 0 or 1; `sites` is a JSON array of strings;
`body` is the whole record as JSON. Columns win over the body where both have a value: a plain repeat of an alert
moves `count`, `last_at` and `ends_at` only, an alert that joins moves the counts of its incident (`data.decode`).
Alerts, incidents and clusters keep their body in a table of its own, so that sorting and counting 100,000 of them
reads 15 MB and not 100, and so that a repeat or a moved count dirties small rows only. No column that moves with every
alert is in an index: each index would be one more page in every commit.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    literal_column,
    select,
)
from sqlalchemy.sql.elements import ColumnElement

from data.nouns import NOUNS

metadata = MetaData()

_Id = BigInteger().with_variant(Integer(), "sqlite")


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


def _flag(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False)


def _time(name: str, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable)


def _body() -> Column[bytes]:
    return Column("body", LargeBinary, nullable=False)


alerts = Table(
    "alerts",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=False),
    _text("tenant"),
    _number("cluster"),
    _number("incident"),
    _flag("severity"),
    _text("state"),
    _number("count"),
    _time("last_at"),
    _time("ends_at"),
    _time("starts_at"),
    _time("received_at"),
    _time("ended_at", nullable=True),
    _time("silenced_until", nullable=True),
    _time("shelved_until", nullable=True),
    _time("ack_until", nullable=True),
    _flag("silenced"),
    _flag("inhibited"),
    _flag("suppressed"),
    _flag("flapping"),
    _text("source"),
    _text("name"),
    _text("site"),
    _text("entity"),
    _text("service"),
    _text("client"),
    _text("key"),
)
# New alerts come in the order of their ids, and each joins another incident: an index by incident would dirty a page
# for nearly every one of them. Those that are open are found by scanning `alerts_open`, which is small.
Index("alerts_open", alerts.c.tenant, alerts.c.id, alerts.c.incident, sqlite_where=alerts.c.ended_at.is_(None))
Index("alerts_ended", alerts.c.ended_at, sqlite_where=alerts.c.ended_at.is_not(None))
# Small: only alerts that take a capability of their own, see `data.restricted`.
Index(
    "alerts_restricted",
    alerts.c.tenant,
    alerts.c.incident,
    sqlite_where=alerts.c.name == literal_column("'fraud_suspected'"),
)
Index("alerts_of_incident", alerts.c.incident, sqlite_where=alerts.c.ended_at.is_not(None))

clusters = Table(
    "clusters",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=False),
    _text("tenant"),
    _number("incident"),
    _text("title"),
    _flag("severity"),
    _text("site"),
    _text("sites"),
    _number("entities"),
    _number("alerts"),
    _number("suppressed"),
    _time("opened_at"),
    _time("last_at"),
    _flag("closed"),
)
Index("clusters_of_incident", clusters.c.incident)

incidents = Table(
    "incidents",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=False),
    _text("tenant"),
    _text("title"),
    _flag("severity"),
    _text("state"),
    Column("priority", Float, nullable=False),
    _text("site"),
    _text("sites"),
    _text("client"),
    _text("owner"),
    _number("alerts"),
    _number("firing"),
    _number("muted"),
    _number("suppressed"),
    _number("events"),
    _time("opened_at"),
    _time("last_at"),
    _time("ended_at", nullable=True),
    _time("due_at", nullable=True),
    _time("ack_until", nullable=True),
    _time("shelved_until", nullable=True),
    Column("merged_into", BigInteger, nullable=True),
    _number("version"),
)
Index(
    "incidents_in_memory",
    incidents.c.id,
    sqlite_where=(incidents.c.state != "closed") & incidents.c.merged_into.is_(None),
)
Index("incidents_open", incidents.c.tenant, incidents.c.priority, sqlite_where=incidents.c.ended_at.is_(None))
Index("incidents_ended", incidents.c.ended_at, sqlite_where=incidents.c.ended_at.is_not(None))


def _bodies(table: str) -> Table:
    return Table(table, metadata, Column("id", _Id, primary_key=True, autoincrement=False), _body())


alert_bodies = _bodies("alert_bodies")
cluster_bodies = _bodies("cluster_bodies")
incident_bodies = _bodies("incident_bodies")

#: Where the bodies of a kind are that has them in a table of their own.
BODIES: dict[str, Table] = {"alerts": alert_bodies, "clusters": cluster_bodies, "incidents": incident_bodies}

silences = Table(
    "silences",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    _time("starts_at"),
    _time("ends_at"),
    _time("updated_at"),
    _text("created_by"),
    _text("comment"),
    _body(),
)

timeline = Table(
    "timeline",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=False),
    _text("tenant"),
    _number("incident"),
    _time("at"),
    _text("kind"),
    _text("actor"),
    _body(),
)
Index("timeline_of_incident", timeline.c.incident)

rejects = Table(
    "rejects",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=False),
    _text("tenant"),
    _text("source"),
    _text("format"),
    _time("at"),
    _text("state"),
    _body(),
)

effects = Table(
    "effects",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    _text("action"),
    Column("incident", BigInteger, nullable=True),
    _text("state"),
    _number("attempt"),
    _time("created_at"),
    _time("due_at", nullable=True),
    _time("leased_until", nullable=True),
    _body(),
)
Index("effects_waiting", effects.c.due_at, sqlite_where=effects.c.state.in_(("pending", "running")))

#: One row per commit: the changes of it, one JSON per line. `tenant` is "" when a commit changed several.
changes = Table(
    "changes",
    metadata,
    Column("partition", Integer, primary_key=True),
    Column("last_seq", _Id, primary_key=True, autoincrement=False),
    _number("first_seq"),
    _text("tenant"),
    _time("at"),
    _number("crc"),
    _body(),
)

audits = Table(
    "audits",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("seq", _Id, primary_key=True, autoincrement=False),
    _time("at"),
    _text("actor"),
    _text("verb"),
    _text("subject"),
    _text("outcome"),
    _text("prev"),
    _text("hash"),
    _body(),
)

#: Every kind of `data.nouns` in one table; `live` rows are those that are not over.
nouns = Table(
    "nouns",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    _time("at"),
    _text("site"),
    _text("entity"),
    _text("state"),
    _flag("severity"),
    Column("value", Float, nullable=False),
    Column("incident", BigInteger, nullable=True),
    _flag("live"),
    _body(),
)
Index("nouns_by_time", nouns.c.tenant, nouns.c.kind, nouns.c.at)
Index("nouns_of_entity", nouns.c.tenant, nouns.c.kind, nouns.c.entity, nouns.c.at, sqlite_where=nouns.c.entity != "")
Index("nouns_of_site", nouns.c.tenant, nouns.c.kind, nouns.c.site, nouns.c.at, sqlite_where=nouns.c.site != "")
Index("nouns_live", nouns.c.kind, sqlite_where=nouns.c.live == 1)

undos = Table(
    "undos",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    _time("expires_at"),
    _body(),
)

alert_notes = Table(
    "alert_notes",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    _body(),
)

patterns = Table(
    "patterns",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    _time("last_at"),
    _body(),
)

seen = Table(
    "seen",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    _time("at"),
    sqlite_with_rowid=False,
)
Index("seen_by_time", seen.c.at)

#: Series of metrics: `number` is what their buckets go by, `last` the newest value, `last_at` its time in seconds.
metric_series = Table(
    "metric_series",
    metadata,
    Column("number", _Id, primary_key=True),
    _text("tenant"),
    _text("id"),
    _text("name"),
    _text("site"),
    Column("labels", LargeBinary, nullable=False),
    Column("last_at", Float, nullable=False),
    Column("last", Float, nullable=False),
)
Index("metric_series_by_id", metric_series.c.tenant, metric_series.c.id, unique=True)

#: One bucket of a series: `at` is the UTC second in which it begins, `resolution` its nominal length in seconds,
#: `sketch` a `data.sketch.Sketch`. In the order of time, so that what is written together is side by side.
metric_rollups = Table(
    "metric_rollups",
    metadata,
    Column("resolution", Integer, primary_key=True, autoincrement=False),
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("series", BigInteger, primary_key=True, autoincrement=False),
    _number("count"),
    Column("sum", Float, nullable=False),
    Column("min", Float, nullable=False),
    Column("max", Float, nullable=False),
    Column("sketch", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

#: Buckets that are to be made anew from the finer ones.
metric_due = Table(
    "metric_due",
    metadata,
    Column("resolution", Integer, primary_key=True, autoincrement=False),
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("series", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

tokens = Table(
    "tokens",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    _body(),
)

#: Who may write a partition. `epoch` fences, `seq` is the last one given out.
leases = Table(
    "leases",
    metadata,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    _text("owner"),
    _number("epoch"),
    _time("expires_at"),
    _number("seq"),
)

#: The table behind each kind of `Select`.
OF_KIND: dict[str, Table] = {
    "alerts": alerts,
    "incidents": incidents,
    "clusters": clusters,
    "silences": silences,
    "timeline": timeline,
    "rejects": rejects,
    "events": changes,
    "audits": audits,
    "effects": effects,
    **dict.fromkeys(NOUNS, nouns),
}


def body_of(kind: str) -> ColumnElement[bytes]:
    """The JSON of a row of this kind, as an expression to be used in its WHERE.

    Where bodies have a table of their own it is looked up by primary key, only for the rows that get that far.
    """
    table, bodies = OF_KIND[kind], BODIES.get(kind)
    if bodies is None:
        return table.c.body
    return select(bodies.c.body).where(bodies.c.id == table.c.id).correlate(table).scalar_subquery()
