"""What the analysis operations have in common in how they answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from orchestrator.modules.analysis.freshness import ended, ended_words, newest
from orchestrator.modules.analysis.series import DAY, SOURCES, Series, named
from orchestrator.modules.frames import iso

if TYPE_CHECKING:
    from orchestrator.modules.analysis.models import Role, SeriesInput
    from orchestrator.modules.analysis.results import AnalysisResult
    from orchestrator.modules.analysis.series import Loaded
    from orchestrator.modules.base import OperationContext

    Result = TypeVar("Result", bound=AnalysisResult)

_ROLES: dict[Role, str] = {
    "price": "a price (analysis.prices)",
    "stock": "a stock (analysis.stocks)",
    "demand": "demand (analysis.demand)",
    "flow": "a flow",
    "other": "of another kind",
}
_OLD_DAYS = {"day": 7, "week": 21, "fortnight": 35, "month": 75, "quarter": 200, "year": 600}


def as_of(series: Iterable[Series]) -> str | None:
    """Time of the newest value."""
    newest = max((item.times[-1] for item in series), default=None)
    return None if newest is None else iso(newest)


def day_of(time: np.datetime64) -> str:
    """The date of a time."""
    return str(time.astype("datetime64[D]"))


def old_data(series: Sequence[Series], context: OperationContext) -> list[str]:
    """Warnings of series that ended before the others, and of those whose newest value is old; one where
    most are.
    """
    latest = newest(series)
    said = ended_words(series)
    now = np.datetime64(context.now.replace(tzinfo=None), "us")
    old = [
        (item, age)
        for item in series
        if not ended(item, latest)
        and (age := float((now - item.times[-1]) / DAY)) > _old_days(item)
    ]
    if len(old) > 3:
        youngest = min(age for _, age in old)
        count = f"{len(old)} of {len(series)} series"
        return [*said, f"the newest values of {count} are {youngest:.0f} days old or older"]
    return [
        *said,
        *(f"the newest value of {item.label} is {age:.0f} days old" for item, age in old),
    ]


def _old_days(series: Series) -> float:
    return _OLD_DAYS.get(series.period, 2.5 * 365.25 / series.per_year)


def unmatched(loaded: Loaded, parameters: SeriesInput) -> list[str]:
    """Warnings of tags by which no series goes."""
    return [
        f"no market series goes by {tag}"
        for tag in parameters.tags
        if not parameters.only and not any(named(item, tag) for item in loaded.asked)
    ]


def of_other_roles(loaded: Loaded, parameters: SeriesInput, role: Role) -> dict[str, str]:
    """Why listed series are not in an answer that is about series of ``role``."""
    return {
        item.name: f"{item.name} is {_ROLES[item.role]}, not {_ROLES[role]}"
        for item in loaded.asked
        if item.name in parameters.only and item.role != role
    }


def none_of(what: str) -> str:
    """That there is no series of a kind, and where one could come from."""
    return f"no {what} series is among the data: {SOURCES}"


def sentence(parts: Sequence[str]) -> str:
    """Parts as one sentence."""
    text = "; ".join(" ".join(part.split()).replace(" ,", ",") for part in parts)
    return f"{text[0].upper()}{text[1:]}."


def number(value: float | None, places: int | None = None) -> str:
    """A number to ``places``, else to four significant digits or whole; empty for none."""
    if value is None:
        return ""
    if places is None and abs(value) < 1000:
        return f"{value:.4g}"
    return f"{value:,.{places or 0}f}"


def quantity(value: float, unit: str | None, places: int | None = None) -> str:
    """A number with its unit, where that is known."""
    return f"{number(value, places)} {unit or ''}".rstrip()


def with_report(
    result: Result, parameters: SeriesInput, context: OperationContext, loaded: Loaded
) -> Result:
    """The result with its page, where one was asked for."""
    if not parameters.report:
        return result
    from orchestrator.modules.analysis.report import page

    context.progress(0.9, "writing the report")
    text = page(result, loaded, as_markdown=parameters.report == "markdown")
    return result.model_copy(update={"report": text})
