"""What a training came to, in one shape for all models."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

#: Called with what is done, how much of it, and out of how much (0 = not known). Each call is a line of JSON.
Tell = Callable[[str, int, int], None]


class Outcome(Struct, frozen=True, kw_only=True):
    """`metrics`, `baseline` (what there is without a model) and `champion` (empty where none served) are of the same
    held-out rows: pr_auc, roc_auc, precision and recall at `threshold`, brier, base_rate, and what else a learner
    measures. `primary` names the metric that decided. `examples` were learned from, `held_out` of them only judged."""

    name: str
    version: str
    promoted: bool
    why: str
    primary: str
    examples: int
    held_out: int
    metrics: dict[str, float]
    baseline: dict[str, float]
    champion: dict[str, float] = {}
    threshold: float | None = None
    base_rate: float | None = None
    #: The 95 % one of the primary metric, where a learner works it out.
    interval: tuple[float, float] | None = None


class TooFew(ValueError):
    """There is not enough to learn from; the message says how much there is and how much is needed."""
