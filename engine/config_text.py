"""Settings → TOML that `config.load` takes back unchanged.

Secrets are written as where they come from, never as what they are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import fields

from engine.config_shape import description, expected, is_struct, item_of
from engine.secret import Secret
from engine.settings import Settings

_SOURCE_EXAMPLE = """\
# [sources.grafana]                    # POST to /ingest/webhook/grafana
# format = "grafana"
# token = {env = "NOC_GRAFANA_TOKEN"}  # or {file = "grafana.token"}
# allow = ["10.1.0.0/16"]

# [[dedup.rules]]
# match = 'alertname="DiskFull"'
# labels = ["host", "mountpoint"]

# [[inhibition.rules]]
# source = 'alertname="SiteDown"'
# target = 'severity=~"high|medium|low"'
# equal = ["site"]

# [[suppression.maintenance]]
# name = "weekly patching"
# match = 'site="Depot 11"'
# days = ["sun"]
# start = "02:00"
# end = "04:00"
# time_zone = "Europe/Berlin"

# [[notify.webhooks]]
# name = "tickets"
# url = "https://tickets.example/hooks/noc"
# when = "severity>=high"
# on = ["opened", "severity_rose", "resolved"]
# secret = {env = "NOC_TICKETS_SECRET"}
"""


def toml_of(settings: Settings) -> str:
    """What is in force."""
    return "\n".join(_lines(settings, "", explain=False)).lstrip("\n") + "\n"


def default_toml() -> str:
    """Every key with its default, its meaning and its range; the repeatable tables as comments."""
    return "\n".join(_lines(Settings(), "", explain=True)).lstrip("\n") + "\n\n" + _SOURCE_EXAMPLE


def _lines(struct: Struct, key: str, *, explain: bool) -> Iterator[str]:
    entries = [(entry, getattr(struct, entry.name)) for entry in fields(struct)]
    # An empty list of tables is left out: written as [] it would forbid to add [[tables]] below.
    entries = [(entry, value) for entry, value in entries if value or not is_struct(item_of(entry.type))]
    for entry, value in entries:
        if not _nested(value) and value is not None:
            note = _note(entry.type) if explain else ""
            yield f"{entry.encode_name} = {_value(value)}{note}"
    for entry, value in entries:
        if _nested(value):
            yield from _tables(value, f"{key}.{entry.encode_name}" if key else entry.encode_name, explain=explain)


def _nested(value: object) -> bool:
    if isinstance(value, Struct):
        return True
    items = list(value.values()) if isinstance(value, dict) else value
    if isinstance(items, (tuple, list)):
        return bool(items) and isinstance(items[0], Struct)
    return False


def _tables(value: Any, key: str, *, explain: bool) -> Iterator[str]:
    if isinstance(value, Struct):
        yield from (("", f"[{key}]") if _has_own(value) else ())
        yield from _lines(value, key, explain=explain)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _tables(item, f"{key}.{_key(name)}", explain=explain)
    else:
        for item in value:
            yield from ("", f"[[{key}]]")
            yield from _lines(item, key, explain=explain)


def _has_own(struct: Struct) -> bool:
    # Own keys come first; every table below starts with an empty line.
    return bool(next(_lines(struct, "", explain=False), ""))


def _note(annotation: Any) -> str:
    words = "; ".join(part for part in (description(annotation), expected(annotation)) if part)
    return f"  # {words}"


def _value(value: Any) -> str:
    if isinstance(value, Secret):
        where, _, name = value.origin.partition(" ")
        return f"{{{where} = {_text(name)}}}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(name)} = {_value(item)}" for name, item in value.items()) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return _text(value) if isinstance(value, str) else repr(value)


def _text(value: str) -> str:
    # JSON's escapes are a subset of TOML's, but for DEL, which JSON writes as it is and TOML forbids.
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if name and name.isascii() and name.replace("-", "").replace("_", "").isalnum() else _text(name)
