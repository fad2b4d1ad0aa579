"""restart_service: restart a unit of the list in the settings, on this machine or over ssh.

Argument lists only: program and options come from the settings, the unit and the host must be a pair that is listed
there. Never done twice: where nobody saw how it ended, people are asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta, Struct

from engine.effects import Around
from engine.playbooks.actions import Act, Done, Failed, Idempotency, Planned, Refusal, StepAction
from engine.playbooks.launcher import ARGUMENT, NotStarted, words_of
from engine.playbooks.ssh import BROKEN, Reached, over_ssh, ssh_command

#: Characters of ssh's log and the other side's output that are kept.
SAID = 4000


class RestartParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`host` "" is this machine."""

    unit: Annotated[str, Meta(min_length=1, max_length=128)]
    host: Annotated[str, Meta(max_length=253)] = ""


class RestartService(StepAction):
    name = "restart_service"
    words = "Restart a listed unit, here or on a listed host."
    params = RestartParams
    gives = frozenset({"code", "said"})
    free: frozenset[str] = frozenset()

    def __init__(self, around: Around) -> None:
        self._settings = around.settings.playbooks.restart
        self._listed = frozenset((service.unit, service.host) for service in self._settings.services)
        self._launch = around.launch
        self._user = around.settings.playbooks.programs.user

    def idempotency(self, params: Any) -> Idempotency:
        return Idempotency.UNSAFE

    def plan(self, params: RestartParams) -> Planned:
        self.command(params)
        place = params.host or "this machine"
        return Planned(targets=(f"{params.unit}@{params.host or 'local'}",), words=f"restart {params.unit} on {place}")

    def check(self, written: Mapping[str, Any]) -> None:
        unit, host = written.get("unit"), written.get("host")
        if not any(unit in (None, known) and host in (None, place) for known, place in self._listed):
            raise Refusal("no such service is listed", "list what may be restarted in [[playbooks.restart.services]]")

    def command(self, params: RestartParams) -> list[str]:
        """The argument list. Raises Refusal."""
        settings = self._settings
        for word in filter(None, (params.unit, params.host)):
            if not ARGUMENT.fullmatch(word):
                raise Refusal(f"{word!r} cannot be an argument", "use letters, digits and _ . @ : -")
        if (params.unit, params.host) not in self._listed:
            place = params.host or "this machine"
            raise Refusal(f"{params.unit} on {place} is not listed", "add it to [[playbooks.restart.services]]")
        if not params.host:
            return [settings.systemctl, "restart", "--", params.unit]
        if not (settings.ssh_user and settings.ssh_key and settings.ssh_known_hosts):
            raise Refusal("ssh is not set up", "set ssh_user, ssh_key and ssh_known_hosts in [playbooks.restart]")
        # The pattern leaves the shell of the other side nothing to read in them.
        return ssh_command(settings, params.host, ["systemctl", "restart", "--", params.unit])

    async def run(self, act: Act, params: RestartParams) -> Done:
        try:
            command = self.command(params)
            if params.host:
                reached = await over_ssh(self._launch, command, seconds=act.timeout_seconds, user=self._user)
                _check_line(reached)
                ran = reached.ran
            else:
                ran = await self._launch(command, seconds=act.timeout_seconds)
        except Refusal as error:
            raise Failed(str(error)) from error
        except NotStarted as error:
            raise Failed(str(error), again=True) from error
        if ran.code is None:
            raise Failed("it took too long", unseen=True)
        if ran.code:
            raise Failed(f"ended with {ran.code}", output={"code": ran.code, "said": words_of(ran)})
        return Done(output={"code": 0, "said": words_of(ran)})


def _check_line(reached: Reached) -> None:
    """Raises Failed when ssh did not get in, and nothing was begun, or when it did and the line broke."""
    if reached.ran.code not in (None, BROKEN):
        return
    output = {"code": reached.ran.code, "said": (reached.log + words_of(reached.ran))[-SAID:]}
    if reached.entered is False:
        why = reached.log.strip().splitlines()[-1][:200]
        raise Failed(f"ssh did not get in: {why}", again=not reached.turned_away, output=output)
    if reached.ran.code is None:
        raise Failed("it took too long", unseen=True, output=output)
    raise Failed("the line broke, or nobody can tell whether it was begun", unseen=True, output=output)


STEP = RestartService
