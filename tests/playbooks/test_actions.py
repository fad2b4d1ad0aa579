"""Each action: its plan does nothing and names the targets, what is not listed is refused, and what it really does."""

from __future__ import annotations

import os
import pwd
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from data.records import DEFAULT_TENANT, IncidentId
from engine.effects import Around
from engine.outbound import Outbound
from engine.playbooks.actions import Act, Failed, Refusal, StepAction, read_params, registry
from engine.playbooks.facts import facts
from engine.playbooks.launcher import NotStarted, confined, launch
from engine.playbooks.library import library
from engine.playbooks.loader import load
from engine.playbooks.plan import Unplannable, plan
from engine.playbooks.settings import (
    ConfigurationSettings,
    Diagnostic,
    DiagnosticSettings,
    Endpoint,
    MailSettings,
    PlaybookSettings,
    ProgramSettings,
    RestartSettings,
    Service,
)
from engine.settings import Settings
from tests.fakes.line import T0, Line
from tests.fakes.still_clock import StillClock

ACT = Act(
    key="playbook/x/one",
    tenant=DEFAULT_TENANT,
    execution="x",
    playbook="mend",
    incident=IncidentId(1),
    site="Depot",
    at=T0,
    timeout_seconds=10.0,
)
PYTHON = sys.executable
SSH = (
    "/bin/echo", "-F", "/dev/null", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes",
    "-o", "UserKnownHostsFile=/etc/known", "-o", "IdentitiesOnly=yes", "-o", "LogLevel=VERBOSE",
    "-i", "/etc/key", "-p", "22", "-l", "noc",
)  # fmt: skip


def made(tmp_path: Path) -> dict[str, StepAction]:
    settings = PlaybookSettings(
        mail=MailSettings(host="mail.example", sender="noc@example.org", recipients=("a@example.org",)),
        restart=RestartSettings(
            services=(Service(unit="web.service"), Service(unit="web.service", host="web-1")),
            systemctl="/bin/echo",
            ssh="/bin/echo",
            ssh_user="noc",
            ssh_key="/etc/key",
            ssh_known_hosts="/etc/known",
        ),
        configuration=ConfigurationSettings(directory=str(tmp_path), max_bytes=1000),
        diagnostics=DiagnosticSettings(
            commands=(
                Diagnostic(name="env", command=(PYTHON, "-c", "import os; print(sorted(os.environ), os.listdir())")),
                Diagnostic(name="loud", command=(PYTHON, "-c", "print('x' * 3000000)")),
                Diagnostic(name="none", command=("/nonexistent/program",)),
            )
        ),
        endpoints=(Endpoint(name="hook", url="https://hook.example/x", methods=("GET", "POST")),),
    )
    around = Around(settings=Settings(playbooks=settings), clock=StillClock(T0), outbound=Outbound())
    return registry(around)


@pytest.fixture
def actions(tmp_path: Path) -> Iterator[Mapping[str, StepAction]]:
    yield made(tmp_path)


def test_there_are_these_actions(actions: Mapping[str, StepAction]) -> None:
    assert set(actions) == {
        "send_notification", "create_ticket", "assign_resource", "restart_service", "update_configuration",
        "collect_diagnostics", "wait_for_condition", "http_request",
    }  # fmt: skip


PLANS: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    ("restart_service", {"unit": "web.service"}, ("web.service@local",)),
    ("restart_service", {"unit": "web.service", "host": "web-1"}, ("web.service@web-1",)),
    ("update_configuration", {"path": "a.conf", "content": "x"}, ("file:a.conf",)),
    ("collect_diagnostics", {"commands": ["env"]}, ()),
    ("http_request", {"endpoint": "hook"}, ()),
    ("http_request", {"endpoint": "hook", "method": "POST"}, ("endpoint:hook",)),
    ("send_notification", {"text": "hello"}, ()),
    ("send_notification", {"text": "hello", "channel": "email", "to": ["a@example.org"]}, ()),
    ("create_ticket", {"title": "look"}, ()),
    ("assign_resource", {"assignee": "bo"}, ()),
    ("wait_for_condition", {"until": "state=returned"}, ()),
]


