"""A sender that does not give up: what was not acknowledged is sent again, word for word and under the same id."""

from __future__ import annotations

import http.client
import json
import threading
import time
from typing import NamedTuple

from tests.fakes.waiting import PATIENCE

EVENTS = "/ingest/events"


class Delivery(NamedTuple):
    """One request. `alerts` names the alerts that it says are firing, once for each time that it says so."""

    body: bytes
    headers: dict[str, str]
    alerts: tuple[str, ...]


def delivery(sender: str, number: int) -> Delivery:
    """The sender's `number`th request: in turn a CloudEvent, a batch under an Idempotency-Key, an end and a return."""
    match number % 4:
        case 0 | 1:
            host = f"{sender}-h{number % 60}"
            return _event(sender, number, {"title": f"Disk {sender}", "severity": "high", "host": host})
        case 2:
            return _batch(sender, number)
        case _:
            status = "resolved" if number // 80 % 2 else "firing"
            link = f"{sender}-l{number // 4 % 20}"
            return _event(sender, number, {"title": f"Link {sender}", "status": status, "host": link}, counted=False)


def _event(sender: str, number: int, data: dict[str, str], counted: bool = True) -> Delivery:
    data = {"site": f"{sender} {data['title']}", **data}
    event = {"specversion": "1.0", "id": str(number), "source": f"/{sender}", "type": "noc.alert", "data": data}
    body = json.dumps(event).encode()
    return Delivery(body, {"Content-Type": "application/cloudevents+json"}, (data["host"],) if counted else ())


def _batch(sender: str, number: int) -> Delivery:
    hosts = tuple(f"{sender}-b{(number + offset) % 40}" for offset in range(5))
    rows = [{"title": f"Power {sender}", "severity": "low", "host": host, "site": f"{sender} mains"} for host in hosts]
    body = b"\n".join(json.dumps(row).encode() for row in rows)
    headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": f"{sender}-{number}"}
    return Delivery(body, headers, hosts)


class StubbornSender:
    """`run` sends deliveries 0, 1, 2 … one after the other until `stop` is set (then none is left in doubt) or `most`
    are acknowledged. `acked_at` has the moment of each acknowledgement, `cut` counts requests cut off in flight."""

    def __init__(self, name: str, port: int, stop: threading.Event, most: int = 1 << 30) -> None:
        self.name, self._port, self._stop, self._most = name, port, stop, most
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self.acked_at: list[float] = []
        self.cut = self.waited = 0
        self.wrong: list[str] = []

    def run(self) -> None:
        while len(self.acked_at) < self._most and not self._stop.is_set() and not self.wrong:
            item = delivery(self.name, len(self.acked_at))
            while not self._once(item):
                time.sleep(0.01)
        self._http.close()

    def _once(self, item: Delivery) -> bool:
        """True when it was acknowledged, or never will be."""
        if self._http.sock is None and not self._connect():
            return False
        try:
            self._http.request("POST", EVENTS, item.body, item.headers)
            response = self._http.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException):
            self.cut += 1
            self._http.close()
            return False
        if response.status in (429, 503):
            self.waited += 1
            return False
        if response.status != 202:
            self.wrong.append(f"{response.status} {text[:300]!r} to {item.body[:300]!r}")
        self.acked_at.append(time.monotonic())
        return True

    def _connect(self) -> bool:
        try:
            self._http.connect()
        except OSError:
            return False
        return True
