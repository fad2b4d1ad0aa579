"""Each kind of store, opened for its one writer, for the suites that every store must pass."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.stores import STORES, StoreKind


@pytest.fixture(params=STORES, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> StoreKind:
    chosen: StoreKind = request.param
    return chosen


@pytest.fixture
async def store(kind: StoreKind, tmp_path: Path) -> AsyncIterator[Any]:
    opened = kind.writer(tmp_path)
    await opened.open()
    yield opened
    await opened.close()
