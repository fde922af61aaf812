"""``etl.reconcile``: close the balances, and name the meter that lies or the place of the loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import ConfigurationError, InsufficientDataError, ParameterError
from orchestrator.modules.base import OperationContext
from orchestrator.modules.etl import gross_errors, least_squares
from orchestrator.modules.etl.network import (
    BalanceClosure,
    GlobalTest,
    GrossError,
    ReconciledStream,
    ReconcileInput,
    ReconcileResult,
    StreamClass,
)
from orchestrator.modules.frames import Frame, read_frame
from orchestrator.plant.tags import Balance

Array = NDArray[np.float64]
WEAK = 0.5
STEADY_SIGMAS = 3.0
LEAST_SD_SHARE = 0.005
MIN_ROWS_FOR_STEADINESS = 9


@dataclass(frozen=True)
class Network:
    """Balances over named streams: ``coefficients @ streams = constants`` (m, n), values NaN where
    unmeasured, sd NaN there too."""

    ids: tuple[str, ...]
    balances: tuple[str, ...]
    coefficients: Array
    values: Array
    sd: Array
    constants: Array


def run(parameters: ReconcileInput, context: OperationContext) -> ReconcileResult:
    """Reconcile a network, a nonlinear problem, or the plant's balances over the data."""
    if parameters.constraints:
        from orchestrator.modules.etl import nonlinear

        return nonlinear.run(parameters)
    if parameters.streams:
        network, notes = _from_streams(parameters)
        return reconcile(network, parameters.significance, notes)
    return _plant(parameters, context)


def reconcile(
    network: Network,
    significance: float,
    notes: Sequence[str] = (),
    *,
    unsteady: Sequence[str] = (),
    balances: tuple[BalanceClosure, ...] = (),
) -> ReconcileResult:
    """Solve, test and put into words.

    Raises:
        ParameterError: nothing is measured.
    """
    known = np.isfinite(network.values)
    if not known.any():
        raise ParameterError(
            "no stream is measured", remedy="give measured and sd for some streams"
        )
    solution = least_squares.solve(
        least_squares.Problem(
            measured=network.coefficients[:, known],
            unmeasured=network.coefficients[:, ~known],
            constants=network.constants,
            values=network.values[known],
            sd=network.sd[known],
        )
    )
    ids = [name for name, is_known in zip(network.ids, known, strict=True) if is_known]
    explanations = [
        gross_errors.Explanation("bias", name, solution.bias_signature[i] / network.sd[known][i])
        for i, name in enumerate(ids)
    ] + [
        gross_errors.Explanation("leak", name, solution.balance_signature[k])
        for k, name in enumerate(network.balances)
    ]
    culprits = [] if unsteady else gross_errors.search(solution, explanations, significance)
    test = GlobalTest(
        statistic=solution.objective,
        critical=gross_errors.global_critical(solution.dof, significance),
        dof=solution.dof,
    )
    return ReconcileResult(
        summary=_summary(test, culprits, unsteady, balances),
        warnings=tuple(notes) + (() if solution.dof else (_NO_CHECK,)),
        status="not_steady" if unsteady else "reconciled",
        objective=solution.objective,
        global_test=test,
        streams=streams_of(network.ids, network.values, solution),
        gross_errors=tuple(
            GrossError(
                kind=item.kind,
                id=item.id,
                size=item.size,
                confidence=round(item.confidence, 4),
                same_as=item.same_as,
            )
            for item in culprits
        ),
        balances=balances,
    )


_NO_CHECK = "no measurement is checked by another: nothing can be reconciled"


