"""Present values of tags from an operation's input data."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from orchestrator.errors import InsufficientDataError, UnknownTagError
from orchestrator.modules.frames import read_frame

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestrator.modules.base import OperationContext


def present_values(context: OperationContext, minutes: float) -> dict[str, float]:
    """Mean of each tag over the last ``minutes`` of its own data, in its own unit; no data, no tags.

    A tag whose newest sample is older than that is left out: an old value is not a present one.
    """
    if context.data_file is None:
        return {}
    import numpy as np

    table = context.table()
    if table.num_rows == 0:
        return {}
    frame = read_frame(table).in_order()
    recent = frame.times >= frame.times[-1] - np.timedelta64(int(minutes * 60e6), "us")
    values = frame.values[recent]
    known = np.isfinite(values)
    return {
        name: float(values[known[:, i], i].mean())
        for i, name in enumerate(frame.names)
        if known[:, i].any()
    }


def require(names: Iterable[str], values: Mapping[str, float], context: OperationContext) -> None:
    """Refuse to go on without a present value of each name.

    Raises:
        UnknownTagError: a name is not a tag of the plant.
        InsufficientDataError: a tag has no present value.
    """
    missing = sorted(n for n in names if not math.isfinite(values.get(n, math.nan)))
    if not missing:
        return
    unknown = [name for name in missing if name not in context.plant.by_name]
    if unknown:
        raise UnknownTagError(
            f"no tag {', '.join(unknown)}",
            where=f"plant {context.plant.name!r}",
            remedy="correct the expression, add the tag to the plant file, or give it in current",
        )
    raise InsufficientDataError(
        f"no present value of {', '.join(missing)}",
        where="input data",
        why="the model cannot be placed at the running unit without it",
        remedy="give data that reaches to now, or the values in current",
    )
