"""How predictions have done: what became of them, how far their probabilities could be believed, and by how much they
were ahead.

Owns which records an answer is made of. The formulas are those of `engine.predictors.record`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta, Struct

from data.query_ast import Compare, Node, Op, all_of
from data.scope import Scope
from engine.predictors.record import record_of
from engine.reports.registry import report

if TYPE_CHECKING:
    from engine.desk import Desk

CACHE_SECONDS = 15.0
PAGE = 1000
#: Records of either kind and model that are read for one answer, the newest.
MOST = 10_000
MODELS = ("sla", "device", "staffing")
#: Outcomes that a model is trained with at least; with fewer a heuristic serves.
NEEDED = 500


class PerformanceParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`model` or `site` narrow it, "" = all; `days` back from now."""

    model: Literal["", "sla", "device", "staffing"] = ""
    site: Annotated[str, Meta(max_length=200)] = ""
    days: Annotated[int, Meta(ge=1, le=90)] = 30


@report("predictions/performance", params=PerformanceParams, cache_seconds=CACHE_SECONDS)
async def performance(desk: Desk, scope: Scope, params: PerformanceParams) -> Sequence[Any]:
    """The record of each predictor: outcomes, precision, recall, Brier score, reliability, lead time, drift."""
    return [await _model(desk, scope, name, params) for name in MODELS if params.model in ("", name)]


async def _model(desk: Desk, scope: Scope, name: str, params: PerformanceParams) -> dict[str, Any]:
    since = desk.clock.now() - timedelta(days=params.days)
    at_site: list[Node] = [Compare(field="site", op=Op.EQ, value=params.site)] if params.site else []
    predictions = [one for one in await _all(desk, scope, "predictions", at_site, since) if one.model == name]
    of_model: Node = Compare(field="state", op=Op.EQ, value=name)
    examples = await _all(desk, scope, "prediction_examples", [of_model, *at_site], since)
    newest = max(predictions, key=lambda one: one.made_at, default=None)
    return {
        **record_of(name, predictions, examples),
        "site": params.site,
        "days": params.days,
        "basis": newest.basis if newest is not None else "heuristic",
        "version": newest.version if newest is not None else "",
        "labelled": len(examples),
        "needed": NEEDED,
    }


async def _all(desk: Desk, scope: Scope, kind: str, parts: list[Node], since: Any) -> list[Any]:
    found: list[Any] = []
    after: str | None = None
    while len(found) < MOST:
        where = all_of(parts) if parts else None
        page = await desk.page_of(scope, kind=kind, where=where, since=since, limit=PAGE, after=after)
        found += page.items
        after = page.next
        if after is None:
            break
    return found