def streams_of(
    ids: Sequence[str], values: Array, solution: least_squares.Solution
) -> tuple[ReconciledStream, ...]:
    """Every stream in its given order, measured ones from ``values``, the others NaN there."""
    found: list[ReconciledStream] = []
    i = j = 0
    for name, value in zip(ids, values, strict=True):
        if np.isfinite(value):
            spread = float(solution.adjustment_sd[i])
            klass: StreamClass = (
                "nonredundant"
                if spread == 0.0
                else "weakly_redundant"
                if spread < WEAK - 1e-9
                else "redundant"
            )
            adjustment = float(solution.adjustments[i]) if spread else 0.0
            found.append(
                ReconciledStream(
                    id=name,
                    measured=float(value),
                    reconciled=float(solution.measured[i]),
                    adjustment_sd=adjustment,
                    test=adjustment / spread if spread else None,
                    klass=klass,
                )
            )
            i += 1
        else:
            observable = bool(solution.observable[j])
            found.append(
                ReconciledStream(
                    id=name,
                    measured=None,
                    reconciled=float(solution.unmeasured[j]) if observable else None,
                    adjustment_sd=None,
                    klass="observable" if observable else "unobservable",
                )
            )
            j += 1
    return tuple(found)


def _from_streams(parameters: ReconcileInput) -> tuple[Network, list[str]]:
    ends = [end for stream in parameters.streams for end in (stream.source, stream.target) if end]
    nodes = parameters.nodes or tuple(dict.fromkeys(ends))
    row = {node: i for i, node in enumerate(nodes)}
    coefficients = np.zeros((len(nodes), len(parameters.streams)))
    values = np.full(len(parameters.streams), np.nan)
    sd = np.full(len(parameters.streams), np.nan)
    assumed: list[str] = []
    given = [abs(s.measured) for s in parameters.streams if s.measured is not None]
    for j, stream in enumerate(parameters.streams):
        if stream.target is not None:
            coefficients[row[stream.target], j] += 1.0
        if stream.source is not None:
            coefficients[row[stream.source], j] -= 1.0
        if stream.measured is None:
            continue
        values[j] = stream.measured
        sd[j] = stream.sd or _assumed_sd(stream.measured, parameters.sd_pct, max(given))
        if stream.sd is None:
            assumed.append(stream.id)
    notes = [_assumed_note(assumed, parameters.sd_pct)] if assumed else []
    ids = tuple(stream.id for stream in parameters.streams)
    return Network(ids, nodes, coefficients, values, sd, np.zeros(len(nodes))), notes


def _plant(parameters: ReconcileInput, context: OperationContext) -> ReconcileResult:
    plant = context.plant
    if not plant.balances:
        raise ConfigurationError(
            "the plant file holds no balances",
            where=plant.name,
            remedy="add balances: [{name, inputs, outputs}], or give nodes and streams",
        )
    frame = read_frame(context.table()).in_order()
    terms: dict[str, float | None] = {}
    for balance in plant.balances:
        for term in (*balance.inputs, *balance.outputs):
            terms[term.tag] = term.sd_pct or terms.get(term.tag)
    ids = tuple(terms)
    columns = {name: frame.column(name) for name in ids if name in frame.names}
    values = np.array([_mean(columns.get(name)) for name in ids])
    if not np.isfinite(values).any():
        raise InsufficientDataError(
            "none of the tags of the balances has a value in the data",
            where=plant.name,
            remedy=f"give data with some of: {', '.join(ids[:8])}",
        )
    largest = float(np.nanmax(np.abs(values)))
    sd = np.array(
        [
            _assumed_sd(value, terms[name] or parameters.sd_pct, largest)
            for name, value in zip(ids, values, strict=True)
        ]
    )
    network = Network(
        ids=ids,
        balances=tuple(balance.name for balance in plant.balances),
        coefficients=_coefficients(plant.balances, ids),
        values=values,
        sd=np.where(np.isfinite(values), sd, np.nan),
        constants=np.zeros(len(plant.balances)),
    )
    assumed = [name for name in columns if terms[name] is None]
    notes = [_assumed_note(assumed, parameters.sd_pct)] if assumed else []
    missing = [name for name, value in zip(ids, values, strict=True) if not np.isfinite(value)]
    if missing:
        notes.append(f"no value in the data, taken as unmeasured: {', '.join(missing)}")
    unsteady = _unsteady(frame, columns, dict(zip(ids, sd, strict=True)))
    closures = tuple(_closure(b, dict(zip(ids, values, strict=True))) for b in plant.balances)
    return reconcile(network, parameters.significance, notes, unsteady=unsteady, balances=closures)


