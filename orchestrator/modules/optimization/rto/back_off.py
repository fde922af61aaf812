"""Back-off: limits are kept from by what their tags vary, so that they hold most of the time.

With a normal variation of standard deviation s about the steady value, a limit holds at any time with
chance p where the steady value keeps the distance k s, k the p-quantile of the standard normal
distribution (Narraway, Perkins and Barton 1991, J. Process Control 1:243).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from orchestrator.modules.optimization.models import BackOff
from orchestrator.modules.optimization.rto.variability import Variability
from orchestrator.modules.optimization.steady_model import SteadyModel

_MOST = 0.25
"""A limit is drawn in by no more than this share of the width between both limits."""


def drawn_in(
    model: SteadyModel, varied: Mapping[str, Variability], chance: float
) -> tuple[BackOff, ...]:
    """Draw in the limits of ``model`` whose tags vary, and tell by how much."""
    from scipy.special import ndtri

    factor = float(ndtri(chance))
    found: list[BackOff] = []
    limits = []
    for limit in model.limits:
        item = varied.get(limit.name)
        by = 0.0 if item is None else factor * item.sd
        other = [x.bound for x in model.limits if x.name == limit.name and x.side != limit.side]
        if other:
            by = min(by, _MOST * abs(other[0] - limit.bound))
        if item is None or by <= 0:
            limits.append(limit)
            continue
        bound = limit.bound - by if limit.side == "max" else limit.bound + by
        limits.append(replace(limit, bound=bound, back_off=by))
        found.append(
            BackOff(
                limit=limit.name,
                side=limit.side,
                bound=limit.bound,
                by=by,
                sd=item.sd,
                chance=chance,
                unit=limit.unit,
            )
        )
    model.limits = tuple(limits)
    return tuple(found)
