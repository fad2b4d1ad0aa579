"""A record of any kind of `data.nouns`, made from its declaration alone."""

from __future__ import annotations

from datetime import datetime
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct

from data.nouns import Noun
from data.records import TenantId


def sample(noun: Noun, id: str, tenant: str, at: datetime, **given: Any) -> Any:
    """A record with every required field filled, its columns too; `given` wins."""
    hints = get_type_hints(noun.record)
    fields: dict[str, Any] = {}
    for found in msgspec.structs.fields(noun.record):
        if found.required or found.name in (noun.site, noun.sites, noun.entity):
            fields[found.name] = _value(hints[found.name], found.name, at)
    fields |= {"tenant": TenantId(tenant), "id": id}
    if noun.states:
        fields[noun.state] = noun.states[0]
    if noun.severity:
        fields[noun.severity] = hints[noun.severity]("high")
    if noun.site and noun.site != "id":
        fields[noun.site] = "site-1"
    if noun.sites:
        fields[noun.sites] = ("site-1", "site-2")
    if noun.entity and noun.entity != "id":
        fields[noun.entity] = "one"
    return noun.record(**{**fields, **given})


def _value(hint: Any, name: str, at: datetime) -> Any:
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        hint = next(part for part in get_args(hint) if part is not type(None))
        origin = get_origin(hint)
    if origin is Literal:
        return get_args(hint)[0]
    if origin is tuple and isinstance(get_args(hint)[0], type) and issubclass(get_args(hint)[0], Struct):
        return (_value(get_args(hint)[0], name, at),)
    if origin in (tuple, list, dict):
        return origin()
    if hint is datetime:
        return at
    if isinstance(hint, type) and issubclass(hint, Struct):
        inner = get_type_hints(hint)
        return hint(**{
            found.name: _value(inner[found.name], found.name, at)
            for found in msgspec.structs.fields(hint)
            if found.required
        })
    plain = getattr(hint, "__supertype__", hint)
    known: dict[Any, Any] = {str: name, int: 1, float: 0.5, bool: True, bytes: b""}
    return known[plain] if plain in known else plain("high")
