"""Which models compete for a target."""

from __future__ import annotations

from typing import Literal

from orchestrator.modules.forecasting.candidate import Candidate
from orchestrator.modules.forecasting.direct import MAX_LOOK_BACK, MIN_LOOK_BACK, DirectLinear
from orchestrator.modules.forecasting.lagged import GradientBoosting, Ridge
from orchestrator.modules.forecasting.naive import Naive, SeasonalNaive, WindowAverage
from orchestrator.modules.forecasting.reverting import (
    RecentMedian,
    Reverting,
    Setting,
    can_be_proportional,
)
from orchestrator.modules.forecasting.series import History
from orchestrator.modules.forecasting.statistical import (
    MAX_ETS_SEASON,
    Arima,
    ExponentialSmoothing,
    SeasonalTrend,
    Theta,
)

Models = Literal["full", "fast"]

MIN_ROWS_LEARNED = 60
SEASONS_LOOKED_BACK = 4
ROWS_PER_WEIGHT = 5


def candidates_for(
    history: History, steps: int, rows: int, seed: int, models: Models = "full"
) -> list[Candidate]:
    """The models that the first ``rows`` rows of a history allow, naive rules first.

    ``fast`` leaves out what has to be fitted by iteration: statistical models and boosting.
    """
    season = history.season
    width = max(7, min(steps, 2 * MAX_ETS_SEASON), season)
    found: list[Candidate] = [Naive(), WindowAverage(width)]
    if season > 1:
        found.append(SeasonalNaive())
    found.append(Reverting("reverting", None, proportional=False, steps=steps))
    if can_be_proportional(history):
        found += [
            Reverting("share", Setting(1.0, 1.0), proportional=True, steps=steps),
            Reverting("share_smoothed", Setting(0.4, 1.0), proportional=True, steps=steps),
            Reverting("share_reverting", Setting(1.0, 0.9), proportional=True, steps=steps),
            Reverting("share_tuned", None, proportional=True, steps=steps),
            RecentMedian(steps),
        ]
    look_back = min(MAX_LOOK_BACK, max(28, SEASONS_LOOKED_BACK * season), rows // ROWS_PER_WEIGHT)
    if look_back >= MIN_LOOK_BACK and rows >= MIN_ROWS_LEARNED:
        found.append(DirectLinear(look_back, steps))
    if models == "fast":
        return found
    found += [ExponentialSmoothing(season), Theta(season), Arima(season)]
    if season > 1 and rows > 2 * season:
        found.append(SeasonalTrend(season))
    if rows >= MIN_ROWS_LEARNED:
        found += [Ridge(season, seed, rows), GradientBoosting(season, seed, rows)]
    return found
