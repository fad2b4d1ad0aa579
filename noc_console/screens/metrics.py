"""View 8: every series that is kept, with what is odd about it now; one of them plotted over a range of time.

Owns the arrangement, the keys and what of the page is found again. The panes ask the engine, and never judge a value.
"""

from __future__ import annotations

from typing import Any

from textual.app import ComposeResult

from noc_console.actions import bindings_for, declare, register
from noc_console.mirror import Dirty
from noc_console.safe_text import Safe, safe_text
from noc_console.screens.anomaly_acts import AnomalyActs
from noc_console.screens.frame import FrameScreen
from noc_console.screens.incident_acts import IncidentActs
from noc_console.screens.metrics_list import WATCH, SeriesPane
from noc_console.screens.metrics_plot import RANGES, RESOLUTIONS, OddPane, PlotPane
from noc_console.widgets.box import Box
from noc_console.widgets.line_table import LineTable

register(
    declare("metrics.longer", "b right_parenthesis", "Longer", "a longer range: 1h 6h 24h 7d 30d 90d 2y", footer=11),
    declare("metrics.shorter", "B left_parenthesis", "Shorter", "a shorter range", footer=12),
    declare("metrics.range", "", "Range", "the range that is plotted", command="range",
            argument="1h|6h|24h|7d|30d|90d|2y"),
    declare("metrics.percentiles", "p", "p95/p99", "draw the 95th and 99th percentile, or not", footer=13,
            command="percentiles"),
    declare("metrics.band", "m", "Min-max", "draw the band from least to greatest, or not", footer=15),
    declare("metrics.resolution", "r", "Resolution", "by itself, 5 minutes, an hour, a day", footer=14,
            command="resolution", argument="[auto|5m|1h|1d]"),
    declare("metrics.clock", "t", "Clock", "times in your zone or in UTC", footer=18),
    declare("metrics.now", "e", "To now", "no cursor: what the whole range says", footer=19),
)  # fmt: skip


