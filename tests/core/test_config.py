"""Configuration: defaults, search order, overrides, secrets, and errors that name the key and the cure."""

from __future__ import annotations

import json
import pickle
import tomllib
from pathlib import Path

import msgspec
import pytest

from data.records import Severity
from engine.config import ConfigError, data_dir, diff, find, load, reload
from engine.config_text import default_toml, toml_of
from engine.secret import MASK, Secret, masked
from engine.settings import WEEKDAYS, Settings


def write(folder: Path, text: str) -> Path:
    path = folder / "noc.toml"
    path.write_text(text, "utf-8")
    return path


def failure(folder: Path, text: str, environ: dict[str, str] | None = None) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(write(folder, text), environ or {})
    return caught.value


def test_defaults_are_the_documented_numbers() -> None:
    settings = Settings()
    assert (settings.listen.host, settings.listen.port) == ("127.0.0.1", 8099)
    assert settings.engine.batch_max == 256
    assert settings.engine.resolve_timeout_seconds == 300
    assert (settings.store.synchronous, settings.store.reserve_mib) == ("full", 64)
    clustering = settings.clustering
    assert (clustering.join_at, clustering.suppress_above, clustering.window_minutes) == (0.75, 0.90, 30)
    assert (clustering.cap_alerts, clustering.cap_hours) == (500, 24)
    assert (settings.flapping.window, settings.flapping.on, settings.flapping.off) == (20, 0.30, 0.25)
    assert (settings.limits.body_max_bytes, settings.limits.labels_max) == (524288, 64)
    assert settings.limits.batch_body_max_bytes >= 10_000 * 530
    assert settings.console.refresh_hz == 2.0


def test_the_line_compiles_its_rules_from_the_defaults() -> None:
    from engine.rules import compile_rules

    rules = compile_rules(Settings())
    assert (rules.join_at, rules.window_seconds, rules.cap_seconds) == (0.75, 1800, 86400)
    assert rules.business_days == frozenset(range(5))


def test_default_text_reads_back_as_the_defaults(tmp_path: Path) -> None:
    loaded = load(write(tmp_path, default_toml()), {})
    assert msgspec.structs.replace(loaded, store=Settings().store) == Settings()


def test_examples_in_the_default_text_are_valid(tmp_path: Path) -> None:
    example = default_toml().split("\n\n# [sources", 1)[1]
    text = "[sources" + example.replace("\n# ", "\n")
    settings = load(write(tmp_path, text), {"NOC_GRAFANA_TOKEN": "geheim", "NOC_TICKETS_SECRET": "s"})
    assert settings.notify.webhooks[0].on == ("opened", "severity_rose", "resolved")
    assert settings.sources["grafana"].token == Secret("geheim", "env NOC_GRAFANA_TOKEN")
    assert settings.suppression.maintenance[0].days == ("sun",)


FULL = """
[engine]
name = 'a "quoted" name \\ with a backslash'
[listen]
host = "::1"
[sources.grafana-1]
format = "grafana"
token = {file = "token"}
hmac = {env = "KEY"}
[sources.plain]
format = "generic"
mapping = {title = "$.text", "odd key" = "x"}
rate = 5
[priority]
on_call = false
business_days = ["sat"]
tiers = {"Acme & Söhne" = "vip"}
[triage]
sla_minutes = {critical = 5}
[[dedup.rules]]
match = 'alertname="A"'
labels = ["host"]
[[inhibition.rules]]
source = 'a="1"'
target = 'b=~"2.*"'
equal = ["site"]
[[suppression.maintenance]]
name = "w"
match = 'a="1"'
start = "22:00"
end = "02:30"
days = ["mon"]
"""


