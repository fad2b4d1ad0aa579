"""The name of the user who runs this process: acts of the console and of unnamed local callers stand under it."""

from __future__ import annotations

import getpass

UNKNOWN = "operator"


def login_name() -> str:
    """The login's name; "operator" where the system knows none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return UNKNOWN
