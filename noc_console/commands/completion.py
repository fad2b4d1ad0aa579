"""`noc-console completion`: the script that makes a shell complete commands and options."""

from __future__ import annotations

import click

from noc_console.commands.start import examples


@click.command(
    "completion",
    epilog=examples(
        "completion bash > ~/.local/share/bash-completion/completions/noc-console", "completion fish | source"
    ),
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion script of SHELL."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(ctx.find_root().command, {}, "noc-console", "_NOC_CONSOLE_COMPLETE").source())
