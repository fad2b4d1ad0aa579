"""Scores of a tree ensemble without XGBoost: pure Python for the few rows of the line, numpy for many.

Owns scoring and the contributions of features. Pure; imports numpy only for large batches. Where many rows share some
columns, these are looked at once: see `Trees.part`.
Two ways to the same sums: ensembles of at most 64 leaves a tree are scored by QuickScorer (Lucchese et al., SIGIR
2015): each split that a row fails strikes out the leaves to its left, the first leaf that is left in each tree is the
exit. The leaves of all trees are one integer, and the strikes of a feature are summed up by its sorted thresholds, so
a row costs one search and one AND per feature. Larger ones are walked node by node. Fails on rows shorter than the
features, and on numbers too large for single precision (they count as infinite).
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from math import isfinite, isnan
from operator import getitem
from sys import byteorder
from typing import Any, Literal, NamedTuple

from engine.models import shap
from engine.models.calibration import Calibration, logistic
from engine.models.refused import ModelRefused
from engine.models.xgboost_json import Ensemble, Tree, parse

#: From so many rows on, numpy is worth its overhead.
_MANY = 10
#: Widths in bits of the field that holds the leaves of one tree, with their code in a memoryview.
_FIELDS: dict[int, Literal["B", "H", "I", "Q"]] = {8: "B", 16: "H", 32: "I", 64: "Q"}
#: Bytes that the strikes of all splits may take.
_STRIKES_BYTES = 16 << 20

Row = Sequence[float]


class _Strikes(NamedTuple):
    """Of one feature: its thresholds in order, what remains after the first 0, 1, … of them are failed, and what
    remains when the value is missing."""

    feature: int
    thresholds: array[float]
    remains: list[int]
    missing: int


class Part:
    """Some columns of a row: what their splits leave of all leaves. Parts of one row are put together by `&`."""

    def __init__(self, everything: int, strikes: Sequence[_Strikes | None]) -> None:
        self._all = everything
        self._width = len(strikes)
        self._strikes = [
            (place, strike.thresholds.tolist(), strike.remains, strike.missing)  # a list is searched faster
            for place, strike in enumerate(strikes)
            if strike is not None
        ]

    def left(self, values: Row) -> int:
        """Raises ValueError when there are not as many values as columns."""
        if len(values) != self._width:
            raise ValueError(f"{len(values)} values for {self._width} features")
        singles = array("f", values)
        left = self._all
        for place, thresholds, remains, missing in self._strikes:
            value = singles[place]
            # Only what is not a number differs from itself.
            left &= remains[bisect_right(thresholds, value)] if value == value else missing  # noqa: PLR0124
        return left


class Trees:
    """An ensemble ready to score. `features` names the columns of a row, in order; NaN is a missing value.

    `calibration`, if any, is applied to every probability; contributions are of the margin before it.
    """

    def __init__(self, ensemble: Ensemble, calibration: Calibration | None = None) -> None:
        self.features = ensemble.features
        self.calibration = calibration
        self._ensemble = ensemble
        self._field = _field(ensemble)
        self._strikes, self._exits = _quick(ensemble, self._field) if self._field else ([], [])
        self._all = (1 << (self._field * len(ensemble.trees))) - 1
        self._bytes = len(ensemble.trees) * (self._field // 8)
        self._code: Literal["B", "H", "I", "Q"] = _FIELDS.get(self._field, "B")
        self._by_byte = [_lowest(exits) for exits in self._exits] if self._field == 8 else []
        self._batch: Callable[[Any], Any] | None = None
        self._width = len(ensemble.features)
        by_place = {strike.feature: strike for strike in self._strikes}
        self._whole = Part(self._all, [by_place.get(place) for place in range(self._width)])

    @classmethod
    def load(cls, raw: bytes, calibration: Calibration | None = None) -> Trees:
        """From the JSON that XGBoost writes. Raises ModelRefused."""
        return cls(parse(raw), calibration)

    @classmethod
    def of(cls, other: Trees) -> Trees:
        """The same ensemble without a calibration."""
        return cls(other._ensemble)

    def score(self, rows: Sequence[Row] | Any) -> list[float]:
        """Rows of floats (or a 2-D array) → a probability (or the prediction of a regression) for each.

        Raises ModelRefused when an answer is not a finite number, ValueError on rows of the wrong width.
        """
        if len(rows) >= _MANY:
            margins = self._many(rows)
        else:
            margins = [self.margin(row) for row in rows]
        return [self._answer(margin) for margin in margins]

    def score_one(self, row: Row) -> float:
        return self._answer(self.margin(row))

    def margin(self, row: Row) -> float:
        """The sum of the leaves and the base score: log odds, for a probability."""
        if not self._exits:
            values = array("f", row)
            if len(values) != self._width:
                raise ValueError(f"{len(values)} values for {self._width} features")
            return self._walk(values)
        return self.margin_of(self._whole.left(row))

    def part(self, names: Sequence[str]) -> Part | None:
        """What scores these columns alone, in this order; None for an ensemble that is walked node by node."""
        if not self._exits:
            return None
        known = {self.features[strike.feature]: strike for strike in self._strikes}
        return Part(self._all, [known.get(name) for name in names])

    def answer_to(self, margin: float) -> float:
        """What a row with this margin is answered. Raises ModelRefused."""
        return self._answer(margin)

    def margin_of(self, left: int) -> float:
        """The margin of a row of which all parts together leave these leaves."""
        if self._by_byte:
            return self._ensemble.base + sum(map(getitem, self._by_byte, left.to_bytes(self._bytes, "little")))
        fields = memoryview(left.to_bytes(self._bytes, "little")).cast(self._code)
        return self._ensemble.base + sum(
            [known[field & -field] for known, field in zip(self._exits, fields, strict=True)]
        )

    def contributions(self, row: Row) -> dict[str, float]:
        """What each feature added to the margin, exactly as XGBoost's `pred_contribs`: path-dependent TreeSHAP
        (Lundberg et al. 2018). They sum to `margin(row) - bias`, see `bias`."""
        values = array("f", row)
        added = shap.contributions(self._ensemble.trees, values, self._width)
        return dict(zip(self.features, added, strict=True))

    def bias(self) -> float:
        """The mean margin over what the model was fit on: the margin of a row about which nothing is known."""
        return self._ensemble.base + sum(shap.expected(tree) for tree in self._ensemble.trees)

    def _answer(self, margin: float) -> float:
        answer = logistic(margin) if self._ensemble.logistic else margin
        if self.calibration is not None:
            answer = self.calibration.apply(answer)
        if not isfinite(answer):
            raise ModelRefused("nan", "the model's answer is not a number")
        return answer

    def _walk(self, values: array[float]) -> float:
        total = self._ensemble.base
        for left, right, feature, value, missing_left, _ in self._ensemble.trees:
            node = 0
            while left[node] >= 0:
                found = values[feature[node]]
                goes_left = found < value[node] if not isnan(found) else missing_left[node]
                node = left[node] if goes_left else right[node]
            total += value[node]
        return total

    def _many(self, rows: Any) -> list[float]:
        if self._batch is None:
            self._batch = _batch(self._ensemble)
        margins: list[float] = self._batch(rows).tolist()
        return margins


def _field(ensemble: Ensemble) -> int:
    """Bits that the leaves of any tree fit into, 0 where the ensemble is too large for strikes."""
    most = max(sum(child < 0 for child in tree.left) for tree in ensemble.trees)
    splits = sum(len(tree.left) for tree in ensemble.trees) // 2
    widths = _FIELDS if byteorder == "little" else (8,)
    field = next((bits for bits in widths if most <= bits), 0)
    return field if splits * len(ensemble.trees) * field // 8 <= _STRIKES_BYTES else 0


def _lowest(exits: dict[int, float]) -> list[float]:
    """The output by each of the 256 sets of leaves that may be left, which is that of the lowest."""
    return [0.0, *(exits.get(left & -left, 0.0) for left in range(1, 256))]


def _quick(ensemble: Ensemble, field: int) -> tuple[list[_Strikes], list[dict[int, float]]]:
    """What each feature strikes out, and the output by leaf of each tree."""
    everything = (1 << (field * len(ensemble.trees))) - 1
    by_feature: dict[int, list[tuple[float, int, bool]]] = {}
    exits: list[dict[int, float]] = []
    for number, tree in enumerate(ensemble.trees):
        found: list[float] = []
        _strike(tree, 0, found, number * field, by_feature)
        exits.append({1 << place: value for place, value in enumerate(found)})
    strikes = []
    for feature, cuts in sorted(by_feature.items()):
        cuts.sort(key=lambda cut: cut[0])
        remains, missing = [everything], everything
        for _, struck, missing_left in cuts:
            remains.append(remains[-1] & ~struck)
            if not missing_left:
                missing &= ~struck
        strikes.append(_Strikes(feature, array("f", [cut[0] for cut in cuts]), remains, missing))
    return strikes, exits


def _strike(
    tree: Tree, node: int, found: list[float], shift: int, by_feature: dict[int, list[tuple[float, int, bool]]]
) -> None:
    """List the leaves below `node` from left to right, and what each split strikes out when it is failed."""
    if tree.left[node] < 0:
        found.append(tree.value[node])
        return
    first = len(found)
    _strike(tree, tree.left[node], found, shift, by_feature)
    struck = ((1 << len(found)) - (1 << first)) << shift
    by_feature.setdefault(tree.feature[node], []).append((tree.value[node], struck, tree.missing_left[node]))
    _strike(tree, tree.right[node], found, shift, by_feature)


def _batch(ensemble: Ensemble) -> Callable[[Any], Any]:
    """Margins of many rows at once: all rows go down all trees level by level."""
    import numpy as np

    starts = np.cumsum([0, *(len(tree.left) for tree in ensemble.trees)])
    own = np.arange(starts[-1])

    def flat(lists: Iterable[Sequence[Any]], kind: Any) -> Any:
        return np.array([value for values in lists for value in values], dtype=kind)

    def children(lists: Sequence[list[int]]) -> Any:
        return np.where(leaf, own, flat(lists, np.int32) + np.repeat(starts[:-1], [len(nodes) for nodes in lists]))

    leaf = flat([tree.left for tree in ensemble.trees], np.int32) < 0
    left, right = map(children, zip(*((tree.left, tree.right) for tree in ensemble.trees), strict=True))
    feature = np.where(leaf, 0, flat([tree.feature for tree in ensemble.trees], np.int32))
    value = flat([tree.value for tree in ensemble.trees], np.float32)
    missing_left = flat([tree.missing_left for tree in ensemble.trees], np.bool_)
    depth = max(map(_depth, ensemble.trees))

    def margins(rows: Any) -> Any:
        table = np.asarray(rows, dtype=np.float32)
        if table.ndim != 2 or table.shape[1] != len(ensemble.features):
            raise ValueError(f"rows of {len(ensemble.features)} values are scored")
        nodes = np.tile(starts[:-1], (len(table), 1))
        for _ in range(depth):
            values = np.take_along_axis(table, feature[nodes], axis=1)
            goes_left = np.where(np.isnan(values), missing_left[nodes], values < value[nodes])
            nodes = np.where(goes_left, left[nodes], right[nodes])
        return value[nodes].astype(np.float64).sum(axis=1) + ensemble.base

    return margins


def _depth(tree: Tree) -> int:
    deepest, waiting = 0, [(0, 0)]
    while waiting:
        node, depth = waiting.pop()
        deepest = max(deepest, depth)
        if tree.left[node] >= 0:
            waiting += [(tree.left[node], depth + 1), (tree.right[node], depth + 1)]
    return deepest
