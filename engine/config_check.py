"""A tree as TOML gives it → checked settings, or one exact error.

Owns the meaning of unknown keys, wrong types, ranges, secrets and the rules between keys. Reads nothing but
the files and variables that secrets name. Never shows a value that stands where a secret should.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from datetime import date
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, get_args
from zoneinfo import ZoneInfo

import msgspec
from msgspec import NODEFAULT, Struct, ValidationError
from msgspec.structs import FieldInfo, fields

from data.matchers import MatcherError, parse_matchers
from data.query import QueryError
from data.query import parse as parse_query
from engine.config_shape import default_of, expected, is_list, is_struct, is_table, item_of, keys_of, plain
from engine.destinations import Forbidden, as_http, destination, listed_host
from engine.secret import Secret
from engine.settings import NotifySettings, Settings, SourceSettings, WebhookSettings

S = TypeVar("S", bound=Struct)

#: Sections of the product that belong to features which this version does not have.
LATER = frozenset({"fraud", "integrations"})
_SECRET_MAX_BYTES = 65_536
_MATCHERS = "write matchers like 'severity=\"critical\", site=~\"Harbour.*\"'"


class ConfigError(Exception):
    """`key` is the full dotted key, `reason` what is wrong with it, `remedy` what to write instead."""

    def __init__(self, key: str, reason: str, remedy: str, origin: str = "") -> None:
        super().__init__(key, reason, remedy)
        self.key, self.reason, self.remedy, self.origin = key, reason, remedy, origin

    def __str__(self) -> str:
        place = f" (from {self.origin})" if self.origin else ""
        return f"{self.key}{place}: {self.reason}; {self.remedy}"


class Surroundings(NamedTuple):
    """Where secrets are looked up: the environment, and the folder that relative paths start from."""

    environ: Mapping[str, str]
    folder: Path


def settings_of(tree: Mapping[str, Any], around: Surroundings) -> Settings:
    """Raises ConfigError for the first thing that is wrong."""
    settings = _struct(Settings, tree, "", around)
    for rule in _RULES:
        rule(settings)
    return settings


def unknown(key: str, known: Iterable[str]) -> ConfigError:
    """The error for a key that does not exist; its remedy names the closest one that does."""
    parent, _, name = key.rpartition(".")
    if not parent and name in LATER:
        return ConfigError(key, "this section is not part of this version", "remove it")
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    prefix = f"{parent}." if parent else ""
    remedy = f"did you mean {prefix}{close[0]}?" if close else f"known here: {', '.join(names)}"
    return ConfigError(key, "unknown key" if parent else "unknown section", remedy)


def _struct(struct: type[S], tree: object, key: str, around: Surroundings) -> S:
    if not isinstance(tree, Mapping):
        raise ConfigError(key, f"{_shown(tree)} is not a table", f"write [{key}] with its keys below")
    known = keys_of(struct)
    for name in tree:
        if name not in known:
            raise unknown(_join(key, name), known)
    return struct(**{entry.name: _field(entry, tree, key, around) for entry in fields(struct)})


def _field(entry: FieldInfo, tree: Mapping[str, Any], parent: str, around: Surroundings) -> Any:
    key, default = _join(parent, entry.encode_name), default_of(entry)
    if entry.encode_name in tree:
        return _value(entry.type, tree[entry.encode_name], key, around, default)
    if default is NODEFAULT:
        raise ConfigError(key, "is missing", f"write {expected(entry.type)}")
    return default


def _value(annotation: Any, value: Any, key: str, around: Surroundings, default: Any = NODEFAULT) -> Any:
    if is_struct(annotation):
        return _struct(plain(annotation), value, key, around)
    if plain(annotation) is Secret:
        return _secret(value, key, around)
    if is_table(annotation) and isinstance(value, Mapping):
        return {**(default if default is not NODEFAULT else {}), **_table(annotation, value, key, around)}
    if is_list(annotation) and isinstance(value, list):
        items = tuple(_value(item_of(annotation), item, f"{key}[{at}]", around) for at, item in enumerate(value))
        return items if is_struct(item_of(annotation)) else _leaf(annotation, list(items), key)
    return _leaf(annotation, value, key)


def _table(annotation: Any, value: Mapping[str, Any], key: str, around: Surroundings) -> dict[Any, Any]:
    kind = get_args(plain(annotation))[0]
    return {
        _leaf(kind, name, _join(key, name)): _value(item_of(annotation), item, _join(key, name), around)
        for name, item in value.items()
    }


def _leaf(annotation: Any, value: Any, key: str) -> Any:
    try:
        made = msgspec.convert(value, annotation)
    except ValidationError as error:
        raise ConfigError(key, f"{_shown(value)} is not accepted", f"must be {expected(annotation)}") from error
    if isinstance(made, float) and not math.isfinite(made):
        raise ConfigError(key, f"{made} is not accepted", f"must be {expected(annotation)}")
    return made


def _secret(value: object, key: str, around: Surroundings) -> Secret:
    remedy = 'write {env = "NAME"} or {file = "path"}'
    if isinstance(value, Secret):
        return value
    if not isinstance(value, Mapping) or len(value) != 1 or not isinstance(next(iter(value.values())), str):
        raise ConfigError(key, "a secret does not stand in the configuration itself", remedy)
    where, name = next(iter(value.items()))
    if where == "env":
        return _from_env(name, key, around)
    if where == "file":
        return _from_file(name, key, around)
    raise ConfigError(_join(key, where), "unknown key", remedy)


def _from_env(name: str, key: str, around: Surroundings) -> Secret:
    if not around.environ.get(name):
        raise ConfigError(key, f"the environment has no {name}", f"set {name} before the start")
    return Secret(around.environ[name], f"env {name}")


def _from_file(name: str, key: str, around: Surroundings) -> Secret:
    path = around.folder / Path(name).expanduser()
    try:
        with path.open("rb") as file:
            text = file.read(_SECRET_MAX_BYTES).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigError(key, f"cannot read {path}: {reason}", "create it, readable by this user only") from error
    if not text:
        raise ConfigError(key, f"{path} is empty", "write the secret into it")
    return Secret(text, f"file {path}")


def _join(parent: str, name: str) -> str:
    return f"{parent}.{name}" if parent else name


def _shown(value: object) -> str:
    text = repr(value) if not isinstance(value, bool) else str(value).lower()
    return text if len(text) <= 60 else text[:57] + "..."


def _listen(settings: Settings) -> None:
    listen = settings.listen
    if bool(listen.tls_cert) != bool(listen.tls_key):
        missing = "tls_key" if listen.tls_cert else "tls_cert"
        raise ConfigError(f"listen.{missing}", "is missing beside the other half", "give both, or neither")
    if not (is_loopback(listen.host) or listen.tls_cert or listen.insecure):
        raise ConfigError(
            "listen.host",
            f"{listen.host} can be reached from outside without TLS",
            "set listen.tls_cert and listen.tls_key, or behind a proxy that does it listen.insecure = true",
        )


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _clustering(settings: Settings) -> None:
    clustering = settings.clustering
    if clustering.suppress_above < clustering.join_at:
        raise ConfigError(
            "clustering.suppress_above",
            f"{clustering.suppress_above:g} is below clustering.join_at = {clustering.join_at:g}",
            "an alert must be in a cluster before it can be folded away: raise it, or lower join_at",
        )


def _flapping(settings: Settings) -> None:
    if settings.flapping.off >= settings.flapping.on:
        raise ConfigError(
            "flapping.off",
            f"{settings.flapping.off:g} is not below flapping.on = {settings.flapping.on:g}",
            "leave a gap between them, or flapping itself flaps",
        )


def _priority(settings: Settings) -> None:
    priority = settings.priority
    total = sum(getattr(priority.weights, name) for name in priority.weights.__struct_fields__)
    if not math.isclose(total, 100.0, abs_tol=0.01):
        raise ConfigError("priority.weights", f"they add up to {total:g}", "make them add up to 100")
    if priority.business_start_hour >= priority.business_end_hour:
        raise ConfigError(
            "priority.business_end_hour",
            f"{priority.business_end_hour:g} is not after business_start_hour = {priority.business_start_hour:g}",
            "let the day end after it starts",
        )
    _zone(priority.time_zone, "priority.time_zone")


def _zone(name: str, key: str) -> None:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        remedy = 'write one like "Europe/Berlin" or "UTC"'
        raise ConfigError(key, f"{name!r} is not a known time zone", remedy) from error


def _matchers(text: str, key: str) -> None:
    try:
        found = parse_matchers(text)
    except MatcherError as error:
        raise ConfigError(key, str(error), _MATCHERS) from error
    if not found:
        raise ConfigError(key, "holds no matcher", _MATCHERS)


def _patterns(settings: Settings) -> None:
    for at, rule in enumerate(settings.dedup.rules):
        _matchers(rule.match, f"dedup.rules[{at}].match")
    for at, inhibition in enumerate(settings.inhibition.rules):
        _matchers(inhibition.source, f"inhibition.rules[{at}].source")
        _matchers(inhibition.target, f"inhibition.rules[{at}].target")
    for at, folded in enumerate(settings.suppression.rules):
        _matchers(folded.match, f"suppression.rules[{at}].match")
    for at, window in enumerate(settings.suppression.maintenance):
        _matchers(window.match, f"suppression.maintenance[{at}].match")
        _zone(window.time_zone, f"suppression.maintenance[{at}].time_zone")


def _sources(settings: Settings) -> None:
    for name, source in settings.sources.items():
        key = f"sources.{name}"
        if not name or len(name) > 64 or not name.replace("-", "").replace("_", "").isalnum() or not name.isascii():
            raise ConfigError(key, "not a name that fits into a URL", "use letters, digits, - and _, at most 64")
        _prometheus(source, settings.notify, key)
        _websocket(source, settings.notify, key)
        for at, network in enumerate(source.allow):
            _network(network, f"{key}.allow[{at}]")
        if source.dedup == "text" and source.format != "generic":
            raise ConfigError(f"{key}.dedup", f"format {source.format} has labels", 'only format = "generic" has text')
        if source.mapping and source.format != "generic":
            raise ConfigError(f"{key}.mapping", f"format {source.format} has no mapping", 'only format = "generic" has')
        for part in ("token", "hmac"):
            if getattr(source, f"{part}_previous") and not getattr(source, part):
                raise ConfigError(f"{key}.{part}_previous", f"there is no {part} beside it", f"call it {part}")


def _prometheus(source: SourceSettings, notify: NotifySettings, key: str) -> None:
    if source.type != "prometheus":
        if source.format == "prometheus":
            raise ConfigError(f"{key}.format", f"a {source.type} sends no such body", 'set type = "prometheus" too')
        if source.queries:
            raise ConfigError(f"{key}.queries", f"a {source.type} has none", 'remove it, or set type = "prometheus"')
        return
    if source.format != "prometheus":
        raise ConfigError(f"{key}.format", f"a Prometheus gives no {source.format}", 'write format = "prometheus"')
    if not source.queries:
        raise ConfigError(f"{key}.queries", "there is nothing to ask", "write queries = {up = 'sum(up)'}")
    try:
        destination(
            source.url, allow_http=source.allow_http, allow_hosts=notify.allow_hosts, ports=notify.ports
        )
    except Forbidden as error:
        raise ConfigError(f"{key}.url", error.reason, error.remedy) from error


def _websocket(source: SourceSettings, notify: NotifySettings, key: str) -> None:
    if source.type == "prometheus":
        return
    if source.type != "websocket":
        if source.url:
            raise ConfigError(f"{key}.url", "a webhook has none", 'remove it, or set type = "websocket"')
        return
    if source.format != "cloudevents":
        raise ConfigError(f"{key}.format", f"a websocket sends no {source.format}", 'write format = "cloudevents"')
    if not source.url.startswith(("ws://", "wss://")):
        raise ConfigError(f"{key}.url", "is not the address of a websocket", 'write "wss://host/path"')
    try:
        destination(
            as_http(source.url), allow_http=source.allow_http, allow_hosts=notify.allow_hosts, ports=notify.ports
        )
    except Forbidden as error:
        raise ConfigError(f"{key}.url", error.reason, error.remedy) from error


def _metrics(settings: Settings) -> None:
    _zone(settings.metrics.time_zone, "metrics.time_zone")
    if settings.training.time_zone:
        _zone(settings.training.time_zone, "training.time_zone")


def _baselines(settings: Settings) -> None:
    given = settings.baselines
    if not given.z_floor <= given.z <= given.z_ceiling:
        raise ConfigError(
            "baselines.z",
            f"{given.z:g} is not between z_floor = {given.z_floor:g} and z_ceiling = {given.z_ceiling:g}",
            "put it between them",
        )


def _network(text: str, key: str) -> None:
    try:
        ip_network(text)
    except ValueError as error:
        raise ConfigError(key, str(error), 'write a network like "10.1.0.0/16" or one address') from error


def _notify(settings: Settings) -> None:
    notify = settings.notify
    for at, host in enumerate(notify.allow_hosts):
        if not listed_host(host):
            raise ConfigError(f"notify.allow_hosts[{at}]", f"{host!r} is not a host", 'write "host" or "host:port"')
    names: set[str] = set()
    for at, webhook in enumerate(notify.webhooks):
        key = f"notify.webhooks[{at}]"
        if webhook.name in names:
            raise ConfigError(f"{key}.name", f"{webhook.name!r} is there twice", "give each webhook its own name")
        names.add(webhook.name)
        _url(webhook, notify, f"{key}.url")
        try:
            parse_query(webhook.when)
        except QueryError as error:
            raise ConfigError(f"{key}.when", str(error), "write a query like 'severity>=high and site=LIS*'") from error


def _url(webhook: WebhookSettings, notify: NotifySettings, key: str) -> None:
    """The URL itself is not shown: many receivers' URLs are secrets."""
    try:
        destination(
            webhook.url, allow_http=webhook.allow_http, allow_hosts=notify.allow_hosts, ports=notify.ports
        )
    except Forbidden as error:
        raise ConfigError(key, error.reason, error.remedy) from error


