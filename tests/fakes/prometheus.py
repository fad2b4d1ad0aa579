"""Debian's Prometheus on a target that can be made to fail, sending its alerts to an Alertmanager's address."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx

from tests.fakes.waiting import free_port, until

PROMETHEUS = shutil.which("prometheus")

_CONFIG = """
global: {{scrape_interval: 500ms, evaluation_interval: 1s, external_labels: {{region: test}}}}
rule_files: [{rules}]
alerting:
  alertmanagers:
    - static_configs: [{{targets: ["{alertmanager}"]}}]
scrape_configs:
{jobs}
"""
_JOB = """  - job_name: {name}
    scrape_timeout: 400ms
    metrics_path: /{name}
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""
_RULES = """
groups:
  - name: targets
    rules:
      - alert: TargetDown
        expr: up == 0
        labels: {severity: critical, site: "{{ $labels.job }}"}
        annotations: {summary: "{{ $labels.job }} does not answer"}
"""


class Targets:
    """Serves `/<name>` for every name; those in `failing` answer 500."""

    def __init__(self, *names: str) -> None:
        self.names, self.failing = names, set[str]()
        failing = self.failing

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                bad = self.path.strip("/") in failing
                body = b"" if bad else b"works 1\n"
                self.send_response(500 if bad else 200)
                self.send_header("Content-Type", "text/plain")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


class Prometheus:
    """Runs from construction to `close`."""

    def __init__(self, folder: Path, targets: Targets, alertmanager: str) -> None:
        assert PROMETHEUS is not None
        folder.mkdir()
        rules, config = folder / "rules.yml", folder / "prometheus.yml"
        rules.write_text(_RULES)
        jobs = "".join(_JOB.format(name=name, port=targets.port) for name in targets.names)
        config.write_text(_CONFIG.format(rules=rules, alertmanager=alertmanager, jobs=jobs))
        self.url = f"http://127.0.0.1:{free_port()}"
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    PROMETHEUS,
                    f"--config.file={config}",
                    f"--storage.tsdb.path={folder / 'data'}",
                    f"--web.listen-address={self.url.removeprefix('http://')}",
                    "--log.level=warn",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": "/usr/bin:/bin", "GOMAXPROCS": "1"},
                cwd=folder,
            )
        until(self._ready, what=f"a Prometheus that is ready: {self.log}")

    def _ready(self) -> bool:
        assert self._process.poll() is None, self.log.read_text()
        try:
            return httpx.get(f"{self.url}/-/ready", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def metrics(self) -> Mapping[str, float]:
        """Its own counters, summed over their labels."""
        sums: dict[str, float] = {}
        for line in httpx.get(f"{self.url}/metrics", trust_env=False).text.splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                sums[name.partition("{")[0]] = sums.get(name.partition("{")[0], 0.0) + float(value)
        return sums

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