@pytest.mark.parametrize(("name", "params", "targets"), PLANS)
def test_a_plan_names_targets_and_does_nothing(
    name: str, params: dict[str, Any], targets: tuple[str, ...], actions: Mapping[str, StepAction], tmp_path: Path
) -> None:
    found = actions[name].plan(read_params(actions[name], params))
    assert found.targets == targets
    assert found.words
    assert list(tmp_path.iterdir()) == []


REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("restart_service", {"unit": "sshd.service"}),
    ("restart_service", {"unit": "web.service", "host": "web-2"}),
    *[("restart_service", {"unit": unit}) for unit in ("sshd;x", "-H root@x", "../x", "a\nb", "a\0b", "--force", "é")],
    *[
        ("update_configuration", {"path": path, "content": "x"})
        for path in ("../a", "/etc/passwd", "a/../../b", "", "a//b", "a\0", ".hidden", "a/.b", "-x")
    ],
    ("update_configuration", {"path": "a", "content": "x" * 1001}),
    ("collect_diagnostics", {"commands": ["rm"]}),
    ("http_request", {"endpoint": "other"}),
    ("http_request", {"endpoint": "hook", "method": "DELETE"}),
    ("http_request", {"endpoint": "hook", "url": "http://169.254.169.254/"}),
    ("send_notification", {"text": "x", "channel": "email", "to": ["b@example.org"]}),
    ("send_notification", {"text": "x", "channel": "email", "to": ["a@example.org\nBcc: c@example.org"]}),
    ("send_notification", {"text": "x", "channel": "webhook", "to": ["none"]}),
    ("wait_for_condition", {"until": "state="}),
    ("assign_resource", {"assignee": ""}),
    ("create_ticket", {"title": 3}),
]


@pytest.mark.parametrize(("name", "params"), REFUSED)
def test_what_is_not_allowed_is_refused(
    name: str, params: dict[str, Any], actions: Mapping[str, StepAction], tmp_path: Path
) -> None:
    with pytest.raises(Refusal):
        actions[name].plan(read_params(actions[name], params))
    assert list(tmp_path.iterdir()) == []


#: What is listed, what is listed with something behind or before it, and anything.
_NAMES = st.sampled_from(["web.service", "web-1", "-oProxyCommand=x", "$(x)", "a b", "\n"])
TEXTS = st.one_of(_NAMES, st.lists(_NAMES, max_size=3).map("".join), st.text(max_size=60))


@settings(deadline=None, max_examples=200)
@given(title=TEXTS, entity=TEXTS, label=TEXTS)
def test_no_text_of_an_alert_changes_the_argument_list(title: str, entity: str, label: str) -> None:
    """Whatever an alert says: the program and the number of its arguments stay, or nothing is planned at all."""
    known: Any = made(Path("/nonexistent"))
    line = Line()
    line.fire("key", title=title, entity=entity, labels={"unit": label})
    values = facts(line.incident("key"), line.alert("key"))
    text = """
name: restart
version: 1
steps:
  - {name: one, action: restart_service, params: {unit: "${alert.labels.unit}", host: "${alert.entity}"}}
"""
    loaded = load("x.yaml", text, known)
    try:
        planned = plan(loaded.definition, values, library({}, known).actions)
    except Unplannable:
        assert (label, entity) not in (("web.service", "web-1"), ("web.service", ""))
        return
    assert label == "web.service" and entity in ("web-1", "")
    action = known["restart_service"]
    command = action.command(read_params(action, planned.steps[0].params))
    restart = ["restart", "--", "web.service"]
    far = [*SSH, "--", "web-1", "systemctl", *restart]
    assert command == (far if entity else ["/bin/echo", *restart])


