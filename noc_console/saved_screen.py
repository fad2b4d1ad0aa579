"""ctrl+s: the screen as it is, as a picture (SVG) and as text, in two files beside each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path


def save_screen(folder: Path, at: datetime, lines: Sequence[str], picture: Callable[[str, str], str]) -> Path:
    """Write `screen-<time>.svg` by `picture(name, folder)` and `.txt` → the picture's path. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = f"screen-{at:%Y%m%d-%H%M%S}"
    path = Path(picture(f"{name}.svg", str(folder)))
    path.with_suffix(".txt").write_text("\n".join(line.rstrip() for line in lines) + "\n", encoding="utf-8")
    return path
