"""Two companies on one engine, viewers, tokens, signatures, secrets: over HTTP, on a real engine and its files."""

from __future__ import annotations

import asyncio
import hmac
import json
import re
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from data.nouns import NOUNS
from engine.api import alertmanager
from engine.api.table import build_table
from tests.fakes.headless import Headless, Starter, run
from tests.fakes.waiting import PATIENCE, until

#: Stands in every text of the first company; the second must never see it.
MARK = "Canary-of-North"
CANARIES = {
    "source token": "canary-source-token-7c1e",
    "hmac": "canary-hmac-secret-90af",
    "previous hmac": "canary-previous-5b3d",
    "routing key": "canaryroutingkey0123456789abcdef",
    "guessed token": "noc_canaryGuess0_canaryGuess_000000",
}
CONFIG = """
[sources.signed]
format = "generic"
hmac = {env = "CANARY_HMAC"}
hmac_previous = {env = "CANARY_PREVIOUS"}
[sources.tokened]
format = "generic"
token = {env = "CANARY_TOKEN"}
[sources.pagerduty]
format = "pagerduty"
token = {env = "CANARY_KEY"}
"""
#: A playbook that asks before it runs; its plan says what its incident is called.
BOOK = "mend"
PLAYBOOK = f"""
name: {BOOK}
version: 1
steps: [{{name: ticket, action: create_ticket, params: {{title: "${{incident.title}} ${{alert.name}}"}}}}]
"""
#: One that the second company does not have.
NORTHS = "norths"
SECRETS = {
    "CANARY_HMAC": CANARIES["hmac"],
    "CANARY_PREVIOUS": CANARIES["previous hmac"],
    "CANARY_TOKEN": CANARIES["source token"],
    "CANARY_KEY": CANARIES["routing key"],
}
TABLE = build_table()


class Company(NamedTuple):
    """One tenant's token (everything allowed) and the client that uses it."""

    name: str
    token: str
    http: httpx.Client


def on_the_same_data(engine: Headless, *words: str, **more: str) -> str:
    """What a command prints that works on the engine's directory with a configuration of its own."""
    folder = engine.folder / "shell"
    folder.mkdir(exist_ok=True)
    done = run(folder, words, NOC__STORE__DATA_DIR=str(engine.data), **more)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def token_of(engine: Headless, tenant: str, *words: str) -> str:
    return on_the_same_data(engine, "token", "create", "--name", f"test {tenant}", *words, NOC__ENGINE__TENANT=tenant)


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest.fixture
def engine(headless: Starter, tmp_path: Path) -> Headless:
    books = tmp_path / "books"
    books.mkdir()
    (books / f"{BOOK}.yaml").write_text(PLAYBOOK)
    (books / f"{NORTHS}.yaml").write_text(PLAYBOOK.replace(f"name: {BOOK}", f"name: {NORTHS}\ntenants: [default]"))
    made: Headless = headless({**SECRETS, "NOC__PLAYBOOKS__DIRECTORY": str(books)}, config=CONFIG)
    return made


@pytest.fixture
def companies(engine: Headless) -> Iterator[tuple[Company, Company]]:
    found = []
    for name in ("default", "south"):
        token = token_of(engine, name, "--role", "admin")
        found.append(Company(name, token, engine.http(headers=bearer(token))))
    until(lambda: found[1].http.get("/api/v1/health").status_code == 200, what="a token that is known")
    yield found[0], found[1]
    for company in found:
        company.http.close()


def fill(company: Company, mark: str) -> dict[str, str]:
    """Alerts, an act, a note, a silence and a dead letter of a company → an id of each kind."""
    http = company.http
    labels = {"alertname": mark, "site": mark, "host": f"{mark}-h1", "severity": "critical"}
    rows = [{"labels": labels, "annotations": {"summary": mark}}, {"labels": {**labels, "host": f"{mark}-h2"}}]
    assert http.post("/api/v2/alerts", json=rows).status_code == 200
    bad = http.post("/ingest/events", content=f'{{"bad": "{mark}"}}', headers={"content-type": "application/x-ndjson"})
    assert bad.status_code == 422
    now = datetime.now(UTC)
    silence = http.post(
        "/api/v2/silences",
        json={
            "matchers": [{"name": "alertname", "value": f"{mark}-other", "isRegex": False}],
            "startsAt": now.isoformat(),
            "endsAt": (now + timedelta(hours=1)).isoformat(),
            "createdBy": mark,
            "comment": mark,
        },
    ).json()["silenceID"]
    made = http.post("/api/v1/silences", json={"matchers": f'service="{mark}"', "minutes": 60, "comment": mark})
    assert made.status_code == 201, made.text
    first = {kind: http.get(f"/api/v1/{kind}").json()["items"][0] for kind in ("alerts", "incidents", "clusters")}
    ids = {kind: str(row["id"]) for kind, row in first.items()}
    assert http.post(f"/api/v1/incidents/{ids['incidents']}/note", json={"text": mark}).status_code == 200
    reject = http.get("/api/v1/rejects").json()["items"][0]["id"]
    asked = http.post(f"/api/v1/incidents/{ids['incidents']}/run_playbook", json={"playbook": BOOK})
    assert asked.status_code == 200 and asked.json()["changed"], asked.text
    ids |= fill_world(http, mark)
    until(lambda: http.get("/api/v1/metrics/series").json()["items"], what="the series of the sample")
    return {**ids, "silences": silence, "rejects": str(reject), "undos": made.json()["undo"]}


