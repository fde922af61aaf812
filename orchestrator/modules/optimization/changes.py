"""Supposed changes: what they name, the value they give, and the same in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.errors import ParameterError

if TYPE_CHECKING:
    from orchestrator.modules.optimization.models import ChangeOf
    from orchestrator.plant.tags import Plant


def tag_of(words: str, plant: Plant) -> str | None:
    """The tag that words name: its name, or one of its aliases, whatever the case."""
    if words in plant.by_name:
        return words
    plain = words.strip().casefold()
    found = [
        tag.name
        for tag in plant.tags
        if plain == tag.name.casefold() or plain in (alias.casefold() for alias in tag.aliases)
    ]
    return found[0] if len(found) == 1 else None


def changed_value(change: ChangeOf, present: float | None, what: str) -> float:
    """The value after a change of ``what``.

    Raises:
        ParameterError: a change by an amount of what has no present value.
    """
    if change.to is not None:
        return change.to
    assert change.by is not None
    if present is None:
        raise ParameterError(
            f"{what} has no present value to change by {change.by}",
            where="changes",
            remedy="give its new value as to",
        )
    if change.unit in ("%", "percent"):
        return present * (1.0 + change.by / 100.0)
    return present + change.by


def in_words(changes: tuple[ChangeOf, ...], gain: float | None, money: str, status: str) -> str:
    """What the changes gain, one sentence."""
    supposed = " and ".join(
        f"{c.what} {'to' if c.to is not None else 'by'} "
        f"{c.to if c.to is not None else c.by:g}{f' {c.unit}' if c.unit else ''}"
        for c in changes
    )
    if gain is None or status == "infeasible":
        return f"With {supposed} the limits cannot all be kept ({status})."
    word = "gains" if gain >= 0 else "loses"
    return f"Changing {supposed} {word} {abs(gain):,.0f} {money} a day, with everything else re-optimised."
