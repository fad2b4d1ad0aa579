"""The one query builder: every read of a tenant's rows is made here.

Owns the predicate of tenant and sites, the filters, the sort orders and the keyset of a page. Never runs a statement.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import ColumnElement

from data import tables
from data.codec import micros
from data.decode import columns_of
from data.nouns import NOUNS, SITE_MARK, Noun
from data.ports import Select
from data.query_sql import where as condition_of
from data.records import Alert, Audit, Cluster, Effect, Incident, Reject, Silence, TimelineEntry
from data.restricted import ALERTS, FRAUD_TICKET, FRAUD_VIEW, VERBS
from data.scope import Scope

Condition = ColumnElement[bool]

#: Stands for "never" where a nullable time is sorted: such rows come after all others.
_NEVER = 1 << 62


#: The record behind each kind of rows.
RECORDS: dict[str, type] = {
    "alerts": Alert,
    "incidents": Incident,
    "clusters": Cluster,
    "silences": Silence,
    "timeline": TimelineEntry,
    "rejects": Reject,
    "audits": Audit,
    "effects": Effect,
    **{noun.kind: noun.record for noun in NOUNS.values()},
}


class InvalidSelect(ValueError):
    """The read cannot be made: an unknown kind or sort, or a cursor that is not of this list."""

    def __init__(self, field: str, reason: str, remedy: str) -> None:
        super().__init__(f"{field}: {reason}; {remedy}")
        self.field, self.reason, self.remedy = field, reason, remedy


class Listing(Struct, frozen=True, kw_only=True):
    """How one kind of rows is listed: its order, what else it can be sorted by, which column is its time and id."""

    table: Any
    order: str
    id: str
    at: str
    sorts: dict[str, ColumnElement[Any]]
    numbered: bool = True


def _columns(table: sa.Table, *names: str) -> dict[str, ColumnElement[Any]]:
    return {name: table.c[name] for name in names}


def _priority_of_alert() -> ColumnElement[Any]:
    found = sa.select(tables.incidents.c.priority).where(
        tables.incidents.c.id == tables.alerts.c.incident, tables.incidents.c.tenant == tables.alerts.c.tenant
    )
    return sa.func.coalesce(found.correlate(tables.alerts).scalar_subquery(), 0.0)


def _listing_of(noun: Noun) -> Listing:
    """Newest first; its own name for the time and the figure, beside the common ones."""
    common = _columns(tables.nouns, "at", "site", "entity", "state", "severity", "value", "id")
    own = {noun.at: tables.nouns.c.at, **({noun.value: tables.nouns.c.value} if noun.value else {})}
    return Listing(table=tables.nouns, order="-at", id="id", at="at", sorts={**common, **own}, numbered=False)


LISTINGS: dict[str, Listing] = {
    "alerts": Listing(
        table=tables.alerts,
        order="-id",
        id="id",
        at="received_at",
        sorts={
            **_columns(tables.alerts, "id", "severity", "state", "name", "site", "source", "entity", "service"),
            **_columns(tables.alerts, "count", "starts_at", "received_at", "last_at", "ends_at", "client"),
            "opened_at": tables.alerts.c.starts_at,
            "priority": _priority_of_alert(),
        },
    ),
    "incidents": Listing(
        table=tables.incidents,
        order="-priority",
        id="id",
        at="opened_at",
        sorts={
            **_columns(tables.incidents, "id", "priority", "severity", "state", "title", "site", "client", "owner"),
            **_columns(tables.incidents, "alerts", "firing", "events", "opened_at", "last_at"),
            "count": tables.incidents.c.alerts,
            "due_at": sa.func.coalesce(tables.incidents.c.due_at, _NEVER),
        },
    ),
    "clusters": Listing(
        table=tables.clusters,
        order="-last_at",
        id="id",
        at="opened_at",
        sorts={
            **_columns(tables.clusters, "id", "severity", "title", "site", "alerts", "entities", "opened_at"),
            **_columns(tables.clusters, "last_at", "incident"),
            "count": tables.clusters.c.alerts,
        },
    ),
    "silences": Listing(
        table=tables.silences,
        order="ends_at",
        id="id",
        at="updated_at",
        sorts=_columns(tables.silences, "ends_at", "starts_at", "updated_at", "created_by", "id"),
        numbered=False,
    ),
    "timeline": Listing(
        table=tables.timeline, order="-id", id="id", at="at", sorts=_columns(tables.timeline, "id", "at")
    ),
    "rejects": Listing(
        table=tables.rejects, order="-id", id="id", at="at", sorts=_columns(tables.rejects, "id", "at", "source")
    ),
    "audits": Listing(table=tables.audits, order="-seq", id="seq", at="at", sorts=_columns(tables.audits, "seq", "at")),
    "effects": Listing(
        table=tables.effects,
        order="-created_at",
        id="key",
        at="created_at",
        sorts=_columns(tables.effects, "created_at", "state", "action", "key"),
        numbered=False,
    ),
    **{kind: _listing_of(noun) for kind, noun in NOUNS.items()},
}


def allowed(scope: Scope, kind: str) -> list[Condition]:
    """The rows of this kind that the scope may see. Every statement on a table with a tenant starts with this."""
    table = tables.OF_KIND[kind]
    conditions: list[Condition] = [table.c.tenant == scope.tenant]
    if kind in NOUNS:
        conditions.append(tables.nouns.c.kind == kind)
        if not scope.may(NOUNS[kind].capability):
            conditions.append(sa.false())
    conditions += _unrestricted(scope, kind)
    if scope.sites is not None:
        conditions.append(_within_sites(scope, kind, sorted(scope.sites)))
    return conditions


def _unrestricted(scope: Scope, kind: str) -> list[Condition]:
    """Without what takes a capability that the scope lacks: see `data.restricted`."""
    table = tables.OF_KIND[kind]
    if kind == "audits":
        return [table.c.verb != verb for verb, needed in VERBS.items() if not scope.may(needed)]
    if kind == "tickets":
        return [] if scope.may(FRAUD_VIEW) else [sa.not_(table.c.id.startswith(FRAUD_TICKET, autoescape=True))]
    names = [name for name, needed in ALERTS.items() if not scope.may(needed)]
    if kind == "alerts":
        return [table.c.name != name for name in names]
    if kind == "past_incidents":  # they outlast their alerts, but tell their pattern
        return [table.c.entity != name for name in names]
    if kind not in {"incidents", "clusters", "timeline", "effects"} and not (kind in NOUNS and NOUNS[kind].incident):
        return []
    incident = table.c.id if kind == "incidents" else table.c.incident
    return [sa.or_(incident.is_(None), incident.not_in(_incidents_of(scope, name))) for name in names]


def _incidents_of(scope: Scope, name: str) -> sa.Select[Any]:
    """Incidents with alerts of a restricted name; by the index `alerts_restricted`, which asks for the very text."""
    alerts = tables.alerts
    same = alerts.c.name == sa.literal_column(f"'{name}'")
    return sa.select(alerts.c.incident).where(alerts.c.tenant == scope.tenant, same)


def _within_sites(scope: Scope, kind: str, sites: Sequence[str]) -> Condition:
    if kind == "alerts":
        return tables.alerts.c.site.in_(sites)
    if kind in {"incidents", "clusters"}:
        each = sa.func.json_each(tables.OF_KIND[kind].c.sites).table_valued("value")
        return sa.exists().where(each.c.value.in_(sites)).correlate(tables.OF_KIND[kind])
    if kind in NOUNS:
        return _noun_within(NOUNS[kind], sites)
    if kind in {"timeline", "effects"}:
        visible = sa.select(tables.incidents.c.id).where(*allowed(scope, "incidents"))
        return tables.OF_KIND[kind].c.incident.in_(visible)
    # Silences belong to no site and are seen by all; raw bodies and the audit may speak of any site.
    return sa.true() if kind == "silences" else sa.false()


def _noun_within(noun: Noun, sites: Sequence[str]) -> Condition:
    """What is at one of the sites. What belongs to no site is not of theirs."""
    column = tables.nouns.c.site
    if noun.sites:
        return sa.or_(sa.false(), *(sa.func.instr(column, SITE_MARK + site + SITE_MARK) > 0 for site in sites))
    return column.in_(sites) if noun.site else sa.false()


def page(scope: Scope, select: Select, now: datetime) -> sa.Select[Any]:
    """The statement of one page: (id, sort value, …columns of `decode.records_of`), one row more than the limit.

    The inner part finds keys in narrow rows only; bodies are fetched for those that are shown.
    """
    listing = _listing(select.kind)
    order, descending = _order(listing, select)
    key = listing.table.c[listing.id]
    found = sa.select(key.label("key"), order.label("sort")).where(*conditions(scope, select, now))
    if select.after:
        found = found.where(_after(order, key, select.after, descending))
    ordered = found.order_by(*_directed(descending, order, key)).limit(select.limit + 1).subquery()
    return _with_bodies(scope, select.kind, ordered).order_by(*_directed(descending, ordered.c.sort, ordered.c.key))


def total(scope: Scope, select: Select, now: datetime) -> sa.Select[Any]:
    """The statement that counts the rows of all pages."""
    listing = _listing(select.kind)
    return sa.select(sa.func.count()).select_from(listing.table).where(*conditions(scope, select, now))


def conditions(scope: Scope, select: Select, now: datetime) -> list[Condition]:
    """Who may see it, what was asked, and nothing of the page. Raises InvalidSelect or QueryError."""
    listing = _listing(select.kind)
    parts = allowed(scope, select.kind)
    if select.active is not None:
        parts.append(_active(select.kind, now, select.active))
    parts += _related(scope, select)
    if select.ids is not None:
        parts.append(listing.table.c[listing.id].in_(_ids(listing, select.ids)))
    if select.since is not None:
        parts.append(listing.table.c[listing.at] >= micros(select.since))
    if select.until is not None:
        parts.append(listing.table.c[listing.at] <= micros(select.until))
    if select.where is not None:
        parts.append(condition_of(select.where, select.kind, now))
    return parts


def cursor(sort: Any, key: Any) -> str:
    """The opaque mark behind the last row of a page."""
    return urlsafe_b64encode(msgspec.json.encode([sort, key])).decode().rstrip("=")


def cursor_values(text: str) -> tuple[Any, Any]:
    """What `cursor` was made from. Raises InvalidSelect."""
    try:
        padded = text + "=" * (-len(text) % 4)
        sort, key = msgspec.json.decode(urlsafe_b64decode(padded), type=tuple[int | float | str, int | str])
    except (Base64Error, ValueError, msgspec.DecodeError) as error:
        raise InvalidSelect("after", "this is not a cursor", "use `next` of the page before as it came") from error
    return sort, key


def _listing(kind: str) -> Listing:
    listing = LISTINGS.get(kind)
    if listing is None:
        raise InvalidSelect("kind", f"there are no {kind!r}", f"use one of {', '.join([*LISTINGS, 'events'])}")
    return listing


def _order(listing: Listing, select: Select) -> tuple[ColumnElement[Any], bool]:
    name = select.sort or listing.order
    column = listing.sorts.get(name.removeprefix("-"))
    if column is None:
        raise InvalidSelect(
            "sort", f"{select.kind} cannot be sorted by {name!r}", f"use one of {', '.join(listing.sorts)}"
        )
    return column, name.startswith("-")


def _directed(descending: bool, *columns: Any) -> list[Any]:
    return [column.desc() if descending else column.asc() for column in columns]


def _after(order: ColumnElement[Any], key: ColumnElement[Any], after: str, descending: bool) -> Condition:
    sort, last = cursor_values(after)
    here, there = sa.tuple_(order, key), sa.tuple_(sa.literal(sort), sa.literal(last))
    return here < there if descending else here > there


def _active(kind: str, now: datetime, active: bool) -> Condition:
    if kind in {"alerts", "incidents"}:
        ended = tables.OF_KIND[kind].c.ended_at
        return ended.is_(None) if active else ended.is_not(None)
    ongoing = {
        "clusters": tables.clusters.c.closed == 0,
        "silences": tables.silences.c.ends_at > micros(now),
        "rejects": tables.rejects.c.state == "waiting",
        "effects": tables.effects.c.state.in_(("pending", "running", "unknown")),
        **dict.fromkeys(NOUNS, tables.nouns.c.live == 1),
    }.get(kind, sa.true())
    return ongoing if active else sa.not_(ongoing)


def _related(scope: Scope, select: Select) -> list[Condition]:
    """Rows of one incident or one cluster. A cluster is looked up through its incident, which has the index."""
    table = tables.OF_KIND[select.kind]
    parts: list[Condition] = []
    if select.incident is not None:
        parts.append(_of_incident(select, select.incident))
    if select.cluster is not None:
        owner = sa.select(tables.clusters.c.incident).where(
            tables.clusters.c.id == select.cluster, tables.clusters.c.tenant == scope.tenant
        )
        parts.append(_of_incident(select, owner.scalar_subquery()))
        if "cluster" in table.c:
            parts.append(table.c.cluster == select.cluster)
        elif select.kind == "clusters":
            parts.append(table.c.id == select.cluster)
    return parts


def _of_incident(select: Select, incident: Any) -> Condition:
    """Alerts that are open and those that ended are found by different indexes: each part says which it is."""
    same: Condition = _column(select.kind, "incident") == incident
    if select.kind != "alerts" or select.active is not None:
        return same
    ended = tables.alerts.c.ended_at
    return sa.or_(sa.and_(ended.is_(None), same), sa.and_(ended.is_not(None), same))


def _column(kind: str, name: str) -> ColumnElement[Any]:
    table = tables.OF_KIND[kind]
    if kind == "incidents":
        return table.c.id
    if name not in table.c:
        raise InvalidSelect(name, f"{kind} belong to no {name}", "leave it out")
    return table.c[name]


def _ids(listing: Listing, ids: Sequence[str]) -> list[Any]:
    """Ids as stored; what is no number cannot be the id of a numbered kind and matches nothing."""
    return [int(text) for text in ids if text.isdecimal() and len(text) < 19] if listing.numbered else list(ids)


def _with_bodies(scope: Scope, kind: str, found: sa.Subquery) -> sa.Select[Any]:
    listing = LISTINGS[kind]
    table = listing.table
    same = sa.and_(table.c[listing.id] == found.c.key, table.c.tenant == scope.tenant)
    if kind in NOUNS:
        same = sa.and_(same, table.c.kind == kind)
    return with_bodies(kind, found.join(table, same), found.c.key, found.c.sort)


def with_bodies(kind: str, source: Any, *columns: Any) -> sa.Select[Any]:
    """`columns`, then what `decode.records_of` takes, of the rows of `source`, which has the table of the kind."""
    table, bodies = tables.OF_KIND[kind], tables.BODIES.get(kind)
    names = columns_of(RECORDS[kind])[1:]
    if bodies is not None:
        # OUTER: a row whose body is gone must show as damage, not as one row less.
        source = sa.outerjoin(source, bodies, bodies.c.id == table.c.id)
    body = (table if bodies is None else bodies).c.body
    return sa.select(*columns, body, *(table.c[name] for name in names)).select_from(source)