def _calendar(settings: Settings) -> None:
    lists = {f"calendar.of_clients.{client}": days for client, days in settings.calendar.of_clients.items()}
    for key, days in {**lists, "calendar.holidays": settings.calendar.holidays}.items():
        for day in days:
            _day(day, key)


def _rotas(settings: Settings) -> None:
    names: set[str] = set()
    for at, rota in enumerate(settings.oncall.rotas):
        key = f"oncall.rotas[{at}]"
        if rota.name in names:
            raise ConfigError(f"{key}.name", f"{rota.name!r} is there twice", "give each rota its own name")
        names.add(rota.name)
        _zone(rota.time_zone, f"{key}.time_zone")
        _day(rota.starts, f"{key}.starts")
        for day in rota.holidays:
            _day(day, f"{key}.holidays.{day}")
    for name in ("tickets", "approvals"):
        given = getattr(settings.oncall, name)
        if given and given not in names:
            raise ConfigError(f"oncall.{name}", f"there is no rota {given!r}", _one_of(names, "rota"))


def _day(text: str, key: str) -> None:
    try:
        date.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(key, f"{text!r} is not a day of the calendar", "write one like 2026-12-25") from error


def _one_of(names: Iterable[str], what: str) -> str:
    known = ", ".join(sorted(names))
    return f"known: {known}" if known else f"add a {what} of that name"


