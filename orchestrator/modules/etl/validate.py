"""``etl.validate``: is the data fit for use, tag by tag, and why not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.modules.base import OperationContext
from orchestrator.modules.etl import quality
from orchestrator.modules.etl.models import (
    Reason,
    ReasonKind,
    TagQuality,
    TimeQuality,
    ValidateInput,
    ValidateResult,
)
from orchestrator.modules.frames import Frame, iso, read_frame
from orchestrator.plant.tags import Plant, Tag

FIT = 0.85
USABLE = 0.70
HOLDING_KINDS = ("valve", "state", "price", "lab")


def run(parameters: ValidateInput, context: OperationContext) -> ValidateResult:
    """Check every tag; see :class:`ValidateResult`.

    A tag's score is the share of its samples that no check fails; the score of the whole is the mean
    over the tags, times the share of rows whose time is unique and in order.
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
        found.append(_check(frame, i, tag, context.plant, parameters.spike_sigmas, min_run))
        context.progress((i + 1) / max(1, len(frame.names)), f"checking {name}")
    found += [_no_numbers(name, len(frame.times)) for name in frame.skipped]
    found.sort(key=lambda item: (item.score, item.tag))
    mean = float(np.mean([item.score for item in found])) if found else 0.0
    score = round(mean * order_share, 4)
    return ValidateResult(
        summary=" ".join([_summary(score, found, time), *_standing(frame, context.plant)]),
        warnings=_warnings(time, found),
        score=score,
        time=time,
        tags=tuple(found),
    )


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
        missing = int(np.maximum(np.rint(steps) - 1, 0).sum())
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
    bad: NDArray[np.bool_]
    reasons: list[Reason]

    def add(self, kind: ReasonKind, mask: NDArray[np.bool_], text: str) -> None:
        count = int(mask.sum())
        if count == 0:
            return
        at = self.times[mask]
        self.bad |= mask
        share = count / len(mask)
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
    frame: Frame, column: int, tag: Tag | None, plant: Plant, sigmas: float, min_run: int | None
) -> TagQuality:
    values = frame.values[:, column].copy()
    name = frame.names[column]
    findings = _Findings(frame.times, np.zeros(len(values), dtype=np.bool_), [])
    findings.add("missing", np.isnan(values), "{count} samples ({share}) are missing")
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
        if tag.rate_limit is not None:
            findings.add(
                "rate",
                quality.too_fast(values, frame.times, tag.rate_limit),
                f"{{count}} steps are faster than {tag.rate_limit:g} {tag.unit} a minute".rstrip(),
            )
    elif plant.tags:
        findings.reasons.append(
            Reason(
                kind="unknown_tag",
                count=0,
                share=0.0,
                text=f"{name} is not in the plant file: no range or rate was checked",
            )
        )
    present = np.flatnonzero(np.isfinite(values))
    return TagQuality(
        tag=name,
        score=round(1.0 - float(findings.bad.mean()), 4),
        samples=len(present),
        last_value=float(values[present[-1]]) if len(present) else None,
        last_time=iso(frame.times[present[-1]]) if len(present) else None,
        reasons=tuple(findings.reasons),
    )


def _no_numbers(name: str, rows: int) -> TagQuality:
    reason = Reason(kind="not_numeric", count=rows, share=1.0, text=f"{name} holds no numbers")
    return TagQuality(
        tag=name, score=0.0, samples=0, last_value=None, last_time=None, reasons=(reason,)
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


def _summary(score: float, tags: list[TagQuality], time: TimeQuality) -> str:
    if not tags:
        return "The data holds no tags."
    verdict = (
        "fit for use" if score >= FIT else "usable with care" if score >= USABLE else "not fit"
    )
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


def _warnings(time: TimeQuality, tags: list[TagQuality]) -> tuple[str, ...]:
    said: list[str] = []
    if time.duplicates:
        said.append(f"{time.duplicates} rows repeat a time; etl.ingest resolves them")
    if time.unordered:
        said.append(f"{time.unordered} rows are older than the row before; they were put in order")
    if time.missing_rows:
        said.append(f"{time.missing_rows} rows are missing at the usual period")
    unknown = sum(any(r.kind == "unknown_tag" for r in tag.reasons) for tag in tags)
    if unknown:
        said.append(f"{unknown} tags are not in the plant file: no range or rate was checked")
    return tuple(said)
