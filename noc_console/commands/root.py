"""The root command: the list of commands, the options they share, and the console when none is named."""

from __future__ import annotations

import difflib
from importlib import import_module
from typing import ClassVar

import click

from engine.version import VERSION
from noc_console.commands.outcome import EXIT_CODES
from noc_console.commands.start import Start, examples, listen_option, store_option


class Commands(click.Group):
    """Imports a command's module when it is asked for."""

    MODULES: ClassVar[dict[str, str]] = {
        "attach": "attach",
        "audit": "audit",
        "completion": "completion",
        "config": "config",
        "db": "db",
        "demo": "demo",
        "doctor": "doctor",
        "evaluate": "evaluate",
        "export": "export",
        "headless": "headless",
        "model": "model",
        "playbook": "playbook",
        "query": "query",
        "replay": "replay",
        "token": "token",
        "train": "train",
    }

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.MODULES:
            return None
        command = import_module(f"noc_console.commands.{self.MODULES[cmd_name]}").command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in self.MODULES and not name.startswith("-"):
            close = difflib.get_close_matches(name, self.MODULES, n=1)
            remedy = f"did you mean {close[0]}?" if close else f"there are: {', '.join(self.MODULES)}"
            raise click.UsageError(f"no command {name!r}; {remedy}", ctx)
        return super().resolve_command(ctx, args)


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=examples("", "--data-dir ~/noc --theme light", "headless --listen 127.0.0.1:8099") + f"\n\n\b\n{EXIT_CODES}",
)
@click.version_option(VERSION, "-V", "--version", message="noc-console %(version)s")
@click.option("--config", metavar="FILE", help="Configuration, instead of the ones searched.")
@store_option
@listen_option
@click.option("--theme", metavar="NAME", help="dark, light, high-contrast, colour-blind or mono.")
@click.option("--readonly", is_flag=True, help="Look, but change nothing.")
@click.option("--ascii", "ascii_only", is_flag=True, help="Draw with ASCII only.")
@click.option("--no-mouse", is_flag=True, help="Leave the mouse to the terminal.")
@click.option("--slow", is_flag=True, help="For links under 60 KB/s: one frame every two seconds.")
@click.pass_context
def cli(  # noqa: PLR0913, PLR0917 - one parameter per option
    ctx: click.Context,
    config: str | None,
    data_dir: str | None,
    listen: tuple[str, int] | None,
    insecure: bool,
    theme: str | None,
    readonly: bool,
    ascii_only: bool,
    no_mouse: bool,
    slow: bool,
) -> int:
    """The NOC console: alerts in, ranked incidents out.

    Without a command: the console, with the engine inside, listening on 127.0.0.1:8099.
    """
    start = Start(config).with_store(data_dir).with_listen(listen, insecure).with_theme(theme)
    ctx.obj = start
    if ctx.invoked_subcommand is not None:
        return 0
    from noc_console.commands.console import Look, open_console

    return open_console(start, Look(readonly=readonly, ascii=ascii_only, mouse=not no_mouse, slow=slow))
