"""Stack loss by Siegert's formula."""

import numpy as np
import pyarrow as pa

from dan_g_furnace import EfficiencyInput, EfficiencyResult
from orchestrator.errors import InsufficientDataError, UnknownTagError
from orchestrator.modules.base import OperationContext

A2, B = 0.66, 0.009
"""Siegert's constants for natural gas with measured oxygen."""
OXYGEN_OF_AIR = 21.0


def run(request: EfficiencyInput, context: OperationContext) -> EfficiencyResult:
    """Stack loss in % = (T_flue − T_air) · (A2 / (21 − O2) + B), on the mean of the range.

    Raises:
        UnknownTagError: a named tag is not in the data.
        InsufficientDataError: there is no row where both tags are known.
    """
    table = context.table()
    flue = _column(table, request.flue_gas_temperature)
    oxygen = _column(table, request.oxygen)
    known = np.isfinite(flue) & np.isfinite(oxygen) & (oxygen < OXYGEN_OF_AIR)
    if not known.any():
        raise InsufficientDataError(
            "no row holds both the flue gas temperature and its oxygen",
            where=f"{request.flue_gas_temperature}, {request.oxygen}",
            remedy="choose a range in which both are measured",
        )
    rise = flue[known] - request.air_temperature
    loss = float(np.mean(rise * (A2 / (OXYGEN_OF_AIR - oxygen[known]) + B)))
    efficiency = 100.0 - loss
    worth = 24 * request.fuel_usd_per_hour / efficiency
    return EfficiencyResult(
        summary=f"{loss:.1f} % of the fired duty leaves by the stack; efficiency {efficiency:.1f} %.",
        stack_loss_pct=loss,
        efficiency_pct=efficiency,
        worth_of_one_point_usd_per_day=worth,
    )


def _column(table: pa.Table, tag: str) -> np.ndarray:
    if tag not in table.column_names:
        raise UnknownTagError(
            f"no tag {tag!r} in the data",
            remedy=f"there are: {', '.join(table.column_names[1:])}",
        )
    return table[tag].to_numpy(zero_copy_only=False)
