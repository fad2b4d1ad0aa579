"""Every reason that the engine gives, as one enum: the same word in the screen's "why", the API, logs and metrics."""

from __future__ import annotations

from enum import StrEnum


class ReasonCode(StrEnum):
    # dedup
    NEW = "new"
    REPEAT = "repeat"
    SEVERITY_ROSE = "severity_rose"
    SEVERITY_FELL = "severity_fell"
    TEXT_CHANGED = "text_changed"
    REFIRED = "refired"
    RESOLVED_BY_SOURCE = "resolved_by_source"
    EXPIRED = "expired"
    LATE = "late"
    # cluster
    JOINED_SIMILAR = "joined_similar"
    OPENED_NO_MATCH = "opened_no_match"
    OPENED_CAP = "opened_cap"
    SUPPRESSED_SIMILAR = "suppressed_similar"
    SUPPRESSED_RULE = "suppressed_rule"
    # muting
    SILENCED = "silenced"
    INHIBITED = "inhibited"
    SHELVED = "shelved"
    FLAPPING = "flapping"
    # triage
    RETURNED = "returned"
    ALL_RESOLVED = "all_resolved"
    ACK_EXPIRED = "ack_expired"
    BY_OPERATOR = "by_operator"
    BY_PLAYBOOK = "by_playbook"
    MERGED = "merged"
    SPLIT = "split"
    UNDONE = "undone"
    # priority
    SCORED_FORMULA = "scored_formula"
    SCORED_MODEL = "scored_model"
    # detection
    JUDGED = "judged"
    # intake
    REJECTED = "rejected"