def test_shown_text_reads_back_unchanged_and_holds_no_secret(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hunter2\n")
    environ = {"KEY": "k3y-value"}
    settings = load(write(tmp_path, FULL), environ)
    text = toml_of(settings)
    assert "hunter2" not in text and "k3y-value" not in text
    assert load(write(tmp_path, text), environ) == settings
    assert settings.sources["grafana-1"].token is not None
    assert settings.sources["grafana-1"].token.reveal() == "hunter2"
    assert settings.priority.business_days == {5}
    assert settings.triage.sla_minutes[Severity.CRITICAL] == 5 and settings.triage.sla_minutes[Severity.LOW] == 1440


def test_a_secret_never_shows_its_value() -> None:
    secret = Secret("hunter2", "env X")
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r:>40}", repr({"a": secret})]
    shown.append(json.dumps({"a": secret}, default=masked))
    shown.append(msgspec.json.encode({"a": secret}, enc_hook=masked).decode())
    assert not any("hunter2" in text for text in shown)
    assert MASK in shown[-1]
    with pytest.raises(TypeError):
        msgspec.json.encode(secret)
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_a_secret_matches_only_itself() -> None:
    secret = Secret("hunter2", "env X")
    assert secret.matches("hunter2")
    assert not secret.matches("hunter3") and not secret.matches("") and not secret.matches("\udc80")


WRONG = [
    ("[engine]\nbatch_maxx = 1", "engine.batch_maxx", "did you mean engine.batch_max?"),
    ("[engin]\nname = 'x'", "engin", "did you mean engine?"),
    ("[zzz]", "zzz", "known here: approvals, audit"),
    ("[fraud]\nx = 1", "fraud", "remove it"),
    ("[engine]\nbatch_max = 'many'", "engine.batch_max", "a whole number, 1 to 4096"),
    ("[engine]\nbatch_max = true", "engine.batch_max", "a whole number, 1 to 4096"),
    ("[engine]\nbatch_max = 0", "engine.batch_max", "1 to 4096"),
    ("[engine]\nstop_seconds = nan", "engine.stop_seconds", "1 to 600"),
    ("[engine]\nresolve_timeout_seconds = inf", "engine.resolve_timeout_seconds", "1 to 604800"),
    ("engine = 3", "engine", "write [engine]"),
    ("[console]\ntheme = 'pink'", "console.theme", '"dark"'),
    ("[console]\nrefresh_hz = 5", "console.refresh_hz", "0.1 to 4"),
    ("[store]\nsynchronous = 'off'", "store.synchronous", '"full"'),
    ("[listen]\nhost = '0.0.0.0'", "listen.host", "tls_cert"),
    ("[listen]\nhost = 'noc.example'", "listen.host", "insecure"),
    ("[listen]\ntls_cert = 'x.pem'", "listen.tls_key", "give both"),
    ("[listen]\norigins = ['a', 3]", "listen.origins[1]", "text in quotes"),
    ("[clustering]\njoin_at = 0.95", "clustering.suppress_above", "raise it"),
    ("[clustering]\nmethod = 'guess'", "clustering.method", '"cosine"'),
    ("[flapping]\noff = 0.5", "flapping.off", "gap"),
    ("[priority.weights]\nsla = 50", "priority.weights", "100"),
    ("[priority]\ntime_zone = 'Mars/Olympus'", "priority.time_zone", "Europe/Berlin"),
    ("[priority]\nbusiness_days = ['monday']", "priority.business_days[0]", '"mon"'),
    ("[priority]\nbusiness_start_hour = 20", "priority.business_end_hour", "after it starts"),
    ("[priority.tiers]\nAcme = 'silver'", "priority.tiers.Acme", '"gold"'),
    ("[triage.sla_minutes]\nurgent = 1", "triage.sla_minutes.urgent", '"critical"'),
    ("[sources.g]\nformat = 'grafna'", "sources.g.format", '"grafana"'),
    ("[sources.g]\ntoken = {env = 'T'}", "sources.g.format", "one of"),
    ("[sources.g]\nformat = 'grafana'\ntoken = 'hunter2'", "sources.g.token", "{env"),
    ("[sources.g]\nformat = 'grafana'\ntoken = {env = 'ABSENT'}", "sources.g.token", "set ABSENT"),
    ("[sources.g]\nformat = 'grafana'\ntoken = {file = 'absent'}", "sources.g.token", "create it"),
    ("[sources.g]\nformat = 'grafana'\ntoken = {vault = 'x'}", "sources.g.token.vault", "{env"),
    ("[sources.g]\nformat = 'grafana'\nallow = ['10.0.0.1/8']", "sources.g.allow[0]", "10.1.0.0/16"),
    ("[sources.g]\nformat = 'grafana'\nmapping = {a = 'b'}", "sources.g.mapping", "generic"),
    ("[sources.'a b']\nformat = 'grafana'", "sources.a b", "letters"),
    ("[notify]\nallow_hosts = ['http://x/']", "notify.allow_hosts[0]", "host:port"),
    ("[notify]\nports = [0]", "notify.ports[0]", "1 to 65535"),
    ("[[notify.webhooks]]\nurl = 'https://a.example/'", "notify.webhooks[0].name", "text in quotes"),
    ("[[notify.webhooks]]\nname = 'a/b'\nurl = 'https://a.example/'", "notify.webhooks[0].name", "like"),
    ("[[notify.webhooks]]\nname = 'a'\nurl = 'http://a.example/'", "notify.webhooks[0].url", "use https"),
    ("[[notify.webhooks]]\nname = 'a'\nurl = 'https://10.0.0.1/hunter2'", "notify.webhooks[0].url", "allow_hosts"),
    ("[[notify.webhooks]]\nname = 'a'\nurl = 'https://u:hunter2@a.example/'", "notify.webhooks[0].url", "secret"),
    ("[[notify.webhooks]]\nname = 'a'\nurl = 'https://a.example:22/'", "notify.webhooks[0].url", "notify.ports"),
    (
        "[[notify.webhooks]]\nname = 'a'\nurl = 'https://a.example/'\nwhen = 'severity>=loud'",
        "notify.webhooks[0].when",
        "severity>=high",
    ),
    (
        "[[notify.webhooks]]\nname = 'a'\nurl = 'https://a.example/'\non = ['opened', 'joined']",
        "notify.webhooks[0].on[1]",
        '"severity_rose"',
    ),
    ("[[notify.webhooks]]\nname = 'a'\nurl = 'https://a.example/'\non = []", "notify.webhooks[0].on", "not empty"),
    (
        "[[notify.webhooks]]\nname = 'a'\nurl = 'https://a.example/'\nsecret = 'hunter2'",
        "notify.webhooks[0].secret",
        "{env",
    ),
    (
        "[[notify.webhooks]]\nname='a'\nurl='https://a.example/'\n[[notify.webhooks]]\nname='a'\nurl='https://b.example/'",
        "notify.webhooks[1].name",
        "its own name",
    ),
    ("[[dedup.rules]]\nmatch = '{{'\nlabels = ['a']", "dedup.rules[0].match", "matchers"),
    ("[[dedup.rules]]\nmatch = 'a=\"b\"'", "dedup.rules[0].labels", "list"),
    ("[[inhibition.rules]]\nsource = 'a=\"b\"'\ntarget = 'a=~\"(\"'", "inhibition.rules[0].target", "matchers"),
    (
        "[[suppression.maintenance]]\nname='w'\nmatch='a=\"b\"'\nstart='25:00'\nend='01:00'",
        "suppression.maintenance[0].start",
        "like",
    ),
    ("[calendar]\nholidays = ['2026-02-30']\n", "calendar.holidays", "2026-12-25"),
    ("[calendar.of_clients]\nacme = ['christmas']\n", "calendar.of_clients.acme", "2026-12-25"),
]


