"""`noc-console attach`: the console on an engine that runs elsewhere."""

from __future__ import annotations

import click

from noc_console.commands.connection import checked_url, token_of
from noc_console.commands.console import Look, attach, check_terminal
from noc_console.commands.start import Start, examples


@click.command(
    "attach",
    short_help="Console on a running engine.",
    epilog=examples("attach http://127.0.0.1:8099", "attach https://noc.example:8099 --token-file ~/.noc-token"),
)
@click.argument("url")
@click.option("--token-file", metavar="FILE", help="File with the token; else the variable NOC_TOKEN.")
@click.option("--theme", metavar="NAME", help="dark, light, high-contrast, colour-blind or mono.")
@click.option("--readonly", is_flag=True, help="Look, but change nothing.")
@click.option("--ascii", "ascii_only", is_flag=True, help="Draw with ASCII only.")
@click.option("--no-mouse", is_flag=True, help="Leave the mouse to the terminal.")
@click.option("--slow", is_flag=True, help="For links under 60 KB/s: one frame every two seconds.")
@click.pass_obj
def command(
    start: Start,
    url: str,
    *,
    token_file: str | None,
    theme: str | None,
    readonly: bool,
    ascii_only: bool,
    no_mouse: bool,
    slow: bool,
) -> int:
    """Open the console on the engine at URL; it reconnects, and shows old data as old."""
    address, token, settings = checked_url(url), token_of(token_file, start), start.with_theme(theme).settings()
    look = Look(readonly=readonly, ascii=ascii_only, mouse=not no_mouse, slow=slow)
    check_terminal(look)
    return attach(address, token, settings.console, look)
