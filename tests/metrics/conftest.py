"""An engine whose clock stands where the test puts it, and questions to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.app import build
from engine.settings import MetricsSettings, Settings, StoreSettings
from tests.metrics.metering import NOON, Metered, SetClock


@pytest.fixture
async def metered(tmp_path: Path) -> AsyncIterator[Metered]:
    clock = SetClock(NOON)
    metrics = MetricsSettings(time_zone="Europe/Berlin", own=False)
    settings = Settings(store=StoreSettings(data_dir=str(tmp_path), reserve_mib=0), metrics=metrics)
    found = Metered(build(settings, clock, listen=False), clock)
    await found.engine.start()
    yield found
    await found.engine.stop()
