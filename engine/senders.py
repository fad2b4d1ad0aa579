"""Senders: who has sent what since this engine started, also those of whom nothing could be taken.

Owns the counts by tenant and source. Never keeps what was sent.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from data.records import TenantId
from engine.ports import Envelope, EnvelopeKind

#: Sources of a tenant that are told apart; those that come later are counted under one name.
MOST = 1000
OTHERS = "(others)"
SENT = frozenset({EnvelopeKind.SIGNALS, EnvelopeKind.EVENTS, EnvelopeKind.REJECTS})


class Senders:
    """`apart` are sources inside this process that are no senders."""

    def __init__(self, apart: frozenset[str] = frozenset()) -> None:
        self._apart = apart
        self._of: dict[TenantId, dict[str, dict[str, Any]]] = {}

    def note(self, envelope: Envelope, now: datetime) -> None:
        """Count what was taken. Rows that were rejected count as such, and as news of the sender."""
        if envelope.kind not in SENT or envelope.source in self._apart:
            return
        mine = self._of.setdefault(envelope.tenant, {})
        name = envelope.source if envelope.source in mine or len(mine) < MOST else OTHERS
        known = mine.get(name)
        if known is None:
            known = mine[name] = {"name": name, "envelopes": 0, "rows": 0, "rejects": 0, "first_at": now}
        known["envelopes"] += 1
        known["rejects" if envelope.kind is EnvelopeKind.REJECTS else "rows"] += len(envelope.payload)
        known["last_at"] = now

    def of(self, tenant: TenantId) -> list[dict[str, Any]]:
        """Each {"name", "envelopes", "rows", "rejects", "first_at", "last_at"}, in the order in which they came."""
        return list(self._of.get(tenant, {}).values())

    def last_at(self, tenant: TenantId) -> datetime | None:
        return max((sender["last_at"] for sender in self._of.get(tenant, {}).values()), default=None)
