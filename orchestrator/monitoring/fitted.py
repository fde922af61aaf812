"""From scaled training rows to the fitted models of one part of the plant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import structlog

from orchestrator.config import MonitoringSettings
from orchestrator.errors import InsufficientDataError
from orchestrator.monitoring.baseline import Baseline
from orchestrator.monitoring.delays import FloatArray, IntArray
from orchestrator.monitoring.detectors import PrincipalComponents
from orchestrator.monitoring.dynamic import DynamicDetector
from orchestrator.monitoring.multivariate import FAR, WHOLE_PLANT, MultivariateModel
from orchestrator.plant.tags import Tag

log = structlog.get_logger(__name__)

MOST_TAGS = 120
"""Tags of one model; a larger plant is modelled area by area, in parts of at most so many."""
LEAST_TAGS = 2
NO_PROCESS_VALUE = frozenset({"price", "state", "lab"})
ALERT_SHARE = 0.1
"""Share of the false-alarm rate at which the dynamic detector raises alerts in the live monitor. Normal
rows over the limit of a statistic with a memory of 20 rows come in runs of such a length, which an
on-delay of a few rows does not take out as it does single rows."""


@dataclass(frozen=True, slots=True)
class Part:
    """Tags that one model covers: its name, and their columns in the plant."""

    name: str
    columns: IntArray


def modelled(tags: Sequence[Tag], baseline: Baseline) -> IntArray:
    """Columns of the tags that are modelled: process values that vary and are sampled with the rows.

    A sampled analyser repeats its value between samples, so that its covariance with its own past
    tells of the sampling, not of the plant.
    """
    process = np.array([tag.kind not in NO_PROCESS_VALUE for tag in tags], dtype=np.bool_)
    return np.flatnonzero(baseline.varies & ~baseline.held & process)


def parts_of(tags: Sequence[Tag], baseline: Baseline) -> list[Part]:
    """How the plant is cut into models."""
    columns = modelled(tags, baseline)
    if len(columns) <= MOST_TAGS:
        return [Part(WHOLE_PLANT, columns)] if len(columns) >= LEAST_TAGS else []
    areas: dict[str, list[int]] = {}
    for j in columns.tolist():
        areas.setdefault(tags[j].area, []).append(j)
    parts = []
    for area, members in sorted(areas.items()):
        pieces = np.array_split(np.array(members, dtype=np.int64), -(-len(members) // MOST_TAGS))
        for number, piece in enumerate(pieces, start=1):
            name = area or "other"
            if len(piece) >= LEAST_TAGS:
                parts.append(Part(name if len(pieces) == 1 else f"{name} {number}", piece))
    return parts


def fit_model(
    z: FloatArray,
    times: IntArray,
    baseline: Baseline,
    settings: MonitoringSettings,
    *,
    share: float = 1.0,
) -> MultivariateModel:
    """Fit principal components, and the dynamic detector where the rows are enough.

    Args:
        z: Scaled training rows, shape ``(n_rows, n_tags)``; missing values are NaN.
        times: Their times, µs since the epoch.
        baseline: Normal operation, for the usual distance of rows.
        settings: False-alarm rate and variance to explain.
        share: Share of the false-alarm rate that is the model's.

    Raises:
        InsufficientDataError: fewer than 20 rows or 2 tags.
    """
    rate = settings.false_alarm_rate * share
    components = PrincipalComponents(z, settings.variance_explained, settings.false_alarm_rate)
    usable = components.kept & np.isfinite(components.score(z).spe)
    dynamic = None
    try:
        rows = components.complete(np.clip(z[usable], -FAR, FAR))
        dynamic = DynamicDetector(rows, times[usable], baseline.row_seconds, rate)
    except InsufficientDataError as error:
        log.info("monitor.no_dynamic_model", reason=str(error))
    return MultivariateModel(components, dynamic)
