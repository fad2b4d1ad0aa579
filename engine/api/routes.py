"""What a route is, and finding the one that a request means.

Owns the table's shape and its look-up. The routes themselves are in `engine.api.table`. Every route declares the
capability it needs; `PUBLIC` is for the health answers alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from engine.api.wire import Reply, Request, Stream

if TYPE_CHECKING:
    from engine.api.context import Api

Handler = Callable[["Api", Request], Awaitable[Reply | Stream]]

#: Answers that say nothing but "the process is up": load balancers ask without a token.
PUBLIC = "public"


class Route(Struct, frozen=True, kw_only=True):
    """One method on one path. `{name}` in the path is one segment.

    `body`, `query` and `out` are the structs on the wire (None = none, or not JSON). `face`: part of the
    Alertmanager API, with its form of errors. `raw`: the handler reads the body itself.
    `verb`: the command that the route stands for. `by_source`: the handler finds out itself whether a configured
    source sends (its token, its signature), and asks for the capability of everybody else. `also`: a capability that
    opens it as well as its own.
    """

    method: str
    path: str
    capability: str
    words: str
    handler: Handler | None
    also: str = ""
    body: Any = None
    query: type[Struct] | None = None
    out: Any = None
    status: int = 200
    face: bool = False
    raw: bool = False
    verb: str = ""
    by_source: bool = False


class Routes:
    """The look-up: exact paths by dict, paths with parameters by their number of segments."""

    def __init__(self, table: Iterable[Route]) -> None:
        self.table = tuple(table)
        self._exact: dict[str, dict[str, Route]] = {}
        self._patterns: dict[int, list[tuple[tuple[str, ...], dict[str, Route]]]] = {}
        for route in self.table:
            self._methods(route.path)[route.method] = route

    def _methods(self, path: str) -> dict[str, Route]:
        if "{" not in path:
            return self._exact.setdefault(path, {})
        parts = tuple(path.split("/"))
        group = self._patterns.setdefault(len(parts), [])
        for known, methods in group:
            if known == parts:
                return methods
        group.append((parts, {}))
        return group[-1][1]

    def find(self, path: str) -> tuple[Mapping[str, Route], dict[str, str]] | None:
        """Method → route of a path, and the path's parameters; None = no such path."""
        exact = self._exact.get(path)
        if exact is not None:
            return exact, {}
        parts = path.split("/")
        for pattern, methods in self._patterns.get(len(parts), ()):
            params = _match(pattern, parts)
            if params is not None:
                return methods, params
        return None


def _match(pattern: tuple[str, ...], parts: list[str]) -> dict[str, str] | None:
    params: dict[str, str] = {}
    for wanted, part in zip(pattern, parts, strict=True):
        if wanted.startswith("{"):
            if not part or len(part) > 255:
                return None
            params[wanted[1:-1]] = part
        elif wanted != part:
            return None
    return params
