"""Plain answers from the results of ``forecasting``."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from orchestrator.llm.answers.draft import Draft, clock, joined, number

MOST = 3


def forecast(draft: Draft, result: dict[str, Any]) -> None:
    """Where each target goes, with the interval; why the others were not forecast."""
    models = result["models"]
    points = result["forecasts"]
    for count, (target, group) in enumerate(groupby(points, key=lambda point: point["target"])):
        draft.list("tag", target)
        if count >= MOST:
            continue
        own = list(group)
        model = models.get(target) or {}
        unit = model.get("unit") or ""
        last = own[-1]
        low, high = last["quantiles"].get("0.1"), last["quantiles"].get("0.9")
        interval = (
            f" (80 % interval {number(low)} to {number(high)})"
            if low is not None and high is not None
            else ""
        )
        text = f"{target}: {number(last['mean'], unit)} expected at {clock(last['time'])}{interval}"
        if model.get("last_value") is not None:
            text += (
                f"; the last value is {number(model['last_value'], unit)} "
                f"of {clock(model['last_time'])}"
            )
            draft.cite(target, "last value", model["last_value"], unit, time=model["last_time"])
        draft.say(f"{text}.")
        draft.cite(target, "expected value", last["mean"], unit, time=last["time"])
        draft.cite(target, "lower end, 80 % interval", low, unit, time=last["time"])
        draft.cite(target, "upper end, 80 % interval", high, unit, time=last["time"])
        for point in own[:-1][:: max(1, len(own) // 8)]:
            draft.cite(target, "expected value", point["mean"], unit, time=point["time"])
        if model:
            draft.cite(
                target, f"skill of {model['model']} over a naive rule", model["skill_pct"], "%"
            )
    _refused(draft, result["refused"], "could not be forecast")


def backtest(draft: Draft, result: dict[str, Any]) -> None:
    """How far off the past forecasts were, against a naive rule."""
    scores = sorted(result["scores"], key=lambda score: -score["skill_pct"])
    for score in scores[:MOST]:
        draft.list("tag", score["target"])
        draft.say(
            f"{score['target']}: mean absolute error {number(score['mae'])} "
            f"against {number(score['mae_naive'])} of a naive rule "
            f"(skill {number(score['skill_pct'], '%')}, bias {number(score['bias'])})."
        )
        for name in ("mae", "mae_naive", "bias", "skill_pct"):
            unit = "%" if name == "skill_pct" else ""
            draft.cite(score["target"], name, score[name], unit)
        for level, share in score["coverage"].items():
            draft.cite(score["target"], f"values inside the {level} % interval", 100 * share, "%")
    _refused(draft, result["refused"], "could not be judged")


def explain(draft: Draft, result: dict[str, Any]) -> None:
    """What moves the forecast most."""
    target, unit = result["target"], result["score"].get("unit") or ""
    draft.list("tag", target)
    influences = result["influences"][:MOST]
    said = [
        f"{item['text']} ({number(100 * item['share'], '%')} of all effects)" for item in influences
    ]
    if said:
        draft.say(f"What weighs most: {joined(said)}.")
    for item in influences:
        draft.cite(target, f"effect of {item['feature']}", item["effect"], unit)
        draft.cite(target, f"share of {item['feature']}", 100 * item["share"], "%")
    draft.cite(target, "skill over a naive rule", result["score"]["skill_pct"], "%")


def soft_sensor(draft: Draft, result: dict[str, Any]) -> None:
    """The newest estimate, and how far it may be off."""
    target = result["target"]
    draft.list("tag", target)
    if result["predictions"]:
        last = result["predictions"][-1]
        outside = (
            "" if last["applicable"] else ", outside what the model has seen: do not rely on it"
        )
        draft.say(
            f"{target}: {number(last['mean'])} estimated for {clock(last['time'])} "
            f"(interval {number(last['lower'])} to {number(last['upper'])}{outside})."
        )
        for name in ("mean", "lower", "upper"):
            draft.cite(target, f"estimate, {name}", last[name], time=last["time"])
    draft.say(
        f"Its error on known samples is {number(result['rmse'])} (root mean square, "
        f"{result['samples']} samples); carrying the last sample forward errs by "
        f"{number(result['rmse_last_sample'])}."
    )
    draft.cite(target, "root mean square error", result["rmse"])
    draft.cite(target, "error of the last sample carried forward", result["rmse_last_sample"])
    draft.cite(target, "samples", result["samples"])


def time_to_limit(draft: Draft, result: dict[str, Any]) -> None:
    """What reaches its limit first, and how likely that is."""
    order = sorted(result["limits"], key=lambda item: (not item["beyond"], -item["probability"]))
    for item in order[:MOST]:
        draft.list(item["kind"], item["name"])
        limit = (
            f"{item['limit'].replace('_', ' ')} limit {number(item['limit_value'], item['unit'])}"
        )
        now = number(item["present"], item["unit"])
        if item["beyond"]:
            draft.say(f"{item['name']} is beyond its {limit} now, at {now}.")
        else:
            when = (
                f", half of the paths by {clock(item['median_time'])}"
                if item["median_time"]
                else ""
            )
            draft.say(
                f"{item['name']}: {number(100 * item['probability'], '%')} chance to reach its {limit} "
                f"in the time looked at{when}; it is at {now}."
            )
        draft.cite(item["name"], "present value", item["present"], item["unit"])
        draft.cite(item["name"], f"limit {item['limit']}", item["limit_value"], item["unit"])
        draft.cite(item["name"], "chance to reach it", 100 * item["probability"], "%")
        draft.cite(
            item["name"], "median time to the limit", item["hours"], "h", time=item["median_time"]
        )
    for item in result["degradation"][:MOST]:
        draft.list("equipment", item["name"])
        draft.cite(item["name"], "present level", item["present"], item["unit"])
        draft.cite(item["name"], "change a day", item["per_day"], item["unit"])
        draft.cite(item["name"], "limit", item["limit"], item["unit"])
        draft.cite(item["name"], "days to the limit", item["days"], "d", time=item["median_time"])
    _refused(draft, result["skipped"], "could not be judged")


def _refused(draft: Draft, reasons: dict[str, str], what: str) -> None:
    if reasons:
        told = joined((f"{name} ({why.rstrip('.')})" for name, why in reasons.items()), MOST)
        draft.notes.append(f"{told} {what}")
