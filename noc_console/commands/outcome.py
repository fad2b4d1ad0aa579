"""How a command ends: exit codes, and one line with the cure for whatever went wrong.

Owns the translation of errors. Never prints a traceback and never prints text from outside unescaped.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from errno import EADDRINUSE

import click

OK, FAILED, USAGE, UNREACHABLE, REFUSED, STORE, INTERRUPTED, PIPE = 0, 1, 2, 3, 4, 5, 130, 141

EXIT_CODES = """\
Exit codes:
  0    done
  1    failed; the line on stderr says why and what to do
  2    the command line or the configuration is wrong
  3    no engine answers there
  4    the engine refused: not allowed, or not understood
  5    the database cannot be used (locked, full, read-only, damaged)
  130  interrupted by Ctrl-C
  141  whoever read the output went away"""


class Failure(click.ClickException):
    """What went wrong and the remedy, in one line."""

    def __init__(self, message: str, code: int = FAILED) -> None:
        super().__init__(message)
        self.code = code


def code_of(error: BaseException) -> int:
    """Print one line for the error and give its exit code."""
    for kind, words in _WORDS.items():
        if isinstance(error, kind):
            return words(error)
    return _named(error)


def _click(error: BaseException) -> int:
    assert isinstance(error, click.ClickException)
    context = getattr(error, "ctx", None)
    hint = f" (see {context.command_path} --help)" if context is not None else ""
    return _say(error.format_message() + hint, error.code if isinstance(error, Failure) else error.exit_code)


def _interrupted(_: BaseException) -> int:
    return _say("interrupted", INTERRUPTED)


def _pipe(_: BaseException) -> int:
    # The interpreter flushes stdout once more at exit; that must not fail a second time.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return PIPE


def _system(error: BaseException) -> int:
    assert isinstance(error, OSError)
    place = f"{error.filename}: " if error.filename else ""
    remedy = "; --listen 127.0.0.1:0 takes a free port" if error.errno == EADDRINUSE else ""
    return _say(f"{place}{error.strerror or error}{remedy}", FAILED)


def _named(error: BaseException) -> int:
    """Errors of the product, told by module and name so that nothing heavy is imported to ask."""
    kinds = {f"{kind.__module__}.{kind.__name__}" for kind in type(error).__mro__}
    for name, code in _NAMED.items():
        if name in kinds:
            remedy = getattr(error, "remedy", "")
            text = str(error)
            remedy = remedy or _REMEDIES.get(code, "")
            return _say(f"{text or name}; {remedy}" if remedy and remedy not in text else text or name, code)
    return _say(f"internal error: {type(error).__name__}: {error}; set NOC_DEBUG=1 to see where", FAILED)


def _say(text: str, code: int) -> int:
    from noc_console.safe_text import safe_text

    print(f"noc-console: {safe_text(' '.join(text.split()))}", file=sys.stderr)
    return code


def _left(error: BaseException) -> int:
    assert isinstance(error, SystemExit)
    return error.code if isinstance(error.code, int) else FAILED if error.code else OK


_WORDS: dict[type[BaseException], Callable[[BaseException], int]] = {
    click.ClickException: _click,
    click.Abort: _interrupted,
    SystemExit: _left,
    KeyboardInterrupt: _interrupted,
    BrokenPipeError: _pipe,
    OSError: _system,
}

_NAMED = {
    "engine.config_check.ConfigError": USAGE,
    "engine.client.Unreachable": UNREACHABLE,
    "engine.client.Refused": REFUSED,
    "engine.api.server.ListenRefused": USAGE,
    "engine.presence.AlreadyRunning": STORE,
    "data.ports.StoreError": STORE,
}

#: What to do where the error itself does not say.
_REMEDIES = {UNREACHABLE: "is an engine running there? `noc-console headless` starts one"}
