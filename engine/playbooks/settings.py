"""Settings of playbooks and of each of their actions: what they may touch. Nothing is allowed that is not listed."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from data.nouns.playbooks import TenantName
from engine.secret import Secret

Word = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][\w.@:-]{0,127}$")]
Absolute = Annotated[str, Meta(pattern=r"^/[^\x00]{0,1023}$")]


class MailSettings(Struct, frozen=True, kw_only=True):
    """Of send_notification by e-mail. Without a host there is none."""

    host: Annotated[str, Meta(max_length=253, description="SMTP server; empty = no e-mail")] = ""
    port: Annotated[int, Meta(ge=1, le=65_535)] = 587
    sender: Annotated[str, Meta(max_length=254)] = ""
    recipients: Annotated[
        tuple[Annotated[str, Meta(max_length=254)], ...], Meta(description="addresses that may be written to")
    ] = ()
    user: Annotated[str, Meta(max_length=254)] = ""
    password: Annotated[Secret | None, Meta(description="never sent without TLS")] = None
    starttls: Annotated[bool, Meta(description="false = in clear text, for a server of this machine")] = True
    ca_file: Annotated[str, Meta(max_length=1024, description="PEM of your own authority; empty = the system's")] = ""


class Service(Struct, frozen=True, kw_only=True):
    """A unit that restart_service may restart. `host` empty = this machine."""

    unit: Word
    host: Annotated[str, Meta(pattern=r"^([A-Za-z0-9][A-Za-z0-9.-]{0,252})?$")] = ""


class RestartSettings(Struct, frozen=True, kw_only=True):
    services: tuple[Service, ...] = ()
    systemctl: Annotated[Absolute, Meta(description="program that takes: restart -- UNIT")] = "/usr/bin/systemctl"
    ssh: Absolute = "/usr/bin/ssh"
    ssh_port: Annotated[int, Meta(ge=1, le=65_535)] = 22
    ssh_user: Annotated[str, Meta(pattern=r"^([a-z_][a-z0-9_-]{0,31})?$", description="on other hosts")] = ""
    ssh_key: Annotated[str, Meta(max_length=1024, description="file of the key; empty = no ssh")] = ""
    ssh_known_hosts: Annotated[str, Meta(max_length=1024, description="file of the keys of hosts")] = ""


class ConfigurationSettings(Struct, frozen=True, kw_only=True):
    directory: Annotated[str, Meta(max_length=1024, description="update_configuration writes below; empty = not")] = ""
    max_bytes: Annotated[int, Meta(ge=1, le=1 << 20)] = 65_536


class Diagnostic(Struct, frozen=True, kw_only=True):
    """A read-only command by its name; `command` is the program with its arguments, and never changes."""

    name: Word
    command: Annotated[tuple[Annotated[str, Meta(max_length=256)], ...], Meta(min_length=1, max_length=16)]


class DiagnosticSettings(Struct, frozen=True, kw_only=True):
    commands: tuple[Diagnostic, ...] = ()


class Endpoint(Struct, frozen=True, kw_only=True):
    """Where http_request may send to, by its name; the rules for addresses of `notify` hold too."""

    name: Word
    url: Annotated[str, Meta(min_length=1, max_length=2048)]
    methods: tuple[Annotated[str, Meta(pattern="^(GET|HEAD|PUT|DELETE|POST|PATCH)$")], ...] = ("GET",)
    token: Annotated[Secret | None, Meta(description="sent as bearer token")] = None
    allow_http: Annotated[bool, Meta(description="send in clear text")] = False


class ProgramSettings(Struct, frozen=True, kw_only=True):
    """With how little the programs are started that restart_service and collect_diagnostics run."""

    no_new_privileges: Annotated[
        bool, Meta(description="no setuid program gives them more; where setpriv is installed")
    ] = True
    user: Annotated[
        str, Meta(pattern=r"^([a-z_][a-z0-9_-]{0,31})?$", description="run them as this user, without capabilities")
    ] = ""
    setpriv: Absolute = "/usr/bin/setpriv"


class ApprovalSettings(Struct, frozen=True, kw_only=True):
    """Who approves, or moves the kill switch, is asked for a PIN where one was set (`noc-console token pin`)."""

    step_up: Annotated[
        Literal["when_set", "required"], Meta(description="required = without a PIN nobody approves")
    ] = "when_set"
    fresh_seconds: Annotated[
        float, Meta(ge=10, le=300, description="for how long a PIN that was entered counts")
    ] = 300.0
    per_minute: Annotated[int, Meta(ge=1, le=600, description="answers of one person")] = 10


class PlaybookSettings(Struct, frozen=True, kw_only=True):
    directory: Annotated[str, Meta(max_length=1024, description="folder of the YAML files; empty = none")] = ""
    shipped: Annotated[
        tuple[Word, ...], Meta(description="playbooks of the product that are on, by name; all = each of them")
    ] = ()
    tenants: Annotated[
        dict[Word, Annotated[tuple[TenantName, ...], Meta(min_length=1)]],
        Meta(description="playbook = tenants that it serves, in the place of what its file says"),
    ] = {}
    programs: ProgramSettings = field(default_factory=ProgramSettings)
    mail: MailSettings = field(default_factory=MailSettings)
    restart: RestartSettings = field(default_factory=RestartSettings)
    configuration: ConfigurationSettings = field(default_factory=ConfigurationSettings)
    diagnostics: DiagnosticSettings = field(default_factory=DiagnosticSettings)
    endpoints: tuple[Endpoint, ...] = ()
