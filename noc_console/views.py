"""The catalogue of pages: one declaration each. Tabs, keys, help, palette, `:` commands and Overview panes follow.

Owns the table and how a page's file is found; never what is on a page. A page's file is imported when it is opened, or
after the first frame, never before.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from msgspec import Struct

from noc_console.safe_text import Safe

if TYPE_CHECKING:
    from textual.screen import Screen

    from noc_console.screens.frame import FrameScreen
    from noc_console.screens.page_pane import PagePane


class ViewSpec(Struct, frozen=True, kw_only=True):
    """A page. `number` is its key and its place among the tabs, `short` the tab's word when narrow.

    `screen` is "file:Class" in noc_console/screens; `pane` the class in the same file that Overview shows, "" = none.
    `capability` opens the page; `kind` is a Query kind that the engine must know for it ("" = any engine).
    `argument` = what may follow its `:` word.
    """

    name: str
    number: int
    title: Safe
    short: Safe
    help: Safe
    screen: str
    pane: str = ""
    capability: str = "noc:view"
    kind: str = ""
    argument: str = ""


def _page(number: int, title: str, screen: str, help: str, *, short: str = "", **more: Any) -> ViewSpec:
    return ViewSpec(
        name=title.lower(),
        number=number,
        title=Safe(title),
        short=Safe(short or title),
        help=Safe(help),
        screen=screen,
        **more,
    )


# fmt: off
_PAGES = (
    _page(1, "Overview", "overview:OverviewScreen", "live panes of everything"),
    _page(2, "Incidents", "incidents:IncidentsScreen", "ranked list of incidents", argument="[filter | I-number]"),
    _page(3, "Alerts", "alerts:AlertsScreen", "clusters and their alerts", argument="[filter | A-number]"),
    _page(4, "Approvals", "approvals:ApprovalsScreen", "playbooks that wait for a decision", short="Appr",
          pane="ApprovalsPane", kind="approvals"),
    _page(5, "Fraud", "fraud:FraudScreen", "fraud heatmap and scores",
          pane="FraudPane", capability="security:fraud:view"),
    _page(6, "Predictions", "predictions:PredictionsScreen", "what will happen, how likely, by when", short="Predict",
          pane="PredictionsPane", kind="predictions"),
    _page(7, "Operations", "operations:OperationsScreen", "all modules, tenant to entity", short="Ops"),
    _page(8, "Metrics", "metrics:MetricsScreen", "series and anomalies"),
    _page(9, "Log", "log:LogScreen", "event feed, sources, rejects, silences, health",
          argument="[feed|sources|rejects|silences|health|kpis]"),
)
# fmt: on

VIEWS: dict[str, ViewSpec] = {page.name: page for page in _PAGES}

#: Screens over one thing, opened on top of a view: kind → "file:Class", called with (view, number, section).
DETAILS: dict[str, str] = {
    "incident": "incident_detail:IncidentDetail",
    "alert": "alert_detail:AlertDetail",
}


def open_view(spec: ViewSpec) -> FrameScreen:
    """The screen of a view, imported now."""
    return cast("FrameScreen", _class(spec.screen)(spec))


def open_detail(kind: str, view: ViewSpec, number: int, section: str) -> Screen[None]:
    """The screen of one thing, imported now."""
    return cast("Screen[None]", _class(DETAILS[kind])(view, number, section))


def pane_class(spec: ViewSpec) -> type[PagePane] | None:
    """What Overview shows of the page, imported now; None while there is none."""
    if not spec.pane:
        return None
    return cast("type[PagePane]", _class(f"{spec.screen.partition(':')[0]}:{spec.pane}"))


def load_pages() -> None:
    """Import every page's file, so that the actions it brings are known to the palette, `:` and keys.toml."""
    for spec in VIEWS.values():
        import_module(_module(spec.screen))


def _module(screen: str) -> str:
    return f"noc_console.screens.{screen.partition(':')[0]}"


def _class(screen: str) -> Any:
    return getattr(import_module(_module(screen)), screen.partition(":")[2])