@pytest.mark.parametrize(("text", "key", "remedy"), WRONG, ids=[f"{at}-{row[1]}" for at, row in enumerate(WRONG)])
def test_an_error_names_the_key_and_the_cure(tmp_path: Path, text: str, key: str, remedy: str) -> None:
    error = failure(tmp_path, text)
    assert error.key == key
    assert remedy in error.remedy
    assert error.origin == str(tmp_path / "noc.toml")
    assert "\n" not in str(error) and "hunter2" not in str(error)


def test_a_broken_file_says_where(tmp_path: Path) -> None:
    error = failure(tmp_path, "[engine\n")
    assert "noc.toml" in error.key and "line 1" in error.reason


OVERRIDES = [
    ("NOC__ENGINE__BATCH_MAX", "512", lambda s: s.engine.batch_max, 512),
    ("NOC__ENGINE__NAME", "007", lambda s: s.engine.name, "007"),
    ("NOC__CONSOLE__BELL", "false", lambda s: s.console.bell, False),
    ("NOC__CLUSTERING__WINDOW_MINUTES", "5", lambda s: s.clustering.window_minutes, 5.0),
    ("NOC__TRIAGE__NEEDS_ACK", "critical, high", lambda s: s.triage.needs_ack, ("critical", "high")),
    ("NOC__PRIORITY__BUSINESS_DAYS", '["sun"]', lambda s: s.priority.weekdays, ("sun",)),
    ("NOC__SOURCES__GRAFANA_1__RATE", "7", lambda s: s.sources["grafana-1"].rate, 7.0),
    ("NOC__SOURCES__NEW__FORMAT", "generic", lambda s: s.sources["new"].format, "generic"),
    ("NOC__SOURCES__GRAFANA_1__TOKEN", "geheim", lambda s: s.sources["grafana-1"].token.reveal(), "geheim"),
    ("NOC__STORE__DATA_DIR", "/srv/noc", lambda s: s.store.data_dir, "/srv/noc"),
]


