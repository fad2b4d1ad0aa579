"""The method with the model that ships with the product."""

from __future__ import annotations

import pytest

from engine.similarity import registry
from engine.similarity.method import Method, Streaming


@pytest.fixture(scope="session")
def learned() -> Method | Streaming:
    return registry()["xgboost_similarity"].make()
