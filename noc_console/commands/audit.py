"""`noc-console audit`: proof that no act was changed afterwards."""

from __future__ import annotations

from pathlib import Path

import click

from noc_console.commands.outcome import STORE, Failure
from noc_console.commands.start import Start, examples, store_option


@click.group("audit", epilog=examples("audit verify"))
def command() -> None:
    """Check the tamper-evident audit."""


@command.command("verify", epilog=examples("audit verify", "audit verify --data-dir /var/lib/noc"))
@store_option
@click.pass_obj
def verify(start: Start, data_dir: str | None) -> None:
    """Recompute the hash chain over every act. Acts cut off at the end do not show: keep the last hash elsewhere."""
    from data.audit import verify_audit

    folder = Path(start.with_store(data_dir).settings().store.data_dir)
    bad = verify_audit(folder)
    if bad is not None:
        raise Failure(f"the audit was changed at {bad}: acts before it hold, it and later ones do not", STORE)
    click.echo("OK  the chain holds")
