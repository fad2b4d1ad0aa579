"""The command line: help with examples, exit codes, one-line errors, and what may leave to files and terminals."""

from __future__ import annotations

import io
import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import click
import pytest

from engine.step_up import OWN_USER
from engine.version import VERSION
from noc_console.__main__ import run
from noc_console.commands import outcome
from noc_console.commands.moment import Moment, seconds_of
from noc_console.commands.outcome import Failure
from noc_console.commands.recording import BadRecording, posts, rows
from noc_console.commands.records_out import CsvWriter, cell, json_line, write_columns
from noc_console.commands.replay import Pace, Speed
from noc_console.commands.root import cli
from noc_console.commands.sender import Sender
from noc_console.commands.start import Address

ROOT = Path(__file__).parents[2]


def commands(group: click.Group = cli, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


COMMANDS = list(commands())


@pytest.mark.parametrize("path", [(), *COMMANDS], ids=" ".join)
def test_help_has_an_example(path: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*path, "--help"]) == 0
    out = capsys.readouterr().out
    example = out.split("Examples:\n", 1)[1].splitlines()[0]
    assert example.strip().startswith("noc-console")
    assert not path or path[0] in example


@pytest.mark.parametrize("path", [(), *COMMANDS], ids=" ".join)
def test_an_unknown_option_is_named_and_exits_2(path: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*path, "--no-such-option"]) == outcome.USAGE
    said = capsys.readouterr()
    assert "--no-such-option" in said.err and said.err.count("\n") == 1 and said.out == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["confg"], "did you mean config?"),
        (["headless", "--listen", "nowhere"], "HOST:PORT"),
        (["headless", "--listen", "0.0.0.0:0"], "listen.host (from --listen)"),
        (["--config", "/nowhere/noc.toml", "config", "check"], "there is no file"),
        (["export", "alerts", "--since", "yesterday"], "24h"),
        (["export", "people", "--since", "1h"], "incidents"),
        (["export", "alerts"], "--since"),
        (["replay"], "FILE"),
        (["replay", "--speed", "0", "x"], "above 0"),
        (["replay", "--speed", "nan", "x"], "above 0"),
        (["attach", "ftp://x"], "http://"),
        (["attach", "http://user:secret@x"], "--token-file"),
        (["token", "create", "--name", "x"], "--role"),
        (["token", "create", "--name", "x", "--can", "all"], "noc:view"),
        (["--theme", "pink"], "console.theme (from --theme)"),
    ],
)
def test_a_wrong_command_line_exits_2_with_one_line(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == outcome.USAGE
    err = capsys.readouterr().err
    assert words in err and err.count("\n") == 1 and "secret" not in err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["replay", "/nowhere/x.jsonl"], outcome.FAILED, "No such file"),
        (["db", "check"], outcome.STORE, "no database"),
        (["db", "upgrade"], outcome.STORE, "no database"),
        (["query", "x"], outcome.STORE, "no database"),
        (["query", "--url", "http://127.0.0.1:1", "x"], outcome.UNREACHABLE, "headless"),
        (["replay", "--into", "http://noc.example", "--token-file", "{token}", "/dev/null"], outcome.USAGE, "https"),
        (["token", "revoke", "nobody"], outcome.FAILED, "token list"),
    ],
)
def test_errors_are_one_line_with_the_cure(
    arguments: list[str], code: int, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "token").write_text("noc_a_b_c")
    given = [argument.replace("{token}", str(tmp_path / "token")) for argument in arguments]
    assert run(["--data-dir", str(tmp_path / "none"), *given]) == code
    err = capsys.readouterr().err
    assert words in err and err.count("\n") == 1 and "Traceback" not in err


def test_version_is_cheap_and_light() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "noc_console", "--version"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.stdout == f"noc-console {VERSION}\n"
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not imported & {"click", "msgspec", "textual", "asyncio", "sqlalchemy", "httpx", "importlib.metadata"}
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5


