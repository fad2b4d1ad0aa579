"""Answers that are made of several rows: one file per subject, entered by `@report`.

Owns the table of reports. A report is asked for by `Query(kind=path, params=…)` and at `/api/v1/<path>`; capability,
check of parameters, cache and documentation follow from its declaration.
"""

from engine.reports.registry import REPORTS, Report, load, report

__all__ = ["REPORTS", "Report", "load", "report"]
