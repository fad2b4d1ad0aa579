"""A headless engine as a process of its own, on a directory and a port of its own.

Owns its start, its log and its end: what a test started here it also ends, by process id.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from tests.fakes.waiting import PATIENCE, until

ROOT = Path(__file__).parents[2]
#: Small enough that starting a fresh directory does not write 64 MiB.
SMALL = {"NOC__STORE__RESERVE_MIB": "1"}


def environment(folder: Path, **more: str) -> dict[str, str]:
    """What a program of the product is started with: this project's code, and nothing of the user's."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "VIRTUAL_ENV") if name in os.environ}
    state = {name: str(folder) for name in ("HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
    return {**kept, **state, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **more}


def command(*words: str) -> list[str]:
    """`noc-console` with these words."""
    return [sys.executable, "-m", "noc_console", *words]


class Headless:
    """`settings` are NOC__SECTION__KEY variables, `config` the text of a noc.toml, `user` a uid to run as."""

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, str] | None = None,
        *,
        config: str = "",
        data: Path | None = None,
        user: int | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.data, self.log = folder, data or folder / "data", folder / "engine.err"
        self._settings = {**SMALL, **(settings or {})}
        self._config = folder / "noc.toml" if config else None
        if self._config is not None:
            self._config.write_text(config)
            self._config.chmod(0o600)
        self._user = user
        self._process: subprocess.Popen[bytes] | None = None
        self._said_before = 0
        self.url = ""
        self.starts = 0

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def words(self, port: int = 0) -> list[str]:
        config = ["--config", str(self._config)] if self._config is not None else []
        return command(*config, "headless", "--listen", f"127.0.0.1:{port}", "--data-dir", str(self.data))

    def launch(self, port: int = 0) -> None:
        """Start it and return at once."""
        self._said_before = len(self.said())
        self.url = ""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.words(port),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=environment(self.folder, **self._settings),
                user=self._user,
            )
        self.starts += 1

    def start(self, port: int = 0) -> Headless:
        """Start it and return when it listens."""
        self.launch(port)
        self.listening()
        return self

    def listening(self, seconds: float = PATIENCE) -> str:
        until(self._listens, seconds, f"an engine that listens: {self.log}")
        return self.url

    def _listens(self) -> bool:
        fresh = self.said()[self._said_before :]
        assert self._process is not None and self._process.poll() is None, f"the engine ended: {fresh}"
        _, found, rest = fresh.partition(" listens on ")
        if found and "," in rest:
            self.url = rest.partition(",")[0]
        return bool(self.url)

    def said(self) -> str:
        """All that it wrote so far, of all its starts."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def http(self, **settings: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, trust_env=False, timeout=PATIENCE, **settings)

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        """kill -9; returns when it is gone."""
        assert self._process is not None
        self._process.kill()
        assert self._process.wait(PATIENCE) == -signal.SIGKILL

    def stop(self, seconds: float = PATIENCE) -> int:
        """SIGTERM and the exit code; the second time nothing."""
        process, self._process = self._process, None
        if process is None:
            return 0
        process.terminate()
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def cpu_seconds(self) -> float:
        """Of all its threads, in user and system mode."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_mib(self) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:"))) / 1024


def run(folder: Path, words: Sequence[str], seconds: float = PATIENCE, **more: str) -> subprocess.CompletedProcess[str]:
    """One `noc-console` command to its end."""
    return subprocess.run(
        command(*words),
        cwd=folder,
        env=environment(folder, **{**SMALL, **more}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


Starter = Callable[..., Headless]
