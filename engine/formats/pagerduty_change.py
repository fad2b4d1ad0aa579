"""PagerDuty Events API v2 `change/enqueue`.

Owns an honest refusal: changes have no place in the engine yet, and a 202 would say that they were kept.
"""

from __future__ import annotations

from engine.formats.pagerduty import read_event, refuse
from engine.ports import FormatError, Parsed, Received

_REFUSAL = "change events are not taken by this version; send alerts to /v2/enqueue, keep changes at their receiver"


class PagerDutyChange:
    """Answers 422 and keeps the event, without its credential, as dead letter."""

    name = "pagerduty_change"

    def parse(self, received: Received) -> Parsed:
        try:
            event = read_event(received)
        except FormatError as error:
            if error.status not in (400, 422):
                raise
            return refuse(received, self.name, received.body.decode(errors="replace"), [str(error)])
        return refuse(received, self.name, event, [_REFUSAL], status=422)


FORMAT = PagerDutyChange()