def test_help_imports_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "noc_console", "--help"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not imported & {"textual", "sqlalchemy", "httpx", "uvicorn", "engine.app"}


def test_a_reader_that_goes_away_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "noc_console", "config", "default"],
        stdout=write,
        stderr=subprocess.PIPE,
        check=False,
        cwd=ROOT,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (outcome.PIPE, b"")


def test_tokens_are_made_listed_and_revoked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = ["--data-dir", str(tmp_path)]
    assert run([*store, "token", "create", "--name", "ana", "--role", "viewer"]) == 0
    text = capsys.readouterr().out.strip()
    assert run([*store, "token", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert (listed["name"], listed["capabilities"], listed["revoked_at"]) == ("ana", ["noc:view"], None)
    assert text.split("_")[2] not in json.dumps(listed) and "secret_sha256" not in listed
    assert run([*store, "token", "revoke", listed["id"]]) == 0
    assert run([*store, "token", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["revoked_at"]


def test_a_pin_is_set_from_a_pipe_changed_and_removed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ["--data-dir", str(tmp_path)]

    def pin(*words: str, given: str) -> int:
        monkeypatch.setattr("sys.stdin", io.StringIO(given))
        return run([*store, "token", *words])

    def has_pin() -> dict[str, str]:
        assert run([*store, "token", "list", "--json"]) == 0
        text = capsys.readouterr().out
        assert "scrypt" not in text and "tulip" not in text
        rows = [json.loads(line) for line in text.splitlines()]
        return {OWN_USER if row["id"] == OWN_USER else row["name"]: row["pin"] for row in rows}

    assert pin("create", "--name", "ana", "--role", "viewer", "--pin", given="tulip-77\n") == 0
    assert pin("create", "--name", "bob", "--role", "viewer", given="") == 0
    capsys.readouterr()
    assert has_pin() == {"ana": "yes", "bob": "no"}
    assert pin("pin", "bob", given="rose-77\n") == 0
    assert pin("pin", "--own-user", given="rose-78\n") == 0
    assert pin("pin", "ana", "--remove", given="") == 0
    assert has_pin() == {"ana": "no", "bob": "yes", OWN_USER: "yes"}
    capsys.readouterr()
    for words, given in ((["ana"], "123\n"), ([], "tulip-77\n"), (["ana", "--own-user"], "tulip-77\n")):
        assert pin("pin", *words, given=given) == outcome.USAGE
    assert pin("pin", "eve", given="tulip-77\n") == outcome.FAILED
    assert pin("create", "--name", "ana", "--role", "viewer", given="") == 0
    assert pin("pin", "ana", given="tulip-77\n") == outcome.USAGE, "two have the name"
    assert "tulip" not in capsys.readouterr().err
    assert has_pin()["ana"] == "no"


def test_a_database_goes_through_backup_check_and_restore(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store, copy = ["--data-dir", str(tmp_path / "a")], str(tmp_path / "copy.db")
    assert run([*store, "token", "create", "--name", "x", "--role", "viewer"]) == 0
    assert run([*store, "db", "backup", copy]) == 0
    assert run([*store, "db", "check"]) == 0
    assert run([*store, "db", "upgrade"]) == 0
    assert run([*store, "audit", "verify"]) == 0
    assert run([*store, "db", "restore", copy]) == outcome.STORE
    assert "--force" in capsys.readouterr().err
    assert run(["--data-dir", str(tmp_path / "b"), "db", "restore", copy]) == 0
    assert run(["--data-dir", str(tmp_path / "b"), "db", "check"]) == 0


LINES = [
    b'{"labels":{"alertname":"Disk","severity":"critical","site":"Depot 11"}}\n',
    b'[{"labels":{"alertname":"Cpu","site":"Mall 9"}},{"labels":{"alertname":"Net"}}]\n',
    b'{"specversion":"1.0","id":"1","source":"x","type":"noc.alert","data":{"labels":{"alertname":"Ce"}}}\n',
    b"not json\n",
    b'{"at":"2026-11-20T10:00:00Z","path":"/api/v2/alerts","body":[{"labels":{"alertname":"Rec"}}]}\n',
]


def test_a_recording_replayed_twice_counts_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = ["--data-dir", str(tmp_path / "data")]
    (tmp_path / "alerts.jsonl").write_bytes(b"".join(LINES))
    for _ in range(2):
        assert run([*store, "replay", str(tmp_path / "alerts.jsonl")]) == 0
        assert capsys.readouterr().out == "6 rows: 5 taken, 1 rejected\n"
    assert run([*store, "query", "--kind", "alerts", "--json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {alert["name"] for alert in found} == {"Disk", "Cpu", "Net", "Ce", "Rec"}
    assert {alert["count"] for alert in found} == {1}
    assert run([*store, "query", "--kind", "alerts", 'name="Disk"']) == 0
    assert "Depot 11" in capsys.readouterr().out
    assert run([*store, "export", "alerts", "--since", "1h", "--format", "csv"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 6
    assert run([*store, "query", "name>>"]) == outcome.REFUSED
    capsys.readouterr()


def test_rows_become_posts_with_stable_keys() -> None:
    first, again = list(posts(rows(LINES))), list(posts(rows(LINES)))
    assert first == again
    assert [(post.path, post.rows) for post in first] == [("/ingest/events", 5), ("/api/v2/alerts", 1)]
    assert first[0].body.splitlines()[3] == b'{"specversion"' + LINES[2].strip().removeprefix(b'{"specversion"')
    twice = list(posts(rows([LINES[4], LINES[4]])))
    assert twice[0].body == twice[1].body and twice[0].key != twice[1].key


def test_a_pace_cuts_posts_by_the_records_own_times() -> None:
    lines = [b'{"labels":{"a":"%d"},"startsAt":"2026-11-20T10:00:%02dZ"}' % (second, second) for second in range(10)]
    assert [post.rows for post in posts(rows(lines), 1)] == [1] * 10
    assert [post.rows for post in posts(rows(lines), 12)] == [4, 4, 2]
    assert [post.rows for post in posts(rows(lines))] == [10]


@pytest.mark.parametrize("path", ["/api/v1/commands", "//evil", "/ingest/x y", "/ingest/\r\nHost: x", 3])
def test_a_recording_reaches_intake_only(path: object) -> None:
    line = json.dumps({"path": path, "body": {}}).encode()
    with pytest.raises(BadRecording, match="line 1"):
        list(rows([line]))


def test_the_pace_waits_for_what_is_due_and_starts_over_when_time_goes_back() -> None:
    waited: list[float] = []
    pace = Pace(2.0, lambda: 100.0 + sum(waited), waited.append)
    start = datetime(2026, 11, 20, tzinfo=UTC)
    for seconds in (0, 10, 5, 30, -60, -50):
        pace.until(start + timedelta(seconds=seconds))
    assert waited == [5.0, 10.0, 5.0]


class Replies(BaseHTTPRequestHandler):
    """Answers from the server's list, in order; remembers what came."""

    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, Scripted)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server.came.append((self.path, self.headers["Idempotency-Key"], self.headers.get("Authorization"), body))
        status, headers, reply = server.script.pop(0)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, format: str, *args: object) -> None:
        pass


class Scripted(HTTPServer):
    def __init__(self, script: list[tuple[int, dict[str, str], bytes]]) -> None:
        super().__init__(("127.0.0.1", 0), Replies)
        self.script = script
        self.came: list[tuple[str, str, str | None, bytes]] = []

    def __enter__(self) -> Scripted:
        self.thread = Thread(target=self.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.shutdown()
        self.thread.join()
        self.server_close()


def send(server: Scripted, waited: list[float], token: str = "noc_t"):  # type: ignore[no-untyped-def]
    def wait(seconds: float) -> bool:
        waited.append(seconds)
        return False

    sender = Sender(f"http://127.0.0.1:{server.server_port}", token, wait, tries=3)
    try:
        return sender.send(next(posts(rows(LINES[:2]))))
    finally:
        sender.close()


def test_back_pressure_is_waited_out_and_the_same_post_sent_again() -> None:
    waited: list[float] = []
    later = [(503, {"Retry-After": "7"}, b""), (429, {"Retry-After": "2"}, b""), (507, {}, b"")]
    with Scripted([*later, (202, {}, b'{"taken":2,"rejected":1,"reason":"why"}')]) as server:
        assert send(server, waited) == (2, 1, "why")
    assert waited == [7.0, 2.0, 1.0]
    assert len(set(server.came)) == 1 and len(server.came) == 4
    assert server.came[0][2] == "Bearer noc_t"


@pytest.mark.parametrize(
    ("status", "code"), [(401, outcome.REFUSED), (403, outcome.REFUSED), (413, outcome.FAILED), (307, outcome.FAILED)]
)
def test_a_refusal_ends_the_replay(status: int, code: int) -> None:
    with Scripted([(status, {"Location": "http://127.0.0.1:1/"}, b"")]) as server, pytest.raises(Failure) as caught:
        send(server, [])
    assert caught.value.code == code and len(server.came) == 1


def test_nobody_there_is_tried_again_and_then_told() -> None:
    waited: list[float] = []
    with Scripted([]) as server:
        pass
    with pytest.raises(Failure, match="no engine answers"):
        send(server, waited)
    assert len(waited) == 2


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\n=1"])
def test_a_cell_never_starts_a_formula(text: str) -> None:
    assert cell(text).startswith("'")


@pytest.mark.parametrize(
    ("value", "text"),
    [("plain", "plain"), (-5, "-5"), (1.5, "1.5"), (None, ""), (True, "true"), (["=1"], '["=1"]'), ("a=b", "a=b")],
)
def test_cells(value: object, text: str) -> None:
    assert cell(value) == text


HOSTILE = "\x1b]0;x\x07 \x9b31m \u202e \u200b \u2028 \x00"


def test_text_from_outside_leaves_inert() -> None:
    line = json_line({"title": HOSTILE})
    assert line.isprintable() and json.loads(line) == {"title": HOSTILE}
    out = io.StringIO()
    write_columns("alerts", [{"id": 1, "title": HOSTILE}], out)
    CsvWriter(out).write([{"title": HOSTILE}])
    assert all(letter.isprintable() or letter == "\n" for letter in out.getvalue())


def test_csv_keeps_the_columns_of_the_first_row() -> None:
    out = io.StringIO()
    writer = CsvWriter(out)
    writer.write([{"a": 1, "b": "x,y"}])
    writer.write([{"b": 'q"', "c": 3}])
    assert out.getvalue() == 'a,b\n1,"x,y"\n,"q"""\n'


@pytest.mark.parametrize(
    ("text", "address"),
    [("127.0.0.2:80", "127.0.0.2"), ("[::1]:80", "::1"), (":80", "127.0.0.1"), ("80", "127.0.0.1")],
)
def test_addresses(text: str, address: str) -> None:
    assert Address().convert(text, None, None) == (address, 80)


@pytest.mark.parametrize(("text", "seconds"), [("90m", 5400), ("1.5h", 5400), ("7d", 604800), ("soon", None)])
def test_spans(text: str, seconds: float | None) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["2026-11-20T14:00Z", "2026-11-20T15:00+01:00", "2026-11-20T14:00"])
def test_moments_are_utc(text: str) -> None:
    assert Moment().convert(text, None, None) == datetime(2026, 11, 20, 14, tzinfo=UTC)


def test_speeds() -> None:
    assert Speed().convert("60x", None, None) == 60.0
    assert Speed().convert("max", None, None) == float("inf")


def test_help_lists_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    run(["--help"])
    out = capsys.readouterr().out
    assert all(f"\n    {code} " in out for code in (0, 1, 2, 3, 4, 5, 130, 141))
