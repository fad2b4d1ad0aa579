"""Child processes of the models: the check of a first load, and training.

Owns how they are started: this interpreter, a module of this package by name, plain arguments, no shell. Never passes
on anything that came from outside but paths.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess  # noqa: TID251 - fixed argument lists, modules from an allow-list
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from engine.models.refused import ModelRefused

#: The only modules that are ever started.
CHECK, CLUSTERING, FRAUD = "engine.models.check", "engine.similarity.training", "engine.fraud.training"
PRIORITY, TRAINING = "engine.priority.training", "engine.training.child"
PREDICTORS = "engine.predictors.training"
_ALLOWED = frozenset({CHECK, CLUSTERING, FRAUD, PRIORITY, TRAINING, PREDICTORS})
_ROOT = Path(__file__).resolve().parents[2]
CHECK_SECONDS = 20.0
#: What a child may say in one line, and as its answer, in bytes.
_LINE_BYTES, _ANSWER_BYTES = 1 << 16, 1 << 20


def environment() -> dict[str, str]:
    """One thread for the numerical libraries: on a busy machine more make them slower."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH", ""))))
    return {**os.environ, **threads, "PYTHONPATH": path}


def command(module: str, *arguments: str) -> list[str]:
    """Raises ValueError for a module that is not on the list."""
    if module not in _ALLOWED:
        raise ValueError(f"{module} is not started as a process")
    return [sys.executable, "-m", module, *arguments]


def check(folder: Path, seconds: float = CHECK_SECONDS) -> None:
    """Load the model in a child with limits. Raises ModelRefused with what the child found, or how it ended."""
    try:
        done = subprocess.run(
            command(CHECK, str(folder)),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
            env=environment(),
        )
    except subprocess.TimeoutExpired as error:
        raise ModelRefused("slow", f"loading took longer than {seconds:.0f} s") from error
    except OSError as error:
        raise ModelRefused("crash", f"the model could not be checked: {error}") from error
    found = _answer(done.stdout)
    if found is None:
        raise ModelRefused("crash", f"loading ended the checking process (status {done.returncode})")
    if found["code"]:
        raise ModelRefused(str(found["code"]), str(found["text"]))


def _answer(said: bytes) -> dict[str, Any] | None:
    found = _object(said)
    return found if found is not None and "code" in found else None


def work(module: str, arguments: list[str], told: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Run a module to its end → the JSON object that it prints. `told` gets each line of JSON on its stderr.

    Raises ModelRefused when it fails; it is ended with this call, however that ends."""
    with subprocess.Popen(
        command(module, *arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        said = b""
        try:
            for line in process.stderr:
                found = _object(line)
                if found is None:
                    said = line
                else:
                    told(found)
            answer = _object(process.stdout.read())
            process.wait()
        except BaseException:
            process.kill()
            raise
    if answer is None:
        raise ModelRefused("crash", f"training ended without an answer: {said.decode(errors='replace').strip()[:500]}")
    if "error" in answer:
        raise ModelRefused("data", str(answer["error"]))
    return answer


async def started(words: list[str]) -> asyncio.subprocess.Process:
    """A child of `command` that does not hold the loop. It ends when its stdin does, so it never outlives this process.
    Raises OSError."""
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        *words, stdin=pipe, stdout=pipe, stderr=pipe, env=environment(), limit=_LINE_BYTES
    )


async def lines_of(process: asyncio.subprocess.Process) -> AsyncIterator[tuple[dict[str, Any] | None, str]]:
    """Each line of its stderr: as an object where it is one, and as text. Lines that are too long are passed over."""
    assert process.stderr is not None
    while True:
        try:
            line = await process.stderr.readline()
        except ValueError:
            continue
        if not line:
            return
        yield _object(line), line.decode(errors="replace").strip()


async def answer_of(process: asyncio.subprocess.Process) -> dict[str, Any] | None:
    """The object that it prints; None where it prints none."""
    assert process.stdout is not None
    said = b""
    while len(said) < _ANSWER_BYTES and (more := await process.stdout.read(_LINE_BYTES)):
        said += more
    return _object(said)


async def gone(process: asyncio.subprocess.Process) -> None:
    """End it, and return when it has ended."""
    if process.returncode is None:
        process.kill()
    if process.stdin is not None:
        process.stdin.close()
    await process.wait()


def _object(said: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(said)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
