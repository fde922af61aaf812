"""The report of a back-test: one table, and by target the forecasts beside what came."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from orchestrator.modules.frames import iso
from orchestrator.modules.report_page import Chart, Section, Table, Trace, html, markdown

if TYPE_CHECKING:
    from orchestrator.modules.forecasting.models import BacktestScore
    from orchestrator.modules.forecasting.rolling import Rolled

MAX_SHOWN = 24
MEANING = (
    "Errors are in the unit of each target. Bias is forecast minus actual; skill is the gain on the better "
    "naive rule (last value or last season). Every forecast was made with what was known then."
)
HEADS = (
    "target",
    "models",
    "n:MAE",
    "n:bias",
    "n:WAPE",
    "n:MASE",
    "n:interval score",
    "n:skill",
    "n:in 80 %",
    "n:in 95 %",
)


def page(
    rolled: Sequence[Rolled],
    scores: Sequence[BacktestScore],
    summary: str,
    notes: Sequence[str],
    form: Literal["html", "markdown"],
) -> str:
    """The report; charts of at most :data:`MAX_SHOWN` targets."""
    sections = [
        Section(
            "Accuracy",
            (
                MEANING,
                Table(HEADS, [_row(score) for score in scores]),
                *notes,
            ),
        )
    ]
    for item, score in list(zip(rolled, scores, strict=True))[:MAX_SHOWN]:
        sections.append(Section(score.target, (_course(item), _by_step(score))))
    build = html if form == "html" else markdown
    return build("How good the forecasts have been", summary, sections)


def _row(score: BacktestScore) -> list[str]:
    models = ", ".join(f"{name.replace('_', ' ')} {n}" for name, n in score.models.items())
    return [
        score.target,
        models,
        f"{score.mae:.4g}",
        f"{score.bias:+.3g}",
        "–" if score.wape is None else f"{100 * score.wape:.1f} %",
        "–" if score.mase is None else f"{score.mase:.2f}",
        f"{score.interval_score:.4g}",
        f"{score.skill_pct:+.1f} %",
        f"{100 * score.coverage['80']:.0f} %",
        f"{100 * score.coverage['95']:.0f} %",
    ]


def _course(item: Rolled) -> Chart:
    """The whole last step of every forecast, at the times for which they were made."""
    step = item.actual.shape[1] - 1
    history = item.history
    back = np.array([history.kept[end - 1] for end in item.ends], dtype=np.int64)
    times = [iso(time) for time in history.times_at(back + step + 1)]
    actual = [float(v) if np.isfinite(v) else None for v in item.actual[:, step]]
    band = {level: [float(v) for v in item.quantiles[level][:, step]] for level in (0.1, 0.9)}
    return Chart(
        f"{step + 1} steps ahead: what was forecast, with its 80 % interval, and what came",
        history.tag,
        (
            Trace("80 % interval", times, band[0.1], "band", high=band[0.9]),
            Trace("forecast", times, [float(v) for v in item.mean[:, step]]),
            Trace("actual", times, actual, "points"),
            Trace("naive", times, [float(v) for v in item.naive[:, step]], faint=True),
        ),
    )


def _by_step(score: BacktestScore) -> Table:
    rows = [
        [
            str(item.step),
            str(item.values),
            f"{item.mae:.4g}",
            f"{item.bias:+.3g}",
            f"{item.skill_pct:+.1f} %",
            f"{100 * item.coverage['80']:.0f} %",
            f"{100 * item.coverage['95']:.0f} %",
        ]
        for item in score.by_step
        if item.mae is not None and item.bias is not None and item.coverage is not None
    ]
    return Table(
        ("n:steps ahead", "n:values", "n:MAE", "n:bias", "n:skill", "n:in 80 %", "n:in 95 %"), rows
    )
