"""The one launcher of programs: an absolute program with an argument list, and nothing else of this process.

Empty environment, an empty working directory, no input, a bounded output, a time after which its whole group is
killed; through `setpriv` with no way to more privileges, and as another user where one is set. Never a shell. Who may
call which program with what is decided by the actions.
"""

from __future__ import annotations

import asyncio
import os
import re
import resource
import signal
import tempfile
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol

from engine.playbooks.settings import ProgramSettings

MOST_SECONDS = 60.0
MOST_BYTES = 1024 * 1024
#: What may be an argument that comes from a playbook or from an alert: never an option, never two words.
ARGUMENT = re.compile(r"[A-Za-z0-9][\w.@:-]{0,127}", re.ASCII)
_FILE_BYTES = 16 * 1024 * 1024
_FILES = 256


class Ran(NamedTuple):
    """`code` None: it was killed because it took too long. `cut`: it said more than was kept."""

    code: int | None
    output: bytes
    cut: bool


class NotStarted(Exception):
    """The program could not be started: nothing was done."""


class Launch(Protocol):
    """Whatever runs programs: `launch`, or a simulated world that answers for them."""

    def __call__(self, command: Sequence[str], *, seconds: float = MOST_SECONDS) -> Awaitable[Ran]:
        """Raises NotStarted."""
        ...


def confined(command: Sequence[str], programs: ProgramSettings) -> list[str]:
    """The argument list that runs `command` with as little as the settings say. Raises NotStarted where that cannot
    be had."""
    there = os.access(programs.setpriv, os.X_OK)
    if programs.user and not there:
        raise NotStarted(f"{programs.setpriv} is needed to run programs as {programs.user}, and is not there")
    if not there or not (programs.user or programs.no_new_privileges):
        return list(command)
    less = ["--no-new-privs"] if programs.no_new_privileges else []
    if programs.user:
        uid, gid = _ids(programs.user)
        less += [f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]
    return [programs.setpriv, *less, "--", *command]


def _ids(user: str) -> tuple[int, int]:
    """The numbers of a user and of the group that is his first."""
    import pwd  # not there on Windows, where nothing is confined

    try:
        found = pwd.getpwnam(user)
    except KeyError as error:
        raise NotStarted(f"there is no user {user} on this machine") from error
    return found.pw_uid, found.pw_gid


async def launch(
    command: Sequence[str], *, seconds: float = MOST_SECONDS, programs: ProgramSettings | None = None
) -> Ran:
    """Run to its end. Raises NotStarted."""
    program = command[0]
    if not os.path.isabs(program) or any("\0" in word for word in command):
        raise NotStarted(f"{program!r} is not an absolute path")
    if programs is not None:
        if not os.access(program, os.X_OK):
            raise NotStarted(f"{program} could not be started: it is not there, or no program")
        command = confined(command, programs)
    with tempfile.TemporaryDirectory(prefix="noc-step-") as nowhere:
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env={},
                cwd=nowhere,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise NotStarted(f"{program} could not be started: {reason}") from error
        _limit(process.pid)
        return await _followed(process, min(seconds, MOST_SECONDS))


async def _followed(process: asyncio.subprocess.Process, seconds: float) -> Ran:
    kept = bytearray()
    cut = False
    code: int | None = None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(seconds):
            while part := await process.stdout.read(65_536):
                cut = cut or len(kept) + len(part) > MOST_BYTES
                kept += part[: MOST_BYTES - len(kept)]
            code = await process.wait()
    except TimeoutError:
        pass
    finally:
        if code is None:
            _kill(process)
            await process.wait()
    return Ran(code, bytes(kept), cut)


def _kill(process: asyncio.subprocess.Process) -> None:
    """The whole group: what it started must not go on alone."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _limit(pid: int) -> None:
    """From outside: code of ours between fork and exec could hang on a lock of another thread."""
    if hasattr(resource, "prlimit"):
        with suppress(ProcessLookupError, PermissionError):
            resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (_FILE_BYTES, _FILE_BYTES))
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (_FILES, _FILES))


def words_of(ran: Ran, most: int = 4000) -> str:
    """The end of what it said, as text."""
    return ran.output[-most:].decode("utf-8", "replace").replace("\0", "")
