"""The engine's own figures: counted where they happen as plain numbers, rendered for Prometheus on request.

Names are `noc_<thing>_<unit>_total`. Counting costs an addition; prometheus_client is imported at the first scrape.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

#: Seconds over which rates are taken.
RATE_SECONDS = 60
#: Seconds for which alarms are counted.
ALARM_SECONDS = 600
#: Upper bounds in seconds of the commit and lag histograms.
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

HELP = {
    "noc_signals_total": "Alert statements taken in",
    "noc_alerts_total": "New alerts",
    "noc_repeats_total": "Repeats folded into alerts that were known",
    "noc_incidents_total": "Incidents opened",
    "noc_suppressed_total": "Alerts folded away as near repeats of their cluster",
    "noc_rejects_total": "Dead letters",
    "noc_records_refused_total": "Events refused because their tenant holds as many records of the kind as it may",
    "noc_poison_total": "Envelopes that failed on the line and were set aside",
    "noc_commands_total": "Operator commands",
    "noc_commits_total": "Transactions committed",
    "noc_commit_failures_total": "Transactions that failed and were taken again or refused",
    "noc_refused_total": "Envelopes refused because of overload or a store that is down",
    "noc_loop_stalls_total": "Times that the engine's loop was held for more than 100 ms",
}


class Histogram:
    """Counts by upper bound, and the sum."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)
        self.sum = 0.0

    def observe(self, seconds: float) -> None:
        self.sum += seconds
        for place, bound in enumerate(BUCKETS):
            if seconds <= bound:
                self.counts[place] += 1
                return
        self.counts[-1] += 1


class Telemetry:
    """One engine's counters, histograms and gauges."""

    def __init__(self) -> None:
        self.counters: Counter[str] = Counter(dict.fromkeys(HELP, 0))
        self.commit_seconds = Histogram()
        self.gauges: dict[str, Callable[[], float]] = {}
        self._arrivals: deque[tuple[int, int]] = deque()
        #: Second → alarms that began in it.
        self._alarms: Counter[int] = Counter()

    def count(self, name: str, number: int = 1) -> None:
        self.counters[name] += number

    def arrived(self, now: datetime, signals: int) -> None:
        """Note `signals` taken at `now`."""
        second = int(now.timestamp())
        if self._arrivals and self._arrivals[-1][0] == second:
            self._arrivals[-1] = (second, self._arrivals[-1][1] + signals)
        elif signals:
            self._arrivals.append((second, signals))
        _drop(self._arrivals, second - RATE_SECONDS)

    def alarmed(self, now: datetime, began: Iterable[datetime]) -> None:
        """Note alarms (new, not suppressed alerts) by when they began: what is told late was no alarm of now."""
        limit = int(now.timestamp()) - ALARM_SECONDS
        for at in began:
            second = int(at.timestamp())
            if second > limit:
                self._alarms[second] += 1
        if len(self._alarms) > 2 * ALARM_SECONDS:
            self._forget_alarms(limit)

    def _forget_alarms(self, limit: int) -> None:
        for second in [second for second in self._alarms if second <= limit]:
            del self._alarms[second]

    def rate(self, now: datetime) -> float:
        """Signals per second over the last minute."""
        _drop(self._arrivals, int(now.timestamp()) - RATE_SECONDS)
        return sum(number for _, number in self._arrivals) / RATE_SECONDS

    def alarms(self, now: datetime) -> int:
        """Alarms that began in the last ten minutes."""
        self._forget_alarms(int(now.timestamp()) - ALARM_SECONDS)
        return self._alarms.total()

    def registry(self) -> Any:
        """A prometheus_client registry that reads these figures when it is scraped."""
        from prometheus_client import CollectorRegistry

        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return registry

    def collect(self) -> Any:
        """prometheus_client's collector protocol."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        for name, words in HELP.items():
            yield CounterMetricFamily(name.removesuffix("_total"), words, value=self.counters[name])
        for name, read in self.gauges.items():
            yield GaugeMetricFamily(name, name.replace("_", " "), value=read())
        total, buckets = 0, []
        for bound, count in zip((*BUCKETS, float("inf")), self.commit_seconds.counts, strict=True):
            total += count
            buckets.append(("+Inf" if bound == float("inf") else str(bound), float(total)))
        yield HistogramMetricFamily(
            "noc_commit_seconds", "Time of one transaction", buckets=buckets, sum_value=self.commit_seconds.sum
        )


def _drop(series: deque[tuple[int, int]], before: int) -> None:
    while series and series[0][0] <= before:
        series.popleft()
