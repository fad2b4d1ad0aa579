"""`noc-console doctor`: whether this machine, terminal and configuration will do; each line OK or what to do."""

from __future__ import annotations

import click

from noc_console.commands.outcome import Failure
from noc_console.commands.start import Start, examples


@click.command(
    "doctor",
    short_help="What to fix on this machine.",
    epilog=examples("doctor", "--config /etc/noc/noc.toml doctor"),
)
@click.pass_obj
def command(start: Start) -> None:
    """Check terminal, configuration, disk, database, port and sources; exit 1 when something is to be done."""
    from noc_console.commands.checks import findings

    wrong = 0
    for finding in findings(start):
        click.echo(f"{'OK ' if finding.ok else 'DO '} {finding.what:<14} {finding.words}")
        wrong += not finding.ok
    if wrong:
        raise Failure(f"{wrong} to be done")
