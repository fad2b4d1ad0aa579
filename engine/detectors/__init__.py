"""Streaming anomaly detection: many series per tick, causal, judged before learnt.

Importing this package loads no numerical library: `create` does, when a detector is wanted. Nothing here reads a
clock, a file or the network; times come with the records, state leaves as bytes and is derived data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.detectors.ensemble import Ensemble

__all__ = ["create"]


def create() -> Ensemble:
    """The shipped detector with its one configuration, empty. Series are numbered from 0 by the caller."""
    from engine.detectors.ensemble import Ensemble

    return Ensemble()
