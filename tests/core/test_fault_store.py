"""The store that fails on purpose does so at the call that was named, before or after the real one."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.ports import StoreError, StoreFull
from data.store import SqliteStore
from tests.fakes.fault_store import FaultStore
from tests.fakes.stored import NOW, ZERO, alert, changes, commit


async def test_faults_hit_the_named_call_only(tmp_path: Path) -> None:
    store = FaultStore(SqliteStore(tmp_path, reserve_bytes=0))
    store.fail("commit", 2, StoreFull("full"))
    store.fail("commit", 3, StoreError("told nobody"), after=True)
    await store.open()
    epoch = await store.acquire(ZERO, "one", NOW, 30.0)
    assert epoch == 1
    batches = [commit(epoch, alerts=[alert(number)], changes=changes(number, 1)) for number in (1, 2)]
    await store.commit(batches[0])
    with pytest.raises(StoreFull):
        await store.commit(batches[1])
    assert (await store.load(ZERO, NOW, 0.0)).seq == 1
    with pytest.raises(StoreError, match="told nobody"):
        await store.commit(batches[1])
    assert (await store.load(ZERO, NOW, 0.0)).seq == 2
    await store.close()
    assert store.calls == {"open": 1, "acquire": 1, "commit": 3, "load": 2, "close": 1}
