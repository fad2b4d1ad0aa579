"""A damaged model in a data directory: the engine starts, takes alerts, and says what it goes by instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.models.loading import MODEL
from engine.models.registry import SHIPPED, Offer, Registry
from tests.fakes.headless import Headless, Starter
from tests.models.conftest import NOW

SETTINGS = {"NOC__CLUSTERING__METHOD": "xgboost_similarity"}


def champion(data: Path) -> Path:
    """The shipped model as the champion of a data directory → its folder."""
    shipped = Registry(data).manifest("clustering", "shipped")
    registry = Registry(data / "models", check=lambda folder: None)
    registry.offer(Offer(raw=(SHIPPED / "clustering" / MODEL).read_bytes(), manifest=shipped), NOW)
    return data / "models" / "clustering" / "0001"


def alert(engine: Headless) -> dict[str, object]:
    with engine.http() as http:
        labels = {"alertname": "DiskFull", "severity": "high", "site": "Depot"}
        assert http.post("/api/v2/alerts", json=[{"labels": labels}]).status_code == 200
        health = http.get("/api/v1/health").json()
        why = http.get("/api/v1/incidents/1/why").text
        metrics = http.get("/metrics").text
    return {"banners": " ".join(health["banners"]), "why": why, "metrics": metrics}


@pytest.mark.parametrize("damage", ["gone", "cut", "other", "huge"])
def test_the_shipped_model_takes_its_place_with_a_banner(headless: Starter, damage: str) -> None:
    engine: Headless = headless(SETTINGS, start=False)
    engine.data.mkdir(parents=True, exist_ok=True)
    model = champion(engine.data) / MODEL
    raw = model.read_bytes()
    if damage == "gone":
        model.unlink()
    else:
        model.write_bytes(
            {"cut": raw[:-100], "other": raw.replace(b"1", b"2", 1), "huge": raw + b" " * (40 << 20)}[damage]
        )
    engine.start()
    found = alert(engine)
    assert "clustering" in str(found["banners"]) and "ships with the product" in str(found["banners"])
    assert "noc_models_refused 1" in str(found["metrics"])
    assert "Traceback" not in engine.said()


def test_a_whole_model_serves_without_a_word(headless: Starter) -> None:
    engine: Headless = headless(SETTINGS, start=False)
    engine.data.mkdir(parents=True, exist_ok=True)
    champion(engine.data)
    engine.start()
    assert "clustering" not in str(alert(engine)["banners"])
