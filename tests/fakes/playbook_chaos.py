"""kill -9 of a whole engine while its playbooks act: what was done outside is counted by those to whom it was done.

Owns the engine's configuration, the two outsides (a server that is sent safe requests, a program that is run for unsafe
steps), the kills and the count.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from tests.fakes.headless import Headless
from tests.fakes.waiting import free_port, until

#: Runs of one playbook in an hour are limited to a thousand: the alerts take turns with so many playbooks.
BOOKS = 8
OVER = ("success", "partial", "failed", "cancelled", "expired")
_BOOK = """
name: mend{number}
version: 1
trigger: {{names: [Fault{number}]}}
policy: {{mode: auto, per_hour: 1000, flood_incidents: 10000}}
steps:
  - name: mark
    action: http_request
    retries: 3
    params: {{endpoint: hands, method: PUT, subject: "${{alert.labels.unit}}", body: {{of: "${{alert.name}}"}}}}
  - {{name: restart, action: restart_service, params: {{unit: "${{alert.labels.unit}}"}}}}
  - {{name: note, action: send_notification, params: {{text: restarted}}}}
  - name: check
    action: http_request
    retries: 3
    params: {{endpoint: hands, method: PUT, subject: "${{alert.labels.unit}}", body: {{of: "${{alert.name}}"}}}}
"""


class Hands:
    """A server that does each safe request once by its Idempotency-Key, as a receiver is asked to."""

    def __init__(self) -> None:
        self.keys: Counter[str] = Counter()
        self.done: Counter[str] = Counter()
        lock, outer = threading.Lock(), self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                key = self.headers["Idempotency-Key"]
                with lock:
                    outer.keys[key] += 1
                    if outer.keys[key] == 1:
                        outer.done[key] += 1
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def configuration(folder: Path, runs: int, port: int) -> str:
    """The engine's noc.toml; writes the playbooks and the program of unsafe steps beside it."""
    books = folder / "playbooks"
    books.mkdir(parents=True)
    for number in range(BOOKS):
        (books / f"mend{number}.yaml").write_text(_BOOK.format(number=number))
    program = folder / "restart"
    program.write_text(f'#!/bin/sh\necho "$3" >> "{folder}/restarted"\nexec /bin/sleep 0.02\n')
    program.chmod(0o755)
    (folder / "restarted").touch()
    units = "".join(f'[[playbooks.restart.services]]\nunit = "u{number}"\n' for number in range(runs))
    return f"""
[metrics]
own = false
[notify]
allow_hosts = ["127.0.0.1:{port}"]
[playbooks]
directory = "{books}"
[playbooks.restart]
systemctl = "{program}"
{units}
[[playbooks.endpoints]]
name = "hands"
url = "http://127.0.0.1:{port}/"
methods = ["PUT"]
allow_http = true
"""


class Counts(NamedTuple):
    """What the runs came to. `cut_short`: steps that a kill fell upon, safe ones that went out again and unsafe ones of
    which people are asked. `safe_steps` were done by key; `unsafe_done` is how often the program ran. `resume` is
    from the kill until the next process is ready, its start included, `acts_again` from there to its first act."""

    runs: int
    planned: int
    kills: int
    cut_short: int
    by_state: dict[str, int]
    handed_to_people: int
    safe_steps: int
    safe_sent: int
    safe_twice: int
    safe_missing: int
    unsafe_done: int
    unsafe_twice: int
    unsafe_missing: int
    resume_median_seconds: float
    resume_most_seconds: float
    acts_again_median_seconds: float
    acts_again_most_seconds: float


#: What a loaded machine may take for an answer or a start; nothing here is judged by how fast it was.
PATIENCE_SECONDS = 120.0


def patient(engine: Headless) -> httpx.Client:
    http = engine.http()
    http.timeout = httpx.Timeout(PATIENCE_SECONDS)
    return http


def start(engine: Headless, port: int) -> None:
    engine.launch(port)
    engine.listening(PATIENCE_SECONDS)


def _answered(ask: Callable[[], httpx.Response], what: str) -> httpx.Response:
    """Asked again while nobody answers or the answer is that it is too much: all that is asked so may be repeated."""

    def once() -> httpx.Response | None:
        try:
            reply = ask()
        except httpx.TransportError:
            return None
        return reply if reply.status_code == 200 else None

    found = until(once, PATIENCE_SECONDS, what, every=0.1)
    assert found is not None
    return found


