"""Sources that fetch: the engine goes out and listens. What is sent to it comes in by `engine.api`.

Owns the list of those that the configuration names.
"""

from __future__ import annotations

from collections.abc import Mapping

from data.records import TenantId
from engine.formats.intake import IntakeSettings
from engine.ports import Clock, Source
from engine.settings import Settings
from engine.stages.normalise import IntakeRules


def configured(settings: Settings, clock: Clock, rules: IntakeRules) -> list[Source]:
    """The sources of `[sources.*]` that connect out, ready to run."""
    from engine.outbound import Outbound
    from engine.sources.prometheus import PrometheusSource
    from engine.sources.websocket import WebSocketSource

    tenant = TenantId(settings.engine.tenant)
    found: list[Source] = []
    headers: Mapping[str, str]
    for name, given in settings.sources.items():
        if given.type == "websocket":
            headers = {"Authorization": f"Bearer {given.token.reveal()}"} if given.token is not None else {}
            found.append(
                WebSocketSource(
                    name,
                    given.url,
                    tenant=tenant,
                    clock=clock,
                    settings=IntakeSettings(rules=rules),
                    headers=headers,
                    allow_http=given.allow_http,
                    allow_hosts=settings.notify.allow_hosts,
                    ports=settings.notify.ports,
                )
            )
        elif given.type == "prometheus":
            headers = {"Authorization": f"Bearer {given.token.reveal()}"} if given.token is not None else {}
            found.append(
                PrometheusSource(
                    name,
                    given.url,
                    queries=given.queries,
                    every=given.every,
                    tenant=tenant,
                    clock=clock,
                    outbound=Outbound(allow_hosts=settings.notify.allow_hosts, ports=settings.notify.ports),
                    headers=headers,
                    allow_http=given.allow_http,
                )
            )
    return found
