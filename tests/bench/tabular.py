"""Rows of a CSV file, plain, gzip or xz. Owns opening only."""

from __future__ import annotations

import csv
import gzip
import lzma
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any


def opened(path: Path) -> IO[str]:
    openers: dict[str, Any] = {".gz": gzip.open, ".xz": lzma.open}
    stream: IO[str] = openers.get(path.suffix, open)(path, "rt", encoding="utf-8", newline="")
    return stream


def rows(path: Path) -> Iterator[dict[str, str]]:
    with opened(path) as file:
        yield from csv.DictReader(file)
