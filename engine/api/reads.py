"""The REST reads: lists by query, single things, and what hangs on them.

Owns the way from query parameters to `engine.client.Query`. Never filters rows itself: the scope goes to the
service, and what it does not give out does not exist.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from data.nouns import NOUNS
from data.records import Alert, Audit, Change, Cluster, Effect, Incident, Reject, Silence, TimelineEntry
from engine.api.context import Api
from engine.api.routes import Handler
from engine.api.wire import Problem, Reply, Request, json_reply, not_found
from engine.client import Health, Page, Query

T = TypeVar("T")

MAX_LIMIT = 1000

#: Kind of a Query → the records on its page (dicts where there is no record).
RECORDS: dict[str, Any] = {
    "alerts": Alert,
    "incidents": Incident,
    "clusters": Cluster,
    "silences": Silence,
    "timeline": TimelineEntry,
    "rejects": Reject,
    "events": Change,
    "audits": Audit,
    "effects": Effect,
    "sources": dict[str, Any],
    "kpis": dict[str, Any],
    "why": dict[str, Any],
    "related": dict[str, Any],
    "preview": dict[str, Any],
    **{noun.kind: noun.record for noun in NOUNS.values()},
}


class ChangeDocument(Struct, frozen=True, kw_only=True):
    """`data.records.Change` as JSON: the record inside is that of its subject."""

    kind: str
    tenant: str
    at: datetime
    subject: str
    site: str
    reason: str
    record: Any
    seq: int
    partition: int
    needs: str


#: Kind → the last part of its path.
PATHS: dict[str, str] = {kind: "audit" if kind == "audits" else kind for kind in RECORDS}

#: Kind → the word before the colon in a target ("alert:12").
SUBJECTS: dict[str, str] = {
    "alerts": "alert",
    "incidents": "incident",
    "clusters": "cluster",
    "silences": "silence",
    "rejects": "reject",
    **{noun.kind: noun.subject for noun in NOUNS.values()},
}

#: Kind → capability, where it is not noc:view.
CAPABILITY: dict[str, str] = {"audits": "admin", **{noun.kind: noun.capability for noun in NOUNS.values()}}

_NUMBERED = frozenset({"alerts", "incidents", "clusters", "rejects"})


class ListQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of every list. `q` is the query language, `sort` a column with "-" in front for descending,
    `after` the `next` of the page before; `active` true = not ended, false = ended; `since`/`until` are RFC 3339."""

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


class PageDocument(Struct, Generic[T], frozen=True, kw_only=True):
    """`engine.client.Page` with its records typed: `next` is the `after` of the next page, `seq` the feed position."""

    items: list[T]
    seq: int
    next: str | None = None
    total: int | None = None


def page_of(kind: str) -> Any:
    """The page of a kind, for the documentation."""
    record: Any = ChangeDocument if kind == "events" else RECORDS[kind]
    return PageDocument[record]


def list_query(request: Request) -> ListQuery:
    """The parameters, checked. Raises Problem 422 naming the first bad one."""
    flat: dict[str, str] = {}
    for name, values in request.query.items():
        if len(values) > 1:
            raise Problem(422, "Given twice", field=name, remedy="give each parameter once")
        flat[name] = values[0]
    try:
        found = msgspec.convert(flat, ListQuery, strict=False)
    except msgspec.ValidationError as error:
        raise bad_shape(error) from None
    if not 1 <= found.limit <= MAX_LIMIT:
        raise Problem(422, "Out of range", field="limit", remedy=f"ask for 1 to {MAX_LIMIT} rows")
    if any(at is not None and at.tzinfo is None for at in (found.since, found.until)):
        raise Problem(422, "Time without a zone", field="since, until", remedy="end the time in Z or an offset")
    return found


def bad_shape(error: msgspec.ValidationError) -> Problem:
    """msgspec's message as a problem that names the field: `Expected `int`, got `str` - at `$.limit``."""
    text, _, place = str(error).partition(" - at `")
    if "unknown field" in text:
        return Problem(422, "Unknown field", field=text.split("`")[1], remedy="leave it out")
    if "missing required field" in text:
        return Problem(422, "Missing field", field=text.split("`")[-2], remedy="send it")
    return Problem(422, text, field=place.rstrip("`").removeprefix("$.") or "body", remedy="send the documented type")


def lists(kind: str) -> Handler:
    """The handler of `GET /api/v1/<kind>`."""

    async def handler(api: Api, request: Request) -> Reply:
        given = list_query(request)
        query = Query(kind=kind, **msgspec.structs.asdict(given))
        return json_reply(await api.service.query(request.who, query))

    return handler


def item(kind: str) -> Handler:
    """The handler of `GET /api/v1/<kind>/{id}`: the record itself, the feed position in a header."""

    async def handler(api: Api, request: Request) -> Reply:
        id = _item_id(kind, request)
        page = await api.service.query(request.who, Query(kind=kind, id=id, limit=1))
        if not page.items:
            raise not_found()
        return json_reply(page.items[0], headers=((b"x-noc-seq", str(page.seq).encode()),))

    return handler


def below(kind: str, of: str) -> Handler:
    """The handler of `GET /api/v1/<of>/{id}/<kind>`: rows of one incident."""

    async def handler(api: Api, request: Request) -> Reply:
        id = _item_id(of, request)
        await _must_exist(api, request, of, id)
        fields = {**msgspec.structs.asdict(list_query(request)), "incident": int(id)}
        return json_reply(await api.service.query(request.who, Query(kind=kind, **fields)))

    return handler


def about(kind: str, of: str) -> Handler:
    """The handler of `GET /api/v1/<of>/{id}/why` and `/related`."""

    async def handler(api: Api, request: Request) -> Reply:
        id = _item_id(of, request)
        await _must_exist(api, request, of, id)
        return json_reply(await api.service.query(request.who, Query(kind=kind, id=f"{SUBJECTS[of]}:{id}")))

    return handler


async def _must_exist(api: Api, request: Request, kind: str, id: str) -> None:
    page: Page = await api.service.query(request.who, Query(kind=kind, id=id, limit=1))
    if not page.items:
        raise not_found()


def _item_id(kind: str, request: Request) -> str:
    id = request.params["id"]
    if kind in _NUMBERED and not (id.isascii() and id.isdigit() and len(id) <= 18):
        raise not_found()
    return id


def answer(path: str) -> Handler:
    """The handler of a report: parameters from the address and the query."""

    kind, _, rest = path.partition("/{id}/")

    async def handler(api: Api, request: Request) -> Reply:
        if rest and kind in SUBJECTS:
            await _must_exist(api, request, kind, _item_id(kind, request))
        given: dict[str, Any] = dict(request.params)
        for name, values in request.query.items():
            if len(values) > 1 or name in given:
                raise Problem(422, "Given twice", field=name, remedy="give each parameter once")
            given[name] = values[0]
        return json_reply(await api.service.query(request.who, Query(kind=path, params=given)))

    return handler


async def health(api: Api, request: Request) -> Reply:
    found: Health = await api.service.health(request.who)
    return json_reply(found)
