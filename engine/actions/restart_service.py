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
        options = (
            "BatchMode=yes",
            "StrictHostKeyChecking=yes",
            f"UserKnownHostsFile={settings.ssh_known_hosts}",
            "IdentitiesOnly=yes",
        )
        listed = [word for option in options for word in ("-o", option)]
        # A shell reads the words on the other side: the pattern leaves it nothing to read in them.
        remote = ["systemctl", "restart", "--", params.unit]
        login = ["-i", settings.ssh_key, "-p", str(settings.ssh_port), "-l", settings.ssh_user]
        return [settings.ssh, "-F", "/dev/null", *listed, *login, "--", params.host, *remote]

    async def run(self, act: Act, params: RestartParams) -> Done:
        try:
            command = self.command(params)
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


STEP = RestartService
