"""kill -9 of an engine whose playbooks act: safe steps are done once by their key, unsafe ones never twice, and what
nobody knows is asked.

PLAYBOOK_RUNS and PLAYBOOK_KILLS set how much; 3,000 runs with 500 kills are for a night.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.fakes.headless import Starter
from tests.fakes.playbook_chaos import (
    OVER,
    PATIENCE_SECONDS,
    Hands,
    answer,
    configuration,
    everything,
    kill_again_and_again,
    patient,
)
from tests.fakes.waiting import until

RUNS = int(os.environ.get("PLAYBOOK_RUNS", "16"))
KILLS = int(os.environ.get("PLAYBOOK_KILLS", "2"))


@pytest.mark.timeout(240 if RUNS < 100 else 14_400)
def test_kills_do_nothing_twice_and_lose_no_run(
    headless: Starter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hands = Hands()
    try:
        config = configuration(tmp_path / "runs", RUNS, hands.port)
        engine = headless(start=False, name="runs", config=config)
        counts = kill_again_and_again(engine, hands, RUNS, KILLS, random.Random(7))
        with capsys.disabled():
            print(f"\n{counts._asdict()}")
        with patient(engine) as http:
            answered = answer(http, engine.folder / "restarted")
            for id in answered:
                until(
                    lambda id=id: http.get(f"/api/v1/executions/{id}").json().get("state") in OVER,  # type: ignore[misc]
                    PATIENCE_SECONDS,
                    f"an end of {id}",
                )
            assert len({run["id"] for run in everything(http, "executions")}) == RUNS
    finally:
        hands.close()
    assert counts.kills == KILLS
    assert counts.cut_short >= KILLS // 2, "the kills fell upon nothing"
    assert counts.runs == RUNS, "a run was lost, or begun twice"
    assert (counts.safe_twice, counts.safe_missing, counts.unsafe_twice, counts.unsafe_missing) == (0, 0, 0, 0)
    assert set(counts.by_state) <= {*OVER, "unknown"}
    assert counts.by_state.get("unknown", 0) == counts.handed_to_people
    assert counts.by_state.get("success", 0) > 0
