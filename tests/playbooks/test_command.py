"""`noc-console playbook`, offline: list, show, validate, schema."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from noc_console.commands.root import cli

GOOD = """name: give
version: 2
description: Give it.
steps: [{name: a, action: assign_resource, params: {assignee: bo}}]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    folder = tmp_path / "playbooks"
    folder.mkdir()
    (folder / "give.yaml").write_text(GOOD)
    path = tmp_path / "noc.toml"
    path.write_text(f'[store]\ndata_dir = "{tmp_path}/data"\n[playbooks]\ndirectory = "{folder}"\n')
    return path


def ran(config: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["--config", str(config), "playbook", *words])


def test_list_and_show(config: Path) -> None:
    (row,) = [json.loads(line) for line in ran(config, "list", "--json").stdout.splitlines()]
    assert (row["name"], row["version"], row["mode"], row["triggered"]) == ("give", 2, "approval", False)
    assert "Give it." in ran(config, "list").stdout
    shown = json.loads(ran(config, "show", "give").stdout)
    assert shown["policy"]["quorum"] == 1 and len(shown["sha256"]) == 64
    assert ran(config, "show", "none").exit_code == 1


def test_validate_tells_the_place(config: Path, tmp_path: Path) -> None:
    assert ran(config, "validate").exit_code == 0
    bad = tmp_path / "bad.yaml"
    bad.write_text(GOOD.replace("assignee: bo", "assignee: 3"))
    found = ran(config, "validate", str(bad))
    assert found.exit_code == 1
    assert "bad.yaml:4: steps[0].params" in found.stderr


def test_schema_is_json(config: Path) -> None:
    assert "Definition" in json.loads(ran(config, "schema").stdout)["$defs"]


def test_what_is_shipped_is_off_until_it_is_turned_on(config: Path) -> None:
    rows = [json.loads(line) for line in ran(config, "list", "--shipped", "--json").stdout.splitlines()]
    assert len(rows) >= 10 and not any(row["on"] for row in rows)
    assert "endpoint telephony" in next(row["needs"] for row in rows if row["name"] == "call-guard")
    config.write_text(config.read_text() + 'shipped = ["follow-up-round", "call-guard", "no-such"]\n')
    rows = [json.loads(line) for line in ran(config, "list", "--shipped", "--json").stdout.splitlines()]
    assert [row["name"] for row in rows if row["on"]] == ["follow-up-round"]
    told = ran(config, "list").stderr
    assert "call-guard.yaml:" in told and "no endpoint is called 'telephony'" in told
    assert "no-such:1: no shipped playbook is called so" in told


def test_the_settings_say_whom_a_playbook_serves(config: Path) -> None:
    config.write_text(config.read_text() + '[playbooks.tenants]\ngive = ["acme"]\nslip = ["acme"]\n')
    assert json.loads(ran(config, "show", "give").stdout)["tenants"] == ["acme"]
    (row,) = [json.loads(line) for line in ran(config, "list", "--json").stdout.splitlines()]
    assert row["tenants"] == ["acme"]
    assert "for acme" in ran(config, "list").stdout
    assert "playbooks.tenants:1: slip: no playbook is called so" in ran(config, "list").stderr
