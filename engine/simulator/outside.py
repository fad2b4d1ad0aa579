"""The simulated world as the outside of playbooks: it answers their requests and runs their programs.

Owns the addresses of its systems, the settings that lead playbooks there, and what a request or a program is in the
world (`SimulatorSource.act`). Everything before the last step is the product's own: which unit is listed, how a request
is made, what is refused. What an act really did is never told: playbooks see it by the alerts that go or stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from engine.effects import Outside
from engine.outbound import Answer, Outbound, Unreached
from engine.playbooks.launcher import MOST_SECONDS, NotStarted, Ran
from engine.playbooks.library import ALL
from engine.playbooks.settings import Endpoint, PlaybookSettings, RestartSettings, Service
from engine.simulator.places import PARK, SERVICES
from engine.simulator.source import SimulatorSource
from engine.simulator.world import sites_at

#: System → what it is asked to do, and the act that this is.
SYSTEMS: Mapping[str, Mapping[str, str]] = {
    "device-management": {"synchronise": "synchronise", "restart": "restart_service", "fail_over": "fail_over"},
    "field-service": {"visit": "maintain", "dispatch": "dispatch"},
    "workforce": {"stand_in": "assign"},
    "telephony": {"call": "call"},
    "help-desk": {"assign": "assign"},
    "access-control": {"lock": "configure"},
    "deployments": {"roll_back": "rollback"},
}
#: A name that nobody can have (RFC 2606).
_DOMAIN = "simulator.invalid"
#: The unit that is restarted on a device with an operating system.
AGENT = "agent.service"
_WITH_SYSTEM = ("switch", "gateway", "server")


def settings_for(scale: float) -> PlaybookSettings:
    """All shipped playbooks, on a simulated operation of this scale and nothing else."""
    return PlaybookSettings(
        shipped=(ALL,),
        restart=RestartSettings(
            services=tuple(_services(scale)),
            ssh_user="noc",
            ssh_key="/simulated/key",
            ssh_known_hosts="/simulated/known_hosts",
        ),
        endpoints=tuple(
            Endpoint(name=name, url=f"https://{name}.{_DOMAIN}/acts", methods=("PUT",)) for name in SYSTEMS
        ),
    )


def _services(scale: float) -> Iterator[Service]:
    for name in SERVICES:
        yield Service(unit=f"{name}.service")
    for site in sites_at(scale):
        for kind in _WITH_SYSTEM:
            for number in range(PARK[kind]):
                yield Service(unit=AGENT, host=f"{site}-{kind}-{number + 1}")


def outside_of(source: SimulatorSource) -> Outside:
    return Outside(outbound=_Requests(source), launch=_Programs(source))


class _Requests(Outbound):
    """The systems of the operation; nothing leaves this process."""

    def __init__(self, source: SimulatorSource) -> None:
        super().__init__()
        self._source = source

    async def request(
        self, method: str, url: str, *, body: bytes = b"", headers: Mapping[str, str], allow_http: bool = False
    ) -> Answer:
        """Raises Unreached while the world does not stand still, and for every address that is not of it."""
        system = url.removeprefix("https://").partition(f".{_DOMAIN}/")[0]
        if system not in SYSTEMS:
            raise Unreached("there is nothing but the simulation here")
        if not self._source.at_rest:
            raise Unreached(f"{system} is catching up")
        return _answered(*self._judged(system, body))

    def _judged(self, system: str, body: bytes) -> tuple[int, str]:
        try:
            asked: Any = msgspec.json.decode(body)
            kind, target = SYSTEMS[system].get(asked["do"]), asked["target"]
        except (msgspec.DecodeError, KeyError, TypeError):
            return 400, "do and target are needed"
        if kind is None or not isinstance(target, str):
            return 422, f"{system} does not do that"
        if not self._source.knows(target):
            return 404, "nothing of this name is known"
        self._source.act(kind, target)
        return 202, "accepted"


def _answered(status: int, words: str) -> Answer:
    return Answer(status, {"content-type": "application/json"}, msgspec.json.encode({"said": words}), cut=False)


class _Programs:
    """`systemctl restart -- UNIT`, here or over ssh; nothing is started."""

    def __init__(self, source: SimulatorSource) -> None:
        self._source = source

    async def __call__(self, command: Sequence[str], *, seconds: float = MOST_SECONDS) -> Ran:
        """Raises NotStarted while the world does not stand still."""
        if not self._source.at_rest:
            raise NotStarted("the simulation is catching up")
        target = restarted(command)
        if not target or not self._source.knows(target):
            return Ran(code=1, output=b"nothing of this name is here\n", cut=False)
        self._source.act("restart_service", target)
        return Ran(code=0, output=b"", cut=False)


def restarted(command: Sequence[str]) -> str:
    """What this argument list restarts: a service of the platform here, a device over ssh; "" for any other."""
    words = list(command)
    if words[1:3] == ["restart", "--"] and len(words) == 4:
        return words[3].removesuffix(".service")
    if words[-4:] == ["systemctl", "restart", "--", AGENT] and words[-6:-5] == ["--"]:
        return words[-5]
    return ""
