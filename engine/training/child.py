"""`python -m engine.training.child NAME DIRECTORY`: one training to its end, with a limit of memory and out of the way.

Progress goes as lines of JSON to stderr, the Outcome or {"error": …, "code": …} to stdout. Never runs in the engine's
process.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
from pathlib import Path
from typing import Any

import msgspec

from data.ports import StoreError
from data.records import DEFAULT_TENANT, TenantId
from engine.models.refused import ModelRefused
from engine.training.outcome import TooFew
from engine.training.registry import Task, trainers


def limit(memory_mib: int, nice: int) -> None:
    """Step back for everything else, and end rather than take more memory than this."""
    if hasattr(os, "nice"):
        os.nice(nice)
    try:
        import resource
    except ImportError:  # not on this system: the parent's clock is the limit that is left
        return
    resource.setrlimit(resource.RLIMIT_AS, (memory_mib << 20, memory_mib << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def run(name: str, folder: Path, tenant: TenantId) -> Any:
    """The Outcome, or what a caller is told instead."""
    try:
        return trainers()[name].learn(Task(folder, tenant, _tell))
    except TooFew as error:
        return {"error": str(error), "code": "too_few"}
    except MemoryError:
        return {"error": "needs more memory than training.memory_mib allows", "code": "memory"}
    except (StoreError, ModelRefused, ValueError, OSError) as error:
        return {"error": str(error), "code": "failed"}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("name", choices=sorted(trainers()))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tenant", default=DEFAULT_TENANT)
    parser.add_argument("--memory-mib", type=int, default=3072)
    parser.add_argument("--nice", type=int, default=0)
    parser.add_argument("--with-parent", action="store_true", help="end when stdin does")
    asked = parser.parse_args(arguments)
    if asked.with_parent:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    limit(asked.memory_mib, asked.nice)
    found = run(asked.name, asked.folder, TenantId(asked.tenant))
    print(msgspec.json.encode(found).decode(), flush=True)
    return int(isinstance(found, dict))


def _end_with_parent() -> None:
    """Nothing is ever written to stdin: it ends when whoever started this is no more."""
    sys.stdin.buffer.read()
    os._exit(1)


def _tell(what: str, done: int, total: int) -> None:
    line = msgspec.json.encode({"what": what, "done": done, "total": total})
    print(line.decode(), file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
