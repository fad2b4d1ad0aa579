"""Hostile texts in every field, on every screen, in a real terminal: nothing of them but text gets out."""

from __future__ import annotations

import json
import re
import time
import unicodedata
from pathlib import Path
from typing import Any

import httpx

from noc_console.safe_text import safe_text
from tests.fakes.headless import Headless, Starter, command, environment
from tests.fakes.hostile_texts import CORPUS
from tests.fakes.terminal import Opener, Terminal

#: Each of them is alone in its incident, so that each has a row of its own.
APART = {"NOC__CLUSTERING__JOIN_AT": "1.0", "NOC__CLUSTERING__SUPPRESS_ABOVE": "1.0"}
LINES = 60
LONG = 200_000

#: What the console itself sends: colours, cursor moves, erasing, the pointer's shape, what it copies, its modes.
_OWN = re.compile(
    r"\x1b\[[0-9;:]*m|\x1b\[\d*(?:;\d*)?[HABCDGJK]|\x1b\[6n|\x1b\[c"
    r"|\x1b\[\?(?:7|25|1000|1002|1003|1004|1006|1015|1016|1049|2004|2026|2048)[hl]|\x1b\[\?\d+\$p"
    r"|\x1b\]52;c;[A-Za-z0-9+/=]*\x07"
    r"|\x1b\]22;[a-z-]+\x07|\x1b\[[<>=]\d*(?:;\d+)*u|\x1b\[>4;\d+m|\r|\n"
)
_FORBIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def escaped(raw: bytes) -> list[str]:
    """What is in the output that no renderer of text has any business to send."""
    rest = _OWN.sub("", raw.decode("utf-8"))
    found = []
    for match in re.finditer(r"[^\x20-\x7e]", rest):
        if unicodedata.category(match[0]) in _FORBIDDEN:
            found.append(repr(rest[max(0, match.start() - 30) : match.end() + 30]))
    return found


def send_everything(http: httpx.Client) -> None:
    """Each text into every field that a sender can fill, in three formats; some into what operators write."""
    for start in range(0, len(CORPUS), 100):
        rows = [_alert(number, text) for number, text in enumerate(CORPUS[start : start + 100], start)]
        assert http.post("/api/v2/alerts", content=json.dumps(rows)).status_code == 200
    for number, text in enumerate(CORPUS[::8]):
        event = {"specversion": "1.0", "id": text, "source": text, "type": f"noc.{text}", "subject": text, "data": {}}
        http.post("/ingest/events", content=json.dumps(event), headers={"content-type": "application/cloudevents+json"})
        incident = number + 1
        words = {"note": {"text": text}, "assign": {"owner": text}, "ack": {"note": text, "minutes": 60}}
        for verb, params in words.items():
            assert http.post(f"/api/v1/incidents/{incident}/{verb}", content=json.dumps(params)).status_code < 500
    long = {"nothing that names it": "\x1b[31m" + "x" * LONG}
    lines = json.dumps(long) + "\n" + json.dumps({"title": "\x1b]0;x\x07" + "y" * LONG})
    http.post("/ingest/events", content=lines, headers={"content-type": "application/x-ndjson"})
    http.post("/api/v2/alerts", content=b'[{"labels": {"\x1b[2J": "\xff"}}]')


def _alert(number: int, text: str) -> dict[str, Any]:
    """The text everywhere; only severity and host are the test's own, to find it again."""
    labels = dict.fromkeys(("alertname", "site", "service", "client", "job", "instance", text[:500]), text)
    annotations = {"description": text, "runbook_url": text, text[:500]: text, "summary": f"{text}#{number}"}
    return {
        "labels": {**labels, "severity": "critical", "host": f"h{number}"},
        "annotations": annotations,
        "generatorURL": text,
    }


def look_everywhere(console: Terminal, seen: list[str]) -> None:
    """Walk through the screens; `seen` gets what was on them."""

    def press(*keys: str, quiet: float = 0.06) -> None:
        for key in keys:
            console.send(key)
            console.settle(quiet, 3.0)
            seen.append(console.text)

    def page() -> bool:
        """A page further, once it is drawn; false at the end."""
        before = console.line("> ")
        console.send(down)
        end = time.monotonic() + 10.0
        while console.line("> ") == before and time.monotonic() < end:
            console.pump(0.02)
        console.settle(0.1, 3.0)
        seen.append(console.text)
        return console.line("> ") != before

    escape, down, tab = "\x1b", "\x1b[6~", "\t"
    press("1", tab, "j", "j", "G", tab, "j", "G", "g")
    press("2", "g")
    while page():
        pass
    press("g")
    for _ in range(4):
        press("\r", tab, tab, tab, tab, tab)
        press(escape, quiet=0.3)
        press(*["j"] * 3)
    press("3", "g", "l", "j", "\r", tab, tab)
    press(escape, quiet=0.3)
    for _ in range(6):
        press(down, "l", "j")
    press("9", "g", *[down] * 6, "G", "\r")
    press(escape, "9", quiet=0.3)
    press("r", "g", "\r")
    press(escape, quiet=0.3)
    press("G", "\r")
    press(escape, "s", "b", quiet=0.3)
    press("2", "y", "S")
    press(escape, quiet=0.3)
    press("s")
    press(escape, quiet=0.3)
    press("/", *"alertname", "\r", "/")
    press(escape, "1", quiet=0.3)


def test_hostile_texts_reach_the_screen_as_text_only(headless: Starter, terminals: Opener, tmp_path: Path) -> None:
    assert len(CORPUS) >= 400
    engine: Headless = headless(APART)
    with engine.http(headers={"content-type": "application/json"}) as http:
        send_everything(http)
        total = http.get("/api/v1/alerts", params={"limit": 1000}).json()["items"]
    assert len(total) >= len(CORPUS)
    assert {row["labels"].get("site") for row in total} >= set(CORPUS), "stored as it came"
    console: Terminal = terminals(command("attach", engine.url), environment(tmp_path), columns=200, lines=LINES)
    console.until("LIVE")
    console.settle(1.0)
    seen: list[str] = []
    look_everywhere(console, seen)
    assert console.ended(0.0) is None, f"the console ended: {console.text}"
    assert escaped(bytes(console.raw)) == []
    assert "LIVE" in console.text
    shown = "\n".join(seen)
    missing = [number for number in range(len(CORPUS)) if not _shown(number, shown)]
    assert not missing, f"not shown as safe text: {[CORPUS[number][:40] for number in missing][:10]}"
    for literal in ("[/red]", "[@click=app.quit]quit[/]", "=cmd|' /C calc'!A0", "{{7*7}}"):
        assert literal in shown
    assert engine.stop() == 0
    log = engine.said()
    assert "Traceback" not in log and "\x1b" not in log.replace("\x1b[2m", "")


def _shown(number: int, shown: str) -> bool:
    """Whether the title's beginning was on a screen as `safe_text` has it. Of several lines a title is the first; where
    wide letters end is not asked."""
    text = safe_text(f"{CORPUS[number]}#{number}")
    if not text.isascii() or "\n" in CORPUS[number]:
        return True
    return text[:24].strip() in shown
