"""`noc-console headless`: the engine alone."""

from __future__ import annotations

import click

from noc_console.commands.start import Start, examples, listen_option, store_option


@click.command(
    "headless",
    short_help="The engine without a screen.",
    epilog=examples(
        "headless",
        "headless --listen 127.0.0.1:8099 --data-dir /var/lib/noc",
        "--config /etc/noc/noc.toml headless",
    ),
)
@listen_option
@store_option
@click.pass_obj
def command(start: Start, data_dir: str | None, listen: tuple[str, int] | None, insecure: bool) -> None:
    """Run the engine without a screen. SIGTERM drains and exits 0, SIGHUP reads the configuration again."""
    start = start.with_store(data_dir).with_listen(listen, insecure)
    from engine.serve import serve

    serve(start.settings, say=lambda line: click.echo(line, err=True))