def fill_world(http: httpx.Client, mark: str) -> dict[str, str]:
    """Events of the guarded world of a company → an id of each kind of record that came of them."""
    now = datetime.now(UTC)
    start, end = (now - timedelta(hours=1)).isoformat(), (now + timedelta(hours=1)).isoformat()
    rows: dict[str, dict[str, Any]] = {
        "site": {"id": mark, "name": mark, "client": mark},
        "client": {"id": mark, "name": mark},
        "person": {"id": mark, "name": mark, "sites": [mark]},
        "device": {"id": mark, "name": mark, "site": mark, "status": "tampered"},
        "shift": {"id": mark, "site": mark, "person": mark, "starts_at": start, "ends_at": end},
        "attendance": {"person": mark, "site": mark},
        "tour": {"id": mark, "action": "scheduled", "site": mark, "starts_at": start, "ends_at": end},
        "ticket": {"id": mark, "title": mark, "site": mark, "state": "NEW"},
        "workorder": {"id": mark, "title": mark, "site": mark},
        "task": {"id": mark, "title": mark, "site": mark},
        "asset": {"id": mark, "name": mark, "site": mark},
        "change": {"kind": "configuration", "what": mark, "target": mark, "site": mark},
        "activity": {"person": mark, "kind": "sos", "site": mark},
        "sample": {"name": mark, "value": 1.0, "labels": {"site": mark}},
    }
    events = [
        {"specversion": "1.0", "type": f"noc.{kind}", "source": mark, "id": f"{mark}-{kind}", "data": data}
        for kind, data in rows.items()
    ]
    taken = http.post(
        "/ingest/events",
        content=json.dumps(events),
        headers={"content-type": "application/cloudevents-batch+json"},
    )
    assert taken.status_code == 202 and taken.json()["taken"] == len(events), taken.text
    found = {kind: http.get(f"/api/v1/{kind}") for kind in NOUNS}
    return {kind: got.json()["items"][0]["id"] for kind, got in found.items() if got.is_success and got.json()["items"]}


#: An id of nobody, by kind; kinds of which a company here has nothing are asked for by the same id twice.
NOBODY = "nobody-987654"
NOBODYS = {
    **dict.fromkeys(("alerts", "incidents", "clusters", "rejects"), "987654"),
    **dict.fromkeys(("silences", "undos"), "11111111-1111-4111-8111-111111111111"),
}


#: What an act wants to know, by its name: without it, it would be refused before its target is looked for.
PARAMS: dict[str, dict[str, Any]] = {"note": {"text": "x"}, "assign": {"owner": "x"}, "shelve": {"minutes": 5}}


def items() -> list[tuple[str, str, str]]:
    """(method, path with {id}, kind) of every route that names one thing."""
    found = []
    for route in TABLE:
        match = re.match(r"/api/v[12]/(\w+)/\{\w+\}", route.path)
        if match and route.handler is not alertmanager.deprecated and route.method in ("GET", "POST", "DELETE"):
            kind = "silences" if match[1] in ("silence", "silences") else match[1]
            found.append((route.method, re.sub(r"\{\w+\}", "{id}", route.path), kind))
    return found


def answer_to(http: httpx.Client, method: str, path: str, id: str) -> tuple[int, str]:
    """Status and body, with the id and what counts up taken out."""
    body = {"json": PARAMS.get(path.rpartition("/")[2], {})} if method == "POST" else {}
    reply = http.request(method, path.replace("{id}", id), **body)
    text = re.sub(rf"(?<=[:/]){id}\b", "ID", reply.text)
    return reply.status_code, re.sub(r'"(?:seq|at|request)":\s*("[^"]*"|\d+)', "", text)


