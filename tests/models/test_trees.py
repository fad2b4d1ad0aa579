"""Scores without XGBoost are XGBoost's scores, and so are the contributions."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest

from engine.models.calibration import Isotonic, Platt
from engine.models.manifest import PARITY
from engine.models.refused import ModelRefused
from engine.models.trees import Trees
from tests.models.conftest import FEATURES, Trained, train


@pytest.mark.parametrize(("depth", "trees"), [(2, 12), (3, 20), (4, 15), (6, 10), (8, 6)])
def test_scores_are_those_of_xgboost(depth: int, trees: int) -> None:
    made = train(depth, trees)
    wanted = made.fitted.predict(made.rows)
    walker = Trees.load(made.fitted.raw)
    together = walker.score(made.rows)
    alone = [walker.score_one(row) for row in made.rows.tolist()]
    assert max(abs(a - b) for a, b in zip(together, wanted, strict=True)) < PARITY
    assert max(abs(a - b) for a, b in zip(alone, wanted, strict=True)) < PARITY


def test_missing_and_endless_values_go_where_xgboost_sends_them(trained: Trained) -> None:
    rows = [[math.nan] * 5, [math.inf] * 5, [-math.inf] * 5, [0.0, math.nan, math.inf, -1.0, 1e300]]
    walker = Trees.load(trained.fitted.raw)
    wanted = trained.fitted.predict([[min(max(v, -3e38), 3e38) for v in row] for row in rows])
    assert walker.score(rows) == pytest.approx(list(wanted), abs=PARITY)


def test_contributions_are_those_of_xgboost_and_add_up(trained: Trained) -> None:
    import xgboost

    walker = Trees.load(trained.fitted.raw)
    wanted = trained.fitted.booster.predict(xgboost.DMatrix(trained.rows[:25]), pred_contribs=True)
    for row, expected in zip(trained.rows[:25].tolist(), wanted, strict=True):
        found = walker.contributions(row)
        assert list(found) == list(FEATURES)
        assert list(found.values()) == pytest.approx(list(expected[:-1]), abs=1e-5)
        assert walker.bias() + sum(found.values()) == pytest.approx(walker.margin(row), abs=1e-5)
    assert walker.bias() == pytest.approx(float(wanted[0][-1]), abs=1e-5)


def test_a_calibration_is_applied_to_probabilities_alone(trained: Trained) -> None:
    row = trained.rows[0].tolist()
    plain = Trees.load(trained.fitted.raw)
    halved = Trees.load(trained.fitted.raw, Isotonic(x=(0.0, 1.0), y=(0.0, 0.5)))
    assert halved.score_one(row) == pytest.approx(plain.score_one(row) / 2)
    assert halved.margin(row) == plain.margin(row)
    sharper = Trees.load(trained.fitted.raw, Platt(slope=2.0, shift=0.0))
    assert (sharper.score_one(row) > 0.5) is (plain.score_one(row) > 0.5)


def test_rows_of_another_width_are_an_error(trained: Trained) -> None:
    walker = Trees.load(trained.fitted.raw)
    with pytest.raises(ValueError, match="features"):
        walker.score_one([0.0] * 4)
    with pytest.raises(ValueError, match="5"):
        walker.score([[0.0] * 4] * 50)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"left_children":[1', b'"left_children":[0'),
        (b'"left_children":[1', b'"left_children":[99999'),
        (b'"split_indices":[', b'"split_indices":[77,'),
        (b'"gbtree"', b'"dart"'),
        (b'"binary:logistic"', b'"multi:softprob"'),
        (b'"num_feature":"5","num_target"', b'"num_feature":"4","num_target"'),
        (b'"base_score":"[', b'"base_score":"[nan'),
        (b'"trees":[', b'"trees":[7,'),
    ],
)
def test_what_was_tampered_with_is_refused(trained: Trained, old: bytes, new: bytes) -> None:
    assert old in trained.fitted.raw
    with pytest.raises(ModelRefused):
        Trees.load(trained.fitted.raw.replace(old, new, 1))


def test_neither_numpy_nor_xgboost_is_imported_to_score_a_few_rows(trained: Trained) -> None:
    code = (
        "import sys; from engine.models.trees import Trees;"
        "trees = Trees.load(sys.stdin.buffer.read()); trees.score([[0.0] * 5] * 3);"
        "assert not {'numpy', 'xgboost', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], input=trained.fitted.raw, check=True)
