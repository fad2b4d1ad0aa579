"""`/metrics`, and whether the engine is up and ready.

Owns the line that names us an Alertmanager (tools read our API's version from it) and the health answers. The
engine's own counters are rendered by prometheus_client from its registry.
"""

from __future__ import annotations

import platform

from engine.alertmanager_view import ALERTMANAGER_VERSION
from engine.api.context import Api
from engine.api.wire import TEXT, Reply, Request

_EXPOSITION = b"text/plain; version=0.0.4; charset=utf-8"


def render(registry: object) -> bytes:
    """A prometheus_client registry as text. The import waits for the first scrape."""
    from prometheus_client import CollectorRegistry, generate_latest

    assert isinstance(registry, CollectorRegistry)
    return generate_latest(registry)


def build_info() -> bytes:
    labels = f'version="{ALERTMANAGER_VERSION}",revision="",branch="",goversion="python{platform.python_version()}"'
    return (
        "# HELP alertmanager_build_info The Alertmanager API that is served here.\n"
        "# TYPE alertmanager_build_info gauge\n"
        f"alertmanager_build_info{{{labels}}} 1\n"
    ).encode()


async def metrics(api: Api, request: Request) -> Reply:
    return Reply(200, build_info() + api.metrics(), _EXPOSITION)


async def healthy(api: Api, request: Request) -> Reply:
    return Reply(200, b"OK", TEXT)


async def ready(api: Api, request: Request) -> Reply:
    """200 while input can be taken; 503 while loading, lagging, or with the store down."""
    wait = api.service.accepting()
    if wait is None:
        return Reply(200, b"OK", TEXT)
    return Reply(503, b"Not ready", TEXT, ((b"retry-after", str(max(1, round(wait))).encode()),))
