"""`noc-console config`: what is in force, whether it is right, and what could be set."""

from __future__ import annotations

import click

from noc_console.commands.start import Start, examples


@click.group("config", epilog=examples("config check", "config default > noc.toml", "--config noc.toml config show"))
def command() -> None:
    """Show, check or write the configuration."""


@command.command("show", epilog=examples("config show"))
@click.pass_obj
def show(start: Start) -> None:
    """Print what is in force as TOML; secrets as where they come from."""
    from engine.config_text import toml_of

    click.echo(toml_of(start.settings()), nl=False)


@command.command("check", epilog=examples("config check", "--config /etc/noc/noc.toml config check"))
@click.pass_obj
def check(start: Start) -> None:
    """Read everything, secrets too, and say whether an engine would start with it."""
    from engine.config import find

    start.settings()
    file = find(start.config, start.environ())
    click.echo(f"OK  {file or 'no file, defaults only (noc-console config default > noc.toml writes one)'}")


@command.command("default", epilog=examples("config default > noc.toml"))
def default() -> None:
    """Print every key with its default, meaning and range."""
    from engine.config_text import default_toml

    click.echo(default_toml(), nl=False)
