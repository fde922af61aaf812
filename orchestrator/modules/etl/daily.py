"""Balances day by day: closure, days and meters that stand out, and a bias that stays."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import DanGError, InsufficientDataError
from orchestrator.modules.base import OperationContext
from orchestrator.modules.etl import (
    beside,
    day_flags,
    day_meters,
    plant_balances,
    steady_bias,
    topology,
    unaccounted,
)
from orchestrator.modules.etl.network import ReconcileInput
from orchestrator.modules.etl.reconciled import (
    LeftOut,
    MonthClosure,
    PeriodBalance,
    Periods,
    ReconcileResult,
    SteadyBias,
)
from orchestrator.modules.frames import Frame, iso
from orchestrator.plant.tags import Balance

Array = NDArray[np.float64]
DAY = np.timedelta64(1, "D")
LEAST_DAYS = 5
LEAST_OF_DAY = 0.5
MATERIAL = 0.01


def run(
    parameters: ReconcileInput,
    context: OperationContext,
    frame: Frame,
    balances: tuple[Balance, ...],
    notes: list[str],
) -> ReconcileResult:
    """The balances over each day, and a reconciliation of the mean of the days that are usable.

    Raises:
        InsufficientDataError: fewer than five days have all streams that matter.
    """
    daily = by_day(frame)
    terms = plant_balances.terms_of(balances)
    read = plant_balances.readings(daily, list(terms))
    values, left_out = _usable(daily, read.values, read.ids)
    left_out = [*read.left_out, *left_out, *beside.unused(daily, read.ids)]
    found: list[Periods] = []
    good = np.ones(len(values), dtype=np.bool_)
    whole = values.copy()
    for balance in balances:
        periods, usable, nothing = _balance(balance, daily, values, read.ids, left_out)
        found.append(periods)
        good &= usable
        for name in nothing:
            j = read.ids.index(name)
            whole[:, j] = np.nan_to_num(whole[:, j])
    if good.sum() < LEAST_DAYS:
        raise _too_few(int(good.sum()), found, left_out, context.plant.name)
    mean = plant_balances.Readings(
        Frame(daily.times[good], read.ids, values[good]), read.ids, values[good], ()
    )
    means = np.nanmean(np.where(np.isfinite(mean.values).any(axis=0), mean.values, 0.0), axis=0)
    means = np.where(np.isfinite(mean.values).any(axis=0), means, np.nan)
    coefficients = topology.coefficients_of(balances, read.ids)
    sd, sources, told = plant_balances.balance_spreads(parameters, mean, coefficients, terms, means)
    of_day = plant_balances.reading_spreads(parameters, mean, coefficients, terms, means)
    found = [
        one.model_copy(
            update={
                "meters": day_meters.records(one, read.ids, coefficients, whole, of_day),
                "unit": plant_balances.unit_of_balance(context.plant, balance),
            }
        )
        for one, balance in zip(found, balances, strict=True)
    ]
    free = np.full(len(means), np.inf)
    network = topology.Network(
        read.ids, tuple(b.name for b in balances), coefficients, means, sd,
        np.zeros(len(balances)), -free, free, tuple(sources),
    )  # fmt: skip
    outcome = topology.solve(network, parameters.significance)
    loss = unaccounted.of_network(
        parameters,
        network,
        outcome.culprits,
        context.plant,
        hours=24.0 * float(good.sum()),
        unit=plant_balances.unit_of(context.plant, read.ids),
        prices=plant_balances.latest(frame),
    )
    closures = tuple(
        plant_balances.closure(b, dict(zip(read.ids, means, strict=True))) for b in balances
    )
    return ReconcileResult(
        summary=_summary(found),
        warnings=(*notes, *told, *outcome.notes),
        objective=outcome.objective,
        global_test=outcome.test,
        streams=outcome.streams,
        gross_errors=outcome.culprits,
        tests=outcome.tests,
        balances=closures,
        loss=loss,
        left_out=tuple(left_out),
        periods=tuple(found),
        comparisons=beside.comparisons(daily, balances, read.ids),
    )


def by_day(frame: Frame) -> Frame:
    """Means over each UTC day; a day counts where half its usual samples are there."""
    days = frame.times.astype("datetime64[D]")
    unique, place = np.unique(days, return_inverse=True)
    if len(unique) == len(days):
        return frame
    present = np.isfinite(frame.values)
    count = np.zeros((len(unique), frame.values.shape[1]))
    total = np.zeros_like(count)
    np.add.at(count, place, present)
    np.add.at(total, place, np.where(present, frame.values, 0.0))
    usual = np.median(count, axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(count >= LEAST_OF_DAY * np.maximum(usual, 1), total / count, np.nan)
    return Frame(unique.astype("datetime64[us]"), frame.names, means)


def _usable(daily: Frame, values: Array, ids: tuple[str, ...]) -> tuple[Array, list[LeftOut]]:
    values = values.copy()
    left: list[LeftOut] = []
    for j, name in enumerate(ids):
        for first, last in beside.stuck(values[:, j]):
            left.append(
                LeftOut(
                    id=name,
                    start=iso(daily.times[first]),
                    end=iso(daily.times[last]),
                    count=last - first + 1,
                    why=f"stands at {values[first, j]:.5g} to within {100 * beside.STUCK_RANGE:g} %: "
                    "taken as frozen",
                )
            )
            values[first : last + 1, j] = np.nan
        usual = float(np.nanmedian(values[:, j])) if np.isfinite(values[:, j]).any() else 0.0
        below = np.flatnonzero(values[:, j] < 0)
        if len(below) and usual >= 0:
            left.append(
                LeftOut(
                    id=name,
                    start=iso(daily.times[below[0]]),
                    end=iso(daily.times[below[-1]]),
                    count=len(below),
                    why=f"reads below zero, least {np.nanmin(values[:, j]):.4g}: taken as no flow",
                )
            )
            values[below, j] = 0.0
    return values, left


def _balance(
    balance: Balance,
    daily: Frame,
    values: Array,
    ids: tuple[str, ...],
    left_out: list[LeftOut],
) -> tuple[Periods, NDArray[np.bool_], list[str]]:
    """A balance by day, the days that are usable, and the streams whose gaps count as nothing."""
    position = {name: j for j, name in enumerate(ids)}
    into = [(t.tag, t.factor * values[:, position[t.tag]]) for t in balance.inputs]
    out = [(t.tag, t.factor * values[:, position[t.tag]]) for t in balance.outputs]
    throughput = float(np.median(np.nansum([column for _, column in into], axis=0)))
    dropped = []
    for side in (into, out):
        for k, (name, column) in enumerate(side):
            # a frozen meter still tells about how much it is; of one without any value nothing is known
            level = _level(daily, name) if name in daily.names else np.inf
            factor = next(t.factor for t in (*balance.inputs, *balance.outputs) if t.tag == name)
            if abs(factor) * level < MATERIAL * throughput and not np.isfinite(column).all():
                side[k] = (name, np.where(np.isfinite(column), column, 0.0))
                dropped.append(name)
    empty = ~np.isfinite([c for _, c in into + out]).any(axis=0)
    if dropped:
        count = int((~np.isfinite(values).all(axis=1)).sum() - empty.sum())
        left_out.append(
            LeftOut(
                id=", ".join(dict.fromkeys(dropped)),
                start=None,
                end=None,
                count=max(0, count),
                why=f"missing or frozen on these days and below {100 * MATERIAL:g} % of "
                f"{balance.name}: counted as nothing there",
            )
        )
    flags = day_flags.judge(daily.times, into, out)
    return (
        Periods(
            balance=balance.name,
            period="day",
            closure_median=flags.median,
            closure_robust_sd=flags.robust_sd,
            periods=flags.periods,
            months=_months(daily, flags),
            steady_bias=steady_bias.find(daily.times, into, out, flags.usable),
        ),
        flags.usable,
        dropped,
    )


def _level(daily: Frame, name: str) -> float:
    column = daily.column(name)
    present = np.abs(column[np.isfinite(column)])
    return float(np.median(present)) if len(present) else float("inf")


def _too_few(days: int, found: list[Periods], left_out: list[LeftOut], plant: str) -> DanGError:
    """What stood against most of the days."""
    whys = Counter(p.why for one in found for p in one.periods if p.why and p.status != "closes")
    said = [f"{count} days: {why}" for why, count in whys.most_common(2)]
    said += [f"{item.id}: {item.why}" for item in left_out[:2]]
    return InsufficientDataError(
        f"{days} days have all streams of the balances and were steady",
        where=plant,
        why="; ".join(said) or None,
        remedy=f"give data with at least {LEAST_DAYS} such days, or leave a stream out of the balance",
    )


def _months(daily: Frame, flags: day_flags.Flags) -> tuple[MonthClosure, ...]:
    months = daily.times.astype("datetime64[M]")
    found = []
    for month in np.unique(months):
        at = months == month
        usable = at & flags.usable
        complete = at & np.isfinite(flags.closure)
        found.append(
            MonthClosure(
                month=str(month),
                periods=int(complete.sum()),
                usable=int(usable.sum()),
                closure=float(np.median(flags.closure[usable])) if usable.any() else None,
            )
        )
    return tuple(found)


def _summary(found: list[Periods]) -> str:
    parts = []
    for one in found:
        kinds: dict[str, list[PeriodBalance]] = {}
        for period in one.periods:
            kinds.setdefault(period.status, []).append(period)
        complete = len(one.periods) - len(kinds.get("incomplete", ()))
        text = f"{one.balance}: {complete} days, output over input {one.closure_median:.3f} at the median"
        text += f"; {len(kinds.get('not_steady', ()))} days not steady"
        out = kinds.get("stands_out", [])
        if out:
            named = ", ".join(
                f"{p.start[:10]} ({p.suspects[0] if p.suspects else 'no single meter'})"
                for p in out[:3]
            )
            text += f"; {len(out)} stand out: {named}{', …' if len(out) > 3 else ''}"
        text += _lasting(one.steady_bias)
        parts.append(text + ".")
    return " ".join(parts)


def _lasting(biases: tuple[SteadyBias, ...]) -> str:
    """The newest run of stretches that are off to the same side."""
    if not biases:
        return ""
    high = biases[-1].closure > 1
    run = list(itertools.takewhile(lambda bias: (bias.closure > 1) == high, reversed(biases)))
    off = sorted(100 * (bias.closure - 1) for bias in run)
    size = f"{off[0]:+.1f}" if len(off) == 1 else f"{off[0]:+.1f} to {off[-1]:+.1f}"
    surest = max(
        run, key=lambda bias: bias.explanations[0].confidence if bias.explanations else 0.0
    )
    lead = surest.explanations[0].text if surest.explanations else "nothing explains it"
    return (
        f"; a steady bias of {size} % from {run[-1].start[:10]} to {run[0].end[:10]}, most likely "
        f"{lead}"
    )