def test_what_belongs_to_another_company_does_not_exist(companies: tuple[Company, Company]) -> None:
    north, south = companies
    until(lambda: north.http.get("/api/v1/playbooks").json()["items"], what="the playbooks that are loaded")
    foreign = {**fill(north, MARK), "playbooks": NORTHS}
    assert north.http.get(f"/api/v1/playbooks/{NORTHS}").status_code == 200
    fill(south, "Other")
    before = digest(north.http)
    routes = items()
    assert len(routes) > 25
    assert {"sites", "people", "devices", "shifts", "tours", "tickets", "attendance", "changes"} <= foreign.keys()
    assert {"executions", "approvals", "playbooks", "models"} <= foreign.keys()
    for method, path, kind in routes:
        got = answer_to(south.http, method, path, foreign.get(kind, NOBODY))
        random = answer_to(south.http, method, path, NOBODYS.get(kind, NOBODY))
        assert got == random, f"{method} {path}"
        assert MARK not in got[1]
        if method == "GET":
            assert got[0] in (200, 404) and (got[0] == 404 or '"items":[]' in got[1]), f"{method} {path}: {got}"
    assert digest(north.http) == before, "something was changed from outside"


def test_lists_answers_and_acts_stay_within_the_company(companies: tuple[Company, Company]) -> None:
    north, south = companies
    foreign = fill(north, MARK)
    fill(south, "Other")
    before = digest(north.http)
    lists = [route.path for route in TABLE if route.method == "GET" and "{" not in route.path]
    asked = [f"/api/v1/incidents?incident={foreign['incidents']}", f"/api/v1/alerts?incident={foreign['incidents']}"]
    asked += [f"/api/v1/timeline?incident={foreign['incidents']}", f"/api/v1/alerts?cluster={foreign['clusters']}"]
    asked += [f"/api/v1/{kind}?id=incident:{foreign['incidents']}" for kind in ("why", "related")]
    asked += [f'/api/v1/preview?q={{alertname="{MARK}"}}', f'/api/v1/alerts?q=site = "{MARK}"']
    asked += ["/api/v1/events?limit=500"]
    asked += [f"/api/v1/incidents?id={foreign['incidents']}", "/api/v2/alerts?silenced=true&inhibited=true"]
    asked += [f"/api/v2/alerts?filter=alertname%3D{MARK}", "/api/v2/alerts/groups", "/api/v2/silences"]
    asked += reports_on(north.http, foreign)
    for path in (*lists, *asked):
        reply = south.http.get(path)
        assert reply.status_code < 500, f"{path}: {reply.text}"
        # The question itself may come back in a refusal's words.
        if MARK not in path:
            assert MARK not in reply.text, path
        elif reply.status_code == 200:
            assert f"{MARK}-h1" not in reply.text, path
    for kind, verb in (("incident", "ack"), ("incident", "merge"), ("alert", "split"), ("incident", "resolve")):
        theirs = {"verb": verb, "targets": [f"{kind}:{foreign[kind + 's']}", f"{kind}:1"], "params": {}}
        nobodys = {**theirs, "targets": [f"{kind}:987654", f"{kind}:987655"]}
        got, random = (south.http.post("/api/v1/commands", json=body) for body in (theirs, nobodys))
        assert got.status_code == random.status_code, (got.text, random.text)
        assert MARK not in got.text
    for verb, kind, params in (
        ("approve", "approval", {"plan_sha256": "0" * 64}),
        ("reject", "approval", {"reason": "x"}),
        ("cancel", "execution", {"reason": "x"}),
        ("run_playbook", "incident", {"playbook": BOOK}),
    ):
        theirs = {"verb": verb, "targets": [f"{kind}:{foreign[kind + 's']}"], "params": params}
        nobodys = {**theirs, "targets": [f"{kind}:987654"]}
        got, random = (south.http.post("/api/v1/commands", json=body) for body in (theirs, nobodys))
        assert got.status_code == random.status_code, (got.text, random.text)
        assert MARK not in got.text and not got.json().get("changed"), got.text
    assert digest(north.http) == before


