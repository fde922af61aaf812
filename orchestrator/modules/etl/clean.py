"""``etl.clean``: filter spikes, fill what can be justified, resample; everything changed is marked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import DataError, ParameterError
from orchestrator.modules.base import OperationContext
from orchestrator.modules.etl import quality
from orchestrator.modules.etl.models import CleanInput, CleanResult, Mark, TagCleaning
from orchestrator.modules.etl.tables import inline, write_parquet
from orchestrator.modules.frames import Frame, iso, read_frame
from orchestrator.plant.tags import Tag

Array = NDArray[np.float64]
MEASURED, SPIKE, FILLED, MISSING = 0, 1, 2, 3
MAX_MARKS = 200
USUAL_GAP_PERIODS = 3
JUMP_SIGMAS = 4.0
LEAST_COVERAGE = 0.5
MAX_ROWS = 5_000_000
STEPWISE_KINDS = ("state", "price", "lab")


@dataclass
class _Series:
    """One tag while it is cleaned."""

    name: str
    values: Array
    marks: NDArray[np.uint8]
    before: Array
    why_not: str | None = None


def run(parameters: CleanInput, context: OperationContext) -> CleanResult:
    """Clean each tag on a regular grid.

    Spikes are found with a Hampel filter and replaced by the local median. A gap is filled with a
    straight line when it is short, has good values on both sides, and the step across it is one that
    the tag makes in that time; a state, price or laboratory value is never drawn as a line: it is
    held only where it is the same on both sides. Everything else stays missing.

    Raises:
        DataError: times occur twice.
        ParameterError: the period asked for gives more rows than can be held.
    """
    context.progress(0.0, "reading")
    frame = read_frame(context.table(), parameters.tags).in_order()
    twice = int((frame.times[1:] == frame.times[:-1]).sum())
    if twice:
        raise DataError(
            f"{twice} rows repeat a time",
            remedy="resolve them with etl.ingest (duplicates: last, first or mean)",
        )
    native = quality.period_seconds(frame.times)
    tags = [context.plant.by_name.get(name) for name in frame.names]
    series: list[_Series] = []
    for i, (name, tag) in enumerate(zip(frame.names, tags, strict=True)):
        context.progress(i / max(1, len(tags)), f"filtering {name}")
        series.append(_filtered(frame, i, tag, parameters))
    period = parameters.period_seconds or native
    times, series = _regular(frame.times, series, tags, native, parameters.period_seconds)
    longest = (
        parameters.max_gap_minutes * 60
        if parameters.max_gap_minutes is not None
        else USUAL_GAP_PERIODS * (period or 0.0)
    )
    for item, tag in zip(series, tags, strict=True):
        _fill(item, times, tag, longest)
    marks = [mark for item in series for mark in _marks(item, times)]
    done = tuple(_counts(item) for item in series)
    columns = {item.name: item.values for item in series}
    return CleanResult(
        summary=_summary(done, len(times)),
        warnings=tuple(
            f"{item.tag}: {item.still_missing} values stay missing"
            + (f" ({item.why_not_filled})" if item.why_not_filled else "")
            for item in done
            if item.still_missing
        ),
        period_seconds=period,
        tags=done,
        marks=tuple(marks[:MAX_MARKS]),
        marks_total=len(marks),
        columns=inline(times, columns),
        artefact=write_parquet(
            context.scratch, "cleaned.parquet", times, columns, {s.name: s.marks for s in series}
        ),
    )


def _filtered(frame: Frame, column: int, tag: Tag | None, parameters: CleanInput) -> _Series:
    before = frame.values[:, column]
    values = np.where(np.isfinite(before), before, np.nan)
    marks = np.where(np.isfinite(values), MEASURED, MISSING).astype(np.uint8)
    if tag is None or tag.kind not in STEPWISE_KINDS:
        outlier, medians = quality.hampel(values, parameters.window, parameters.sigmas)
        # a filter of this width also flags the edge of a real step: only what returns is replaced
        outlier &= quality.spikes(values, parameters.sigmas)
        values[outlier] = medians[outlier]
        marks[outlier] = SPIKE
    return _Series(frame.names[column], values, marks, before.copy())


def _regular(
    times: NDArray[np.datetime64],
    series: list[_Series],
    tags: list[Tag | None],
    native: float | None,
    wanted: float | None,
) -> tuple[NDArray[np.datetime64], list[_Series]]:
    """Rows at every period, missing ones added; values averaged where the period is longer.

    Continuous values are averaged over the bin that starts at the row's time, and only where half of
    the samples expected there are present; states, prices and laboratory values keep the last.
    """
    period = wanted or native
    if period is None or len(times) < 2:
        return times, series
    micros = times.astype("datetime64[us]").astype(np.int64)
    step = round(period * 1e6)
    if wanted is None:
        steps = (micros - micros[0]) / step
        if np.abs(steps - np.rint(steps)).max() > 0.02:
            # an irregular record keeps its own times: nothing is invented between them
            return times, series
        index = np.rint(steps).astype(np.int64)
        start = int(micros[0])
    else:
        bins = micros // step
        index = bins - bins[0]
        start = int(bins[0]) * step
    rows = int(index[-1]) + 1
    if rows * max(1, len(series)) > MAX_ROWS:
        raise ParameterError(
            f"a period of {period:g} s gives {rows} rows of {len(series)} tags",
            remedy="choose a longer period_seconds or fewer tags",
        )
    expected = max(1.0, period / native) if native else 1.0
    grid = (start + np.arange(rows) * step).astype("datetime64[us]")
    return grid, [
        _binned(item, index, rows, expected, tag) for item, tag in zip(series, tags, strict=True)
    ]


def _binned(
    item: _Series, index: NDArray[np.int64], rows: int, expected: float, tag: Tag | None
) -> _Series:
    present = np.isfinite(item.values)
    at = index[present]
    counts = np.bincount(at, minlength=rows)
    values = np.full(rows, np.nan)
    before = np.full(rows, np.nan)
    if tag is not None and tag.kind in STEPWISE_KINDS:
        values[at] = item.values[present]
        before[at] = item.before[present]
        enough = counts > 0
    else:
        enough = counts >= max(1.0, LEAST_COVERAGE * expected)
        sums = np.bincount(at, weights=item.values[present], minlength=rows)
        values[enough] = sums[enough] / counts[enough]
        raw = np.bincount(at, weights=item.before[present], minlength=rows)
        before[enough] = raw[enough] / counts[enough]
    marks = np.where(enough, MEASURED, MISSING).astype(np.uint8)
    spiked = index[item.marks == SPIKE]
    marks[spiked[enough[spiked]]] = SPIKE
    return _Series(item.name, values, marks, before)


def _fill(item: _Series, times: NDArray[np.datetime64], tag: Tag | None, longest: float) -> None:
    """Fill the gaps of one tag where that can be justified; say why the rest is left."""
    missing = ~np.isfinite(item.values)
    if not missing.any():
        return
    if missing.all():
        item.why_not = "there is no value at all"
        return
    seconds = times.astype("datetime64[us]").astype(np.int64) / 1e6
    known = np.flatnonzero(~missing)
    one_step = np.diff(item.values[known])[np.diff(known) == 1]
    usual = float(np.sqrt(np.mean(one_step**2))) if len(one_step) else 0.0
    edges = np.flatnonzero(np.diff(np.concatenate(([0], missing.astype(np.int8), [0]))))
    stepwise = tag is not None and tag.kind in STEPWISE_KINDS
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if start == 0 or end == len(missing):
            item.why_not = "at an end of the record"
            continue
        left, right = item.values[start - 1], item.values[end]
        width = float(seconds[end] - seconds[start - 1])
        typical = float(np.median(np.diff(seconds)))
        if width - typical > longest + 1e-6:
            item.why_not = f"a gap of {(width - typical) / 60:.4g} min is too long to guess"
        elif stepwise and left != right:
            item.why_not = "the value changed in the gap, and when is not known"
        elif not stepwise and abs(right - left) > JUMP_SIGMAS * usual * np.sqrt(end - start + 1):
            item.why_not = "the value jumped across the gap"
        else:
            share = (seconds[start:end] - seconds[start - 1]) / width
            item.values[start:end] = left + share * (right - left)
            item.marks[start:end] = FILLED


def _marks(item: _Series, times: NDArray[np.datetime64]) -> list[Mark]:
    return [
        Mark(
            tag=item.name,
            time=iso(times[i]),
            action="spike_replaced" if item.marks[i] == SPIKE else "filled",
            before=float(item.before[i]) if np.isfinite(item.before[i]) else None,
            after=float(item.values[i]),
        )
        for i in np.flatnonzero((item.marks == SPIKE) | (item.marks == FILLED))
    ]


def _counts(item: _Series) -> TagCleaning:
    def count(code: int) -> int:
        return int((item.marks == code).sum())

    missing = count(MISSING)
    return TagCleaning(
        tag=item.name,
        samples=len(item.values) - missing - count(FILLED),
        spikes=count(SPIKE),
        filled=count(FILLED),
        still_missing=missing,
        why_not_filled=item.why_not if missing else None,
    )


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
