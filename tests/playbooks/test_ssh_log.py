"""What the log of ssh proves: a login is found wherever it stands, and what was not read proves nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from engine.playbooks.launcher import MOST_SECONDS, Ran
from engine.playbooks.ssh import BROKEN, over_ssh

NOISE = "the other side has much to say\n"
ENTERED = "Authenticated to depot ([10.0.0.1]:22) using \"publickey\".\n"


def written(command: Sequence[str], log: str) -> None:
    Path(command[command.index("-E") + 1]).write_text(log)


@pytest.mark.parametrize(
    ("log", "entered"),
    [
        ("", None),
        (NOISE, False),
        (ENTERED, True),
        (NOISE * 1000 + ENTERED, True),
        (ENTERED + NOISE * 1000, True),
        (NOISE * 50_000 + ENTERED, None),
    ],
    ids=["silent", "refused", "entered", "entered late", "much after it", "without end"],
)
async def test_a_login_counts_wherever_it_stands(log: str, entered: bool | None) -> None:
    async def ssh(command: Sequence[str], *, seconds: float = MOST_SECONDS) -> Ran:
        written(command, log)
        return Ran(BROKEN, b"", False)

    reached = await over_ssh(ssh, ["/usr/bin/ssh", "depot"], seconds=5.0)
    assert reached.entered is entered
    assert len(reached.log) <= 4000 and (entered is None or log.endswith(reached.log))
