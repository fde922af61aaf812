"""Set points that are supposed otherwise, tried on the simulated unit: SIMULATED answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from orchestrator.errors import InputError
from orchestrator.modules.optimization.planning.what_if_models import Difference, SimulatedAnswer

if TYPE_CHECKING:
    from orchestrator.plant.tags import Plant

_SETTLED = 30
_SAME = 1e-6


def on_the_twin(
    handles: Mapping[str, float], values: Mapping[str, float], plant: Plant
) -> tuple[SimulatedAnswer | None, str | None]:
    """What the simulated unit does with and without the moves, or why it cannot be asked.

    Args:
        handles: Supposed set points.
        values: Present values of the tags.
        plant: Tags and limits; nothing is simulated where its values are not.
    """
    if not plant.simulated or not handles:
        return None, None
    from orchestrator.plant.twin.rehearsal import rehearse, standing_at

    try:
        steps = [(0.0, tag, value) for tag, value in handles.items()]
        found = rehearse(standing_at(values, plant), steps)
    except InputError as error:
        return None, f"the simulated unit was not asked: {error}"
    without, moved = (v[-_SETTLED:].mean(axis=0) for v in (found.unmoved, found.values))
    effects = tuple(
        Difference(what=tag, base=float(a), changed=float(b))
        for tag, a, b in zip(found.tags, without, moved, strict=True)
        if abs(b - a) > _SAME * max(1.0, abs(a))
    )
    crossings = tuple(
        f"{item.tag} passes its {item.side} {item.limit:g} after {item.minute:.0f} min, "
        f"to {item.value:.4g}"
        for item in found.caused
    )
    return SimulatedAnswer(
        minutes=float(found.times[-1]), effects=effects, crossings=crossings
    ), None
