"""What is wrong with a file is told with its line, its key and a remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.playbooks.library import read_folder
from engine.playbooks.loader import PlaybookError, fingerprint, load, schema
from tests.playbooks.world import ACTIONS

GOOD = """\
name: mend
version: 3
description: Touch it.
trigger:
  when: site=Depot
  severity: high
steps:
  - name: look
    action: check
  - name: one
    action: safe
    params:
      target: ${alert.entity}
      text: it said ${steps.look.said}, on ${alert.labels.rack}
    if: steps.look.state == "done" and incident.severity >= "high"
    rollback: true
verification:
  condition: incident.firing == 0
policy:
  mode: auto
"""

WRONG = [
    ("version: 3", "version: three", 2, "version", "expected `int`"),
    ("description: Touch it.", "colour: red", 3, "colour", "unknown field"),
    ("severity: high", "severity: awful", 6, "trigger.severity", "awful"),
    ("site=Depot", "'site='", 5, "trigger.when", "value is missing"),
    ("name: look", "name: Look", 8, "steps[0].name", "regex"),
    ("    action: check", "    action: dance", 9, "steps[0].action", "no action is called"),
    ("name: one", "name: look", 10, "steps[1].name", "two steps"),
    ("target: ${alert.entity}", "aim: x", 13, "steps[1].params.aim", "no parameter"),
    ("${alert.entity}", "${alert.planet}", 13, "steps[1].params.target", "no value 'alert.planet'"),
    ("${alert.entity}", "${alert.entity", 13, "steps[1].params.target", "not a template"),
    ("${alert.entity}", "${steps.look.said}", 13, "steps[1].params.target", "may not depend on the result"),
    ("steps.look.said", "steps.look.colour", 14, "steps[1].params.text", "look gives no 'colour'"),
    ("steps.look.said", "steps.later.said", 14, "steps[1].params.text", "no step before"),
    ('steps.look.state == "done" and', 'steps.look.state = "done" and', 15, "steps[1].if", "character 18"),
    ("rollback: true", "rollback: yes please", 16, "steps[1].rollback", "expected `bool`"),
    ("incident.firing == 0", "incident.__class__ == 0", 18, "verification.condition", "no value"),
    ("mode: auto", "mode: always", 20, "policy.mode", "always"),
    ("mode: auto", "quorum: 9", 20, "policy.quorum", "<= 5"),
    ("version: 3", "name: again", 2, "name", "twice"),
    ("version: 3", "version: &v 3", 2, "", "anchors"),
    ("version: 3", "version: !!int 3", 2, "", "tags"),
    ("version: 3", "version: 2026-01-01", 2, "version", "reads as a timestamp"),
    ("version: 3", "version: 12:30", 2, "version", "not a plain number"),
    ("version: 3", "on: 3", 2, "", "'on' is not text"),
    ("policy:", "---\npolicy:", 19, "", "second document"),
    ("description: Touch it.", "description: [", 5, "", "not YAML"),
]


def error_of(text: str) -> PlaybookError:
    with pytest.raises(PlaybookError) as found:
        load("mend.yaml", text, ACTIONS)
    return found.value


@pytest.mark.parametrize(("old", "new", "line", "key", "reason"), WRONG, ids=[f"{row[1]}" for row in WRONG])
def test_what_is_wrong_is_told_with_its_place(old: str, new: str, line: int, key: str, reason: str) -> None:
    assert old in GOOD
    error = error_of(GOOD.replace(old, new, 1))
    assert (error.line, error.key) == (line, key), str(error)
    assert reason in error.reason
    assert error.remedy
    assert str(error).startswith(f"mend.yaml:{line}")


def test_a_good_file_is_what_it_says() -> None:
    loaded = load("mend.yaml", GOOD, ACTIONS)
    assert [step.name for step in loaded.definition.steps] == ["look", "one"]
    assert loaded.sha256 == fingerprint(loaded.definition)
    assert loaded.sha256 == load("mend.yaml", "# a remark\n" + GOOD, ACTIONS).sha256
    assert loaded.sha256 == load("mend.yaml", GOOD + "tenants: [acme]\n", ACTIONS).sha256, "no plan changes by it"
    assert loaded.sha256 != load("mend.yaml", GOOD.replace("rollback: true", "rollback: false"), ACTIONS).sha256


@pytest.mark.parametrize(
    "text",
    ["", "a: " + "x" * 300_000, "a: " + "[" * 40 + "]" * 40, "\0", "- " * 3000, "&a [*a]", "a: *b", "[1, 2]", "{}"],
    ids=["empty", "large", "deep", "control", "many", "loop", "alias", "list", "nothing"],
)
def test_whatever_a_file_holds_the_error_has_a_line(text: str) -> None:
    assert error_of(text).line >= 1


def test_a_step_that_cannot_be_taken_back_has_no_rollback() -> None:
    text = "name: a\nversion: 1\nsteps:\n  - {name: one, action: note, rollback: true}"
    error = error_of(text)
    assert (error.line, error.key) == (4, "steps[0].rollback")


def test_a_file_that_is_refused_costs_itself(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD)
    (tmp_path / "b.yaml").write_text(GOOD.replace("name: mend", "name: other"))
    (tmp_path / "c.yaml").write_text("steps: []")
    (tmp_path / "d.yaml").write_text(GOOD)
    (tmp_path / "e.yaml").write_bytes(b"name: \xff")
    found = read_folder(tmp_path, ACTIONS)
    assert list(found.playbooks) == ["mend", "other"]
    assert [error.file for error in found.troubles] == ["c.yaml", "d.yaml", "e.yaml"]


def test_a_folder_that_is_not_there_is_a_trouble(tmp_path: Path) -> None:
    assert len(read_folder(tmp_path / "none", ACTIONS).troubles) == 1


def test_the_schema_names_every_key() -> None:
    defined = schema()["$defs"]
    assert set(defined["Definition"]["properties"]) == {
        "name", "version", "description", "tenants", "trigger", "steps", "verification", "policy"
    }  # fmt: skip
    assert "if" in defined["Step"]["properties"]


def test_what_is_wrong_with_a_file_says_whose_it_would_be() -> None:
    wrong = GOOD.replace("rollback: true", "rollback: maybe")
    assert (error_of(wrong).playbook, error_of(wrong).tenants) == ("mend", ())
    assert error_of(wrong + "tenants: [acme]\n").tenants == ("acme",)
    assert error_of(GOOD + "tenants: acme\n").tenants is None
    assert error_of("tenants: [acme]\n\t").tenants is None
