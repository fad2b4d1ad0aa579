"""What sites, people and clients are called. Owns the names that the engine knows and how a name stands beside its id.

Read now and then, not kept up by the feed: names change rarely. Never asks the engine itself; `feed.Feed` does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from data.records import Incident
from noc_console.safe_text import Safe, safe_text


class Directory:
    """Names by id. What has no name is called by its id, what has no id "-".

    `version` grows when a name changes.
    """

    def __init__(self) -> None:
        self.sites: dict[str, Safe] = {}
        self.people: dict[str, Safe] = {}
        self.clients: dict[str, Safe] = {}
        #: Site → IANA name of its time zone.
        self.zones: dict[str, str] = {}
        self.version = 0
        self._of_site: dict[str, Safe] = {}
        self._in_words: dict[str, Safe] = {}

    def take(self, sites: Sequence[Any], people: Sequence[Any], clients: Sequence[Any] = ()) -> bool:
        """These are all of them now; true when a name is another one."""
        before = self.sites, self.people, self.clients
        self.sites, self.people, self.clients = _named(sites), _named(people), _named(clients)
        self.zones = {site.id: site.zone for site in sites}
        if before == (self.sites, self.people, self.clients):
            return False
        self.version += 1
        self._of_site, self._in_words = {}, {}
        return True

    def site(self, id: str) -> Safe:
        """The name, for a list."""
        found = self._of_site.get(id)
        if found is None:
            if len(self._of_site) > _KEPT:
                self._of_site = {}
            found = self._of_site[id] = self.sites.get(id) or safe_text(id or "-")
        return found

    def person(self, id: str) -> Safe:
        """The name, for a list."""
        return self.people.get(id) or safe_text(id or "-")

    def client(self, id: str) -> Safe:
        """The name, for a list."""
        return self.clients.get(id) or safe_text(id or "-")

    def words(self, text: str) -> Safe:
        """A title or another sentence: ids of people, sites and clients in it become names. An id that has no digit may
        be a word, and stays."""
        found = self._in_words.get(text)
        if found is None:
            if len(self._in_words) > _KEPT:
                self._in_words = {}
            found = self._in_words[text] = safe_text(_ID.sub(self._name_of, safe_text(text)))
        return found

    def _name_of(self, found: re.Match[str]) -> str:
        id = found[0]
        return self.people.get(id) or self.sites.get(id) or self.clients.get(id) or id

    def full_site(self, id: str) -> Safe:
        """Name and id, where it must be clear which one is meant: Harbour 2 (site-021)."""
        return _full(self.sites, id)

    def full_person(self, id: str) -> Safe:
        """Name and id, where it must be clear who is meant."""
        return _full(self.people, id)

    def full_client(self, id: str) -> Safe:
        """Name and id."""
        return _full(self.clients, id)

    def place(self, incident: Incident) -> Safe:
        """The incident's site, and how many more."""
        more = len(incident.sites) - 1
        found = self.site(incident.site)
        return Safe(f"{found} +{more}") if more > 0 and incident.site else found


#: Sites and sentences whose words are kept ready.
_KEPT = 10_000
#: What may be an id inside a sentence; what ends the sentence or a part of it is not of it.
_ID = re.compile(r"(?<![\w.@-])(?=[\w.@-]*\d)\w(?:[\w.@-]*\w)?")


def _named(records: Sequence[Any]) -> dict[str, Safe]:
    return {record.id: safe_text(record.name) for record in records if record.name}


def _full(names: Mapping[str, Safe], id: str) -> Safe:
    name = names.get(id)
    return safe_text(f"{name} ({id})") if name and name != id else safe_text(id or "-")
