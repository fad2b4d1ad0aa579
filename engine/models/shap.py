"""Contributions of features to a prediction: path-dependent TreeSHAP, exact for each tree.

Source: Lundberg, Erion, Lee, "Consistent Individualized Feature Attribution for Tree Ensembles" (2018), algorithm 2. A
feature that is left out takes both branches by the share of what the tree was fit on. Costs leaves × depth² a tree:
asked for when somebody wants to know why, never on the line.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isnan
from typing import NamedTuple

from engine.models.xgboost_json import Tree


class _Step(NamedTuple):
    """A feature on the path: the share that flows on when it is unknown, whether it does when known, and the weight of
    the feature sets of this size."""

    feature: int
    zero: float
    one: float
    weight: float


class _Walk(NamedTuple):
    tree: Tree
    values: Sequence[float]
    added: list[float]


_Path = list[_Step]


def contributions(trees: Iterable[Tree], values: Sequence[float], width: int) -> list[float]:
    """What each of `width` features added to the sum of the trees, beyond their expected value."""
    added = [0.0] * width
    for tree in trees:
        _descend(_Walk(tree, values, added), 0, [], _Step(-1, 1.0, 1.0, 0.0))
    return added


def expected(tree: Tree, node: int = 0) -> float:
    """Mean output over what the tree was fit on."""
    if tree.left[node] < 0:
        return tree.value[node]
    left, right = tree.left[node], tree.right[node]
    share = _share(tree, left, node)
    return share * expected(tree, left) + (1.0 - share) * expected(tree, right)


def _share(tree: Tree, child: int, node: int) -> float:
    whole = tree.cover[tree.left[node]] + tree.cover[tree.right[node]]
    return tree.cover[child] / whole if whole > 0 else 0.5


def _descend(walk: _Walk, node: int, path: _Path, step: _Step) -> None:
    tree, values, added = walk
    path = _extend(path, step)
    if tree.left[node] < 0:
        for at in range(1, len(path)):
            weight = sum(other.weight for other in _unwind(path, at))
            added[path[at].feature] += weight * (path[at].one - path[at].zero) * tree.value[node]
        return
    feature = tree.feature[node]
    value = values[feature]
    goes_left = value < tree.value[node] if not isnan(value) else tree.missing_left[node]
    hot, cold = (tree.left[node], tree.right[node]) if goes_left else (tree.right[node], tree.left[node])
    zero, one = 1.0, 1.0
    for at in range(1, len(path)):
        if path[at].feature == feature:
            zero, one = path[at].zero, path[at].one
            path = _unwind(path, at)
            break
    _descend(walk, hot, path, _Step(feature, zero * _share(tree, hot, node), one, 0.0))
    _descend(walk, cold, path, _Step(feature, zero * _share(tree, cold, node), 0.0, 0.0))


def _extend(path: _Path, step: _Step) -> _Path:
    size = len(path)
    weights = [old.weight for old in path] + [1.0 if size == 0 else 0.0]
    for at in range(size - 1, -1, -1):
        weights[at + 1] += step.one * weights[at] * (at + 1) / (size + 1)
        weights[at] = step.zero * weights[at] * (size - at) / (size + 1)
    return [old._replace(weight=weight) for old, weight in zip((*path, step), weights, strict=True)]


def _unwind(path: _Path, out: int) -> _Path:
    """The path as it would be without the step at `out`."""
    last = len(path) - 1
    one, zero = path[out].one, path[out].zero
    weights = [step.weight for step in path]
    carried = weights[last]
    for at in range(last - 1, -1, -1):
        if one != 0:
            kept = weights[at]
            weights[at] = carried * (last + 1) / ((at + 1) * one)
            carried = kept - weights[at] * zero * (last - at) / (last + 1)
        else:
            weights[at] = weights[at] * (last + 1) / (zero * (last - at)) if zero else 0.0
    steps = path[:out] + path[out + 1 :]
    return [step._replace(weight=weight) for step, weight in zip(steps, weights, strict=False)]
