"""``etl.validate``: is the data fit for use, tag by tag, and why not."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.modules.base import OperationContext
from orchestrator.modules.etl import quality
from orchestrator.modules.etl.models import (
    AreaQuality,
    BalanceQuality,
    Reason,
    ReasonKind,
    SchemaFault,
    TagQuality,
    TimeQuality,
    ValidateInput,
    ValidateResult,
)
from orchestrator.modules.etl.plausible import balances_of, mistaken_unit, schema_faults
from orchestrator.modules.etl.sampling import Sampling, closed_between, open_days, sampling_of
from orchestrator.modules.frames import Frame, iso, read_frame
from orchestrator.plant.tags import Plant, Tag

FIT = 0.85
USABLE = 0.70
BALANCE_WEIGHT = 0.25
MOSTLY_OPEN = 0.5
HOLDING_KINDS = ("valve", "state", "price", "lab", "total")


def run(parameters: ValidateInput, context: OperationContext) -> ValidateResult:
    """Check every tag, every area, the balances and the schema; see :class:`ValidateResult`.

    The score of a tag is ``(present - failing) / expected``: of the samples due at its own period, the
    share that came and that no check fails, a sample that fails several counted once. An area's is
    the mean over its tags. The plant's is the mean over all tags, times the share of rows whose time
    is unique and in order, times ``1 - open / 4`` with the mean share of rows in which balances are
    open: a balance says that a meter errs and not which, so that it cannot cost more than a quarter.
    """
    context.progress(0.0, "reading")
    raw = read_frame(context.table(), parameters.tags)
    time, order_share = _time_quality(raw)
    frame = raw.in_order()
    period = time.period_seconds
    min_run = None
    if parameters.frozen_minutes is not None and period:
        min_run = max(2, int(np.ceil(parameters.frozen_minutes * 60 / period)))
    found: list[TagQuality] = []
    for i, name in enumerate(frame.names):
        tag = context.plant.by_name.get(name)
        found.append(_check(frame, i, tag, parameters.spike_sigmas, min_run, period))
        context.progress((i + 1) / max(1, len(frame.names)), f"checking {name}")
    found += [_no_numbers(name, len(frame.times), context.plant) for name in frame.skipped]
    found.sort(key=lambda item: (item.score, item.tag))
    mean = float(np.mean([item.score for item in found])) if found else 0.0
    balances = balances_of(frame, context.plant)
    is_open = float(np.mean([item.open_share for item in balances])) if balances else 0.0
    score = round(mean * order_share * (1.0 - BALANCE_WEIGHT * is_open), 4)
    faults = schema_faults(frame, context.plant, parameters.tags)
    standing = _standing(frame, context.plant)
    return ValidateResult(
        summary=" ".join(
            [
                _summary(score, found, time, stands_still=bool(standing)),
                *_open(balances),
                *standing,
            ]
        ),
        warnings=_warnings(time, faults),
        score=score,
        time=time,
        tags=tuple(found),
        areas=_areas(found),
        balances=tuple(balances),
        schema_faults=tuple(faults),
    )


def _areas(tags: list[TagQuality]) -> tuple[AreaQuality, ...]:
    """Each area of the plant file, worst first; nothing where no tag has one."""
    names = dict.fromkeys(tag.area for tag in tags)
    if set(names) <= {""}:
        return ()
    found = []
    for name in names:
        of_area = [tag for tag in tags if tag.area == name]
        expected = sum(tag.expected for tag in of_area)
        failing: Counter[str] = Counter()
        for tag in of_area:
            failing.update({reason.kind: reason.count for reason in tag.reasons if reason.count})
        found.append(
            AreaQuality(
                area=name or "(none)",
                score=round(float(np.mean([tag.score for tag in of_area])), 4),
                tags=len(of_area),
                worst=of_area[0].tag,
                failing={kind: round(count / expected, 4) for kind, count in failing.items()},
            )
        )
    return tuple(sorted(found, key=lambda item: (item.score, item.area)))


def _open(balances: list[BalanceQuality]) -> list[str]:
    """The balance that closes worst, where one is open in most rows."""
    worst = max(balances, key=lambda item: item.open_share, default=None)
    if worst is None or worst.open_share < MOSTLY_OPEN:
        return []
    text = (
        f"The balance {worst.name} misses by {worst.mean_error_pct:+.3g} % of what enters, in "
        f"{100 * worst.open_share:.0f} % of the rows by more than its meters explain; see etl.reconcile."
    )
    return [text]


def _time_quality(frame: Frame) -> tuple[TimeQuality, float]:
    times = frame.times
    rows = len(times)
    unordered = int((times[1:] < times[:-1]).sum())
    unique = np.unique(times)
    duplicates = rows - len(unique)
    period = quality.period_seconds(times)
    missing = 0
    if period:
        steps = np.diff(unique).astype("timedelta64[us]").astype(np.int64) / 1e6 / period
        due = np.maximum(np.rint(steps) - 1, 0)
        kept = open_days(unique, period)
        if not kept.all():
            due = np.maximum(0, due - closed_between(unique, kept))
        missing = int(due.sum())
    found = TimeQuality(
        rows=rows,
        start=iso(unique[0]),
        end=iso(unique[-1]),
        period_seconds=period,
        duplicates=duplicates,
        unordered=unordered,
        missing_rows=missing,
    )
    return found, max(0.0, 1.0 - (duplicates + unordered) / rows)


@dataclass
class _Findings:
    """Failed samples of one tag, collected check by check."""

    times: NDArray[np.datetime64]
    expected: int
    bad: NDArray[np.bool_]
    reasons: list[Reason]

    def add(self, kind: ReasonKind, mask: NDArray[np.bool_], text: str) -> None:
        count = int(mask.sum())
        if count == 0:
            return
        at = self.times[mask]
        self.bad |= mask
        share = count / self.expected
        self.reasons.append(
            Reason(
                kind=kind,
                count=count,
                share=round(share, 4),
                first=iso(at[0]),
                last=iso(at[-1]),
                text=text.format(count=count, share=f"{100 * share:.1f} %"),
            )
        )


def _check(
    frame: Frame,
    column: int,
    tag: Tag | None,
    sigmas: float,
    min_run: int | None,
    usual: float | None,
) -> TagQuality:
    values = frame.values[:, column].copy()
    name = frame.names[column]
    sampling = sampling_of(frame.times, values, tag, usual)
    findings = _Findings(frame.times, sampling.expected, np.zeros(len(values), dtype=np.bool_), [])
    findings.reasons += _absent(name, sampling)
    infinite = np.isinf(values)
    findings.add("not_finite", infinite, "{count} samples are infinite")
    values[infinite] = np.nan
    if not _holds(tag):
        findings.add(
            "frozen",
            quality.frozen(values, min_run=min_run),
            "{count} samples ({share}) repeat the value before for far longer than usual",
        )
    if tag is None or tag.kind != "state":
        findings.add(
            "spike",
            quality.spikes(values, sigmas),
            f"{{count}} samples jump by more than {sigmas:g} standard deviations and return",
        )
    if tag is not None:
        mask, span = quality.out_of_range(values, tag)
        findings.add("out_of_range", mask, f"{{count}} samples lie outside the credible {span}")
        unit = mistaken_unit(values, mask, tag)
        if unit is not None:
            findings.add(
                "unit",
                mask,
                f"{{count}} samples would be normal in {unit} and are not in {tag.unit}",
            )
        if tag.rate_limit is not None:
            findings.add(
                "rate",
                quality.too_fast(values, frame.times, tag.rate_limit),
                f"{{count}} steps are faster than {tag.rate_limit:g} {tag.unit} a minute".rstrip(),
            )
    present = np.flatnonzero(np.isfinite(values))
    return TagQuality(
        tag=name,
        area=tag.area if tag is not None else "",
        score=round((sampling.present - int(findings.bad.sum())) / sampling.expected, 4),
        samples=len(present),
        expected=sampling.expected,
        period_seconds=sampling.period,
        last_value=float(values[present[-1]]) if len(present) else None,
        last_time=iso(frame.times[present[-1]]) if len(present) else None,
        reasons=tuple(findings.reasons),
    )


def _absent(name: str, sampling: Sampling) -> list[Reason]:
    """What was due and did not come, and whether the tag has fallen silent."""
    if not sampling.missing:
        return []
    share = sampling.missing / sampling.expected
    starts = sampling.gap_starts
    found = [
        Reason(
            kind="missing",
            count=sampling.missing,
            share=round(share, 4),
            first=iso(starts[0]) if len(starts) else None,
            last=iso(starts[-1]) if len(starts) else None,
            text=f"{sampling.missing} samples ({100 * share:.1f} %) are missing",
        )
    ]
    if sampling.stale and sampling.period is not None:
        # Its samples are among the missing ones already.
        text = f"{name} is silent for {sampling.overdue:.0f} periods at the end of the record"
        since = iso(starts[-1])
        found.append(Reason(kind="stale", count=0, share=0.0, first=since, last=since, text=text))
    return found


def _no_numbers(name: str, rows: int, plant: Plant) -> TagQuality:
    tag = plant.by_name.get(name)
    reason = Reason(kind="not_numeric", count=rows, share=1.0, text=f"{name} holds no numbers")
    return TagQuality(
        tag=name,
        area=tag.area if tag is not None else "",
        score=0.0,
        samples=0,
        expected=rows,
        last_value=None,
        last_time=None,
        reasons=(reason,),
    )


def _standing(frame: Frame, plant: Plant) -> list[str]:
    """Tags that have stopped moving just now, which a score over the whole range hardly shows."""
    said = []
    for i, name in enumerate(frame.names):
        tag = plant.by_name.get(name)
        values = frame.values[:, i]
        count = 0 if _holds(tag) else quality.standing(values)
        if count:
            known = np.flatnonzero(np.isfinite(values))
            since = iso(frame.times[known[-count]])
            said.append(f"{name} has stood at {values[known[-1]]:.6g} since {since}.")
    return said[:3]


def _holds(tag: Tag | None) -> bool:
    return tag is not None and (tag.controllable or tag.kind in HOLDING_KINDS)


def _summary(score: float, tags: list[TagQuality], time: TimeQuality, *, stands_still: bool) -> str:
    if not tags:
        return "The data holds no tags."
    verdict = (
        "fit for use" if score >= FIT else "usable with care" if score >= USABLE else "not fit"
    )
    if stands_still and score >= USABLE:
        verdict += ", but not what stands still now"
    text = (
        f"Data quality is {100 * score:.0f} % over {len(tags)} tags and {time.rows} rows: {verdict}"
    )
    worst = [tag for tag in tags if tag.score < FIT][:3]
    if worst:
        named = "; ".join(f"{tag.tag} {100 * tag.score:.0f} % ({_main(tag)})" for tag in worst)
        return f"{text}. Worst: {named}."
    if tags[0].reasons:
        return f"{text}; no tag is below {100 * FIT:.0f} %. {tags[0].tag}: {_main(tags[0])}."
    return f"{text}; no tag is below {100 * FIT:.0f} %."


def _main(tag: TagQuality) -> str:
    return max(tag.reasons, key=lambda reason: reason.count).text if tag.reasons else "no reason"


def _warnings(time: TimeQuality, faults: list[SchemaFault]) -> tuple[str, ...]:
    said: list[str] = []
    if time.duplicates:
        said.append(f"{time.duplicates} rows repeat a time; etl.ingest resolves them")
    if time.unordered:
        said.append(f"{time.unordered} rows are older than the row before; they were put in order")
    if time.missing_rows:
        said.append(f"{time.missing_rows} rows are missing at the usual period")
    for fault, words in (
        ("not_in_plant_file", "tags are not in the plant file: no range or rate was checked"),
        ("absent", "tags of the plant file are not in the data"),
        ("unit_unknown", "tags have a unit that is not known"),
    ):
        names = [item.tag for item in faults if item.fault == fault]
        if names:
            shown = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
            said.append(f"{len(names)} {words} ({shown})")
    return tuple(said)
