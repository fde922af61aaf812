"""Plain answers from the results of ``analysis``. The future of a price is told as trend and volatility only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from orchestrator.llm.answers.draft import Draft, clock, joined, number

MOST = 4


def market(draft: Draft, result: dict[str, Any]) -> None:
    """What the market did and what it means here."""
    for statement in result["statements"][:MOST]:
        meaning = f" {statement['meaning']}" if statement["meaning"] else ""
        draft.say(f"{statement['text']}{meaning}")
    _facts(draft, result)


def prices(draft: Draft, result: dict[str, Any]) -> None:
    """Levels, trends and volatility."""
    _prices(draft, result["prices"])
    for move in result["largest_moves"][:1]:
        draft.say(f"Largest move: {move['text']}.")
        draft.cite(move["label"], "largest move", move["change"], move["unit"], time=move["date"])


def cracks(draft: Draft, result: dict[str, Any]) -> None:
    """Margins between crude and products, and what each crude is worth here."""
    _spreads(draft, result["cracks"])
    best = sorted(result["netbacks"], key=lambda item: -item["margin"])[:MOST]
    if best:
        told = (f"{item['crude']} {number(item['margin'], 'USD/bbl')}" for item in best)
        draft.say(f"Margin by crude: {joined(told)}.")
    for item in best:
        draft.cite(item["crude"], "margin", item["margin"], "USD/bbl", time=item["time"])
        draft.cite(item["crude"], "netback", item["netback"], "USD/bbl", time=item["time"])


def stocks(draft: Draft, result: dict[str, Any]) -> None:
    """Levels, builds and draws, days of supply."""
    _levels(draft, result["stocks"])
    for item in result["stocks"][:MOST]:
        if item["days_of_supply"] is not None:
            draft.say(f"{item['label']}: {number(item['days_of_supply'], 'days')} of supply.")
            draft.cite(item["label"], "days of supply", item["days_of_supply"], "d")
    _outlook(draft, result)


def demand(draft: Draft, result: dict[str, Any]) -> None:
    """How much of a product the market takes."""
    _levels(draft, result["demand"])
    for item in result["demand"][:MOST]:
        mean = item["four_week_mean"]
        against = (
            f", {number(item['year_change_pct'], '%')} against a year ago"
            if item["year_change_pct"] is not None
            else ""
        )
        draft.say(f"{item['label']}: mean of four weeks {number(mean, item['unit'])}{against}.")
        draft.cite(item["label"], "mean of four weeks", mean, item["unit"], time=item["time"])
        draft.cite(item["label"], "change against a year ago", item["year_change_pct"], "%")
    _outlook(draft, result)


def update(draft: Draft, result: dict[str, Any]) -> None:
    """What was downloaded; its summary says it."""
    draft.cite("market data", "download", str(result.get("summary", "")))


def _facts(draft: Draft, result: dict[str, Any]) -> None:
    for statement in result["statements"]:
        for fact in statement["evidence"]:
            draft.cite(
                fact["series"], statement["topic"], fact["value"], fact["unit"], time=fact["date"]
            )
    for item in (*result["prices"], *result["cracks"], *result["stocks"], *result["demand"]):
        draft.list("series", item["label"], ref=item["name"])
        draft.cite(item["label"], "last", item["last"], item["unit"], time=item["time"])


def _prices(draft: Draft, items: Iterable[dict[str, Any]]) -> None:
    for item in list(items)[:MOST]:
        draft.list("series", item["label"], ref=item["name"])
        changes = _changes(draft, item)
        spread = item["volatility_20_pct"]
        swing = f"; volatility {number(spread, '% a year')}" if spread is not None else ""
        draft.say(
            f"{item['label']}: {number(item['last'], item['unit'])} on {item['time'][:10]}"
            f"{changes}{swing}."
        )
        draft.cite(item["label"], "volatility, 20 periods", spread, "%")
        draft.cite(item["label"], "lowest of the year", item["year_low"], item["unit"])
        draft.cite(item["label"], "highest of the year", item["year_high"], item["unit"])


def _spreads(draft: Draft, items: Iterable[dict[str, Any]]) -> None:
    for item in list(items)[:MOST]:
        draft.list("series", item["label"], ref=item["name"])
        changes = _changes(draft, item)
        rank = item["year_percentile"]
        place = f"; above {number(rank, '%')} of the year's values" if rank is not None else ""
        draft.say(
            f"{item['label']} ({item['formula']}): {number(item['last'], item['unit'])} "
            f"on {item['time'][:10]}{changes}{place}."
        )
        draft.cite(item["label"], "percentile of the year", rank, "%")


def _levels(draft: Draft, items: Iterable[dict[str, Any]]) -> None:
    for item in list(items)[:MOST]:
        draft.list("series", item["label"], ref=item["name"])
        changes = _changes(draft, item)
        draft.say(
            f"{item['label']}: {number(item['last'], item['unit'])} on {item['time'][:10]}{changes}."
        )


def _changes(draft: Draft, item: dict[str, Any]) -> str:
    draft.cite(item["label"], "last", item["last"], item["unit"], time=item["time"])
    told = []
    for change in item["changes"]:
        span = f"{change['periods']} {item.get('period') or 'period'}s"
        draft.cite(item["label"], f"change over {span}", change["absolute"], item["unit"])
        draft.cite(item["label"], f"change over {span}", change["percent"], "%")
        told.append(f"{change['absolute']:+.4g} over {span}")
    return f" ({joined(told, 2)})" if told else ""


def _outlook(draft: Draft, result: dict[str, Any]) -> None:
    ends = {point["target"]: point for point in result["forecasts"]}
    for name, point in list(ends.items())[:2]:
        unit = (result["models"].get(name) or {}).get("unit") or ""
        draft.say(f"Outlook of {name}: {number(point['mean'], unit)} at {clock(point['time'])}.")
        draft.cite(name, "outlook", point["mean"], unit, time=point["time"])
    for name, why in list(result["not_forecast"].items())[:2]:
        draft.notes.append(f"no outlook of {name}: {why}")
