"""Messages that differ in values alone are one; messages that say different things are not."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from data.records import DEFAULT_TENANT
from engine.config import load
from engine.config_check import ConfigError
from engine.formats import generic
from engine.formats.intake import IntakeSettings
from engine.masking.mask import mask
from engine.masking.templates import Miner
from engine.ports import Received
from engine.stages.normalise import IntakeRules


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("took 3.2 sec on 10.0.0.7:53", "took <*> on <*>"),
        ("id 5f0c1b9e-3c1d-4b60-9d0e-0b6d7a3b1c2d gone", "id <*> gone"),
        ("at Fri Jun 17 07:07:00 2005", "at <*>"),
        ("wrote /var/log/messages.1 (1.16 KB)", "wrote <*> (<*>)"),
        ("from 222.33.90.199 ()", "from <*> (<*>)"),
        ("peers 10.0.0.1, 10.0.0.2,10.0.0.3 left", "peers <*> left"),
        ("lifetime <1 sec", "lifetime <*>"),
        ("flags 0x1f on 00:1b:44:11:3a:b7", "flags <*> on <*>"),
        ("nothing to mask here", "nothing to mask here"),
    ],
)
def test_values_are_masked_by_their_form(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Failed password for root from 10.0.0.1 port 5", "Failed password for guest from 10.0.0.2 port 77"),
        ("session closed for user ana", "session closed for user bo"),
        ("state=up speed=100", "state=down speed=1000"),
        ("GET /v2/a/b?x=1 200", "GET /v1/c/d 404"),
        ("lost node-17.rack.example", "lost node-2.rack.example"),
    ],
)
def test_what_differs_in_values_is_one_message(one: str, other: str) -> None:
    miner = Miner()
    assert miner.add(one).key == miner.add(other).key
    assert len(miner) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("[instance: 7] VM Paused (Lifecycle Event)", "[instance: 7] VM Resumed (Lifecycle Event)"),
        ("link 3 up", "link 3 down"),
        ("fan failed", "fan failed again"),
        ("GET /v2/a/b 200", "POST /v2/a/b 200"),
    ],
)
def test_what_says_something_else_is_another(one: str, other: str) -> None:
    miner = Miner()
    assert miner.add(one).key != miner.add(other).key


def test_a_template_keeps_its_key_while_it_learns() -> None:
    miner = Miner()
    keys = {miner.add(f"job {name}.service entered state {number}").key for number, name in enumerate("abc")}
    assert len(keys) == 1


def test_memory_is_bounded() -> None:
    miner = Miner(limit=10)
    for number in range(1000):
        miner.add(" ".join(chr(ord("a") + int(digit)) * 3 for digit in f"{number:04d}"))
    assert len(miner) == 10 and len(miner._known) <= 40


def test_hostile_text_is_masked_in_time_that_grows_with_its_length() -> None:
    hostile = (
        "/" * 4000,
        "1." * 4000,
        "a" * 4000,
        "0123456789abcdef-" * 300,
        "(" * 4000,
        "<*>," * 2000,
        "Mon Jan " * 500,
    )
    began = time.process_time()
    for text in hostile:
        Miner().add(text)
    assert time.process_time() - began < 5.0


def received(miner: Miner | None) -> Received:
    settings = IntakeSettings(rules=IntakeRules(), text=miner)
    now = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
    return Received(body=b"", headers={}, source="syslog", tenant=DEFAULT_TENANT, now=now, settings=settings)


def test_a_source_by_text_gives_one_key_to_one_message() -> None:
    by_text = received(Miner())
    rows = [{"message": f"link {number} went down after {number} s", "host": "sw1"} for number in (1, 2, 3)]
    signals = [generic.signal_of(row, by_text) for row in rows]
    assert len({signal.key for signal in signals}) == 1
    assert signals[0].title == "link 1 went down after 1 s" and "<*>" in signals[0].name
    elsewhere = generic.signal_of({**rows[0], "host": "sw2"}, by_text)
    assert elsewhere.key != signals[0].key
    own = generic.signal_of({**rows[0], "dedup_key": "mine"}, by_text)
    assert own.key not in {signals[0].key, elsewhere.key}


def test_other_sources_keep_their_labels() -> None:
    rows = [{"message": f"link {number} went down", "host": "sw1"} for number in (1, 2)]
    assert len({generic.signal_of(row, received(None)).key for row in rows}) == 2


def test_text_is_for_generic_sources_alone(tmp_path: Path) -> None:
    file = tmp_path / "noc.toml"
    file.write_text('[sources.lines]\nformat = "generic"\ndedup = "text"\n')
    assert load(file).sources["lines"].dedup == "text"
    file.write_text('[sources.lines]\nformat = "pagerduty"\ndedup = "text"\n')
    with pytest.raises(ConfigError, match=r"dedup"):
        load(file)
