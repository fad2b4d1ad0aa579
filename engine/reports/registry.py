"""The table of reports, and asking one: capability, parameters, cache."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from data.scope import Scope
from engine.client import Refused

if TYPE_CHECKING:
    from engine.desk import Desk

#: Answers kept for their reports' cache times.
CACHED = 256
_NAMED = re.compile(r"field `([^`]*)`")


class NoParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A report that takes no parameters."""


Run = Callable[["Desk", Scope, Any], Awaitable[Sequence[Any]]]


class Report(Struct, frozen=True, kw_only=True):
    """`path` is its kind and its address below /api/v1, `{name}` in it a parameter; `cache_seconds` how old an answer
    may be; `words` says what it answers. `also`: a capability that opens it as well as its own."""

    path: str
    capability: str
    also: str
    params: type[Struct]
    cache_seconds: float
    run: Run
    words: str


REPORTS: dict[str, Report] = {}


def report(
    path: str,
    *,
    capability: str = "noc:view",
    also: str = "",
    params: type[Struct] = NoParams,
    cache_seconds: float = 0.0,
) -> Callable[[Run], Run]:
    """Enter a coroutine `(desk, scope, params) -> items` as a report. Its docstring is the help text. It reads by
    `desk.rows(scope, kind=…)`, which keeps to what the scope may see."""

    def enter(run: Run) -> Run:
        REPORTS[path] = Report(
            path=path,
            capability=capability,
            also=also,
            params=params,
            cache_seconds=cache_seconds,
            run=run,
            words=(run.__doc__ or path).strip().splitlines()[0],
        )
        return run

    return enter


def load() -> None:
    """Import every file of this folder, so that what is there is entered."""
    import engine.reports

    for module in sorted(iter_modules(engine.reports.__path__), key=lambda found: found.name):
        import_module(f"engine.reports.{module.name}")


class Answered(Struct, frozen=True):
    until: float
    items: Sequence[Any]


class ReportCache:
    """Answers by who may see what, what was asked, and for how long they hold. `now` is monotonic seconds."""

    def __init__(self) -> None:
        self._answers: OrderedDict[bytes, Answered] = OrderedDict()

    async def ask(self, desk: Desk, scope: Scope, asked: Report, given: Mapping[str, Any], now: float) -> Sequence[Any]:
        """Raises Refused that names the parameter."""
        params = _read(asked, given)
        if not asked.cache_seconds:
            return await asked.run(desk, scope, params)
        sites = None if scope.sites is None else sorted(scope.sites)
        key = msgspec.json.encode([asked.path, scope.tenant, sites, sorted(scope.capabilities), params])
        known = self._answers.get(key)
        if known is not None and known.until > now:
            return known.items
        items = await asked.run(desk, scope, params)
        self._answers[key] = Answered(now + asked.cache_seconds, items)
        self._answers.move_to_end(key)
        while len(self._answers) > CACHED:
            self._answers.popitem(last=False)
        return items


def _read(asked: Report, given: Mapping[str, Any]) -> Any:
    try:
        return msgspec.convert(dict(given), asked.params, strict=False)
    except msgspec.ValidationError as error:
        reason, _, place = str(error).partition(" - at `$.")
        named = _NAMED.search(reason)
        field = place.rstrip("`") or (named[1] if named else "params")
        takes = ", ".join(asked.params.__struct_fields__) or "no parameters"
        raise Refused(reason, field=field, remedy=f"{asked.path} takes {takes}") from error
