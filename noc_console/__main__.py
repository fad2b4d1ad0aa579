"""`noc-console`: from the command line to an exit code.

Owns the one place where an error becomes a line on stderr. Never shows a traceback unless NOC_DEBUG is set.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Entry point of `noc-console` and `python -m noc_console`."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """→ the exit code. `--version` is answered before anything else is imported: scripts ask it often."""
    if arguments in (["--version"], ["-V"]):
        from engine.version import VERSION

        print(f"noc-console {VERSION}")
        return 0
    from noc_console.commands.outcome import code_of

    try:
        code = _invoke(arguments)
        sys.stdout.flush()
        return code
    except BaseException as error:  # the boundary to the shell: everything becomes a line and a code
        if os.environ.get("NOC_DEBUG"):
            raise
        return code_of(error)


def _invoke(arguments: list[str]) -> int:
    """Run the command. Click's own `main` would turn a closed pipe into a plain failure; it only serves completion."""
    import click

    from noc_console.commands.root import cli

    if "_NOC_CONSOLE_COMPLETE" in os.environ:
        cli.main(arguments, prog_name="noc-console")
    try:
        with cli.make_context("noc-console", arguments) as context:
            result = cli.invoke(context)
    except click.exceptions.Exit as leave:
        return leave.exit_code
    return result if isinstance(result, int) else 0


if __name__ == "__main__":
    main()
