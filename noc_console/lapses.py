"""What holds only for a time: shelves and acknowledgements, whether or not the engine said that they ran out. Pure."""

from __future__ import annotations

from datetime import datetime

from data.records import ENDED, Incident


def is_shelved(incident: Incident, now: datetime) -> bool:
    return incident.shelved_until is not None and incident.shelved_until > now


def is_acked(incident: Incident, now: datetime) -> bool:
    """An acknowledgement holds until it lapses, whether or not the engine has said so yet."""
    ack = incident.ack
    return ack is not None and (ack.expires_at is None or ack.expires_at > now)


def is_unacked(incident: Incident, now: datetime) -> bool:
    """Waits for somebody: active, not acknowledged, not shelved."""
    return not is_acked(incident, now) and not is_shelved(incident, now) and not is_over(incident)


def is_over(incident: Incident) -> bool:
    return incident.state in ENDED or incident.merged_into is not None
