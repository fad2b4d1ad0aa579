"""keys.toml: what it may say, and that every error names the entry."""

from __future__ import annotations

from pathlib import Path

import pytest

from noc_console.keymap import load_keymap, read_keymap


def test_one_key_or_several() -> None:
    found = read_keymap('"incident.ack" = "f10"\n[app]\nfreeze = ["F", "f11"]\n')
    assert found.keys == {"incident.ack": ("f10",), "app.freeze": ("F", "f11")}
    assert found.problems == ()


def test_keys_are_written_as_they_stand_on_the_keyboard() -> None:
    assert read_keymap('"app.back" = ["esc", "<"]\n"table.sort_left" = "alt+,"').problems
    assert read_keymap('"app.redraw" = ["ctrl+l", "="]').problems
    assert read_keymap('"table.page_down" = ["pgdn", "ctrl+f"]').keys == {"table.page_down": ("pagedown", "ctrl+f")}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('"incident.akc" = "a"', "incident.akc: there is no such action"),
        ('"incident.ack" = "hello"', "incident.ack: 'hello' is not a key"),
        ('"incident.ack" = 5', "incident.ack: write a key"),
        ('"incident.ack" = []', "incident.ack: write a key"),
        ('"incident.ack" = "s"', "s is the key of incident.shelve"),
        ('"incident.ack" = "j"', "j is the key of table.down"),
        ('"incident.ack" = "ctrl+m"', "cannot tell ctrl+m from enter"),
        ("not toml", "keys.toml:"),
    ],
)
def test_errors_name_the_entry_and_the_remedy(text: str, says: str) -> None:
    found = read_keymap(text)
    assert not found.keys
    assert says in found.problems[0]


def test_two_actions_can_change_places_when_the_first_gave_its_key_away() -> None:
    found = read_keymap('"incident.shelve" = "f10"\n"incident.ack" = "s"')
    assert (found.keys, found.problems) == ({"incident.shelve": ("f10",), "incident.ack": ("s",)}, ())


def test_a_wrong_entry_leaves_the_others() -> None:
    found = read_keymap('"incident.ack" = "f10"\n"nothing.here" = "f11"')
    assert found.keys == {"incident.ack": ("f10",)}
    assert len(found.problems) == 1


def test_no_file_is_no_problem_and_a_folder_in_its_place_is_one(tmp_path: Path) -> None:
    assert load_keymap(tmp_path).problems == ()
    (tmp_path / "keys.toml").mkdir()
    assert "cannot be read" in load_keymap(tmp_path).problems[0]
