"""The senders that the configuration names, ready to be checked against.

Owns the way from `engine.settings.SourceSettings` to what intake asks of a source. Never reads a request's body.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from engine.api.peers import is_loopback
from engine.formats.intake import FieldMapping, IntakeSettings
from engine.masking.templates import Miner
from engine.ports import Format
from engine.secret import Secret
from engine.settings import Settings, SourceSettings
from engine.stages.normalise import IntakeRules

#: Webhooks that a loopback listener knows without configuration; the name is also the format's.
LOCAL = ("alertmanager", "grafana", "pagerduty", "generic", "cloudevents")

#: Formats whose senders drop a notice on any 4xx but try again on 5xx.
RETRY_ONLY_5XX = frozenset({"webhook_v4", "grafana"})

#: The configuration's name of a webhook body → the format's, where they differ.
_FORMAT_NAMES = {"alertmanager": "webhook_v4"}


class WebhookSource(Struct, frozen=True, kw_only=True):
    """One sender. `tokens` and `secrets` hold the live value and, during a change-over, the one before it."""

    name: str
    format: Format
    settings: IntakeSettings
    tokens: tuple[Secret, ...] = ()
    secrets: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    rate: float | None = None

    @property
    def overload_status(self) -> int:
        return 503 if self.format.name in RETRY_ONLY_5XX else 429


def build_sources(settings: Settings, formats: Mapping[str, Format], rules: IntakeRules) -> dict[str, WebhookSource]:
    """Name → source: the configured ones, and on a loopback listener those of `LOCAL` that are not configured.

    `formats` is the registry of formats by name.
    """
    found: dict[str, WebhookSource] = {}
    if is_loopback(settings.listen.host):
        for name in LOCAL:
            found[name] = WebhookSource(name=name, format=_format(name, formats), settings=IntakeSettings(rules=rules))
    for name, given in settings.sources.items():
        if given.type != "webhook":
            continue
        found[name] = _source(name, given, formats, rules)
    return found


def _source(name: str, given: SourceSettings, formats: Mapping[str, Format], rules: IntakeRules) -> WebhookSource:
    return WebhookSource(
        name=name,
        format=_format(given.format, formats),
        settings=IntakeSettings(
            rules=rules, mapping=field_mapping(given.mapping), text=Miner() if given.dedup == "text" else None
        ),
        tokens=_live(given.token, given.token_previous),
        secrets=tuple(secret.reveal() for secret in _live(given.hmac, given.hmac_previous)),
        networks=given.allow,
        rate=given.rate,
    )


def _format(name: str, formats: Mapping[str, Format]) -> Format:
    return formats[_FORMAT_NAMES.get(name, name)]


def field_mapping(fields: Mapping[str, str]) -> FieldMapping:
    paths: dict[str, Any] = {field: (path,) for field, path in fields.items() if field != "items"}
    return FieldMapping(items=fields.get("items", ""), fields=paths)


def _live(*secrets: Secret | None) -> tuple[Secret, ...]:
    return tuple(secret for secret in secrets if secret)
