"""What one fitted model's forecast rests on, in the target's unit.

Trees give SHAP values (TreeSHAP, Lundberg et al. 2020, as LightGBM computes it), linear models the weight
times the distance from the usual, both averaged over the steps ahead; statistical models are taken apart
into level, trend and season.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from orchestrator.modules.forecasting.candidate import Array, Candidate
from orchestrator.modules.forecasting.combination import Combination
from orchestrator.modules.forecasting.direct import DirectLinear
from orchestrator.modules.forecasting.lagged import Lagged
from orchestrator.modules.forecasting.reverting import RecentMedian, Reverting
from orchestrator.modules.forecasting.series import History, span

RECENT_SEASONS = 8
RULES = {
    "naive": "the last value, carried forward: nothing in its past told its next move better",
    "window_average": "the mean of its last values: it wanders around a level without direction",
    "seasonal_naive": "its value one season ago: the season is all that repeats",
}


@dataclass(frozen=True, slots=True)
class Effect:
    """One thing that moves the forecast, by ``size`` on average over the horizon, signed.

    A rule moves nothing from its own level: its size is that of the whole forecast, and ``whole`` true.
    """

    feature: str
    size: float
    text: str
    whole: bool = False


def effects_of(model: Candidate, history: History, steps: int) -> list[Effect]:
    """Effects on the forecast from the end of the history, largest first."""
    if isinstance(model, Combination):
        found = _of_members(model, history, steps)
    elif isinstance(model, Lagged):
        found = _of_regression(model, history, steps)
    elif isinstance(model, DirectLinear):
        found = _of_direct(model, history, steps)
    elif isinstance(model, Reverting | RecentMedian):
        found = _of_level(model, history, steps)
    elif model.name in RULES:
        level = float(model.predict(history, [len(history.values)], steps)[0].mean())
        return [Effect(model.name, level, RULES[model.name], whole=True)]
    else:
        found = _of_components(model, history, steps)
    return sorted(found, key=lambda effect: -abs(effect.size))


def _of_members(model: Combination, history: History, steps: int) -> list[Effect]:
    """The effects of all members, by feature, each with its member's weight."""
    sizes: dict[str, float] = {}
    texts: dict[str, tuple[float, str]] = {}
    for member, weight in zip(model.members, model.weights, strict=True):
        for effect in effects_of(member, history, steps):
            size = 0.0 if effect.whole else weight * effect.size
            sizes[effect.feature] = sizes.get(effect.feature, 0.0) + size
            if abs(size) >= texts.get(effect.feature, (-1.0, ""))[0]:
                texts[effect.feature] = (abs(size), effect.text)
    return [Effect(name, size, texts[name][1]) for name, size in sizes.items()]


def _of_regression(model: Lagged, history: History, steps: int) -> list[Effect]:
    rows, scale = model.features_ahead(history, steps)
    regressor, names = model.regressor()
    if hasattr(regressor, "booster_"):
        contributions = np.asarray(regressor.booster_.predict(rows, pred_contrib=True))[:, :-1]
    else:
        contributions = rows * np.asarray(regressor.coef_, dtype=np.float64)
    means = contributions.mean(axis=0) * scale
    return [
        Effect(_plain(name, history), float(size), _in_words(name, history))
        for name, size in zip(names, means, strict=True)
    ]


def _plain(feature: str, history: History) -> str:
    found = re.fullmatch(r"known_(\d+)", feature)
    return history.inputs.known_names[int(found[1])] if found else feature


def _in_words(feature: str, history: History) -> str:
    numbers = [int(number) for number in re.findall(r"\d+", feature)]
    if feature.startswith("known_"):
        return f"the values of {history.inputs.known_names[numbers[0]]} that are known ahead"
    if feature.startswith("rolling_mean"):
        return f"its mean over {span(numbers[-1] * history.period)}"
    return f"its value {span(numbers[0] * history.period)} before"


def _of_direct(model: DirectLinear, history: History, steps: int) -> list[Effect]:
    parts = model.contributions(history, steps)
    window = span(model.look_back * history.period)
    found = [Effect("past", parts["past"], f"the course of its last {window}")]
    inputs = history.inputs
    found += [Effect(n, parts[n], f"the last value of {n}") for n in inputs.past_names]
    found += [
        Effect(n, parts[n], f"the values of {n} that are known ahead") for n in inputs.known_names
    ]
    return found


def _of_level(model: Reverting | RecentMedian, history: History, steps: int) -> list[Effect]:
    forecast = model.predict(history, [len(history.values)], steps)[0]
    last = float(history.values[-1])
    driver = model.driver_values(history)
    if driver is None:
        back = float(forecast.mean()) - last
        text = f"its way back from {last:.4g} towards its mean of the last weeks"
        return [Effect("mean", back, text)]
    n = len(history.values)
    name = model.driver_name(history)
    now, ahead = float(driver[n - 1]), float(driver[n : n + steps].mean())
    share = last / now if now else 0.0
    expected = float(forecast.mean()) / ahead if ahead else 0.0
    plan = share * (ahead - now)
    return [
        Effect(
            name,
            plan,
            f"the plan of {name}: {ahead:.4g} on average after {now:.4g} now, of which it is a share",
        ),
        Effect(
            f"share of {name}",
            float(forecast.mean()) - last - plan,
            f"its share of {name}: {expected:.4g} expected after {share:.4g} now",
        ),
    ]


def _of_components(model: Candidate, history: History, steps: int) -> list[Effect]:
    """Level, trend and season: the usual course of the season is taken out first, then a line."""
    mean = model.predict(history, [len(history.values)], steps)[0]
    last = float(history.values[-1])
    course, now = _season_course(history, steps)
    rest = mean - course
    index = np.arange(steps)
    slope = float(np.polyfit(index, rest, 1)[0]) if steps > 1 else 0.0
    level = float(rest[0]) - (last - now)
    found = [
        Effect("level", level, f"its smoothed level, {level:+.4g} from the last value"),
        Effect("trend", slope * (steps - 1) / 2, f"its trend, {slope:+.4g} a step"),
    ]
    if history.season > 1:
        size = float(np.mean(course - now))
        text = f"its season of {span(history.season * history.period)}, {size:+.4g} on average from now"
        found.append(Effect("season", size, text))
    return found


def _season_course(history: History, steps: int) -> tuple[Array, float]:
    """Usual distance from the seasonal mean at each step ahead, and at the last value."""
    season, values = history.season, history.values
    if season < 2 or len(values) < 2 * season:
        return np.zeros(steps), 0.0
    whole = values[len(values) - len(values) // season * season :].reshape(-1, season)
    usual = (whole - whole.mean(axis=1, keepdims=True))[-RECENT_SEASONS:].mean(axis=0)
    return usual[np.arange(steps) % season], float(usual[-1])


def shares(effects: Iterable[Effect]) -> list[float]:
    """Share of each effect in the sum of sizes."""
    sizes = np.array([abs(effect.size) for effect in effects])
    total = float(sizes.sum())
    if total == 0.0:
        return [1.0 if i == 0 else 0.0 for i in range(len(sizes))]
    return [round(float(size) / total, 4) for size in sizes]