class MetricsScreen(AnomalyActs, IncidentActs, FrameScreen):
    SCOPES = ("metrics", "anomaly")
    BINDINGS = bindings_for("metrics", "anomaly")
    WATCHES = (WATCH,)
    DEFAULT_CSS = """
    MetricsScreen #metrics-split { layout: vertical; height: 1fr; width: 1fr; }
    MetricsScreen #metrics-list { height: 2fr; }
    MetricsScreen #metrics-right { layout: vertical; height: 3fr; width: 1fr; }
    MetricsScreen #metrics-odd { height: 7; }
    MetricsScreen #metrics-odd.-none { display: none; }
    MetricsScreen.-narrow #metrics-right { display: none; }
    MetricsScreen.-narrow.-plotted #metrics-right { display: block; height: 1fr; }
    MetricsScreen.-narrow.-plotted #metrics-list { display: none; }
    MetricsScreen.-narrow #metrics-odd { height: 5; }
    MetricsScreen.-wide #metrics-split { layout: horizontal; }
    MetricsScreen.-wide #metrics-list { width: 5fr; height: 1fr; margin: 0 1 0 0; }
    MetricsScreen.-wide #metrics-right { width: 6fr; height: 1fr; }
    MetricsScreen.-wide #metrics-odd { height: 12; }
    """

    def compose_body(self) -> ComposeResult:
        self._list = SeriesPane(self.desk, id="metrics-list")
        self._stretches = OddPane(self.desk, id="metrics-odd")
        self._plot = PlotPane(self.desk, self._list.rows, self._stretches, id="metrics-plot")
        with Box(id="metrics-split"):
            yield self._list
            with Box(id="metrics-right"):
                yield self._plot
                yield self._stretches

    def on_mount(self) -> None:
        self._list.table.focus()
        self._list.draw()
        self._plot.draw()

    def apply(self, dirty: Dirty) -> None:
        self._list.follow(dirty)
        self._plot.follow(dirty)

    def set_filter(self, text: str) -> None:
        super().set_filter(text.strip())
        self._list.start_over(self.filter)

    def reorder(self) -> None:
        self._list.read_again()
        self._plot.read_again()

    # events

    def on_series_pane_listed(self) -> None:
        """The first series is plotted where there is room for both."""
        if not self._plot.plotted and self._list.table.keys and not self.has_class("-narrow"):
            self._plot.plotted = self._list.table.keys[0]
            self._plot.read()
            self._plot.draw()

    def on_line_table_opened(self, event: LineTable.Opened) -> None:
        if event.table is self._list.table:
            self._show(str(event.key))
        elif event.key in self._stretches.found:
            self._plot.plot.point_at(self._stretches.found[event.key].at.timestamp())
            self._plot.plot.focus()

    def on_line_table_moved(self, event: LineTable.Moved) -> None:
        odd = self._stretches
        if event.table is odd.table and event.key in odd.found and odd.table.has_focus:
            self._plot.plot.point_at(odd.found[event.key].at.timestamp())

    def on_plot_moved(self) -> None:
        self._plot.tell()

    def on_resize(self) -> None:
        self.call_after_refresh(self._plot.draw)

    def _show(self, series: str) -> None:
        """Plot this one."""
        self._plot.plotted = series
        self.add_class("-plotted")
        self._plot.plot.no_cursor()
        self._plot.draw()
        self._plot.plot.focus()
        # The plot has its size with the next layout only, and the answer has as many points as it has columns.
        self.call_after_refresh(self._plot.read)

    # keys

    def anomaly_targets(self) -> list[str]:
        """The stretch under the cursor, else what goes on in the series under it, else in the one that is plotted."""
        odd, table = self._stretches, self._list.table
        if odd.table.has_focus:
            return [f"anomaly:{odd.table.cursor}"] if odd.table.cursor in odd.found else []
        going = self._list.going.get((table.cursor or "") if table.has_focus else self._plot.plotted)
        return [f"anomaly:{going.id}"] if going is not None else []

    def do_app_back(self) -> None:
        """When narrow the list comes back first; else as everywhere."""
        if self.has_class("-plotted") and not self.has_class("-zoomed"):
            if self._plot.plot.cursor is not None and self._plot.plot.has_focus:
                self._plot.plot.no_cursor()
                return
            if not self._list.table.has_focus:
                self.remove_class("-plotted")
                self._list.table.focus()
                return
        app: Any = self.app
        app.do_app_back()

    def do_metrics_longer(self) -> None:
        self._turn(1)

    def do_metrics_shorter(self) -> None:
        self._turn(-1)

    def do_metrics_range(self, argument: str) -> None:
        if argument not in RANGES:
            self.desk.say(safe_text(f"no range {argument!r}: one of {', '.join(RANGES)}"), "warn")
            return
        self._plot.range = argument
        self._plot.ask_anew()

    def do_metrics_percentiles(self) -> None:
        self._plot.quantiles = not self._plot.quantiles
        self._plot.ask_anew()

    def do_metrics_band(self) -> None:
        self._plot.band = not self._plot.band
        self._plot.draw()

    def do_metrics_resolution(self, argument: str) -> None:
        wanted = "" if argument == "auto" else argument or self._following()
        if wanted not in RESOLUTIONS:
            self.desk.say(safe_text(f"no resolution {argument!r}: auto, 5m, 1h or 1d"), "warn")
            return
        self._plot.resolution = wanted
        self.desk.say(Safe(f"resolution: {wanted or 'by the age of the range'}"))
        self._plot.ask_anew()

    def do_metrics_clock(self) -> None:
        self._plot.utc = not self._plot.utc
        self._plot.draw()

    def do_metrics_now(self) -> None:
        self._plot.plot.no_cursor()

    def _following(self) -> str:
        return RESOLUTIONS[(RESOLUTIONS.index(self._plot.resolution) + 1) % len(RESOLUTIONS)]

    def _turn(self, step: int) -> None:
        names = list(RANGES)
        place = names.index(self._plot.range) + step
        if not 0 <= place < len(names):
            self.desk.say(Safe(f"{self._plot.range} is the {'longest' if step > 0 else 'shortest'} range"))
            return
        self._plot.range = names[place]
        self._plot.ask_anew()

    # session

    def save_state(self) -> dict[str, Any]:
        plot, table = self._plot, self._list.table
        return {
            "filter": self.filter, "plotted": plot.plotted, "range": plot.range, "resolution": plot.resolution,
            "quantiles": plot.quantiles, "band": plot.band, "utc": plot.utc, "sort": table.sort,
            "descending": table.descending, "cursor": table.cursor,
        }  # fmt: skip

    def restore_state(self, state: dict[str, Any]) -> None:
        plot, table = self._plot, self._list.table
        plot.range = state["range"] if state.get("range") in RANGES else plot.range
        plot.resolution = state["resolution"] if state.get("resolution") in RESOLUTIONS else ""
        plot.quantiles, plot.utc = state.get("quantiles") is True, state.get("utc") is True
        plot.band = state.get("band") is not False
        if isinstance(state.get("plotted"), str) and state["plotted"]:
            plot.plotted = state["plotted"][:300]
        if isinstance(state.get("sort"), str):
            table.sort_by(state["sort"], bool(state.get("descending", True)))
        if isinstance(state.get("cursor"), str):
            table.wish(state["cursor"], ())
        super().restore_state(state)
