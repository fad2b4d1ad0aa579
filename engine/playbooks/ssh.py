"""One command over ssh, and how far it came.

ssh ends with 255 when it never got in, and also when the line broke while the other side was at work. Its own log tells
the two apart: a file of its own, in which nothing stands that the other side printed, and which names the login. Owns
the options and the log. Decides nothing about another try.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from shutil import chown
from typing import NamedTuple

from engine.playbooks.launcher import Launch, Ran
from engine.playbooks.settings import RestartSettings

#: What ssh ends with for reasons of its own; programs of the other side seldom do.
BROKEN = 255
_LOG_CHARS = 4000
_READ_BYTES = 1024 * 1024
_ENTERED = "Authenticated to "
#: Another try would come to the same.
_TURNED_AWAY = ("Permission denied", "Host key verification failed", "Too many authentication failures")


class Reached(NamedTuple):
    """`entered`: whether it was logged in, so that the command may have begun; None: nobody can tell. `log`: ssh's."""

    ran: Ran
    entered: bool | None
    log: str

    @property
    def turned_away(self) -> bool:
        return any(words in self.log for words in _TURNED_AWAY)


def ssh_command(settings: RestartSettings, host: str, words: Sequence[str]) -> list[str]:
    """The argument list that runs these words on the host. A shell reads them there: they must be plain."""
    options = (
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        f"UserKnownHostsFile={settings.ssh_known_hosts}",
        "IdentitiesOnly=yes",
        "LogLevel=VERBOSE",
    )
    listed = [word for option in options for word in ("-o", option)]
    login = ["-i", settings.ssh_key, "-p", str(settings.ssh_port), "-l", settings.ssh_user]
    return [settings.ssh, "-F", "/dev/null", *listed, *login, "--", host, *words]


async def over_ssh(launch: Launch, command: Sequence[str], *, seconds: float, user: str = "") -> Reached:
    """Run what `ssh_command` gave, as `user` where programs run as another one. Raises NotStarted."""
    with tempfile.TemporaryDirectory(prefix="noc-ssh-") as folder:
        path = _empty(Path(folder), user)
        ran = await launch([command[0], "-E", str(path), *command[1:]], seconds=seconds)
        whole, is_cut = _read(path)
    log = whole[-_LOG_CHARS:]
    if _ENTERED in whole:
        return Reached(ran, True, log)
    # A log that holds nothing may be one that could not be written, and in one without end it may stand further on.
    return Reached(ran, False if log.strip() and not is_cut else None, log)


def _empty(folder: Path, user: str) -> Path:
    path = folder / "log"
    path.touch(mode=0o600)
    if user:
        with suppress(LookupError, OSError):
            chown(path, user)
            folder.chmod(0o711)
    return path


def _read(path: Path) -> tuple[str, bool]:
    """The log, and whether there is more of it than is read."""
    try:
        with path.open("rb") as file:
            content = file.read(_READ_BYTES)
            is_cut = bool(file.read(1))
    except OSError:
        return "", False
    return content.decode("utf-8", "replace").replace("\0", ""), is_cut
