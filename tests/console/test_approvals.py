"""The approvals page: what waits, how it is let go, and each way in which it must not be."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace
from textual import events

from data.nouns.playbooks import Vote
from noc_console.dialogs.execute import ExecuteDialog
from noc_console.mirror import Dirty
from noc_console.standing import WaitingBell
from tests.console.approvals_world import (
    OTHER,
    SHA,
    ApprovalsClient,
    approval,
    definition,
    planned,
    ran,
    run,
)
from tests.console.conftest import Desktop, Opened
from tests.fakes import world

SIZES = [(80, 24), (200, 60)]


async def show(desk: Desktop) -> None:
    await desk.press("4")
    for _ in range(2):
        await desk.live(0.5)
        await desk.settled()


def dialog(desk: Desktop) -> ExecuteDialog:
    assert isinstance(desk.app.screen, ExecuteDialog), desk.screen
    return desk.app.screen


async def arm(desk: Desktop) -> None:
    """E on the list: the dialog opens, plans, and is armed once it has been open for a moment."""
    await desk.press("E")
    await desk.settled()
    desk.clock.advance(1.0)
    dialog(desk).look()
    await desk.settled()


def verbs(client: ApprovalsClient) -> list[str]:
    return [command.verb for command in client.commands]


# what is shown


@pytest.mark.parametrize("size", SIZES)
async def test_the_first_to_expire_is_on_top_with_its_plan(opened: Opened, size: tuple[int, int]) -> None:
    client = ApprovalsClient()
    client.tell(approval("late", 1500, playbook="page-guard", incident=4409), run("late", state="running", asks=""))
    async with opened(client=client, size=size) as desk:
        await show(desk)
        lines = desk.screen.splitlines()
        first = next(n for n, line in enumerate(lines) if "restart-panel" in line and "3:" in line)
        second = next(n for n, line in enumerate(lines) if "page-guard" in line)
        assert first < second
        assert "1 target: panel@h2" in desk.screen and "0 of 1" in desk.screen
        assert "3 of 3 steps would run, plan unchanged" in desk.screen
        assert "its SLA ends in" in desk.screen and "but not who asked" in desk.screen


async def test_each_step_stands_with_its_resolved_parameters(opened: Opened) -> None:
    async with opened(client=ApprovalsClient(), size=(120, 50)) as desk:
        await show(desk)
        assert "2 restart  restart service of the panel" in desk.screen and "unit panel@h2" in desk.screen
        assert "at most once, asks when nobody saw its end" in desk.screen
        assert "goes on when it fails" in desk.screen and "if a later step fails: restart" in desk.screen


async def test_bar_and_overview_tell_what_waits_and_runs(opened: Opened) -> None:
    client = ApprovalsClient()
    client.tell(run("other", state="running", asks="", started_at=world.NOW), ran("over"))
    async with opened(client=client, size=(120, 36)) as desk:
        await desk.settled()
        await desk.live()
        assert "APPR 1 4m" in desk.screen and "restart-panel; 4 shows the plan" in desk.screen
        assert "1 wait, 1 running" in desk.screen
        assert "restart-panel  I-4411 Harbour 2" in desk.screen and "> running" in desk.screen
        client.tell(approval("more", 30, execution="restart-panel-I4411"))
        await desk.live()
        assert "APPR 2" in desk.screen
        await desk.live(40)
        assert "APPR 1" in desk.screen


async def test_what_expired_does_not_wait_and_an_empty_page_says_how_to_come_by_one(opened: Opened) -> None:
    client = ApprovalsClient()
    client.runs = {}
    async with opened(client=client) as desk:
        await show(desk)
        assert "APPR 1" in desk.screen
        await desk.live(200)
        assert "APPR" not in desk.screen
        assert "No playbook waits for an approval." in desk.screen
        await desk.press("R")
        assert "No playbook has run." in desk.screen


# letting it go


async def test_e_then_y_approves_the_plan_that_was_shown_and_shows_the_run(opened: Opened) -> None:
    client = ApprovalsClient()
    async with opened(client=client, size=(120, 36)) as desk:
        await show(desk)
        await arm(desk)
        assert "ARMED: y within 10 s" in desk.screen and not client.commands
        await desk.calm("y")
        await desk.settled()
        assert [(c.verb, c.targets, c.params) for c in client.commands] == [
            ("approve", ("approval:restart-panel-I4411",), {"plan_sha256": SHA})
        ]
        await desk.live()
        assert "> running" in desk.line("> running") and "0 of 3 steps" in desk.screen
        assert "restart-panel goes for I-4411" in desk.screen


async def test_enter_shows_the_plan_without_arming_it(opened: Opened) -> None:
    client = ApprovalsClient()
    async with opened(client=client) as desk:
        await show(desk)
        await desk.press("enter")
        await desk.settled()
        await desk.calm("y")
        assert "y counts only within 10 s behind E" in desk.screen and not client.commands
        await desk.calm("E", "y")
        await desk.settled()
        assert verbs(client) == ["approve"]


async def test_other_keys_approve_nothing(opened: Opened) -> None:
    client = ApprovalsClient()
    async with opened(client=client) as desk:
        await show(desk)
        await desk.calm("a")
        assert "never lets anything run" in desk.screen
        for keys in (("a",), ("a", "y"), ("enter",), ("enter", "y"), ("space", "enter")):
            if not isinstance(desk.app.screen, ExecuteDialog):
                await arm(desk)
            await desk.calm(*keys)
            await desk.settled()
            assert not client.commands, keys
            await desk.press("escape")
            await desk.settled()


async def test_keys_that_come_too_soon_decide_nothing_and_take_the_arming_back(opened: Opened) -> None:
    client = ApprovalsClient()
    async with opened(client=client) as desk:
        await show(desk)
        desk.clock.advance(1.0)
        await desk.press("enter")
        await desk.settled()
        desk.clock.advance(0.4)
        await desk.press("E")
        assert "too soon" in desk.screen
        desk.clock.advance(0.4)
        await desk.press("y")
        desk.clock.advance(1.0)
        await desk.press("E", "y")
        assert "came too soon" in desk.screen and not client.commands
        await desk.press("y", "y")
        await desk.calm("y")
        assert not client.commands


async def test_a_paste_decides_nothing_and_disarms(opened: Opened) -> None:
    client = ApprovalsClient()
    async with opened(client=client) as desk:
        await show(desk)
        await arm(desk)
        desk.app.screen.post_message(events.Paste("y"))
        await desk.settled()
        assert "a paste decides nothing" in desk.screen
        await desk.calm("y", "escape")
        await desk.settled()
        assert not isinstance(desk.app.screen, ExecuteDialog) and not client.commands


async def test_ten_seconds_are_the_limit(opened: Opened) -> None:
    client = ApprovalsClient()
    async with opened(client=client) as desk:
        await show(desk)
        await arm(desk)
        desk.clock.advance(10.1)
        await desk.press("y")
        assert not client.commands and "ARMED" not in desk.screen
        await desk.calm("E", "y")
        await desk.settled()
        assert verbs(client) == ["approve"]


async def test_a_plan_for_two_takes_the_incidents_number(opened: Opened) -> None:
    client = ApprovalsClient()
    both = run(of=definition(quorum=2))
    client.tell(both, approval(quorum=2))
    async with opened(client=client, size=(120, 36)) as desk:
        await show(desk)
        await arm(desk)
        assert "type 4411 and enter within 20 s" in desk.screen
        await desk.calm(*"4410", "enter")
        assert "that is not 4411" in desk.screen and not client.commands
        await desk.calm(*"4411", "enter")
        await desk.settled()
        assert verbs(client) == ["approve"]
        await desk.live()
        assert "1/2" in desk.screen and "it takes 1 more approval" in desk.screen
        await desk.press("E")
        assert "APPROVE?" in desk.screen and "somebody else has to as well" in desk.screen


# when it must not be


async def test_old_data_turn_it_off_also_while_it_is_armed(opened: Opened) -> None:
    client = ApprovalsClient()
    async with opened(client=client, size=(120, 36)) as desk:
        await show(desk)
        await arm(desk)
        client.go_down()
        await desk.live(0.5)
        await desk.settled()
        dialog(desk).look()
        await desk.settled()
        assert "E is off: no engine to act on" in desk.screen
        await desk.calm("y")
        await desk.calm("E", "y")
        assert not client.commands


async def test_read_only_and_without_the_right_say_so(opened: Opened) -> None:
    client = ApprovalsClient()
    async with opened(client=client, size=(120, 36)) as desk:
        await show(desk)
        desk.app.desk.readonly = True
        await desk.press("E")
        assert "read-only" in desk.screen and not isinstance(desk.app.screen, ExecuteDialog)
        desk.app.desk.readonly = False
        client.capabilities = ("noc:view", "noc:ack")
        await desk.app.feed.ask()
        await desk.press("E")
        assert "you lack the right playbook:approve" in desk.screen
        assert not client.commands


async def test_whoever_asked_is_told_that_somebody_else_decides(opened: Opened) -> None:
    client = ApprovalsClient()
    client.tell(approval(requested_by="ana"))
    async with opened(client=client, size=(120, 36)) as desk:
        await show(desk)
        assert "you asked for it, so somebody else has to approve it" in desk.screen
        await arm(desk)
        assert "E is off" in desk.screen
        await desk.calm("E", "y")
        assert not client.commands


async def test_a_delegate_votes_for_the_approver(opened: Opened) -> None:
    client = ApprovalsClient()
    client.tell(run(of=definition(approvers=("bob", "eve"), delegates={"bob": ("ana",)})))
    async with opened(client=client, size=(120, 36)) as desk:
        await show(desk)
        assert "one of bob, eve" in desk.screen and "you vote for bob" in desk.screen
        await arm(desk)
        await desk.calm("y")
        await desk.settled()
        assert client.commands[0].params == {"plan_sha256": SHA, "on_behalf_of": "bob"}


async def test_a_dry_run_that_fails_turns_it_off(opened: Opened) -> None:
    client = ApprovalsClient()
    client.plans.clear()
    async with opened(client=client, size=(120, 36)) as desk:
        await show(desk)
        assert "it cannot run now: restart: no unit is called so any more" in desk.screen
        await arm(desk)
        assert "E is off: the dry run says that it cannot run" in desk.screen
        await desk.calm("E", "y")
        assert not client.commands


async def test_an_old_dry_run_is_worked_out_anew_first(opened: Opened) -> None:
    client = ApprovalsClient()
    client.tell(approval(seconds=None))
    async with opened(client=client, size=(120, 36)) as desk:
        await show(desk)
        await desk.press("enter")
        await desk.settled()
        desk.clock.advance(601)
        await desk.app.feed.ask()
        dialog(desk).look()
        assert "the dry run is older than 10 min" in desk.screen
        await desk.calm("E", "y")
        assert not client.commands
        await desk.calm("d")
        await desk.settled()
        await desk.calm("E", "y")
        await desk.settled()
        assert verbs(client) == ["approve"]


# what changes meanwhile


async def test_a_plan_that_has_changed_is_shown_and_asked_for_anew_but_not_run(opened: Opened) -> None:
    client = ApprovalsClient()
    fresh = planned(run(), OTHER, restart={"unit": "panel@h3"})
    client.plans["restart-panel-I4411"] = fresh
    async with opened(client=client, size=(120, 50)) as desk:
        await show(desk)
        assert "THE PLAN HAS CHANGED" in desk.screen
        assert "unit panel@h3" in desk.screen and "unit panel@h2" in desk.screen
        await desk.press("enter")
        await desk.settled()
        await desk.calm("E")
        await desk.settled()
        assert [(c.verb, c.params) for c in client.commands] == [("approve", {"plan_sha256": OTHER, "anew": True})]
        assert "the plan has changed since; it is asked for again" in desk.screen
        again = run(plan_sha256=OTHER)
        steps = tuple(replace(s, params={"unit": "panel@h3"}) if s.name == "restart" else s for s in again.steps)
        client.tell(replace(again, steps=steps), approval(plan_sha256=OTHER, why="asked; the plan has changed"))
        await desk.live()
        dialog(desk).look()
        await desk.settled()
        assert "THE PLAN HAS CHANGED" not in desk.screen and "it was" in desk.screen
        await desk.calm("E", "y")
        await desk.settled()
        assert client.commands[-1].params == {"plan_sha256": OTHER}
        assert client.approvals["restart-panel-I4411"].state == "approved"


async def test_a_plan_that_changes_while_it_is_armed_takes_the_arming_back(opened: Opened) -> None:
    client = ApprovalsClient()
    async with opened(client=client, size=(120, 36)) as desk:
        await show(desk)
        await arm(desk)
        assert "ARMED" in desk.screen
        client.tell(run(plan_sha256=OTHER), approval(plan_sha256=OTHER, why="asked; the plan has changed"))
        await desk.live()
        matter = dialog(desk)._matter
        await matter.plan()  # as the page beneath may
        client.plans["restart-panel-I4411"] = planned(run(), OTHER)
        await matter.plan()
        assert matter.sha256 == OTHER and not matter.why_not()
        await desk.calm("y")
        await desk.settled()
        assert not client.commands and "the plan is another one now" in desk.screen
        await desk.calm("E", "y")
        await desk.settled()
        assert [c.params for c in client.commands] == [{"plan_sha256": OTHER}]


async def test_a_number_that_is_pasted_key_by_key_lets_nothing_go(opened: Opened) -> None:
    client = ApprovalsClient()
    client.tell(run(of=definition(quorum=2)), approval(quorum=2))
    async with opened(client=client, size=(120, 36)) as desk:
        await show(desk)
        await desk.press("enter")
        await desk.settled()
        desk.clock.advance(1.0)
        await desk.press("E", *"4411", "enter")
        await desk.settled()
        assert not client.commands and "too soon behind E" in desk.screen


async def test_who_decides_second_is_told_who_was_first(opened: Opened) -> None:
    client = ApprovalsClient()
    async with opened(client=client, size=(120, 36)) as desk:
        await show(desk)
        await arm(desk)
        gone = replace(client.approvals["restart-panel-I4411"], state="approved", ended_at=world.NOW)
        gone = replace(gone, votes=(Vote(by="bob", principal="bob", at=world.NOW),))
        client.tell(gone, replace(client.runs["restart-panel-I4411"], state="running", asks=""))
        await desk.live()
        dialog(desk).look()
        await desk.settled()
        assert "decided meanwhile: approved by bob" in desk.screen
        await desk.calm("y", "E", "y")
        assert not client.commands


async def test_a_race_that_is_lost_on_the_way_is_told(opened: Opened) -> None:
    client = ApprovalsClient()
    async with opened(client=client, size=(120, 36)) as desk:
        await show(desk)
        await arm(desk)
        client.approvals["restart-panel-I4411"] = approval(state="rejected")  # the news have not come yet
        await desk.calm("y")
        await desk.settled()
        assert "not found among the open questions" in desk.screen


# rejecting, outcomes, cancelling, the switch


async def test_a_rejection_takes_a_reason(opened: Opened) -> None:
    client = ApprovalsClient()
    async with opened(client=client, size=(120, 36)) as desk:
        await show(desk)
        await desk.press("x")
        await desk.settled()
        assert "Reject restart-panel for I-4411?" in desk.screen
        await desk.calm("enter")
        assert not client.commands
        await desk.calm(*"busy", "enter")
        await desk.settled()
        assert [(c.verb, c.params) for c in client.commands] == [("reject", {"reason": "busy"})]
        await desk.live()
        assert "No playbook waits" in desk.screen


async def test_an_unknown_outcome_asks_whether_it_was_done(opened: Opened) -> None:
    client = ApprovalsClient()
    of = run(state="unknown", asks="", started_at=world.NOW)
    steps = tuple(
        replace(s, state="unknown", error="its runner vanished", started_at=world.NOW) if s.name == "restart" else s
        for s in of.steps
    )
    client.approvals.clear()
    client.tell(
        replace(of, steps=steps),
        approval("q", None, execution=of.id, asks="outcome", step="restart", requested_by="", why="was restart done?"),
    )
    async with opened(client=client, size=(120, 36)) as desk:
        await show(desk)
        assert "nobody saw how step restart ended" in desk.screen and "its runner vanished" in desk.screen
        assert "done?" in desk.screen
        await arm(desk)
        assert "ARMED: y within 10 s to it was done" in desk.screen
        await desk.calm("y")
        await desk.settled()
        assert [(c.verb, c.targets) for c in client.commands] == [("approve", ("approval:q",))]


async def test_a_run_is_cancelled_with_a_reason(opened: Opened) -> None:
    client = ApprovalsClient()
    client.tell(run(state="running", asks="", started_at=world.NOW))
    async with opened(client=client, size=(120, 36)) as desk:
        await show(desk)
        await desk.press("R", "X")
        await desk.settled()
        assert "Cancel restart-panel for I-4411?" in desk.screen
        await desk.calm(*"stop", "enter")
        await desk.settled()
        assert [(c.verb, c.targets, c.params) for c in client.commands] == [
            ("cancel", ("execution:restart-panel-I4411",), {"reason": "stop"})
        ]


async def test_the_kill_switch_asks_is_seen_everywhere_and_let_go(opened: Opened) -> None:
    client = ApprovalsClient()
    async with opened(client=client, size=(120, 36)) as desk:
        await show(desk)
        await desk.press("K")
        await desk.settled()
        assert "Stop all playbooks?" in desk.screen
        await desk.calm(*"drill", "enter")
        await desk.settled()
        await desk.live()
        assert "PLAYBOOKS OFF" in desk.screen and "KILL SWITCH ON" in desk.screen
        await desk.press("2")
        await desk.live(10)
        await desk.settled()
        assert "PLAYBOOKS OFF" in desk.screen and "all playbooks are stopped by ana: drill" in desk.screen
        await desk.press("4", "K")
        await desk.settled()
        assert "Let playbooks run again?" in desk.screen
        await desk.calm(*"over", "enter")
        await desk.settled()
        await desk.live()
        assert "PLAYBOOKS OFF" not in desk.screen
        assert [c.params for c in client.commands] == [
            {"on": True, "reason": "drill"},
            {"on": False, "reason": "over"},
        ]


# runs and playbooks


async def test_progress_follows_the_feed_step_by_step(opened: Opened) -> None:
    client = ApprovalsClient()
    client.approvals.clear()
    going = run(state="running", asks="", started_at=world.NOW)
    client.tell(going)
    async with opened(client=client, size=(120, 36)) as desk:
        await show(desk)
        await desk.press("R")
        await desk.live()
        assert "0 of 3 steps" in desk.screen
        first = replace(
            going.steps[0], state="done", started_at=world.NOW, ended_at=world.NOW + timedelta(seconds=2),
            output={"output": "line 1\nline 2"},
        )  # fmt: skip
        second = replace(going.steps[1], state="started", started_at=world.NOW, generation=2)
        client.tell(replace(going, steps=(first, second, going.steps[2])))
        await desk.live()
        assert "1 of 3 steps" in desk.screen and "line 2" in desk.screen and "try 2" in desk.screen
        assert "2/3 restart" in desk.screen
        client.tell(ran(going.id))
        await desk.live()
        assert "+ success" in desk.screen and "verified: incident.firing = 0" in desk.screen


async def test_a_long_output_is_folded_until_it_is_opened(opened: Opened) -> None:
    client = ApprovalsClient()
    client.approvals.clear()
    over = ran("restart-panel-I4411")
    long = "\n".join(f"line {n}" for n in range(30))
    client.tell(replace(over, steps=(replace(over.steps[0], output={"output": long}), *over.steps[1:])))
    async with opened(client=client, size=(120, 50)) as desk:
        await show(desk)
        await desk.press("R")
        await desk.live()
        assert "26 lines before" in desk.screen and "line 3\n" not in desk.screen
        await desk.press("enter")
        await desk.settled()
        assert "line 3\n" in desk.screen + "\n"
        await desk.press("escape")
        await desk.settled()
        assert "26 lines before" in desk.screen


async def test_each_playbook_has_its_rate_its_mean_and_its_runs(opened: Opened) -> None:
    client = ApprovalsClient()
    client.figures = [
        {
            "playbook": "restart-panel", "runs": 9, "acted": 8, "success_rate": 0.875, "mean_seconds": 42.0,
            "median_seconds": 40.0, "resolved": 6, "triggered": 5,
            "by_state": {"success": 7, "failed": 1, "expired": 1}, "last_at": world.NOW,
        }
    ]  # fmt: skip
    client.tell(ran("r1"), ran("r2", "failed", reason="restart: exit 3"))
    async with opened(client=client, size=(120, 36)) as desk:
        await show(desk)
        await desk.press("B")
        await desk.settled()
        await desk.live()
        assert "88%" in desk.line("restart-panel") and "42s" in desk.line("restart-panel")
        assert "version: too small" in desk.screen
        await desk.press("j")
        await desk.settled()
        assert "success 88% (7 of 8 that acted), mean 42s, median 40s" in desk.screen
        assert "restart: exit 3" in desk.screen


async def test_what_others_wrote_stays_inert(opened: Opened) -> None:
    client = ApprovalsClient()
    evil = world.EVIL
    of = run(reason=evil, site=evil, targets=(evil,))
    steps = tuple(replace(s, params={evil: evil}, output={evil: evil}, error=evil) for s in of.steps)
    client.tell(replace(of, steps=steps), approval(why=evil, site=evil, requested_by=evil))
    client.tell(replace(ran("bad", reason=evil), steps=steps))
    plan = planned(of)
    client.plans[of.id] = {
        **plan,
        "targets": (evil,),
        "steps": [{**step, "words": evil, "params": {evil: evil}} for step in plan["steps"]],
    }
    async with opened(client=client, size=(120, 50)) as desk:
        await desk.settled()
        await desk.live()
        for keys in (("1",), ("4",), ("R",), ("B",), ("W",), ("E",)):
            await desk.press(*keys)
            await desk.live()
            await desk.settled()
            for bad in ("\x1b", "\x07", "\x9b", "\u202e", "\u200b"):
                assert bad not in desk.screen
        assert "[/red][@click=app.quit]" in desk.screen


# the bell


async def test_the_bell_rings_once_for_a_question_and_once_in_its_last_minute(opened: Opened) -> None:
    client = ApprovalsClient()
    async with opened(client=client) as desk:
        await desk.settled()
        bell, now = WaitingBell(desk.app.desk.mirror), desk.clock.now()
        assert not bell.due(Dirty(), now)
        client.tell(approval("new", 1000))
        await desk.live()
        assert [one.id for one in bell.due(Dirty(), now)] == ["new"]
        assert not bell.due(Dirty(), now + timedelta(seconds=100))
        assert [one.id for one in bell.due(Dirty(), now + timedelta(seconds=140))] == ["restart-panel-I4411"]
        assert not bell.due(Dirty(), now + timedelta(seconds=141))


# more time


@pytest.mark.parametrize("size", SIZES)
async def test_h_gives_a_question_more_time_and_is_no_vote(opened: Opened, size: tuple[int, int]) -> None:
    client = ApprovalsClient()
    async with opened(client=client, size=size) as desk:
        await show(desk)
        assert "h hold" in desk.screen
        await desk.press("h")
        await desk.settled()
        assert "how much longer?" in desk.screen and "Hold restart-panel for I-4411" in desk.screen
        await desk.calm("2")
        await desk.settled()
        assert [(c.verb, c.targets, c.params) for c in client.commands] == [
            ("hold", ("approval:restart-panel-I4411",), {"minutes": 30, "reason": ""})
        ]
        await desk.live()
        assert "held by ana" in desk.screen and "33m" in desk.screen
        assert "0 of 1" in desk.screen and client.approvals["restart-panel-I4411"].state == "open"
        await desk.live(600)
        assert "APPR 1" in desk.screen, "it would have expired"


async def test_hold_is_a_command_with_its_reason_and_leaving_it_sends_nothing(opened: Opened) -> None:
    client = ApprovalsClient()
    async with opened(client=client) as desk:
        await show(desk)
        await desk.press("h", "escape")
        await desk.settled()
        await desk.press("tab", "h", "escape")
        await desk.settled()
        assert not client.commands
        desk.app.command("hold 45m eve is on her way")
        await desk.settled()
        assert client.commands[0].params == {"minutes": 45, "reason": "eve is on her way"}
        desk.app.command("hold soon")
        await desk.settled()
        assert "write 15m, 1h" in desk.screen and len(client.commands) == 1


async def test_what_does_not_expire_is_not_held(opened: Opened) -> None:
    client = ApprovalsClient()
    client.approvals = {}
    client.tell(approval(seconds=None, asks="outcome", step="restart"))
    async with opened(client=client) as desk:
        await show(desk)
        await desk.press("h")
        await desk.settled()
        assert "does not expire" in desk.screen and not client.commands
