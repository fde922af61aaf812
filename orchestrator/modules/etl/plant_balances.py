"""Balances over data: the plant file's, those given, or one proposed from the columns' names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import ConfigurationError, InsufficientDataError, ParameterError
from orchestrator.modules.base import OperationContext
from orchestrator.modules.etl import equation_problem, steadiness, topology, unaccounted, variances
from orchestrator.modules.etl.equations import names_in
from orchestrator.modules.etl.network import ReconcileInput
from orchestrator.modules.etl.reconciled import (
    BalanceClosure,
    LeftOut,
    ReconcileResult,
    SdSource,
)
from orchestrator.modules.frames import Frame, iso, read_frame
from orchestrator.plant.tags import Balance, Plant

Array = NDArray[np.float64]
CALIBRATION_PCT = 0.5
LEAST_FROZEN = 12
STOPPED_SHARE = 0.0005  # of the largest stream: a stopped meter also errs
DAILY_SECONDS = 12 * 3600.0
LONG_SECONDS = 10 * 86400.0


@dataclass(frozen=True)
class Readings:
    """Columns that the balances read, after what cannot be used was left out."""

    frame: Frame
    ids: tuple[str, ...]
    values: Array
    left_out: tuple[LeftOut, ...]


def run(parameters: ReconcileInput, context: OperationContext) -> ReconcileResult:
    """Reconcile the mean of the data, or look at each day of it."""
    if context.data_file is None and parameters.constraints:
        raise ParameterError(
            "constraints need variables {measured, unmeasured} and measured values",
            where="constraints",
            remedy="give measured, or data whose columns the constraints name",
        )
    if not parameters.balances and not context.plant.balances and context.data_file is None:
        raise _no_balances(context.plant)
    frame = read_frame(context.table()).in_order()
    if parameters.constraints:
        return _equations(parameters, context, frame)
    balances, notes = _balances(parameters, context.plant, frame)
    if _by_day(parameters, frame):
        from orchestrator.modules.etl import daily

        return daily.run(parameters, context, frame, balances, notes)
    return _window(parameters, context, frame, balances, notes)


def _by_day(parameters: ReconcileInput, frame: Frame) -> bool:
    if parameters.period != "auto" or len(frame.times) < 2:
        return parameters.period == "day"
    steps = np.diff(np.unique(frame.times)).astype("timedelta64[us]").astype(np.int64) / 1e6
    if not len(steps):
        return False
    span = float(steps.sum())
    return span >= LONG_SECONDS or (float(np.median(steps)) >= DAILY_SECONDS and len(steps) >= 6)


def _balances(
    parameters: ReconcileInput, plant: Plant, frame: Frame
) -> tuple[tuple[Balance, ...], list[str]]:
    names = set(frame.names)
    if parameters.balances:
        return parameters.balances, []
    if plant.balances and any(
        term.tag in names for b in plant.balances for term in (*b.inputs, *b.outputs)
    ):
        return plant.balances, []
    from orchestrator.modules.etl import proposal

    proposed = proposal.propose(frame)
    if proposed is None:
        if not plant.balances:
            raise _no_balances(plant)
        tags = [t.tag for b in plant.balances for t in (*b.inputs, *b.outputs)]
        raise InsufficientDataError(
            "none of the tags of the balances has a value in the data",
            where=plant.name,
            remedy=f"give data with some of: {', '.join(tags[:8])}",
        )
    return (proposed.balance,), list(proposed.notes)


def _no_balances(plant: Plant) -> ConfigurationError:
    return ConfigurationError(
        "the plant file holds no balances",
        where=plant.name,
        remedy="add balances: [{name, inputs, outputs}], or give balances, or nodes and streams",
    )


def terms_of(balances: Sequence[Balance]) -> dict[str, float | None]:
    """Tags of the balances and the sd_pct that is given for each."""
    terms: dict[str, float | None] = {}
    for balance in balances:
        for term in (*balance.inputs, *balance.outputs):
            terms[term.tag] = term.sd_pct or terms.get(term.tag)
    return terms


def readings(frame: Frame, ids: Sequence[str]) -> Readings:
    """Values of the tags, NaN where missing, not finite, or from a meter that stood still."""
    values = np.full((len(frame.times), len(ids)), np.nan)
    left_out: list[LeftOut] = []
    for j, name in enumerate(ids):
        if name not in frame.names:
            why = "holds no numbers" if name in frame.skipped else "is not in the data"
            left_out.append(LeftOut(id=name, start=None, end=None, count=0, why=why))
            continue
        column = frame.column(name).copy()
        column[~np.isfinite(column)] = np.nan
        present = column[np.isfinite(column)]
        if len(present) >= LEAST_FROZEN and present[0] != 0 and np.ptp(present) == 0:
            left_out.append(
                LeftOut(
                    id=name,
                    start=iso(frame.times[0]),
                    end=iso(frame.times[-1]),
                    count=len(present),
                    why=f"frozen at {present[0]:.6g} over all of the data",
                )
            )
            column[:] = np.nan
        elif not len(present):
            left_out.append(
                LeftOut(id=name, start=None, end=None, count=0, why="has no value in the data")
            )
        values[:, j] = column
    return Readings(frame, tuple(ids), values, tuple(left_out))


def _window(
    parameters: ReconcileInput,
    context: OperationContext,
    frame: Frame,
    balances: tuple[Balance, ...],
    notes: list[str],
) -> ReconcileResult:
    terms = terms_of(balances)
    read = readings(frame, list(terms))
    means = means_of(read.values)
    if not np.isfinite(means).any():
        raise InsufficientDataError(
            "none of the tags of the balances has a value in the data",
            where=context.plant.name,
            remedy=f"give data with some of: {', '.join(read.ids[:8])}",
        )
    coefficients = topology.coefficients_of(balances, read.ids)
    sd, sources, told = balance_spreads(parameters, read, coefficients, terms, means)
    unbounded = np.full(len(means), np.inf)
    network = topology.Network(
        ids=read.ids,
        balances=tuple(balance.name for balance in balances),
        coefficients=coefficients,
        values=means,
        sd=sd,
        constants=np.zeros(len(balances)),
        lower=-unbounded,
        upper=unbounded,
        sources=tuple(sources),
    )
    notes += told
    unmeasured = [i for i, value in zip(read.ids, means, strict=True) if not np.isfinite(value)]
    if unmeasured:
        notes.append(f"taken as unmeasured: {', '.join(unmeasured)}")
    columns = {name: read.values[:, j] for j, name in enumerate(read.ids)}
    limits = {name: float(s) for name, s in zip(read.ids, sd, strict=True) if np.isfinite(s)}
    moved = steadiness.moved(columns, limits)
    outcome = topology.solve(network, parameters.significance, blame=not moved)
    closures = tuple(closure(b, dict(zip(read.ids, means, strict=True))) for b in balances)
    loss = None
    if not moved:
        loss = unaccounted.of_network(
            parameters,
            network,
            outcome.culprits,
            context.plant,
            hours=hours_of(frame),
            unit=unit_of(context.plant, read.ids),
            prices=latest(frame),
        )
    from orchestrator.modules.etl.reconcile import in_words

    return ReconcileResult(
        summary=in_words(outcome.test, outcome.culprits, moved, closures),
        warnings=(*notes, *outcome.notes),
        status="not_steady" if moved else "reconciled",
        objective=outcome.objective,
        global_test=outcome.test,
        streams=outcome.streams,
        gross_errors=outcome.culprits,
        tests=outcome.tests,
        balances=closures,
        loss=loss,
        moved=tuple(moved),
        left_out=read.left_out,
    )


def balance_spreads(
    parameters: ReconcileInput,
    read: Readings,
    coefficients: Array,
    terms: dict[str, float | None],
    means: Array,
) -> tuple[Array, list[SdSource | None], list[str]]:
    """:func:`spreads` of the streams of balances, of which ``sd_pct`` of the value may be given."""
    given, estimates = _known_spreads(read, coefficients, terms, means)
    given_by: list[SdSource | None] = ["given_pct" if np.isfinite(g) else None for g in given]
    return spreads(parameters, read.ids, read.values, means, given, given_by, estimates)


def reading_spreads(
    parameters: ReconcileInput,
    read: Readings,
    coefficients: Array,
    terms: dict[str, float | None],
    means: Array,
) -> Array:
    """Standard deviations of a single row ``(n,)``: its noise is not averaged; NaN where unmeasured."""
    given, estimates = _known_spreads(read, coefficients, terms, means)
    noise = np.array([np.nan if found is None else found.sd for found in estimates])
    calibration = np.abs(means) * CALIBRATION_PCT / 100
    assumed = np.abs(means) * parameters.sd_pct / 100
    single = np.where(np.isfinite(noise), np.hypot(noise, calibration), assumed)
    return np.where(np.isfinite(given), given, single)


def _known_spreads(
    read: Readings, coefficients: Array, terms: dict[str, float | None], means: Array
) -> tuple[Array, list[variances.Estimate | None]]:
    percent = np.array([np.nan if p is None else p for p in terms.values()])
    share = np.abs(means) * percent / 100
    largest = float(np.abs(means[np.isfinite(means)]).max())
    given = np.maximum(share, STOPPED_SHARE * largest)
    return given, variances.estimate(read.values, coefficients, share)


def spreads(
    parameters: ReconcileInput,
    ids: Sequence[str],
    values: Array,
    means: Array,
    given: Array,
    given_by: Sequence[SdSource | None],
    estimates: Sequence[variances.Estimate | None],
) -> tuple[Array, list[SdSource | None], list[str]]:
    """Standard deviations of means, where each comes from, and that in sentences.

    What is given is that of the mean. Noise averages out over the data, a calibration error does not:
    what the data tell of the noise is divided by the independent samples and joined by 0.5 % of the
    value.

    Args:
        ids: Names, ``n``.
        values: Readings ``(rows, n)``, NaN where missing.
        means: What is reconciled ``(n,)``, NaN where unmeasured.
        given: Standard deviations that are given ``(n,)``, NaN where not; ``given_by`` says how.
        estimates: Of a single reading, from the data.
    """
    measured = np.isfinite(means)
    largest = float(np.abs(means[measured]).max())
    sd = np.full(len(means), np.nan)
    sources: list[SdSource | None] = [None] * len(means)
    for j, found in enumerate(estimates):
        if not measured[j]:
            continue
        if np.isfinite(given[j]):
            sd[j], sources[j] = given[j], given_by[j]
        elif found is not None:
            noise = found.sd / np.sqrt(steadiness.independent(values[:, j]))
            sd[j] = float(np.hypot(noise, topology.assumed_sd(means[j], CALIBRATION_PCT, 0.0)))
            sources[j] = found.source
        else:
            sd[j] = topology.assumed_sd(means[j], parameters.sd_pct, largest)
            sources[j] = "assumed_pct"
    told = variances.told(ids, [e if m else None for e, m in zip(estimates, measured, strict=True)])
    assumed = [i for i, s in zip(ids, sources, strict=True) if s == "assumed_pct"]
    if assumed:
        told.append(topology.assumed_note(assumed))
    return sd, sources, told


def closure(balance: Balance, values: dict[str, float]) -> BalanceClosure:
    """Input and output of the streams that have a value."""

    def total(side: str) -> float:
        return float(np.nansum([t.factor * values[t.tag] for t in getattr(balance, side)]))

    into, out = total("inputs"), total("outputs")
    tags = [term.tag for term in (*balance.inputs, *balance.outputs)]
    return BalanceClosure(
        name=balance.name,
        input=into,
        output=out,
        imbalance=into - out,
        imbalance_pct=100 * (into - out) / into if into else None,
        unmeasured=tuple(tag for tag in tags if not np.isfinite(values[tag])),
    )


def latest(frame: Frame) -> dict[str, float]:
    """The last finite value of every column."""
    found = {}
    for j, name in enumerate(frame.names):
        column = frame.values[:, j]
        present = column[np.isfinite(column)]
        found[name] = float(present[-1]) if len(present) else float("nan")
    return found


def _equations(
    parameters: ReconcileInput, context: OperationContext, frame: Frame
) -> ReconcileResult:
    """Equations whose measured variables are columns of the data, at their means."""
    names = [n for n in names_in(parameters.constraints) if n in frame.names]
    if not names:
        raise ParameterError(
            "no column of the data is a variable of the constraints",
            where="constraints",
            remedy=f"the data has: {', '.join(frame.names[:12])}",
        )
    read = readings(frame, names)
    means = means_of(read.values)
    values: dict[str, tuple[float, float]] = {}
    for j, name in enumerate(names):
        if not np.isfinite(means[j]):
            continue
        noise = variances.from_differences(read.values[:, j])
        if noise is None:
            sd = topology.assumed_sd(means[j], parameters.sd_pct, 0.0)
        else:
            noise /= float(np.sqrt(steadiness.independent(read.values[:, j])))
            sd = float(np.hypot(noise, topology.assumed_sd(means[j], CALIBRATION_PCT, 0.0)))
        values[name] = (float(means[j]), sd)
    moved = steadiness.moved(
        {n: read.values[:, j] for j, n in enumerate(names)}, {n: v[1] for n, v in values.items()}
    )
    own = parameters.measured or {}
    replaced = [n for n in own if n in values]
    notes = [f"the data were taken instead of the given {', '.join(replaced)}"] if replaced else []
    parameters = parameters.model_copy(
        update={"measured": {n: v for n, v in own.items() if n not in values}}
    )
    draft = equation_problem.from_equations(parameters, values)
    found = equation_problem.solve(draft, parameters, context.seed)
    culprits = () if moved else found.culprits
    from orchestrator.modules.etl.reconcile import in_words

    return ReconcileResult(
        summary=in_words(found.test, culprits, moved),
        warnings=(*notes, *found.notes),
        status="not_steady" if moved else "reconciled",
        objective=found.objective,
        global_test=found.test,
        streams=found.streams,
        gross_errors=culprits,
        tests=found.tests,
        solver=found.solver,
        moved=tuple(moved),
        left_out=read.left_out,
    )


def means_of(values: Array) -> Array:
    """Means of the columns, NaN where there is no value."""
    count = np.isfinite(values).sum(axis=0)
    total = np.nansum(values, axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def hours_of(frame: Frame) -> float | None:
    """Time that the rows stand for; None for a single row."""
    if len(frame.times) < 2:
        return None
    span = (frame.times[-1] - frame.times[0]) / np.timedelta64(1, "s")
    return float(span) / 3600.0 * len(frame.times) / (len(frame.times) - 1) or None


def unit_of(plant: Plant, ids: Sequence[str]) -> str | None:
    """The one unit of the tags, None where they have several or none is known."""
    units = {plant.by_name[name].unit for name in ids if name in plant.by_name}
    return (units.pop() or None) if len(units) == 1 else None


def unit_of_balance(plant: Plant, balance: Balance) -> str | None:
    """The unit of its sums: that of its tags, where none is converted by a factor."""
    terms = (*balance.inputs, *balance.outputs)
    if any(abs(term.factor) != 1 for term in terms):
        return None
    return unit_of(plant, [term.tag for term in terms])
