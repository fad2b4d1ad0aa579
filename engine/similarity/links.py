"""Links: what hangs on what, as the devices of the watched world name their parents.

Owns the way up from an entity, and the marks by which clusters are found that hold alerts of what hangs on the same.
Reads the records that the line holds, so a device that gets another parent is linked anew at its next alert. Fails
where senders call a device by another name than its record has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from data.records import Alert
from engine.book import Draft

#: Token of a cluster that holds alerts of what hangs directly on the entity whose name follows. Its prefix is one by
#: which clusters are indexed.
UNDER = "r:^"
#: Farther up than this is not looked; links that are farther apart say nothing.
FAR = 3
NEVER = 9.0


def above(draft: Draft, alert: Alert) -> tuple[str, ...]:
    """What the alert's entity hangs on, nearest first, at most FAR; () when nothing is known of it."""
    held = draft.book.nouns["devices"]
    found: list[str] = []
    entity = alert.entity
    while entity and len(found) < FAR:
        device = held.get((alert.tenant, entity))
        entity = device.parent if device is not None else ""
        if not entity or entity in found or entity == alert.entity:
            break
        found.append(entity)
    return tuple(found)


def tokens(alert: Alert, chain: tuple[str, ...]) -> Iterator[tuple[str, int]]:
    """Where to look for clusters of linked entities, and how many of the newest of each."""
    if alert.entity:
        yield UNDER + alert.entity, 1
    if chain:
        yield "e:" + chain[0], 1
        yield UNDER + chain[0], 1


def marks(centroid: Mapping[str, float], chain: tuple[str, ...]) -> dict[str, float]:
    """What the cluster that takes the alert must remember."""
    return {UNDER + chain[0]: 0.0} if chain and UNDER + chain[0] not in centroid else {}


def steps_to(alert: Alert, chain: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
    """Tokens of a cluster that has something near, with how many links away it is, nearest first.

    What hangs on the same is two links away, and what hangs on what the parent hangs on is three."""
    if not alert.entity:
        return ()
    found = [("e:" + alert.entity, 0.0), (UNDER + alert.entity, 1.0)]
    if not chain:
        return tuple(found)
    for steps, entity in enumerate(chain, 1):
        found.append(("e:" + entity, float(steps)))
        if steps < FAR:
            found.append((UNDER + entity, steps + 1.0))
    return tuple(sorted(found, key=lambda one: one[1]))


def distance(centroid: Mapping[str, float], near: tuple[tuple[str, float], ...], known: bool) -> float:
    """Links between the alert's entity and the nearest of the cluster's; NEVER = far apart, nan = nothing is known."""
    for token, steps in near:
        if token in centroid and (known or token[:3] == UNDER):
            return steps
    return NEVER if known else float("nan")