def _coefficients(balances: Sequence[Balance], ids: Sequence[str]) -> Array:
    position = {name: j for j, name in enumerate(ids)}
    matrix = np.zeros((len(balances), len(ids)))
    for i, balance in enumerate(balances):
        for term in balance.inputs:
            matrix[i, position[term.tag]] += term.factor
        for term in balance.outputs:
            matrix[i, position[term.tag]] -= term.factor
    return matrix


def _closure(balance: Balance, values: Mapping[str, float]) -> BalanceClosure:
    """Input and output of the streams that have a value."""

    def total(side: str) -> float:
        parts = [term.factor * values[term.tag] for term in getattr(balance, side)]
        return float(np.nansum(parts))

    into, out = total("inputs"), total("outputs")
    return BalanceClosure(
        name=balance.name,
        input=into,
        output=out,
        imbalance=into - out,
        imbalance_pct=100 * (into - out) / into if into else None,
    )


def _unsteady(frame: Frame, columns: Mapping[str, Array], sd: Mapping[str, float]) -> list[str]:
    """Tags whose last third lies more than three standard deviations from the first third."""
    if len(frame.times) < MIN_ROWS_FOR_STEADINESS:
        return []
    third = len(frame.times) // 3
    moved: list[str] = []
    for name, column in columns.items():
        first, last = column[:third], column[-third:]
        first, last = first[np.isfinite(first)], last[np.isfinite(last)]
        if len(first) < 2 or len(last) < 2:
            continue
        error = np.hypot(np.std(first) / np.sqrt(len(first)), np.std(last) / np.sqrt(len(last)))
        if abs(last.mean() - first.mean()) > STEADY_SIGMAS * max(float(error), sd[name]):
            moved.append(name)
    return moved


def _mean(column: Array | None) -> float:
    if column is None:
        return float("nan")
    present = column[np.isfinite(column)]
    return float(present.mean()) if len(present) else float("nan")


def _assumed_sd(value: float, percent: float, largest: float) -> float:
    """A share of the value, but not less than 0.5 % of the largest stream: a stopped meter also errs."""
    return max(abs(value) * percent / 100, LEAST_SD_SHARE * largest, 1e-12)


def _assumed_note(names: Sequence[str], percent: float) -> str:
    shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
    return f"no standard deviation is given for {shown}: {percent:g} % of the value was taken"


def _summary(
    test: GlobalTest,
    culprits: Sequence[gross_errors.Culprit],
    unsteady: Sequence[str],
    balances: Sequence[BalanceClosure],
) -> str:
    worst = max(balances, key=lambda item: abs(item.imbalance_pct or 0.0), default=None)
    close = f" {worst.name} closes to {worst.imbalance_pct or 0:+.2f} %." if worst else ""
    if unsteady:
        moved = ", ".join(unsteady[:3])
        return (
            f"The plant was not steady over the data ({moved} moved): balances were reconciled, but "
            f"no meter is blamed.{close}"
        )
    if test.dof == 0:
        return f"Nothing checks the measurements: no balance has all its streams measured.{close}"
    if not culprits:
        if test.statistic > test.critical:
            return (
                f"The balances do not close within the meters' accuracy (test {test.statistic:.1f}, "
                f"limit {test.critical:.1f}), and no single meter or leak explains it.{close}"
            )
        return (
            f"The balances close within the meters' accuracy (test {test.statistic:.1f}, limit "
            f"{test.critical:.1f}).{close}"
        )
    first = culprits[0]
    what = (
        f"{first.id} reads {abs(first.size):.4g} too {'high' if first.size > 0 else 'low'}"
        if first.kind == "bias"
        else f"{abs(first.size):.4g} {'is lost' if first.size > 0 else 'appears'} at {first.id}"
    )
    also = f" It could as well be {', '.join(first.same_as[:3])}." if first.same_as else ""
    more = f" {len(culprits) - 1} more named." if len(culprits) > 1 else ""
    return (
        f"The balances do not close within the meters' accuracy (test {test.statistic:.1f}, limit "
        f"{test.critical:.1f}): most likely {what} ({100 * first.confidence:.0f} % sure).{also}{more}"
        f"{close}"
    )