def reports_on(http: httpx.Client, ids: dict[str, str]) -> list[str]:
    """Questions that name what a company has: its series, its run, its incident, its site."""
    series = http.get("/api/v1/metrics/series", params={"name": MARK}).json()["items"]
    assert [of["name"] for of in series] == [MARK]
    id = series[0]["id"]
    known = http.get("/api/v1/metrics/query", params={"series": id})
    assert known.is_success and known.json()["items"][0]["labels"]["site"] == MARK
    plan = http.get("/api/v1/playbooks/plan", params={"execution": ids["executions"]})
    assert MARK in plan.text, "its own company may see it"
    listed = [
        ("metrics/series", {"name": MARK}),
        ("metrics/series", {"text": MARK.lower()}),
        ("metrics/query", {"series": id}),
        ("metrics/latest", {"series": json.dumps([id])}),
        ("playbooks/plan", {"execution": ids["executions"]}),
        ("playbooks/plan", {"playbook": BOOK, "incident": ids["incidents"]}),
        ("playbooks/fitting", {"incident": ids["incidents"]}),
        ("playbooks/statistics", {"playbook": BOOK}),
        ("predictions/performance", {"site": MARK}),
        ("models/history", {"limit": "1000"}),
        ("executions", {"incident": ids["incidents"]}),
        ("approvals", {"incident": ids["incidents"]}),
    ]
    return [str(httpx.URL(f"/api/v1/{path}", params=params)) for path, params in listed]


def test_a_reader_of_one_site_sees_nothing_of_the_others(engine: Headless, companies: tuple[Company, Company]) -> None:
    north, _ = companies
    ids = fill(north, MARK)
    token = token_of(engine, "default", "--role", "admin", "--site", "Elsewhere")
    with engine.http(headers=bearer(token)) as http:
        until(lambda: http.get("/api/v1/health").status_code == 200, what="a token that is known")
        lists = [route.path for route in TABLE if route.method == "GET" and "{" not in route.path]
        # Silences are of no site, and an alert that names none could be anybody's.
        open_to_all = {"/api/v2/silences", "/api/v1/silences"}
        for path in (*(path for path in lists if path not in open_to_all), *reports_on(north.http, ids)):
            reply = http.get(path)
            assert reply.status_code < 500, f"{path}: {reply.text}"
            if MARK not in path and MARK.lower() not in path:
                assert MARK not in reply.text, path
            elif reply.is_success and "performance" not in path:
                assert reply.json()["items"] == [], path
        before = digest(north.http)
        for verb, target, params in (
            ("approve", f"approval:{ids['approvals']}", {"plan_sha256": "0" * 64}),
            ("reject", f"approval:{ids['approvals']}", {"reason": "x"}),
            ("cancel", f"execution:{ids['executions']}", {"reason": "x"}),
            ("run_playbook", f"incident:{ids['incidents']}", {"playbook": BOOK}),
            ("train", "model:clustering", {}),
            ("rollback_model", "model:clustering", {}),
        ):
            reply = http.post("/api/v1/commands", json={"verb": verb, "targets": [target], "params": params})
            assert reply.status_code >= 400 or not reply.json().get("changed"), f"{verb}: {reply.text}"
        assert http.post("/api/v1/kill_switches", json={"on": True, "reason": "x"}).status_code == 403
        assert digest(north.http) == before


def digest(http: httpx.Client) -> str:
    """What people decide of a company's things; what its own engine moves with time is left out."""
    kept = (
        *("id", "state", "owner", "ack", "shelved_until", "silenced_by"),
        *("cluster", "matchers", "ends_at", "merged_into"),
    )
    kinds = ("incidents", "silences", "rejects", "tickets", "sites", "people", "executions", "approvals")
    rows = {kind: http.get(f"/api/v1/{kind}", params={"limit": 1000}).json()["items"] for kind in kinds}
    rows["tickets"] = [row for row in rows["tickets"] if row["id"] == MARK]  # audits open others by the clock
    told = {kind: [{name: row.get(name) for name in kept} for row in found] for kind, found in rows.items()}
    return json.dumps({kind: sorted(found, key=str) for kind, found in told.items()}, sort_keys=True)


async def test_the_feed_tells_nothing_of_another_company(engine: Headless, companies: tuple[Company, Company]) -> None:
    north, south = companies
    url = engine.url.replace("http", "ws") + "/api/v1/feed?cursor=0"
    async with connect(url, additional_headers=bearer(south.token)) as feed:
        await asyncio.to_thread(fill, north, MARK)
        await asyncio.to_thread(fill, south, "Other")
        seen = ""
        async with asyncio.timeout(PATIENCE):
            while "silence_created" not in seen or "incident_updated" not in seen:
                seen += str(await feed.recv())
    assert "Other-h1" in seen and MARK not in seen


