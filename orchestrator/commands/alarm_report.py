"""The report of ``dan-g alerts report``."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from orchestrator.commands.client import Api, call
from orchestrator.commands.options import Target
from orchestrator.commands.output import number, short_time, table

if TYPE_CHECKING:
    from rich.console import Console

    from orchestrator.monitoring.alarm_rates import AlarmReport

PAGE = 200
WITHHELD = frozenset({"shelved", "suppressed_by_design", "out_of_service"})
WORDS = {
    "average_per_10_minutes": "alarms in 10 minutes, average",
    "peak_per_10_minutes": "alarms in 10 minutes, most",
    "flood_share": "share of 10-minute periods over 10",
    "average_standing": "standing alarms, average",
    "stale": "stale alarms (a day or longer)",
    "chattering": "chattering alarms",
    "ten_most_frequent_share": "share of the ten most frequent",
}


def made(target: Target, days: float) -> AlarmReport:
    """The report over the last days of plant time, from the stored alerts."""
    from orchestrator.monitoring.alarm_rates import Occurrence, alarm_report

    items, now = call(target, _fetch)
    end = now or datetime.fromisoformat("1970-01-02T00:00:00+00:00")
    heard = [
        Occurrence(
            key=item["key"],
            severity=item["severity"],
            start=datetime.fromisoformat(item["start"]),
            end=datetime.fromisoformat(item["end"]) if item["end"] else None,
            cause=item.get("cause"),
        )
        for item in items
        if item["state"] not in WITHHELD
    ]
    return alarm_report(heard, end - timedelta(days=days), end)


async def _fetch(api: Api) -> tuple[list[dict[str, Any]], datetime | None]:
    """All stored alerts, and the latest time that any of them names."""
    items: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = await api.get("/alerts", limit=PAGE, cursor=cursor)
        items.extend(page["items"])
        cursor = page.get("next_cursor")
        if cursor is None:
            break
    status = await api.get("/status")
    named = [status.get("situation", {}).get("timestamp") if status.get("situation") else None]
    named += [item[field] for item in items for field in ("start", "end")]
    times = [datetime.fromisoformat(time) for time in named if time]
    return items, max(times, default=None)


def show(out: Console, report: AlarmReport) -> None:
    """A table of the figures with their aims."""
    from orchestrator.monitoring.alarm_rates import AIMS

    out.print(
        f"{report.alarms} alarms of {report.causes} causes, "
        f"{short_time(report.start.isoformat())} to {short_time(report.end.isoformat())}",
        markup=False,
    )
    rows = table("figure", "found", "aim", "")
    for name, words in WORDS.items():
        value = getattr(report, name)
        shown = len(value) if isinstance(value, tuple) else value
        rows.add_row(
            words,
            number(shown),
            f"at most {AIMS[name]:g}",
            "missed" if name in report.misses else "",
        )
    out.print(rows)
    for title, keys in (("stale", report.stale), ("chattering", report.chattering)):
        if keys:
            out.print(f"{title}: {', '.join(keys[:20])}", markup=False)
    if report.most_frequent:
        most = ", ".join(f"{key} {count}" for key, count in report.most_frequent)
        out.print(f"most frequent: {most}", markup=False)
    if report.priorities:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in report.priorities.items())
        out.print(f"priorities: {shares}", markup=False)
