"""A small trained model, once for all tests of this folder."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec import Struct

from engine.models.fitting import Fitted, fit
from engine.models.manifest import Manifest, TrainedOn
from engine.models.registry import Offer

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
FEATURES = ("a", "b", "c", "d", "e")


class Trained(Struct):
    fitted: Fitted
    rows: Any

    def offer(self, score: float = 0.8, champion: float | None = None, **given: Any) -> Offer:
        fields: dict[str, Any] = {
            "name": "likeness",
            "version": "0000",
            "created_at": NOW,
            "sha256": "0" * 64,
            "size": 1,
            "features": FEATURES,
            "trained_on": TrainedOn(what="made up for a test", rows=len(self.rows)),
            "primary": "auc",
            "metrics": {"auc": score},
            "baseline": {"auc": 0.5},
            "golden": self.fitted.golden,
            **given,
        }
        return Offer(raw=self.fitted.raw, manifest=Manifest(**fields), champion_score=champion)


def train(depth: int = 3, trees: int = 20) -> Trained:
    import numpy as np

    dice = np.random.default_rng(1)
    rows = dice.normal(size=(600, len(FEATURES))).astype("f4")
    labels = rows[:, 0] + rows[:, 1] * rows[:, 2] > 0.2
    rows[dice.random(rows.shape) < 0.05] = np.nan
    return Trained(fit(rows, labels, features=FEATURES, trees=trees, settings={"max_depth": depth}), rows)


@pytest.fixture(scope="session")
def trained() -> Trained:
    return train()
