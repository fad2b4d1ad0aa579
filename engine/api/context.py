"""What every handler may use.

Owns nothing: holds the parts that `engine.api.server.serve` put together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from msgspec import Struct

from engine.alertmanager_view import AlertBoard
from engine.api.body import BodyReader
from engine.api.gate import Gate
from engine.api.intake import Intake
from engine.api.routes import Routes
from engine.api.sources import WebhookSource
from engine.formats.intake import IntakeSettings
from engine.ports import Format
from engine.service import Service
from engine.settings import Settings


class Api(Struct, frozen=True, kw_only=True):
    """The parts. `metrics` renders the engine's own counters as Prometheus text. `version` is the product's.
    `board` keeps alerts as the Alertmanager API shows them."""

    service: Service
    settings: Settings
    gate: Gate
    intake: Intake
    bodies: BodyReader
    routes: Routes
    sources: Mapping[str, WebhookSource]
    formats: Mapping[str, Format]
    alert_format: Format
    intake_settings: IntakeSettings
    metrics: Callable[[], bytes]
    version: str
    started_at: datetime
    board: AlertBoard