@pytest.mark.parametrize("entity", ["a\nroot: yes", "a\rb", "a\0b", "a\u2028b", "a\x1b[0m"])
def test_what_an_alert_says_adds_no_line_to_a_configuration(entity: str, actions: Mapping[str, StepAction]) -> None:
    text = """
name: write
version: 1
steps: [{name: one, action: update_configuration, params: {path: a.conf, content: "host ${alert.entity}"}}]
"""
    line = Line()
    line.fire("web-1", entity=entity)
    loaded = load("x.yaml", text, actions)
    with pytest.raises(Unplannable, match="one line"):
        plan(loaded.definition, facts(line.incident("web-1"), line.alert("web-1")), actions)


async def test_a_restart_runs_the_listed_program(actions: Mapping[str, StepAction]) -> None:
    action: Any = actions["restart_service"]
    done = await action.run(ACT, read_params(action, {"unit": "web.service"}))
    assert done.output == {"code": 0, "said": "restart -- web.service\n"}
    far = await action.run(ACT, read_params(action, {"unit": "web.service", "host": "web-1"}))
    assert far.output["said"].endswith("-l noc -- web-1 systemctl restart -- web.service\n")


async def test_a_program_gets_nothing_of_this_process(actions: Mapping[str, StepAction]) -> None:
    action: Any = actions["collect_diagnostics"]
    done = await action.run(ACT, read_params(action, {"commands": ["env"]}))
    assert "[] []" in done.output["said"] or "['LC_CTYPE'] []" in done.output["said"]


async def test_output_is_bounded_and_a_missing_program_was_not_started(actions: Mapping[str, StepAction]) -> None:
    action: Any = actions["collect_diagnostics"]
    done = await action.run(ACT, read_params(action, {"commands": ["loud"]}))
    assert len(done.output["said"]) < 2100
    with pytest.raises(Failed):
        await action.run(ACT, read_params(action, {"commands": ["none"]}))
    ran = await launch([PYTHON, "-c", "print('x' * 3000000)"])
    assert (len(ran.output), ran.cut, ran.code) == (1 << 20, True, 0)


async def test_what_takes_too_long_is_killed_with_all_it_started() -> None:
    ran = await launch(["/bin/sh", "-c", "sleep 60 & sleep 60"], seconds=0.2)
    assert ran.code is None


@pytest.mark.parametrize("command", [["echo"], ["/bin/echo", "a\0b"], ["./echo"], [""]])
async def test_only_absolute_programs_are_started(command: list[str]) -> None:
    with pytest.raises(NotStarted):
        await launch(command)


async def test_a_configuration_is_replaced_once_and_put_back(actions: Mapping[str, StepAction], tmp_path: Path) -> None:
    action: Any = actions["update_configuration"]
    (tmp_path / "a.conf").write_text("old\n")
    params = read_params(action, {"path": "a.conf", "content": "new\n"})
    done = await action.run(ACT, params)
    again = await action.run(ACT, params)
    assert (tmp_path / "a.conf").read_text() == "new\n"
    assert done.output["changed"] and "-old\n+new" in done.output["diff"]
    assert again.undo == done.undo, "a repeat keeps the first backup"
    await action.rollback(ACT, params, done.undo)
    assert (tmp_path / "a.conf").read_text() == "old\n"
    await action.rollback(ACT, params, done.undo)
    assert (tmp_path / "a.conf").read_text() == "old\n"


async def test_a_new_file_is_taken_away_again_and_others_changes_are_left(
    actions: Mapping[str, StepAction], tmp_path: Path
) -> None:
    action: Any = actions["update_configuration"]
    params = read_params(action, {"path": "b.conf", "content": "new\n"})
    done = await action.run(ACT, params)
    (tmp_path / "b.conf").write_text("by hand\n")
    with pytest.raises(Failed, match="by others"):
        await action.rollback(ACT, params, done.undo)
    (tmp_path / "b.conf").write_text("new\n")
    await action.rollback(ACT, params, done.undo)
    assert not (tmp_path / "b.conf").exists()


