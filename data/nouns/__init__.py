"""Kinds of records that are all kept alike: the nouns of the watched world and of what is made of it.

A kind is one declaration (`Noun`) in a file of this folder, in its `NOUNS`; storing, loading, listing, filtering,
paging, the feed and the API follow from it. Owns the table of declarations. Never opens a store.

A record is a frozen Struct with at least `tenant` and `id` (text, unique within tenant and kind). What the line reads
while it works is held in memory as long as it is not over; what is only looked up later is not held.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules

from data.nouns.base import SITE_MARK, Noun

__all__ = ["NOUNS", "NOUN_OF_RECORD", "NOUN_OF_SUBJECT", "SITE_MARK", "Noun"]


def _declared() -> Iterator[Noun]:
    for module in sorted(iter_modules(__path__), key=lambda found: found.name):
        yield from getattr(import_module(f"{__name__}.{module.name}"), "NOUNS", ())


def _table() -> Mapping[str, Noun]:
    found: dict[str, Noun] = {}
    for noun in _declared():
        if noun.kind in found:
            raise ValueError(f"the kind {noun.kind!r} is declared twice")
        found[noun.kind] = noun
    return found


#: Kind → its declaration.
NOUNS: Mapping[str, Noun] = _table()
NOUN_OF_RECORD: Mapping[type, Noun] = {noun.record: noun for noun in NOUNS.values()}
NOUN_OF_SUBJECT: Mapping[str, Noun] = {noun.subject: noun for noun in NOUNS.values()}
if len(NOUN_OF_RECORD) != len(NOUNS) or len(NOUN_OF_SUBJECT) != len(NOUNS):
    raise ValueError("two kinds share a record or a subject")
