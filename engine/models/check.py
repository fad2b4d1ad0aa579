"""`python -m engine.models.check FOLDER`: load a model under limits of memory and time, and say on stdout how it went.

Owns the first load of a model that came from outside: what goes wrong here ends this process and no other.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from time import process_time

from engine.models.loading import load
from engine.models.refused import ModelRefused

MEMORY_BYTES = 1 << 30
CPU_SECONDS = 8
#: One score may not take longer: an alert waits for it.
SLOW_SECONDS = 0.05


def check(folder: Path) -> dict[str, str | float]:
    """`code` is "" for a model that may serve."""
    try:
        served = load(folder)
        row = served.manifest.golden[0].values()
        began = process_time()
        for _ in range(3):
            served.trees.score_one(row)
        seconds = (process_time() - began) / 3
    except ModelRefused as error:
        return {"code": error.code, "text": str(error)}
    except MemoryError:
        return {"code": "size", "text": f"needs more than {MEMORY_BYTES >> 20} MiB"}
    if seconds > SLOW_SECONDS:
        return {"code": "slow", "text": f"one score takes {1000 * seconds:.0f} ms, at most {1000 * SLOW_SECONDS:.0f}"}
    return {"code": "", "text": "", "seconds": seconds}


def _limit() -> None:
    try:
        import resource
    except ImportError:  # not on this system: the parent's clock is the limit that is left
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    _limit()
    print(json.dumps(check(Path(sys.argv[1]))))
