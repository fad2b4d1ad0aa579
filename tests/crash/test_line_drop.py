"""The line to the operator drops: the console is gone within two seconds, and only what the engine confirmed
is done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fakes.headless import SMALL, Headless, Starter, command, environment
from tests.fakes.terminal import Opener, Terminal
from tests.fakes.waiting import PATIENCE, free_port, until

HANGUP = 128 + 1

ALERT = [{"labels": {"alertname": "Dropped", "host": "h1", "severity": "critical"}}]

#: Where the line drops: the keys that were typed since the list, what is on the screen then, and what must be so after.
MOMENTS = {
    "in the list": ([], "Dropped", {"open"}),
    "in a dialog": (["r"], "esolve", {"open"}),
    "after the answer": (["r", "y"], "", {"open", "resolved"}),
}


class Shift:
    """One operator's console, embedded or attached, with one incident on the screen."""

    def __init__(self, console: Terminal, url: str, headless: Starter, folder: Path) -> None:
        self.console, self.url, self._headless, self._folder = console, url, headless, folder

    def incident(self, embedded: bool) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The incident and its timeline as they are kept, asked of the engine that goes on or of a new one."""
        url = self._headless(data=self._folder / "data").url if embedded else self.url
        with httpx.Client(base_url=url, trust_env=False, timeout=PATIENCE) as http:
            incident = http.get("/api/v1/incidents/1").json()
            return incident, http.get("/api/v1/incidents/1/timeline").json()["items"]


def opened(
    headless: Starter, terminals: Opener, folder: Path, *, embedded: bool, ignored: bool
) -> tuple[Shift, Headless | None]:
    engine: Headless | None = None
    if embedded:
        url = f"http://127.0.0.1:{free_port()}"
        words = command("--data-dir", str(folder / "data"), "--listen", url.removeprefix("http://"))
    else:
        engine = headless()
        url = engine.url
        words = command("attach", url)
    console = terminals(words, environment(folder, **SMALL), ignore_hangup=ignored)
    console.until("LIVE")
    console.send("2")
    with httpx.Client(base_url=url, trust_env=False, timeout=PATIENCE) as http:
        assert http.post("/api/v2/alerts", json=ALERT).status_code == 200
    console.until(lambda: "Dropped" in console.text and "I-1" in console.text)
    return Shift(console, url, headless, folder), engine


@pytest.mark.parametrize("ignored", [False, True], ids=["SIGHUP", "SIGHUP ignored"])
@pytest.mark.parametrize("embedded", [False, True], ids=["attached", "embedded"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_only_what_was_confirmed_is_done(
    headless: Starter,
    terminals: Opener,
    tmp_path: Path,
    moment: str,
    embedded: bool,
    ignored: bool,
) -> None:
    keys, shown, states = MOMENTS[moment]
    shift, engine = opened(headless, terminals, tmp_path, embedded=embedded, ignored=ignored)
    for key in keys[:-1] if moment == "after the answer" else keys:
        shift.console.send(key)
        shift.console.until("esolve" if key == "r" else shown)
    if moment == "after the answer":
        shift.console.settle(1.0, 1.5)  # a dialog takes no answer that was typed before it could be read
        shift.console.send(keys[-1])
    shift.console.hang_up()
    code = shift.console.ended(PATIENCE)
    assert code == HANGUP, f"still running or ended otherwise: {code}"
    if engine is not None:
        with engine.http() as http:
            assert http.get("/api/v1/health").json()["state"] == "live", "the engine of others goes on"
            gone = http.get("/metrics").text
        until(lambda: "noc_watchers 0.0" in _metrics(engine), what=f"a feed that is let go: {gone[-200:]}")
    incident, timeline = shift.incident(embedded)
    assert incident["state"] in states
    done = sum(entry["kind"] == "resolved" for entry in timeline)
    assert done == (incident["state"] == "resolved"), timeline


def _metrics(engine: Headless) -> str:
    with engine.http() as http:
        return http.get("/metrics").text


def test_a_confirmed_act_survives_the_line(headless: Starter, terminals: Opener, tmp_path: Path) -> None:
    shift, _ = opened(headless, terminals, tmp_path, embedded=True, ignored=False)
    shift.console.send("a")
    shift.console.until(lambda: " acked " in shift.console.line("I-1"))
    shift.console.hang_up()
    assert shift.console.ended(PATIENCE) == HANGUP
    incident, timeline = shift.incident(True)
    assert incident["state"] == "acknowledged"
    assert sum(entry["kind"] == "acknowledged" for entry in timeline) == 1


def test_the_next_console_finds_the_view_again(headless: Starter, terminals: Opener, tmp_path: Path) -> None:
    shift, engine = opened(headless, terminals, tmp_path, embedded=False, ignored=False)
    assert engine is not None
    shift.console.hang_up()
    assert shift.console.ended(PATIENCE) == HANGUP
    again = terminals(command("attach", engine.url), environment(tmp_path))
    again.until(lambda: "─ Incidents" in again.text and "Dropped" in again.text)
