"""What several kinds of tests share: engines as processes, and consoles in real pseudo-terminals."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import structlog

from tests.fakes.headless import Headless, Starter
from tests.fakes.terminal import Opener, Terminal


@pytest.fixture(autouse=True)
def logs_as_they_were() -> Iterator[None]:
    """A command that a test ran may have sent the logs to a stream that is closed by now."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def headless(tmp_path: Path) -> Iterator[Starter]:
    """`headless(settings, name="engine", start=True, …)` → a Headless; all that were made are ended."""
    made: list[Headless] = []

    def make(settings: dict[str, str] | None = None, *, name: str = "", start: bool = True, **more: Any) -> Headless:
        engine = Headless(tmp_path / (name or f"engine{len(made)}"), settings, **more)
        made.append(engine)
        return engine.start() if start else engine

    yield make
    for engine in made:
        with suppress(ProcessLookupError):
            engine.stop()


@pytest.fixture
def terminals() -> Iterator[Opener]:
    """`terminals(words, env, …)` → a program in a Terminal; those that still run at the end are killed."""
    made: list[Terminal] = []

    def make(words: list[str], env: dict[str, str], **more: Any) -> Terminal:
        terminal = Terminal(words, env, **more)
        made.append(terminal)
        return terminal

    yield make
    for terminal in made:
        terminal.finish()