async def test_links_are_not_followed(
    actions: Mapping[str, StepAction], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "target").write_text("kept")
    (tmp_path / "link").symlink_to(elsewhere / "target")
    (tmp_path / "folder").symlink_to(elsewhere)
    action: Any = actions["update_configuration"]
    for path in ("link", "folder/target"):
        with pytest.raises(Failed, match="link"):
            await action.run(ACT, read_params(action, {"path": path, "content": "x"}))
    assert (elsewhere / "target").read_text() == "kept"


def test_tickets_and_owners_are_made_on_the_line_once(actions: Mapping[str, StepAction]) -> None:
    line = Line()
    line.fire("web-1")
    draft = line.draft(line.envelope("tick", None))  # type: ignore[arg-type]
    act = replace(ACT, incident=line.incident("web-1").id)
    ticket: Any = actions["create_ticket"]
    params = read_params(ticket, {"title": "look", "assignee": "bo"})
    done = ticket.apply(draft, act, params)
    assert ticket.apply(draft, act, params) == done
    assert len(draft.all_nouns("tickets")) == 1
    ticket.take_back(draft, act, params, done.undo)
    assert draft.noun("tickets", done.output["ticket"]).state == "closed"
    assign: Any = actions["assign_resource"]
    given = read_params(assign, {"assignee": "bo"})
    done = assign.apply(draft, act, given)
    assert draft.book.incidents[act.incident].owner == "bo"
    assign.take_back(draft, act, given, done.undo)
    assert draft.book.incidents[act.incident].owner == ""


def printing(program: str, **given: Any) -> ProgramSettings:
    return ProgramSettings(setpriv=program, **given)


def test_programs_are_started_with_no_way_to_more_privileges() -> None:
    less = confined(["/bin/true", "a"], printing("/bin/echo"))
    assert less == ["/bin/echo", "--no-new-privs", "--", "/bin/true", "a"]
    nobody = pwd.getpwnam("nobody")
    other = confined(["/bin/true"], printing("/bin/echo", user="nobody"))
    assert other[1:] == [
        "--no-new-privs", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups", "--inh-caps=-all",
        "--bounding-set=-all", "--", "/bin/true",
    ]  # fmt: skip
    assert confined(["/bin/true"], printing("/bin/echo", no_new_privileges=False)) == ["/bin/true"]
    assert confined(["/bin/true"], printing("/nonexistent")) == ["/bin/true"]
    with pytest.raises(NotStarted, match="no user no-such"):
        confined(["/bin/true"], printing("/bin/echo", user="no-such"))
    with pytest.raises(NotStarted, match="is needed to run programs as noc"):
        confined(["/bin/true"], printing("/nonexistent", user="noc"))


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="no setpriv here")
async def test_a_program_cannot_gain_privileges() -> None:
    programs = ProgramSettings(setpriv=shutil.which("setpriv") or "")
    ran = await launch(["/bin/grep", "NoNewPrivs", "/proc/self/status"], programs=programs)
    assert (ran.code, ran.output.split()) == (0, [b"NoNewPrivs:", b"1"])


@pytest.mark.skipif(shutil.which("setpriv") is None or os.geteuid() != 0, reason="only root may become somebody else")
async def test_programs_run_as_another_user_without_capabilities() -> None:
    programs = ProgramSettings(setpriv=shutil.which("setpriv") or "", user="nobody")
    ran = await launch(["/bin/grep", "-E", "^(Uid|Groups|CapEff|CapBnd):", "/proc/self/status"], programs=programs)
    found = dict(line.split(":", 1) for line in ran.output.decode().splitlines())
    assert set(found["Uid"].split()) == {str(pwd.getpwnam("nobody").pw_uid)}
    assert found["Groups"].split() == []
    assert int(found["CapEff"], 16) == int(found["CapBnd"], 16) == 0


async def test_a_program_that_is_not_there_was_not_started_behind_setpriv_either() -> None:
    with pytest.raises(NotStarted):
        await launch(["/nonexistent/program"], programs=ProgramSettings())