def everything(http: httpx.Client, kind: str, **query: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    after = ""
    while True:
        params = {"limit": "500", **query, **({"after": after} if after else {})}
        page = _answered(lambda params=params: http.get(f"/api/v1/{kind}", params=params), kind).json()  # type: ignore[misc]
        rows += page["items"]
        after = page["next"]
        if not after:
            return rows


def fire(http: httpx.Client, numbers: range) -> None:
    """One alert for each; sent again until it is acknowledged."""
    rows = [
        {
            "labels": {"alertname": f"Fault{n % BOOKS}", "unit": f"u{n}", "site": f"site {n}", "severity": "critical"},
            "annotations": {"summary": f"Unit {n} is in trouble"},
        }
        for n in numbers
    ]
    _answered(lambda: http.post("/api/v2/alerts", json=rows), "alerts that are taken")


def kill_again_and_again(engine: Headless, hands: Hands, runs: int, kills: int, chance: random.Random) -> Counts:
    """Alerts come in portions; after each the engine is killed at a random moment and started again."""
    port, restarted = free_port(), engine.folder / "restarted"
    start(engine, port)
    resumed, again, fired = [], [], 0
    for kill in range(kills):
        portion, before = range(fired, runs * (kill + 1) // kills), sum(hands.keys.values())
        if portion:
            with patient(engine) as http:
                fire(http, portion)
        fired = portion.stop
        if portion:
            until(lambda before=before: sum(hands.keys.values()) > before, PATIENCE_SECONDS, "a run that acts")  # type: ignore[misc]
        time.sleep(chance.uniform(0.0, 0.25))  # the random point, in a real process
        engine.kill()
        killed = time.monotonic()
        start(engine, port)
        resumed.append(_resumed(engine, killed))
        again.append(_acts_again(engine, hands))
    with patient(engine) as http:
        until(
            lambda: len(everything(http, "executions")) >= runs,
            PATIENCE_SECONDS + runs * 0.5,
            "a run for each alert",
            every=0.5,
        )
        until(lambda: not _going(http), PATIENCE_SECONDS + runs * 0.5, "runs that end", every=0.5)
        found = everything(http, "executions")
        asked = everything(http, "approvals", q="state=open")
    acted = [took for took in again if took is not None]
    return _counted(found, asked, hands, restarted, (runs, kills, resumed, acted))


def _resumed(engine: Headless, killed: float) -> float:
    with patient(engine) as http:
        _answered(lambda: http.get("/-/ready"), "an engine that is ready")
    return time.monotonic() - killed


def _acts_again(engine: Headless, hands: Hands) -> float | None:
    """Seconds until a safe request comes; None when nothing was left to go on with."""
    began, before = time.monotonic(), sum(hands.keys.values())
    with patient(engine) as http:
        acted = until(
            lambda: "acted" if sum(hands.keys.values()) > before else ("" if _going(http) else "nothing"),
            PATIENCE_SECONDS,
            "an act of the next process",
        )
    return time.monotonic() - began if acted == "acted" else None


def _going(http: httpx.Client) -> bool:
    for state in ("running", "pending"):
        params = {"q": f"state={state}", "limit": "1"}
        one = _answered(lambda params=params: http.get("/api/v1/executions", params=params), "runs")  # type: ignore[misc]
        if one.json()["items"]:
            return True
    return False


def _counted(
    found: list[dict[str, Any]], asked: list[dict[str, Any]], hands: Hands, restarted: Path, given: Any
) -> Counts:
    runs, kills, resumed, again = given
    units = Counter(restarted.read_text().split())
    steps = [(run, step) for run in found for step in run["steps"]]
    safe = [f"playbook/{run['id']}/{step['name']}" for run, step in steps if step["action"] == "http_request"]
    ended = {f"playbook/{run['id']}/{step['name']}" for run, step in steps if step.get("state") == "done"}
    unsafe = [
        step["params"]["unit"]
        for _, step in steps
        if step["action"] == "restart_service" and step.get("state") == "done"
    ]
    questions = {one["execution"] for one in asked}
    states = Counter(run.get("state", "pending") for run in found)
    unasked = [run["id"] for run in found if run.get("state") == "unknown" and run["id"] not in questions]
    assert not unasked, f"of unknown outcome, and nobody is asked: {unasked}"
    resumed.sort()
    again.sort()
    return Counts(
        runs=len(found),
        planned=runs,
        kills=kills,
        cut_short=len(questions) + sum(hands.keys.values()) - len(hands.keys),
        by_state=dict(states),
        handed_to_people=len(questions),
        safe_steps=len([key for key in safe if key in ended]),
        safe_sent=sum(hands.keys.values()),
        safe_twice=sum(count > 1 for count in hands.done.values()),
        safe_missing=sum(hands.done[key] != 1 for key in safe if key in ended),
        unsafe_done=sum(units.values()),
        unsafe_twice=sum(count > 1 for count in units.values()),
        unsafe_missing=sum(units[unit] != 1 for unit in unsafe),
        resume_median_seconds=round(resumed[len(resumed) // 2], 2),
        resume_most_seconds=round(resumed[-1], 2),
        acts_again_median_seconds=round(again[len(again) // 2], 2) if again else 0.0,
        acts_again_most_seconds=round(again[-1], 2) if again else 0.0,
    )


def answer(http: httpx.Client, restarted: Path, most: int = 8) -> list[str]:
    """Look at what was done and say so, as a person would → the executions that were answered."""
    done = set(restarted.read_text().split())
    answered = []
    for asked in everything(http, "approvals", q="state=open")[:most]:
        path = f"/api/v1/executions/{asked['execution']}"
        run = _answered(lambda path=path: http.get(path), "the run").json()  # type: ignore[misc]
        (unit,) = {step["params"]["unit"] for step in run["steps"] if step["name"] == asked["step"]}
        verb = "approve" if unit in done else "reject"
        params = {"plan_sha256": asked["plan_sha256"]} if verb == "approve" else {"reason": "it was not restarted"}
        reply = http.post(f"/api/v1/approvals/{asked['id']}/{verb}", json=params)
        assert reply.status_code == 200 and not reply.json().get("refused"), reply.text
        answered.append(asked["execution"])
    return answered
