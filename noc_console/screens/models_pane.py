"""The models: what serves, how good it is beside its baseline, when it is trained next, and the keys for that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from engine.client import Query
from noc_console import words
from noc_console.actions import Tier, bindings_for, declare, register
from noc_console.desk import Desk
from noc_console.dialogs.facts import FactsDialog
from noc_console.reading import Reading
from noc_console.safe_text import Safe, safe_text
from noc_console.screens.acting import Acting
from noc_console.screens.log_panes import LogPane
from noc_console.widgets.columns import Column
from noc_console.widgets.line_table import LineTable
from noc_console.widgets.pane import PaneState, text_lines
from noc_console.widgets.piece import Piece

_TRAIN = "model:train"
register(
    declare("log.models", "M", "Models", "what is learned, how good it is, and its training", footer=16),
    declare("model.train", "t", "Train", "learn it anew; it serves only if it is better", footer=22,
            capability=_TRAIN, tier=Tier.REVERSIBLE),
    declare("model.cancel", "x", "Cancel", "end its training", footer=23, capability=_TRAIN, tier=Tier.REVERSIBLE),
    declare("model.rollback", "R", "Roll back", "let the champion before this one serve again", footer=24,
            capability=_TRAIN, tier=Tier.GUARDED),
)  # fmt: skip

COLUMNS = (
    Column(key="model", title=Safe("MODEL"), width=12, keep=100, help=Safe("what is learned; enter says what for")),
    Column(key="serves", title=Safe("SERVES"), width=9, keep=95,
           help=Safe("what judges now: a trained version, or rules of thumb while nothing better is learned")),
    Column(key="score", title=Safe("SCORE"), width=7, right=True, keep=90,
           help=Safe("on newer cases that it has not learned from, 1 is best; enter says which figure it is")),
    Column(key="baseline", title=Safe("BESIDE"), width=17, keep=85,
           help=Safe("that figure of what would serve without it, on the same cases; what is no better never serves")),
    Column(key="last", title=Safe("LAST"), width=5, right=True, keep=80, help=Safe("since its last training")),
    Column(key="result", title=Safe("TRAINING"), width=11, keep=88,
           help=Safe("what came of the last training: promoted, it serves; kept, the one before was better")),
    Column(key="next", title=Safe("NEXT (UTC)"), width=13, keep=70, help=Safe("when it is trained again by itself")),
    Column(key="why", title=Safe("WHY"), width=16, flex=12, keep=92, sortable=False),
)
#: What the figures of a model are called, in the order in which they are told.
METRICS = {
    "pr_auc": "true ones told first (PR area)",
    "average_precision": "true ones told first (PR area)",
    "roc_auc": "true ones above false (ROC area)",
    "precision": "of what it says, true (precision)",
    "recall": "of what is true, said (recall)",
    "f1": "both of these in one (F1)",
    "brier": "squared error, 0 is best (Brier)",
    "base_rate": "true of all (base rate)",
    "threshold": "it says so from here on (threshold)",
}
_FIRST = ("pr_auc", "average_precision")
_TONES = {"promoted": "ok", "rolled_back": "ok", "failed": "warn"}


class ModelRows:
    """Cells of a model by its name."""

    def __init__(self, desk: Desk, models: Mapping[str, Mapping[str, Any]]) -> None:
        self._desk, self._models = desk, models

    def cells(self, key: str) -> Sequence[Piece]:
        model = self._models.get(key)
        if model is None:
            return [Piece(Safe(""))] * len(COLUMNS)
        primary = str(model.get("primary", ""))
        score = _figure(model.get("metrics"), primary)
        against = _figure(model.get("baseline_metrics"), primary)
        last, due = _moment(model, "last_at"), _moment(model, "next_at")
        result = str(model.get("result", ""))
        return (
            Piece(safe_text(key), "strong"),
            Piece(safe_text(model.get("champion") or model.get("baseline") or "-")),
            Piece(Safe(score)),
            Piece(safe_text(f"{against} {model.get('baseline', '')}"), "dim"),
            Piece(words.age(last, self._desk.clock.now()) if last else Safe("-")),
            Piece(safe_text(_state(model, result)), "strong" if _busy(model) else _TONES.get(result, "text")),
            Piece(Safe(f"{due:%d %b %H:%M}" if due else "by hand"), "dim"),
            Piece(safe_text(_said(model)), "dim"),
        )

    def rank(self, key: str, column: str) -> Any:
        model = self._models.get(key, {})
        last, due = _moment(model, "last_at"), _moment(model, "next_at")
        value: dict[str, Any] = {
            "last": -last.timestamp() if last else 0.0,
            "next": due.timestamp() if due else 0.0,
            "score": _figure(model.get("metrics"), str(model.get("primary", ""))),
            "result": str(model.get("result", "")),
            "serves": str(model.get("champion", "")),
        }
        return (value.get(column, 0), key)


class ModelsTable(LineTable[str]):
    """Its keys train, cancel and roll back."""

    BINDINGS = bindings_for("table", "model")
    SCOPES = ("table", "model")


class ModelsPane(LogPane):
    name, key, label, every = "models", "M", "Models", 5.0

    def __init__(self, desk: Desk) -> None:
        self.models: dict[str, Mapping[str, Any]] = {}
        self.table = ModelsTable(COLUMNS, ModelRows(desk, self.models), sort="model")
        super().__init__(desk, self.table)
        self._reading = Reading(desk.client, Query(kind="models/training"))

    async def read(self) -> None:
        await self._reading.load()
        self.draw()

    def draw(self) -> None:
        if self.failed(self._reading):
            return
        self.models.clear()
        self.models.update({str(row["model"]): msgspec.to_builtins(row) for row in self._reading.rows})
        self.table.set_keys(self.models)
        self.table.live(sorting_changed=True)
        keys = (("enter", " read  "), ("t", " train  "), ("x", " cancel  "), ("R", " roll back"))
        note = [piece for key, what in keys for piece in (Piece(Safe(key), "key"), Piece(Safe(what), "dim"))]
        self.retitle(Safe("Models"), note)
        if self.models:
            self.ready()
        else:
            self.page(PaneState.EMPTY, text_lines("", "This engine trains no models."))

    def badge(self) -> str:
        return "training" if any(map(_busy, self.models.values())) else ""


class ModelActs(Acting):
    """Mix in where a ModelsPane is shown: `models_pane` is the one whose row is meant."""

    models_pane: ModelsPane

    async def look_at_model(self, name: str) -> None:
        model = self.models_pane.models.get(name)
        if model is not None:
            await self.show(FactsDialog(safe_text(name), facts(model)))

    async def do_model_train(self) -> None:
        await self._ask("train")

    async def do_model_cancel(self) -> None:
        await self._ask("cancel_training")

    async def do_model_rollback(self) -> None:
        name = self.models_pane.table.cursor
        model = self.models_pane.models.get(name or "")
        if name is None or model is None:
            return
        before = str(model.get("before", ""))
        if not before:
            self.desk.say(safe_text(f"{name} has had no other champion"), "warn")
            return
        lines = (
            safe_text(f"{model.get('champion')} serves now, {before} will."),
            Safe("Alerts are judged by it at once."),
        )
        if await self.yes(safe_text(f"Roll {name} back?"), lines, Safe("Roll back")):
            await self._ask("rollback_model")

    async def _ask(self, verb: str) -> None:
        name = self.models_pane.table.cursor
        if name is not None and await self.desk.acts.send(verb, [f"model:{name}"]) is not None:
            await self.models_pane.read()


def facts(model: Mapping[str, Any]) -> list[tuple[str, Safe]]:
    """What the table has no room for."""
    baseline, against = model.get("baseline_metrics") or {}, model.get("baseline", "")
    found = [("learns", str(model.get("words", ""))), ("serves", str(model.get("champion") or against))]
    metrics = dict(model.get("metrics") or {})
    if "pr_auc" in metrics:
        metrics.pop("average_precision", None)  # the same figure by its other name
    for metric in sorted(metrics, key=lambda name: (name not in _FIRST, [*METRICS, name].index(name))):
        beside = f", {against} {baseline[metric]:.4g}" if metric in baseline else ""
        found.append(("held out", f"{metrics[metric]:.4g}{beside}: {METRICS.get(metric, metric.replace('_', ' '))}"))
    found.append(("last", _said(model) if _was_trained(model) else "never trained here"))
    found += [("champion", f"{step['version']}  {step['at'][:16]}  {step['why']}") for step in model.get("steps") or ()]
    if model.get("trouble"):
        found.append(("trouble", str(model["trouble"])))
    return [(label, safe_text(text)) for label, text in found]


def _was_trained(model: Mapping[str, Any]) -> bool:
    return any(model.get(field) for field in ("last_at", "progress", "trouble", "why"))


def _busy(model: Mapping[str, Any]) -> bool:
    return model.get("state") == "running" or bool(model.get("wish"))


def _state(model: Mapping[str, Any], result: str) -> str:
    if model.get("state") == "running":
        return "> training"
    if model.get("wish"):
        return f"~ {model['wish']}"
    return result.replace("_", " ") or "never"


def _said(model: Mapping[str, Any]) -> str:
    """How far it is while it is trained, then what became of it."""
    progress = model.get("progress")
    if progress:
        total = f" of {progress['total']:,}" if progress.get("total") else ""
        return f"{progress.get('what', '')} {progress.get('done', 0):,}{total}"
    return str(model.get("trouble") or model.get("why") or model.get("words") or "")


def _figure(figures: Any, name: str) -> str:
    value = figures.get(name) if isinstance(figures, Mapping) else None
    return f"{value:.3f}" if isinstance(value, int | float) else "-"


def _moment(model: Mapping[str, Any], field: str) -> datetime | None:
    found = model.get(field)
    return msgspec.convert(found, datetime) if found is not None else None
