"""Causes by the name that scenarios and truth records call them."""

from __future__ import annotations

from engine.simulator.causes.cause import Cause, Models
from engine.simulator.causes.firmware import BadFirmware
from engine.simulator.causes.intrusion import Intrusion
from engine.simulator.causes.network import RegionOutage, SwitchHang
from engine.simulator.causes.people import Illness, Weather
from engine.simulator.causes.power import PowerOutage
from engine.simulator.causes.services import ServiceFailure

KINDS: dict[str, type[Cause]] = {
    kind.kind: kind
    for kind in (
        PowerOutage, SwitchHang, RegionOutage, Weather, Illness, BadFirmware, Intrusion, ServiceFailure,
    )
}  # fmt: skip

__all__ = ["KINDS", "Cause", "Models"]
