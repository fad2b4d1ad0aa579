"""No model is there: the priority comes from the formula at once, says so, and adds up."""

from __future__ import annotations

from tests.fakes.headless import Headless, Starter


def test_the_priority_is_the_formulas_and_says_so(headless: Starter) -> None:
    engine: Headless = headless()
    labels = {"alertname": "DiskFull", "severity": "high", "site": "Depot", "client": "Acme"}
    with engine.http() as http:
        assert http.post("/api/v2/alerts", json=[{"labels": labels}]).status_code == 200
        incident = http.get("/api/v1/incidents/1").json()
        why = http.get("/api/v1/incidents/1/why").text
    assert 0 < incident["priority"] <= 100
    assert abs(sum(points for _, _, points in incident["contributions"]) - incident["priority"]) <= 0.5
    assert "severity" in {feature for feature, _, _ in incident["contributions"]}
    assert "formula" in why and "no model yet" in why
    assert "Traceback" not in engine.said()
