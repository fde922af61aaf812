"""Plain answers from the results of ``optimization``. What they propose is a person's to approve."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from orchestrator.llm.answers.draft import Draft, joined, number

MOST = 4
GATE = (
    "Nothing was written to the plant: a named person approves a recommendation at the operator gate "
    "(dan-g recommendations)."
)


def setpoints(draft: Draft, result: dict[str, Any]) -> None:
    """What to move and what it is worth; what holds the optimum back."""
    if _unsolved(draft, result):
        return
    for move in result["moves"]:
        draft.list(
            "tag", move["tag"], f"{number(move['from'])} to {number(move['to'], move['unit'])}"
        )
        draft.cite(move["tag"], "present", move["from"], move["unit"])
        draft.cite(move["tag"], "proposed", move["to"], move["unit"])
    interval = result["worth_interval"]
    draft.cite("moves", "worth", result["worth_usd_per_day"], "USD/d")
    if interval is not None:
        draft.say(
            f"90 % interval of the worth: {number(interval[0])} to {number(interval[1], 'USD a day')}."
        )
        draft.cite("moves", "worth, lower end", interval[0], "USD/d")
        draft.cite("moves", "worth, upper end", interval[1], "USD/d")
    if result["chance_of_gain"] is not None:
        draft.cite("moves", "chance of a gain", 100 * result["chance_of_gain"], "%")
    _limits(draft, result["binding"])
    for tag, response in list(result["expected"].items())[:12]:
        draft.cite(tag, "expected after the moves", response["to"], response["unit"])
        draft.cite(tag, "before the moves", response["from"], response["unit"])
    if result["outside_before"]:
        draft.say(f"Outside its limits now: {joined(result['outside_before'])}.")
    if result["moves"]:
        draft.say(GATE)


def plan(draft: Draft, result: dict[str, Any]) -> None:
    """What to buy and sell, and what limits the margin."""
    if _unsolved(draft, result):
        return
    money, quantity = result["money_unit"], result["quantity_unit"]
    products = _amounts(draft, result["products"], "make", f"{quantity}/d")
    if products:
        draft.say(f"Make {products} {quantity}/d.")
    _amounts(draft, result["crudes"], "buy", f"{quantity}/d")
    draft.cite("plan", "margin", result["objective"], money)
    _limits(draft, result["binding"])


def blend(draft: Draft, result: dict[str, Any]) -> None:
    """Which feed goes where, and which quality limits it."""
    if _unsolved(draft, result):
        return
    flows = [f for f in result["flows"] if f.get("flow")]
    told = (f"{number(f['flow'])} of {f['from']} into {f['to']}" for f in flows)
    if flows:
        draft.say(f"Blend {joined(told, 8)}.")
    for flow in flows:
        draft.cite(f"{flow['from']} into {flow['to']}", "amount", flow["flow"])
    for name, mixed in result["products"].items():
        draft.list("series", name)
        for quality, value in mixed["quality"].items():
            draft.cite(name, quality, value)
    draft.cite("blend", "objective", result["objective"])
    _limits(draft, result["binding"])


def what_if(draft: Draft, result: dict[str, Any]) -> None:
    """What the supposed change does to the objective and to what matters most."""
    if _unsolved(draft, result):
        return
    for name in ("base", "changed", "worth"):
        draft.cite("objective", name, result[name])
    shown = result["effects"] or result["differences"]
    for item in shown[:MOST]:
        draft.list("tag", item["what"])
    if shown:
        told = (f"{i['what']} {number(i['base'])} to {number(i['changed'])}" for i in shown)
        draft.say(f"It changes {joined(told, MOST)}.")
    for item in shown[:20]:
        draft.cite(item["what"], "before", item["base"])
        draft.cite(item["what"], "after", item["changed"])
    if result["crossings"]:
        draft.say(f"Limits crossed: {joined(result['crossings'])}.")


def sensitivity(draft: Draft, result: dict[str, Any]) -> None:
    """What each limit costs."""
    if _unsolved(draft, result):
        return
    _limits(draft, result["limits"])
    draft.cite(result["of"], "objective", result["objective"])
    for item in result["not_done"][:2]:
        draft.say(f"Not done: {item['text']}.")
        draft.cite(item["what"], "lacks", item["lacks"])
    for item in result["prices"][:8]:
        for name in ("price", "low", "high"):
            draft.cite(item["what"], f"{name}, for which the plan holds", item[name])


def _unsolved(draft: Draft, result: Mapping[str, Any]) -> bool:
    """Whether there is no solution to tell; then its reasons are."""
    for conflict in result["conflicts"][:MOST]:
        draft.say(f"In the way: {conflict['text']}.")
        draft.cite(conflict["limit"], "to be relaxed by", conflict["relax_by"], conflict["unit"])
    draft.cite("solution", "status", result["status"])
    if result.get("configure"):
        draft.notes.append(f"what to configure: {str(result['configure']).strip()[:300]}")
    return result["status"] not in ("optimal", "feasible", "time_limit")


def _limits(draft: Draft, limits: Iterable[dict[str, Any]]) -> None:
    every = list(limits)
    if every:
        draft.say(f"What holds it back: {joined((i.get('text') or i['limit'] for i in every), 3)}.")
    for item in every[:10]:
        unit = item.get("unit") or ""
        draft.cite(item["limit"], f"limit ({item['side']})", item["bound"], unit)
        draft.cite(item["limit"], "worth of one more", item["shadow_price"])


def _amounts(draft: Draft, amounts: Mapping[str, float], what: str, unit: str) -> str:
    known = {name: value for name, value in amounts.items() if value}
    for name, value in known.items():
        draft.list("series", name)
        draft.cite(name, what, value, unit)
    return joined((f"{name} {number(value)}" for name, value in known.items()), 8)
