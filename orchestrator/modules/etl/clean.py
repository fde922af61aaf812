"""``etl.clean``: filter spikes, fill what can be justified, resample; everything changed is marked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import DataError, ParameterError, UnknownTagError
from orchestrator.modules.base import OperationContext
from orchestrator.modules.etl import quality, resample
from orchestrator.modules.etl.fill import FILLED, MEASURED, MISSING, SPIKE, Series, fill
from orchestrator.modules.etl.kinds import (
    UNFILTERED_KINDS,
    Resampling,
    kind_of,
    longest_gap,
    resampling_of,
)
from orchestrator.modules.etl.models import CleanInput, CleanResult, Mark, TagCleaning
from orchestrator.modules.etl.sampling import open_days
from orchestrator.modules.etl.tables import inline, inline_marks, write_parquet
from orchestrator.modules.frames import Frame, iso, read_frame
from orchestrator.plant.tags import Plant, Tag

MAX_MARKS = 200
LEAST_COVERAGE = 0.5
MAX_CELLS = 5_000_000


def run(parameters: CleanInput, context: OperationContext) -> CleanResult:
    """Clean each tag on a regular grid.

    Spikes are found with a Hampel filter and replaced by the local median. A gap is filled with a
    straight line when it is short for the kind of tag, has good values on both sides, the plant kept
    its mode, and the step across it is one that the tag makes in that time; a state or price is held
    only where it is the same on both sides; a laboratory value or a counter is never filled.
    Everything else stays missing. With ``period_seconds`` values are resampled as their kind asks for:
    time-weighted means, the increase of counters, the last state.

    Raises:
        DataError: times occur twice.
        ParameterError: the period asked for gives more rows than can be held.
        UnknownTagError: ``resample`` or ``mode_tag`` names a tag that is not in the data.
    """
    context.progress(0.0, "reading")
    frame = read_frame(context.table(), parameters.tags).in_order()
    twice = int((frame.times[1:] == frame.times[:-1]).sum())
    if twice:
        raise DataError(
            f"{twice} rows repeat a time",
            remedy="resolve them with etl.ingest (duplicates: last, first or mean)",
        )
    _check_named(parameters, frame)
    native = quality.period_seconds(frame.times)
    tags = [context.plant.by_name.get(name) for name in frame.names]
    series: list[Series] = []
    for i, (name, tag) in enumerate(zip(frame.names, tags, strict=True)):
        context.progress(i / max(1, len(tags)), f"filtering {name}")
        series.append(_filtered(frame, i, tag, parameters))
    times, series = _regular(frame.times, series, tags, native, parameters)
    period = parameters.period_seconds or native
    states = _states(series, tags, parameters.mode_tag, context.plant)
    for item, tag in zip(series, tags, strict=True):
        longest = longest_gap(tag, period, parameters.max_gap_minutes)
        # A mode is not filled from itself, and the others judge by what was measured of it.
        fill(item, times, tag, longest, [s for name, s in states if name != item.name])
    marks: list[Mark] = []
    for item in series:
        marks += _marks(item, times, MAX_MARKS - len(marks))
    done = tuple(_counts(item) for item in series)
    columns = {item.name: item.values for item in series}
    codes = {item.name: item.marks for item in series}
    return CleanResult(
        summary=_summary(done, len(times)),
        warnings=_warnings(done),
        period_seconds=period,
        tags=done,
        marks=tuple(marks),
        marks_total=sum(item.spikes + item.filled for item in done),
        columns=inline(times, columns),
        mark_columns=inline_marks(times, codes),
        artefact=write_parquet(context.scratch, "cleaned.parquet", times, columns, codes),
    )


def _check_named(parameters: CleanInput, frame: Frame) -> None:
    named = [(f"resample.{name}", name) for name in parameters.resample]
    if parameters.mode_tag is not None:
        named.append(("mode_tag", parameters.mode_tag))
    for field, name in named:
        if name not in frame.names:
            raise UnknownTagError.of_field(
                field,
                f"there is no tag {name!r} in the data",
                remedy=f"the data has: {', '.join(frame.names[:12])}",
            )


def _filtered(frame: Frame, column: int, tag: Tag | None, parameters: CleanInput) -> Series:
    before = frame.values[:, column]
    values = np.where(np.isfinite(before), before, np.nan)
    marks = np.where(np.isfinite(values), MEASURED, MISSING).astype(np.uint8)
    # A counter's reset and an amount per batch are no spikes.
    counted = parameters.resample.get(frame.names[column]) in ("difference", "sum", "mode")
    if kind_of(tag) not in UNFILTERED_KINDS and not counted:
        outlier, medians = quality.hampel(values, parameters.window, parameters.sigmas)
        # a filter of this width also flags the edge of a real step: only what returns is replaced
        outlier &= quality.spikes(values, parameters.sigmas)
        values[outlier] = medians[outlier]
        marks[outlier] = SPIKE
    return Series(frame.names[column], values, marks, before.copy())


def _states(
    series: list[Series], tags: list[Tag | None], stated: str | None, plant: Plant
) -> list[tuple[str, NDArray[np.float64]]]:
    """Copies of the tags that tell the plant's mode: the one stated, that of the plant file, or all
    states."""
    of_plant = plant.mode.mode_tag
    by_name = {item.name: item for item in series}
    chosen = stated or (of_plant if of_plant in by_name else None)
    if chosen is not None:
        return [(chosen, by_name[chosen].values.copy())]
    return [
        (item.name, item.values.copy())
        for item, tag in zip(series, tags, strict=True)
        if kind_of(tag) == "state"
    ]


def _regular(
    times: NDArray[np.datetime64],
    series: list[Series],
    tags: list[Tag | None],
    native: float | None,
    parameters: CleanInput,
) -> tuple[NDArray[np.datetime64], list[Series]]:
    """Rows at every period, missing ones added; resampled where another period is asked for."""
    wanted = parameters.period_seconds
    period = wanted or native
    if period is None or len(times) < 2:
        return times, series
    micros = times.astype("datetime64[us]").astype(np.int64)
    step = max(1, round(period * 1e6))
    if wanted is None:
        steps = (micros - micros[0]) / step
        irregular = np.abs(steps - np.rint(steps)).max() > 0.02
        if irregular or not open_days(times, native).all():
            # such a record keeps its own times: nothing is invented between them
            return times, series
        index = np.rint(steps).astype(np.int64)
        start = int(micros[0])
    else:
        index = micros // step
        start = int(index[0]) * step
        index = index - index[0]
    rows = int(index[-1]) + 1
    # What came in may also go out; what a period makes of it may not be much more.
    if rows * max(1, len(series)) > max(MAX_CELLS, 2 * len(times) * len(series)):
        raise ParameterError.of_field(
            "period_seconds",
            f"{period:g} s gives {rows} rows of {len(series)} tags",
            remedy="choose a longer period_seconds or fewer tags",
        )
    grid = (start + np.arange(rows) * step).astype("datetime64[us]")
    if wanted is None:
        return grid, [_placed(item, index, rows) for item in series]
    bins = resample.Bins(start, step, rows)
    found = []
    for item, tag in zip(series, tags, strict=True):
        how = resampling_of(tag, parameters.resample.get(item.name))
        longest = longest_gap(tag, native, parameters.max_gap_minutes)
        found.append(_resampled(item, micros, bins, how, longest))
    return grid, found


def _placed(item: Series, index: NDArray[np.int64], rows: int) -> Series:
    """The same values on the grid."""
    values, before = np.full(rows, np.nan), np.full(rows, np.nan)
    marks = np.full(rows, MISSING, dtype=np.uint8)
    values[index], before[index], marks[index] = item.values, item.before, item.marks
    return Series(item.name, values, marks, before)


def _resampled(
    item: Series, micros: NDArray[np.int64], bins: resample.Bins, how: Resampling, longest: float
) -> Series:
    """One tag in bins, each marked by what it was made of; ``longest`` is the gap it may hold over, s."""
    present = np.isfinite(item.values)
    times, values = micros[present], item.values[present]
    found = Series(
        item.name,
        np.full(bins.count, np.nan),
        np.full(bins.count, MISSING, dtype=np.uint8),
        np.full(bins.count, np.nan),
    )
    if not len(times):
        return found
    period = int(np.median(np.diff(times))) if len(times) > 1 else bins.step
    hold = max(round(longest * 1e6), int(1.5 * period))
    stands = resample.durations(times, period, hold)
    if how == "difference":
        grown = resample.increase(times, values, bins, hold)
        enough = grown.covered >= LEAST_COVERAGE
        found.values[enough] = grown.values[enough]
        found.resets = len(grown.resets)
        found.unassigned = grown.total - float(grown.values[enough].sum())
        found.before = found.values.copy()
    elif how == "mean":
        mean, covered = resample.time_weighted(times, values, stands, bins)
        # A sample that stands for longer than a bin is still one measurement of each bin it covers.
        enough = covered >= LEAST_COVERAGE
        found.values[enough] = mean[enough]
        raw, _ = resample.time_weighted(times, _finite(item.before[present], values), stands, bins)
        found.before[enough] = raw[enough]
    else:
        if how == "last":
            found.values = resample.last(times, values, bins)
        elif how == "mode":
            found.values = resample.mode(times, values, stands, bins)
        else:
            found.values = resample.summed(times, values, bins)
        found.before = found.values.copy()
    kept = np.isfinite(found.values)
    found.marks[kept] = MEASURED
    measured_in = np.bincount((times - bins.start) // bins.step, minlength=bins.count) > 0
    if how in ("mean", "mode"):
        found.marks[kept & ~measured_in] = FILLED
    spiked = (micros[item.marks == SPIKE] - bins.start) // bins.step
    found.marks[spiked[kept[spiked]]] = SPIKE
    return found


def _finite(before: NDArray[np.float64], instead: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isfinite(before), before, instead)


def _marks(item: Series, times: NDArray[np.datetime64], most: int) -> list[Mark]:
    return [
        Mark(
            tag=item.name,
            time=iso(times[i]),
            action="spike_replaced" if item.marks[i] == SPIKE else "filled",
            before=float(item.before[i]) if np.isfinite(item.before[i]) else None,
            after=float(item.values[i]),
        )
        for i in np.flatnonzero((item.marks == SPIKE) | (item.marks == FILLED))[:most]
    ]


def _counts(item: Series) -> TagCleaning:
    def count(code: int) -> int:
        return int((item.marks == code).sum())

    missing = count(MISSING)
    return TagCleaning(
        tag=item.name,
        samples=len(item.values) - missing - count(FILLED),
        spikes=count(SPIKE),
        filled=count(FILLED),
        still_missing=missing,
        why_not_filled="; ".join(item.why_not[:4]) or None if missing else None,
        resets=item.resets,
        unassigned=item.unassigned,
    )


def _warnings(done: tuple[TagCleaning, ...]) -> tuple[str, ...]:
    said = [
        f"{item.tag}: {item.still_missing} values stay missing"
        + (f" ({item.why_not_filled})" if item.why_not_filled else "")
        for item in done
        if item.still_missing
    ]
    said += [
        f"{item.tag}: the counter began again {item.resets} times" for item in done if item.resets
    ]
    return tuple(said)


def _summary(done: tuple[TagCleaning, ...], rows: int) -> str:
    spikes = sum(item.spikes for item in done)
    filled = sum(item.filled for item in done)
    missing = sum(item.still_missing for item in done)
    text = (
        f"{len(done)} tags cleaned over {rows} rows: {spikes} spikes replaced, {filled} missing values "
        f"filled, {missing} left missing"
    )
    if missing:
        worst = max(done, key=lambda item: item.still_missing)
        text += f", most of them on {worst.tag}"
    return f"{text}."
