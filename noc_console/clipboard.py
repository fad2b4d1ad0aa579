"""Copies text out of the console, the first way that works: tmux's buffer, OSC 52, a file.

Acts only on an explicit key. Never puts raw bytes of others on the terminal: OSC 52 carries base64.
"""

from __future__ import annotations

import base64
import os
import subprocess  # noqa: TID251  (one fixed argument list, input by pipe)
from collections.abc import Callable, Mapping
from pathlib import Path

OSC52_CAP = 74_994
TMUX_SECONDS = 2.0


def copy(text: str, write: Callable[[str], None], environ: Mapping[str, str], folder: Path | None) -> str:
    """Copy and say where it went, in words for the notice line."""
    if environ.get("TMUX") and _tmux(text):
        return "copied to the tmux buffer"
    encoded = base64.b64encode(text.encode("utf-8", "replace")).decode()
    if len(encoded) <= OSC52_CAP:
        write(f"\x1b]52;c;{encoded}\x07")
        return "copied"
    if folder is not None and (path := _file(text, folder)):
        return f"too long for the terminal, written to {path}"
    return "too long to copy"


def _tmux(text: str) -> bool:
    try:
        done = subprocess.run(
            ["tmux", "load-buffer", "-w", "-"],
            input=text.encode("utf-8", "replace"),
            timeout=TMUX_SECONDS,
            check=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0


def _file(text: str, folder: Path) -> Path | None:
    path = folder / "copied.txt"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "w") as file:
            file.write(text)
    except OSError:
        return None
    return path
