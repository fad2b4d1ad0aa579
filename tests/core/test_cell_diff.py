"""What is sent to a terminal for a change of the screen."""

from __future__ import annotations

from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style

from noc_console.cell_diff import RESET, CellDiff

RED, BOLD = Style(color="#ff0000"), Style(color="#ff0000", bold=True)


def _diff_of(*lines: list[Segment]) -> list[str]:
    """What is sent for each of these contents of the first line, one after the other."""
    diff = CellDiff(ColorSystem.TRUECOLOR)
    return [diff.text(20, 3, [(0, [(0, line)])]) for line in lines]


def test_nothing_new_sends_nothing() -> None:
    line = [Segment("abc", RED)]
    assert _diff_of(line, line)[1] == ""


def test_one_new_cell_is_one_move_and_one_character() -> None:
    assert _diff_of([Segment("camera 1 down")], [Segment("camera 2 down")])[1] == f"\x1b[1;8H2{RESET}"


def test_far_changes_on_a_line_are_two_runs() -> None:
    assert _diff_of([Segment("1 and far away 1")], [Segment("2 and far away 2")])[1] == f"\x1b[1;1H2\x1b[14C2{RESET}"


def test_a_new_attribute_sends_only_that() -> None:
    assert _diff_of([Segment("")], [Segment("a", RED), Segment("b", BOLD), Segment("c", RED)])[1] == (
        f"\x1b[1;1H\x1b[38;2;255;0;0ma\x1b[1mb\x1b[22mc{RESET}"
    )


def test_ink_of_a_blank_is_not_sent() -> None:
    assert _diff_of([Segment("ab")], [Segment("a"), Segment(" ", RED)])[1] == f"\x1b[1;2H {RESET}"


def test_place_is_told_anew_behind_a_character_of_unsure_width() -> None:
    assert "中\x1b[1;3Hx" in _diff_of([Segment("中x")])[0]


def test_a_new_size_and_forgetting_send_all_again() -> None:
    diff, line = CellDiff(ColorSystem.TRUECOLOR), [(0, [(0, [Segment("abc")])])]
    first = diff.text(20, 3, line)
    assert diff.text(20, 3, line) == ""
    assert diff.text(21, 3, line) == first
    diff.forget()
    assert diff.text(21, 3, line) == first


def test_sixteen_colours_are_told_as_such() -> None:
    assert "\x1b[31m" in CellDiff(ColorSystem.STANDARD).text(9, 1, [(0, [(0, [Segment("a", RED)])])])