def _policies(settings: Settings) -> None:
    rotas = {rota.name for rota in settings.oncall.rotas}
    names: set[str] = set()
    for at, policy in enumerate(settings.oncall.policies):
        key = f"oncall.policies[{at}]"
        if policy.name in names:
            raise ConfigError(f"{key}.name", f"{policy.name!r} is there twice", "give each policy its own name")
        names.add(policy.name)
        try:
            parse_query(policy.when)
        except QueryError as error:
            raise ConfigError(f"{key}.when", str(error), "write a query like 'severity>=high and site=LIS*'") from error
        _zone(policy.time_zone, f"{key}.time_zone")
        if (policy.quiet_from is None) is not (policy.quiet_until is None):
            missing = "quiet_until" if policy.quiet_until is None else "quiet_from"
            raise ConfigError(f"{key}.{missing}", "is missing beside the other half", "give both, or neither")
        if policy.quiet_from is not None and policy.quiet_from == policy.quiet_until:
            raise ConfigError(f"{key}.quiet_until", "is the same as quiet_from", "leave a time to be told in")
        for number, step in enumerate(policy.steps):
            for place, target in enumerate(step.notify):
                kind, _, name = target.partition(":")
                if kind == "rota" and name not in rotas:
                    where = f"{key}.steps[{number}].notify[{place}]"
                    raise ConfigError(where, f"there is no rota {name!r}", _one_of(rotas, "rota"))


def check_contacts(settings: Settings) -> None:
    """Raises ConfigError for the first way of `oncall.people` that leads nowhere."""
    webhooks = {webhook.name for webhook in settings.notify.webhooks}
    mail = settings.playbooks.mail
    for name, contact in settings.oncall.people.items():
        key = f"oncall.people.{name}"
        if contact.webhook and contact.webhook not in webhooks:
            reason = f"there is no webhook {contact.webhook!r}"
            raise ConfigError(f"{key}.webhook", reason, _one_of(webhooks, "webhook"))
        if contact.email and not mail.host:
            raise ConfigError(f"{key}.email", "there is no mail server", "set host and sender in [playbooks.mail]")
        if contact.email and contact.email not in mail.recipients:
            raise ConfigError(f"{key}.email", f"{contact.email!r} is not listed", "add it to playbooks.mail.recipients")


_RULES = (
    _listen, _clustering, _flapping, _priority, _patterns, _sources, _notify, _baselines, _metrics, _calendar, _rotas,
    _policies, check_contacts,
)  # fmt: skip
