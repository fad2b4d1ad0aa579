"""What takes more than noc:view though it is of an open kind: the alerts of fraud and all that comes of them.

Owns the table, and the question which capability a record or an act takes. Restricted alerts share clusters only with
their own sort (`engine.stages.cluster`) and their incidents are not merged, so that one rule fits a whole incident.
Tickets are told by their id, because lists, changes and links all carry it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from data.nouns.fraud import FRAUD_VIEW as FRAUD_VIEW
from data.records import Effect
from data.scope import Scope

#: Name of an alert → the capability that opens it, its cluster, its incident, and their timeline and changes.
ALERTS: Mapping[str, str] = {"fraud_suspected": FRAUD_VIEW}
#: Acts whose audit rows say who was suspected.
VERBS: Mapping[str, str] = {"confirm_fraud": FRAUD_VIEW, "dismiss_fraud": FRAUD_VIEW}
#: Begin of the ids of fraud tickets.
FRAUD_TICKET = "fraud-"
_TICKET_SUBJECT = f"ticket:{FRAUD_TICKET}"


def of_names(names: Iterable[str]) -> str:
    """The capability that an alert, cluster or incident of these names takes beside noc:view, "" for none."""
    for name in names:
        if name in ALERTS:
            return ALERTS[name]
    return ""


def of_subject(subject: str) -> str:
    """The same of a subject that its name tells by itself."""
    return FRAUD_VIEW if subject.startswith(_TICKET_SUBJECT) else ""


def effect_for(scope: Scope, effect: Effect) -> Effect:
    """A row of the outbox as the scope may see it: what is sent holds addresses, and incidents of any site."""
    whole = scope.sites is None and scope.may("noc:manage")
    return effect if whole else replace(effect, params={})
