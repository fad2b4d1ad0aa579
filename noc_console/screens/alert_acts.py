"""One alert as text to copy and as matchers to silence. Pure."""

from __future__ import annotations

from data.records import Alert
from noc_console.alert_words import number
from noc_console.directory import Directory
from noc_console.safe_text import safe_text
from noc_console.screens.grave_acts import matchers_of
from noc_console.screens.silence_proposals import NOISE


def alert_matchers(alert: Alert) -> str:
    """All its labels but the noisy ones: hits this alert and nothing wider."""
    kept = {name: value for name, value in sorted(alert.labels.items()) if name not in NOISE}
    return matchers_of(kept or {"alertname": alert.name})


def alert_copied(alert: Alert, form: str, names: Directory) -> str:
    name, title, site = number(alert.id), names.words(alert.title), names.full_site(alert.site)
    if form == "id":
        return name
    if form == "text":
        return f"{title}"
    if form == "markdown":
        return f"- **{name}** {title} ({alert.severity}, {site}, {safe_text(alert.entity)})"
    return f"{name}\t{alert.severity}\t{site}\t{safe_text(alert.entity)}\t{title}"