@pytest.mark.parametrize(("variable", "text", "read", "value"), OVERRIDES, ids=[row[0] for row in OVERRIDES])
def test_the_environment_overrides_the_file(tmp_path, variable, text, read, value) -> None:  # type: ignore[no-untyped-def]
    file = write(tmp_path, "[engine]\nname = 'file'\nbatch_max = 5\n[sources.grafana-1]\nformat = 'grafana'\n")
    assert read(load(file, {variable: text})) == value


@pytest.mark.parametrize(
    ("variable", "text", "key"),
    [
        ("NOC__ENGINE__BATCH_MAX", "lots", "engine.batch_max"),
        ("NOC__ENGINE__BATCHMAX", "5", "engine.batchmax"),
        ("NOC__ENGINE__NAME__DEEP", "5", "engine.name.deep"),
        ("NOC__NOTHING", "5", "nothing"),
    ],
)
def test_a_wrong_variable_is_named(tmp_path: Path, variable: str, text: str, key: str) -> None:
    error = failure(tmp_path, "", {variable: text})
    assert (error.key, error.origin) == (key, variable)


def test_search_order(tmp_path: Path) -> None:
    first, second = tmp_path / "first.toml", tmp_path / "second.toml"
    first.touch()
    second.touch()
    assert find(first, {"NOC_CONFIG": str(second)}) == first
    assert find(None, {"NOC_CONFIG": str(second)}) == second


@pytest.mark.parametrize(("explicit", "environ"), [("absent.toml", {}), (None, {"NOC_CONFIG": "absent.toml"})])
def test_a_named_file_that_is_absent_is_an_error(explicit: str | None, environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="there is no file"):
        find(Path(explicit) if explicit else None, environ)


def test_paths_start_at_the_folder_of_the_file(tmp_path: Path) -> None:
    settings = load(write(tmp_path, "[store]\ndata_dir = 'db'\n"), {})
    assert data_dir(settings) == tmp_path / "db"
    assert settings.store.backup_dir == str(tmp_path / "db" / "backup")


def test_differences_name_the_keys_and_hide_secrets(tmp_path: Path) -> None:
    base = "[sources.g]\nformat = 'grafana'\ntoken = {env = 'T'}\n"
    old = load(write(tmp_path, base + "[listen]\nport = 1\n[console]\nbell = true"), {"T": "hunter2"})
    new = load(write(tmp_path, base + "[listen]\nport = 2\n[console]\nbell = false"), {"T": "hunter3"})
    found = {entry.key: entry for entry in diff(old, new)}
    assert set(found) == {"listen.port", "console.bell", "sources.g.token"}
    assert found["listen.port"].restart and not found["console.bell"].restart
    assert "hunter" not in repr(found)
    assert diff(old, old) == []


def test_a_broken_reload_raises_and_keeps_what_there_was(tmp_path: Path) -> None:
    current = load(write(tmp_path, "[console]\nbell = false"), {})
    file = write(tmp_path, "[console]\nbell = 'no'")
    with pytest.raises(ConfigError, match=r"console\.bell"):
        reload(current, file, {})
    assert current.console.bell is False
    fresh, changed = reload(current, write(tmp_path, "[console]\nbell = true"), {})
    assert fresh.console.bell and [entry.key for entry in changed] == ["console.bell"]


def test_every_default_is_in_its_own_range() -> None:
    text = toml_of(Settings())
    assert tomllib.loads(text)["priority"]["business_days"] == list(WEEKDAYS[:5])