async def test_a_revoked_token_ends_its_feed(engine: Headless) -> None:
    token = await asyncio.to_thread(token_of, engine, "default", "--role", "viewer")
    url = engine.url.replace("http", "ws") + "/api/v1/feed"
    feed = await _connected(url, token)
    await asyncio.to_thread(on_the_same_data, engine, "token", "revoke", token.split("_")[1])
    with pytest.raises(ConnectionClosed):
        async with asyncio.timeout(PATIENCE):
            while True:
                await feed.recv()
    assert feed.close_code == 4401
    with engine.http(headers=bearer(token)) as http:
        assert http.get("/api/v1/health").status_code == 401


async def _connected(url: str, token: str) -> Any:
    """A token that was just made is known within seconds."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await connect(url, additional_headers=bearer(token))
            except Exception as error:  # noqa: BLE001  (any refusal: asked again until the time is over)
                assert "401" in str(error)
                await asyncio.sleep(0.2)


def test_a_viewer_looks_and_does_nothing(engine: Headless, companies: tuple[Company, Company]) -> None:
    north, _ = companies
    ids = fill(north, MARK)
    token = token_of(engine, "default", "--role", "viewer")
    with engine.http(headers=bearer(token)) as http:
        until(lambda: http.get("/api/v1/incidents").status_code == 200, what="a token that is known")
        before = digest(north.http)
        acts = [(method, path, kind) for method, path, kind in items() if method != "GET"]
        assert len(acts) > 15
        for method, path, kind in acts:
            place = path.replace("{id}", ids.get(kind, "none"))
            reply = http.request(method, place, **({"json": {}} if method == "POST" else {}))
            assert reply.status_code == 403, f"{method} {path}: {reply.status_code} {reply.text}"
        for path in ("/api/v2/alerts", "/api/v2/silences", "/ingest/events", "/api/v1/silences"):
            assert http.post(path, json=[]).status_code == 403, path
        for verb in ("ack", "resolve", "merge", "silence", "replay_reject", "undo"):
            body = {"verb": verb, "targets": [f"incident:{ids['incidents']}"]}
            assert http.post("/api/v1/commands", json=body).status_code in (403, 422), verb
        assert http.get("/api/v1/audit").status_code == 403
        assert digest(north.http) == before


def signature(body: bytes, secret: str, stamp: str = "") -> dict[str, str]:
    signed = f"{stamp}:".encode() + body if stamp else body
    found = {"x-signature": "sha256=" + hmac.new(secret.encode(), signed, sha256).hexdigest()}
    return {**found, **({"x-signature-timestamp": stamp} if stamp else {}), "content-type": "application/json"}


def test_only_what_was_signed_and_only_once(engine: Headless) -> None:
    body = json.dumps({"title": "signed", "host": "s1"}).encode()
    path = "/ingest/webhook/signed"

    def stamp(seconds: int) -> str:
        return str(int(datetime.now(UTC).timestamp()) + seconds)

    with engine.http() as http:

        def count() -> int:
            rows = http.get("/api/v1/alerts").json()["items"]
            return sum(row["count"] for row in rows)

        good = signature(body, CANARIES["hmac"])
        for place in range(len(body)):
            flipped = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
            assert http.post(path, content=flipped, headers=good).status_code == 401
        assert http.post(path, content=body).status_code == 401
        assert http.post(path, content=body, headers=signature(body, "guess")).status_code == 401
        for off in (-310, 310):
            late = signature(body, CANARIES["hmac"], stamp(off))
            assert http.post(path, content=body, headers=late).status_code == 401
        assert count() == 0
        for _ in range(3):
            assert http.post(path, content=body, headers=good).status_code == 202
        assert count() == 1, "a replay is the same event"
        in_time = signature(body, CANARIES["previous hmac"], stamp(-200))
        assert http.post(path, content=body, headers=in_time).status_code == 202
        assert count() == 2
    engine.kill()
    engine.start()
    with engine.http() as http:
        assert http.post(path, content=body, headers=good).status_code == 202
        assert sum(row["count"] for row in http.get("/api/v1/alerts").json()["items"]) == 2, "also after a crash"


def use_all_secrets(engine: Headless, company: Company) -> str:
    """Use every secret, rightly and wrongly → all that was answered."""
    said = []
    body = json.dumps({"title": "x", "host": "c1"}).encode()
    event = {
        "routing_key": CANARIES["routing key"],
        "event_action": "trigger",
        "payload": {"summary": "p", "source": "s", "severity": "critical"},
    }
    with engine.http() as http:
        for headers in (
            signature(body, CANARIES["hmac"]),
            {**signature(body + b" ", CANARIES["hmac"]), "x-other": CANARIES["hmac"]},
            {"content-type": "application/json"},
        ):
            said.append(http.post("/ingest/webhook/signed", content=body, headers=headers).text)
        for given in (CANARIES["source token"], CANARIES["guessed token"], company.token):
            headers = {**bearer(given), "content-type": "application/json"}
            for path in ("/ingest/webhook/tokened", "/api/v2/alerts", "/ingest/events", "/api/v1/health", "/nowhere"):
                said.append(http.post(path, content=b"{broken", headers=headers).text)
                said.append(http.get(path, headers=headers).text)
            said.append(http.get(f"/api/v1/alerts?token={given}").text)
        for broken in (event, {**event, "event_action": "nonsense"}, {"routing_key": CANARIES["routing key"]}):
            said.append(http.post("/v2/enqueue", json=broken).text)
        said.append(http.post("/v2/enqueue", content=json.dumps(event)[:-3]).text)
        shown = ("/metrics", "/openapi.json", "/api/v1/health", "/api/v1/sources", "/api/v1/rejects", "/api/v2/status")
        for path in shown:
            said.append(http.get(path).text)
    printed = run(engine.folder, ["--config", str(engine.folder / "noc.toml"), "config", "show"], **SECRETS)
    said += [printed.stdout, printed.stderr]
    return "\n".join(said)


def test_secrets_are_nowhere_but_where_they_came_from(engine: Headless, companies: tuple[Company, Company]) -> None:
    north, south = companies
    said = use_all_secrets(engine, north)
    fill(north, MARK)
    assert engine.stop() == 0
    tokens = {f"token of {company.name}": company.token for company in (north, south)}
    tokens |= {f"secret of {company.name}": company.token.split("_")[2] for company in (north, south)}
    kept = {path: path.read_bytes() for path in engine.data.rglob("*") if path.is_file()}
    kept[engine.log] = engine.log.read_bytes()
    assert any(MARK.encode() in body for body in kept.values()), "the search would find something"
    for name, secret in {**CANARIES, **tokens}.items():
        assert secret not in said, f"{name} in an answer"
        for path, body in kept.items():
            assert secret.encode() not in body, f"{name} in {path.name}"
    database = b"".join(kept[path] for path in kept if path.name.startswith("noc.db"))
    for company in (north, south):
        secret = company.token.split("_")[2]
        assert sha256(secret.encode()).hexdigest().encode() in database


def test_files_are_their_owners_only(engine: Headless, companies: tuple[Company, Company]) -> None:
    fill(companies[0], MARK)
    assert stat.S_IMODE(engine.data.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in engine.data.rglob("*")}
    assert set(modes.values()) == {0o600}, modes
    backup = engine.folder / "copy.db"
    on_the_same_data(engine, "db", "backup", str(backup))
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600


@pytest.mark.parametrize("origin", ["null", "http://evil.example", "http://localhost.evil.example"])
def test_pages_in_a_browser_are_refused(engine: Headless, origin: str) -> None:
    with engine.http(headers={"origin": origin}) as http:
        for path in ("/api/v2/alerts", "/api/v1/commands", "/ingest/events", "/api/v2/silences"):
            assert http.post(path, json=[]).status_code == 403, path
        handshake = {
            "connection": "Upgrade",
            "upgrade": "websocket",
            "sec-websocket-version": "13",
            "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        }
        assert http.get("/api/v1/feed", headers=handshake).status_code == 403


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8099", "127.0.0.1.evil.example", "169.254.169.254"])
def test_a_name_that_was_bound_to_this_machine_is_refused(engine: Headless, host: str) -> None:
    with engine.http(headers={"host": host}) as http:
        for path in ("/api/v1/incidents", "/api/v2/alerts", "/metrics", "/openapi.json"):
            assert http.get(path).status_code == 403, path
        assert http.post("/api/v2/alerts", json=[{"labels": {"alertname": "A"}}]).status_code == 403
    with engine.http() as http:
        assert http.get("/api/v1/alerts").json()["items"] == []


def test_a_link_in_place_of_the_database_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"precious")
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    (data / "engine.lock").symlink_to(elsewhere)
    done = run(tmp_path, ["headless", "--listen", "127.0.0.1:0", "--data-dir", str(data)])
    assert done.returncode != 0 and "Traceback" not in done.stderr
    assert elsewhere.read_bytes() == b"precious"
