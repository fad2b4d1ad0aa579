"""Who may see what: the scope without which no query can be written."""

from __future__ import annotations

from msgspec import Struct

from data.records import TenantId

#: Every capability there is. Roles (`engine.api.auth`) are sets of them; there is no wildcard.
CAPABILITIES = frozenset(
    {
        "noc:view",
        "noc:ack",
        "noc:manage",
        "silence:write",
        "playbook:run",
        "playbook:approve",
        "security:fraud:view",
        "ticket:write",
        "ingest:write",
        "model:train",
        "admin",
    }
)

#: The origin of what the engine does by itself.
OWN = "engine"


class Scope(Struct, frozen=True, kw_only=True):
    """The tenant, the sites (None = all of them) and the capabilities of whoever asks. `token`: the id of the token
    that it came with, "" = none; names of tokens are for people, and two may have the same. `owner`: the person whose
    that token is, where it is not the one that it is named for."""

    tenant: TenantId
    actor: str
    capabilities: frozenset[str]
    sites: frozenset[str] | None = None
    origin: str = "local"
    token: str = ""
    owner: str = ""

    @property
    def principal(self) -> str:
        """Who this is, told apart from everybody else: what idempotency keys belong to."""
        return f"token {self.token}" if self.token else self.actor

    @property
    def person(self) -> str:
        """The human being behind it, who counts once however many tokens he has."""
        return self.owner or self.actor

    def may(self, capability: str) -> bool:
        return capability in self.capabilities

    def sees(self, site: str) -> bool:
        return self.sites is None or site in self.sites
