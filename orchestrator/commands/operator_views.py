"""Recommendations and the operator agent, as tables for people."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from orchestrator.commands.output import number, short_time, table


def show_recommendations(out: Console, items: list[dict[str, Any]], ended: str = "") -> None:
    """A list of recommendations; ``recommendations show`` has the rest.

    Args:
        out: Where to.
        items: The recommendations, newest first.
        ended: How many are left out because they have ended, where none is shown.
    """
    if not items:
        rest = f"; {ended} ended: dan-g recommendations list --all" if ended else ""
        out.print(f"no recommendations{' under way' if ended else ''}{rest}", soft_wrap=True)
        return
    rows = table("recommendation", "worth a day", "what")
    for column in rows.columns[:2]:
        column.no_wrap = True
    for item in items:
        document = item["document"]
        rows.add_row(
            f"{short_time(item['created_at'])} {_words(item['state'])}\n{item['id']}",
            _money(document.get("worth_usd_per_day")),
            str(document.get("summary") or ""),
        )
    out.print(rows)


def show_recommendation(out: Console, item: dict[str, Any]) -> None:
    """One recommendation: what to move, what it is worth, what was said and done."""
    document = item["document"]
    out.print(f"Recommendation {item['id']}: {_words(item['state'])}", markup=False)
    out.print(f"digest {item['digest']}", markup=False, soft_wrap=True)
    out.print(
        f"made {short_time(item['created_at'])}, valid until {short_time(item['expires_at'])}; "
        f"worth {_money(document.get('worth_usd_per_day'))} a day",
        markup=False,
    )
    out.print(str(document.get("summary") or ""), markup=False)
    rows = table("move", "from", "to", "unit")
    for move in document["moves"]:
        rows.add_row(move["tag"], number(move["from"], 6), number(move["to"], 6), move["unit"])
    out.print(rows)
    expected = document.get("expected_response") or {}
    if expected:
        rows = table("expected", "from", "to", "unit")
        for tag, response in expected.items():
            if number(response["from"], 5) == number(response["to"], 5):
                continue
            rows.add_row(
                tag, number(response["from"], 5), number(response["to"], 5), response["unit"]
            )
        out.print(rows)
    for limit in document.get("limits_touched", ()):
        out.print(f"limit: {limit['text']}", markup=False)
    for warning in document.get("warnings", ()):
        out.print(f"warning: {warning}", markup=False)
    out.print(f"risk: {document.get('risk', '')}", markup=False)
    verdict = item.get("verdict")
    if verdict is not None:
        out.print(f"safety agent: {verdict['text']}", markup=False)
        for finding in verdict["findings"]:
            if finding["weight"] == "warning":
                out.print(f"  note: {finding['text']}", markup=False)
    done = sum(step["state"] == "done" for step in item.get("steps", ()))
    if item.get("steps"):
        out.print(f"steps written: {done} of {len(item['steps'])}", markup=False)
    rows = table("when", "state", "by", "why")
    for step in item.get("trail", ()):
        rows.add_row(
            short_time(step["at"]), _words(step["to_state"]), step["by"], step["reason"] or ""
        )
    out.print(rows)


def show_operator(out: Console, item: dict[str, Any]) -> None:
    """Mode, stop, grants, what awaits a person and what is under way."""
    by = f" (set by {item['mode_set_by']})" if item["mode_set_by"] else ""
    writes = "enabled" if item["write_enabled"] else "switched off (plant.write_enabled)"
    out.print(f"operator agent: {item['mode']}{by}; writing is {writes}", markup=False)
    stop = item["stop"]
    if stop is not None:
        why = f": {stop['why']}" if stop["why"] else ""
        text = f"STOPPED by {stop['by']} at {short_time(stop['at'])}{why}"
        out.print(text, style="bold red", markup=False)
    for grant in item["grants"]:
        tags = ", ".join(grant["envelope"])
        out.print(
            f"grant {grant['id']} of {grant['granted_by']} until {short_time(grant['ends_at'])}: "
            f"{tags}; {grant['max_moves']} moves",
            markup=False,
        )
    for write in item["open_writes"]:
        out.print(
            f"write {write['id']} of {write['tag']} = {write['value']:g} is {write['state']}; "
            "the tag is locked until it is settled",
            style="bold red",
            markup=False,
        )
    rows = table("recommendation", "state", "steps", "summary")
    rows.columns[0].no_wrap = True
    for one in item["recommendations"]:
        rows.add_row(
            one["id"], _words(one["state"]), f"{one['steps_done']}/{one['steps']}", one["summary"]
        )
    out.print(rows if item["recommendations"] else "nothing awaits a person or is under way")


def _words(name: str) -> str:
    return name.replace("_", " ")


def _money(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f} USD"
