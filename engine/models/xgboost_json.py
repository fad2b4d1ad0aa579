"""XGBoost's JSON model, read and checked: trees as flat lists, the base score as a margin.

Owns the one place that knows the file format (XGBoost 1.7 to 3.x, `gbtree`, one target, numeric splits). Every index is
checked before it is used, so a model that was tampered with is refused and never loops. Never scores.
"""

from __future__ import annotations

from math import isfinite, log
from struct import pack, unpack
from typing import Any, NamedTuple

import msgspec

from engine.models.refused import ModelRefused

MAX_BYTES = 32 << 20
MAX_TREES = 5_000
MAX_NODES = 500_000
MAX_DEPTH = 24

#: Objectives whose prediction is the logistic function of the margin.
_LOGISTIC = frozenset({"binary:logistic", "reg:logistic"})
_PLAIN = frozenset({"reg:squarederror", "reg:absoluteerror", "reg:pseudohubererror", "rank:pairwise", "rank:ndcg"})


class Tree(NamedTuple):
    """Node `i` splits on `feature[i]`: below `value[i]` to `left[i]`, else to `right[i]`; missing to the left where
    `missing_left[i]`. `left[i]` < 0 marks a leaf with output `value[i]`. `cover[i]` is the weight of what it was fit
    on."""

    left: list[int]
    right: list[int]
    feature: list[int]
    value: list[float]
    missing_left: list[bool]
    cover: list[float]


class Ensemble(NamedTuple):
    trees: list[Tree]
    base: float
    features: tuple[str, ...]
    logistic: bool


def parse(raw: bytes) -> Ensemble:
    """Raises ModelRefused when the bytes are not a model of the kind that is served here."""
    if len(raw) > MAX_BYTES:
        raise ModelRefused("size", f"{len(raw)} bytes, at most {MAX_BYTES} are read")
    try:
        learner = msgspec.json.decode(raw)["learner"]
        return _ensemble(learner)
    except ModelRefused:
        raise
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, RecursionError) as error:
        raise ModelRefused("malformed", f"not a model of XGBoost as JSON: {type(error).__name__} {error}") from error


def _ensemble(learner: dict[str, Any]) -> Ensemble:
    booster, shape = learner["gradient_booster"], learner["learner_model_param"]
    objective = learner["objective"]["name"]
    if booster["name"] != "gbtree" or objective not in _LOGISTIC | _PLAIN:
        raise ModelRefused("malformed", f"{booster['name']} with {objective} is not served")
    if int(shape.get("num_class", 0)) > 1 or int(shape.get("num_target", 1)) > 1:
        raise ModelRefused("malformed", "models of several classes or targets are not served")
    count = int(shape["num_feature"])
    names = tuple(learner.get("feature_names") or (f"f{number}" for number in range(count)))
    if not 0 < count <= 4096 or len(names) != count or not all(isinstance(name, str) for name in names):
        raise ModelRefused("malformed", f"{len(names)} names for {count} features")
    found = booster["model"]["trees"]
    if not 0 < len(found) <= MAX_TREES:
        raise ModelRefused("malformed", f"{len(found)} trees, 1 to {MAX_TREES} are served")
    trees = [_tree(tree, count) for tree in found]
    if sum(len(tree.left) for tree in trees) > MAX_NODES:
        raise ModelRefused("size", f"more than {MAX_NODES} nodes")
    logistic = objective in _LOGISTIC
    return Ensemble(trees, _base(shape["base_score"], logistic), names, logistic)


def _base(text: str, logistic: bool) -> float:
    value = single(float(text.strip("[]")))
    if logistic:
        value = log(value / (1.0 - value))
    if not isfinite(value):
        raise ModelRefused("nan", "the base score is not a number")
    return value


def _tree(given: dict[str, Any], features: int) -> Tree:
    if given.get("categories_nodes") or any(given.get("split_type") or ()):
        raise ModelRefused("malformed", "splits on categories are not served")
    left, right = _integers(given["left_children"]), _integers(given["right_children"])
    feature = _integers(given["split_indices"])
    value = [single(float(number)) for number in given["split_conditions"]]
    missing = [bool(flag) for flag in given["default_left"]]
    cover = [float(number) for number in given["sum_hessian"]]
    if len({len(left), len(right), len(feature), len(value), len(missing), len(cover)}) != 1:
        raise ModelRefused("malformed", "lists of different length in a tree")
    if not all(map(isfinite, value)) or not all(map(isfinite, cover)):
        raise ModelRefused("nan", "a tree holds a value that is not a number")
    tree = Tree(left, right, feature, value, missing, cover)
    _check(tree, features)
    return tree


def _check(tree: Tree, features: int) -> None:
    """Every node below the root is reached once at most, and no path is too deep."""
    seen = {0}
    waiting = [(0, 0)]
    while waiting:
        node, depth = waiting.pop()
        if tree.left[node] < 0:
            continue
        if not 0 <= tree.feature[node] < features or depth >= MAX_DEPTH:
            raise ModelRefused("malformed", "a split names no feature, or a tree is too deep")
        for child in (tree.left[node], tree.right[node]):
            if not 0 < child < len(tree.left) or child in seen:
                raise ModelRefused("malformed", "the nodes of a tree do not form a tree")
            seen.add(child)
            waiting.append((child, depth + 1))


def _integers(values: Any) -> list[int]:
    if not isinstance(values, list) or not values or not all(type(value) is int for value in values):
        raise ModelRefused("malformed", "a list of whole numbers was expected")
    return values


def single(value: float) -> float:
    """Rounded to single precision, in which XGBoost compares and adds."""
    rounded: float = unpack("f", pack("f", value))[0]
    return rounded
