"""How much a price moves: log returns, exponentially weighted variance, and GARCH with fat tails."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.modules.analysis.facts import Volatility

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

DECAY = 0.94
"""Of daily variance, RiskMetrics (1996)."""
LEAST_FOR_EWMA = 20
LEAST_FOR_GARCH = 250
MOST_FOR_GARCH = 2000


@dataclass(frozen=True, slots=True)
class Spread:
    """Volatility of a series, and the standard deviation of its log return over further periods.

    Attributes:
        fact: For people.
        model: ``garch`` or ``ewma``: which one ``horizon_deviation`` is from.
    """

    fact: Volatility
    model: str
    _daily_variance: float
    _path: tuple[float, ...] = ()

    def horizon_deviation(self, periods: int) -> float:
        """Standard deviation of the log return over ``periods``, as a share (0.1 is about 10 %).

        GARCH sums its variances, which return to their long-run mean; else variance grows in proportion.
        """
        if self._path:
            path = self._path[:periods]
            rest = periods - len(path)
            return math.sqrt(sum(path) + rest * path[-1])
        return math.sqrt(self._daily_variance * periods)


def log_returns(values: Array) -> Array:
    """Log returns, NaN from and to a price that is not positive: such a one has no logarithm."""
    positive = np.where(values > 0, values, np.nan)
    found: Array = np.diff(np.log(positive))
    return found


def spread(values: Array, per_year: float, periods: int = 1) -> Spread | None:
    """Volatility of a price; ``None`` with fewer than 20 returns.

    The GARCH(1,1) model has a constant mean and Student errors, and is fitted by maximum likelihood on
    the last 2000 returns (package ``arch``). Where it does not converge, or its variance has no
    long-run mean (α + β ≥ 1), the weighted variance is used instead and the note says so.
    """
    every = log_returns(values)
    returns = every[np.isfinite(every)]
    if len(returns) < LEAST_FOR_EWMA:
        return None
    notes = []
    if len(returns) < len(every):
        notes.append(
            f"{len(every) - len(returns)} returns from or to a price that is not positive have no "
            "logarithm and are left out"
        )
    variance = weighted_variance(returns)
    scale = 100 * math.sqrt(per_year)
    fitted, why = _garch(returns[-MOST_FOR_GARCH:], periods)
    if fitted is None:
        notes.append(f"{why}: the weighted variance stands alone")
    fact = Volatility(
        ewma_pct=scale * math.sqrt(variance),
        garch_pct=scale * math.sqrt(fitted.path[0]) if fitted else None,
        garch_long_run_pct=scale * math.sqrt(fitted.long_run) if fitted else None,
        persistence=fitted.persistence if fitted else None,
        degrees_of_freedom=fitted.degrees_of_freedom if fitted else None,
        returns=len(returns),
        note="; ".join(notes) or None,
    )
    return Spread(fact, "garch" if fitted else "ewma", variance, fitted.path if fitted else ())


def weighted_variance(returns: Array) -> float:
    """Variance of the next return: of each later return 6 %, of what was 94 %; mean taken as zero."""
    variance = float(np.mean(returns[:LEAST_FOR_EWMA] ** 2))
    for value in returns[LEAST_FOR_EWMA:]:
        variance = DECAY * variance + (1 - DECAY) * float(value) ** 2
    return variance


@dataclass(frozen=True, slots=True)
class _Garch:
    path: tuple[float, ...]
    long_run: float
    persistence: float
    degrees_of_freedom: float


def _garch(returns: Array, periods: int) -> tuple[_Garch | None, str]:
    if len(returns) < LEAST_FOR_GARCH:
        return None, f"{len(returns)} returns are too few for GARCH ({LEAST_FOR_GARCH})"
    if float(np.ptp(returns)) == 0.0:
        return None, "the price does not move"
    try:
        from arch import arch_model
    except ImportError:
        return None, "GARCH needs the package arch"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = arch_model(100 * returns, mean="Constant", vol="GARCH", dist="t", rescale=False)
            fitted: Any = model.fit(disp="off", show_warning=False)
            ahead = fitted.forecast(horizon=periods, reindex=False).variance.to_numpy()[-1] / 1e4
    except (ValueError, np.linalg.LinAlgError) as error:
        return None, f"GARCH could not be fitted ({error})"
    parameters = {name: float(value) for name, value in fitted.params.items()}
    persistence = parameters["alpha[1]"] + parameters["beta[1]"]
    if fitted.convergence_flag != 0:
        return None, "the fit of GARCH did not converge"
    if persistence >= 1 - 1e-6 or not np.isfinite(ahead).all():
        return None, f"the variance of GARCH has no long-run mean (α + β = {persistence:.4f})"
    return (
        _Garch(
            path=tuple(float(value) for value in ahead),
            long_run=parameters["omega"] / (1 - persistence) / 1e4,
            persistence=persistence,
            degrees_of_freedom=parameters["nu"],
        ),
        "",
    )
