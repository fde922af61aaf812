"""A problem of balances over named streams, and its solution in words of the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import InputError, ParameterError
from orchestrator.modules.etl import bounds, gross_errors, least_squares
from orchestrator.modules.etl.network import ReconcileInput
from orchestrator.modules.etl.reconciled import (
    GlobalTest,
    GrossError,
    NodalTest,
    ReconciledStream,
    SdSource,
    StreamClass,
    Tests,
)
from orchestrator.plant.tags import Balance

Array = NDArray[np.float64]
WEAK = 0.5
BOUND_SIGMAS = 3.0
LEAST_SD_SHARE = 0.005


@dataclass(frozen=True)
class Network:
    """Balances over named streams: ``coefficients @ streams = constants``.

    Attributes:
        ids: Streams, ``n``.
        balances: Balances, ``m``.
        coefficients: ``(m, n)``.
        values: ``(n,)``, NaN where unmeasured.
        sd: Standard deviations ``(n,)``, NaN where unmeasured, 0 where exactly known.
        constants: ``(m,)``.
        lower, upper: Bounds ``(n,)``, infinite where there is none.
        sources: Where each standard deviation comes from, ``n``.
    """

    ids: tuple[str, ...]
    balances: tuple[str, ...]
    coefficients: Array
    values: Array
    sd: Array
    constants: Array
    lower: Array
    upper: Array
    sources: tuple[SdSource | None, ...]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Outcome:
    """A solved network: its parts of the result and the solution without bounds."""

    objective: float
    test: GlobalTest
    streams: tuple[ReconciledStream, ...]
    culprits: tuple[GrossError, ...]
    tests: Tests
    notes: tuple[str, ...]


def from_streams(parameters: ReconcileInput) -> Network:
    """The network of a document's nodes and streams."""
    streams = parameters.streams
    nodes, coefficients = incidence(parameters)
    given = [abs(s.measured) for s in streams if s.measured is not None]
    values, sd, sources = [], [], []
    for stream in streams:
        value, spread, source = _reading(
            stream.measured, stream.sd, parameters.sd_pct, max(given, default=0.0)
        )
        values.append(value)
        sd.append(spread)
        sources.append(source)
    limits = [parameters.bounds.get(s.id, (s.lower, s.upper)) for s in streams]
    unknown = sorted(set(parameters.bounds) - {s.id for s in streams})
    if unknown:
        raise ParameterError(
            f"bounds are given for {unknown[0]!r}, which is no stream",
            where="bounds",
            remedy="name a stream of the network",
        )
    network = Network(
        ids=tuple(s.id for s in streams),
        balances=nodes,
        coefficients=coefficients,
        values=np.array(values),
        sd=np.array(sd),
        constants=np.zeros(len(nodes)),
        lower=np.array([-np.inf if low is None else low for low, _ in limits]),
        upper=np.array([np.inf if high is None else high for _, high in limits]),
        sources=tuple(sources),
    )
    network.notes.extend(_oddities(network))
    return network


def incidence(parameters: ReconcileInput) -> tuple[tuple[str, ...], Array]:
    """Nodes, and their balances ``(m, n)``: 1 where a stream enters, -1 where it leaves."""
    streams = parameters.streams
    ends = [e for s in streams for e in (s.source, s.target) if e and not parameters.outside(e)]
    nodes = tuple(n for n in parameters.nodes or dict.fromkeys(ends) if not parameters.outside(n))
    if not ends and parameters.incidence_matrix is not None:
        nodes = nodes or tuple(f"N{i + 1}" for i in range(len(parameters.incidence_matrix)))
        return nodes, np.array(parameters.incidence_matrix, dtype=np.float64)
    row = {node: i for i, node in enumerate(nodes)}
    matrix = np.zeros((len(nodes), len(streams)))
    for j, stream in enumerate(streams):
        if stream.target in row:
            matrix[row[stream.target], j] += 1.0
        if stream.source in row:
            matrix[row[stream.source], j] -= 1.0
    return nodes, matrix


def _oddities(network: Network) -> list[str]:
    notes = []
    assumed = [i for i, s in zip(network.ids, network.sources, strict=True) if s == "assumed_pct"]
    if assumed:
        notes.append(assumed_note(assumed))
    empty = np.abs(network.coefficients).sum(axis=0) == 0
    loops = [name for name, bare in zip(network.ids, empty, strict=True) if bare]
    if loops:
        notes.append(f"{', '.join(loops[:5])} leads from a node to itself: no balance sees it")
    idle = np.abs(network.coefficients).sum(axis=1) == 0
    bare_nodes = [name for name, is_idle in zip(network.balances, idle, strict=True) if is_idle]
    if bare_nodes:
        notes.append(f"no stream enters or leaves {', '.join(bare_nodes[:5])}")
    return notes


def assumed_note(names: Sequence[str]) -> str:
    """That standard deviations were assumed, and for which."""
    shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
    return f"no standard deviation is given for {shown}: a share of the value was taken (sd_pct)"


def _reading(
    value: float | None, sd: float | None, percent: float, largest: float
) -> tuple[float, float, SdSource | None]:
    if value is None:
        return np.nan, np.nan, None
    if sd is not None:
        return value, sd, "given" if sd > 0 else "exact"
    return value, assumed_sd(value, percent, largest), "assumed_pct"


def assumed_sd(value: float, percent: float, largest: float) -> float:
    """A share of the value, but not less than 0.5 % of the largest stream: a stopped meter also errs."""
    return max(abs(value) * percent / 100, LEAST_SD_SHARE * largest, 1e-12)


def coefficients_of(balances: Sequence[Balance], ids: Sequence[str]) -> Array:
    """Inputs positive, outputs negative, ``(m, n)``."""
    position = {name: j for j, name in enumerate(ids)}
    matrix = np.zeros((len(balances), len(ids)))
    for i, balance in enumerate(balances):
        for term in balance.inputs:
            matrix[i, position[term.tag]] += term.factor
        for term in balance.outputs:
            matrix[i, position[term.tag]] -= term.factor
    return matrix


def solve(network: Network, significance: float, *, blame: bool = True) -> Outcome:
    """Reconcile and test; without ``blame`` no culprit is looked for.

    Raises:
        ParameterError: nothing is measured.
        InputError: the balances contradict one another, or the bounds.
        NotReconciledError: no optimum under the bounds could be proved.
    """
    known = np.isfinite(network.values)
    if not known.any():
        raise ParameterError(
            "no stream is measured", remedy="give measured and sd for some streams"
        )
    problem = least_squares.Problem(
        measured=network.coefficients[:, known],
        unmeasured=network.coefficients[:, ~known],
        constants=network.constants,
        values=network.values[known],
        sd=network.sd[known],
    )
    order = np.concatenate([np.flatnonzero(known), np.flatnonzero(~known)])
    try:
        free = least_squares.solve(problem)
        bounded = bounds.solve(problem, network.lower[order], network.upper[order])
    except InputError as error:
        raise _named(error, network, order) from None
    culprits = search(network, free, known, significance) if blame else []
    notes = list(network.notes)
    if not free.dof:
        notes.append("no measurement is checked by another: nothing can be reconciled")
    held = [network.ids[order[i]] for i in np.flatnonzero(bounded.binding)]
    if held:
        notes.append(f"held by a bound: {', '.join(held)}")
    streams = streams_of(network, free, bounded)
    notes += _against_bounds(streams)
    notes += _negative(network, streams)
    residuals = (bounded.measured - problem.values) / np.where(problem.sd > 0, problem.sd, 1.0)
    return Outcome(
        objective=float(residuals @ residuals),
        test=GlobalTest(
            statistic=free.objective,
            critical=gross_errors.global_critical(free.dof, significance),
            dof=free.dof,
        ),
        streams=streams,
        culprits=tuple(culprits),
        tests=tests_of(network, free, significance),
        notes=tuple(notes),
    )


def search(
    network: Network,
    solution: least_squares.Solution,
    known: NDArray[np.bool_],
    significance: float,
) -> list[GrossError]:
    """Biases of measured streams, and leaks at balances."""
    ids = [name for name, is_known in zip(network.ids, known, strict=True) if is_known]
    sd = network.sd[known]
    explanations = [
        gross_errors.Explanation("bias", name, solution.bias_signature[i] / sd[i], float(sd[i]))
        for i, name in enumerate(ids)
        if sd[i] > 0
    ]
    spread = np.sqrt(np.square(network.coefficients[:, known] * sd).sum(axis=1))
    explanations += [
        gross_errors.Explanation("leak", name, solution.balance_signature[k], float(spread[k]))
        for k, name in enumerate(network.balances)
        if spread[k] > 0
    ]
    return [as_result(item) for item in gross_errors.search(solution, explanations, significance)]


def as_result(culprit: gross_errors.Culprit) -> GrossError:
    """A culprit as the result carries it."""
    return GrossError(
        kind=culprit.kind,
        id=culprit.id,
        size=culprit.size,
        confidence=round(culprit.confidence, 4),
        group_confidence=round(culprit.group_confidence, 4),
        same_as=culprit.same_as,
        size_sd=culprit.size_sd,
        statistic=culprit.statistic,
    )


def tests_of(network: Network, solution: least_squares.Solution, significance: float) -> Tests:
    """Nodal tests, and the critical values of all tests."""
    values = np.where(np.isfinite(network.values), network.values, 0.0)
    sd = np.where(np.isfinite(network.sd), network.sd, 0.0)
    hidden = np.abs(network.coefficients[:, ~np.isfinite(network.values)]).sum(axis=1)
    nodal = []
    for k, name in enumerate(network.balances):
        if hidden[k] > 0:
            continue
        imbalance = float(network.coefficients[k] @ values - network.constants[k])
        spread = float(np.linalg.norm(network.coefficients[k] * sd))
        nodal.append(
            NodalTest(
                id=name, imbalance=imbalance, statistic=imbalance / spread if spread else None
            )
        )
    both = np.vstack([solution.bias_signature, solution.balance_signature])
    return Tests(
        measurement_critical=gross_errors.sidak_critical(
            gross_errors.distinct(solution.bias_signature), significance
        ),
        nodal_critical=gross_errors.sidak_critical(len(nodal), significance),
        likelihood_ratio_critical=gross_errors.sidak_critical(
            gross_errors.distinct(both), significance
        ),
        nodal=tuple(nodal),
    )


def klass_of(spread: float) -> StreamClass:
    """Class of a measured stream by the sd of its adjustment over that of the measurement."""
    if spread == 0.0:
        return "nonredundant"
    return "weakly_redundant" if spread < WEAK - 1e-9 else "redundant"


def streams_of(
    network: Network, free: least_squares.Solution, bounded: bounds.Bounded
) -> tuple[ReconciledStream, ...]:
    """Every stream in its given order."""
    found: list[ReconciledStream] = []
    count = len(free.measured)
    i = j = 0
    for k, (name, value) in enumerate(zip(network.ids, network.values, strict=True)):
        if np.isfinite(value):
            spread, sd = float(free.adjustment_sd[i]), float(network.sd[k])
            best = float(bounded.measured[i])
            if not spread and not bounded.binding.any():
                best = float(value)
            moved = (best - value) / sd if sd > 0 else 0.0
            found.append(
                ReconciledStream(
                    id=name,
                    measured=float(value),
                    reconciled=best,
                    adjustment_sd=moved,
                    test=float(free.adjustments[i]) / spread if spread else None,
                    klass=klass_of(spread),
                    sd=sd,
                    sd_source=network.sources[k],
                    reconciled_sd=sd * float(np.sqrt(1.0 - spread**2)),
                    at_bound=_side(int(bounded.binding[i])),
                )
            )
            i += 1
        else:
            observable = bool(free.observable[j])
            side = _side(int(bounded.binding[count + j]))
            found.append(
                ReconciledStream(
                    id=name,
                    measured=None,
                    reconciled=float(bounded.unmeasured[j]) if observable else None,
                    adjustment_sd=None,
                    klass="observable" if observable else "unobservable",
                    reconciled_sd=float(free.estimate_sd[j]) if observable else None,
                    at_bound=side,
                )
            )
            j += 1
    return tuple(found)


def _side(binding: int) -> str | None:
    return {-1: "lower", 1: "upper"}.get(binding)


def _against_bounds(streams: Sequence[ReconciledStream]) -> list[str]:
    """Bounds that a measurement contradicts: one of the two is wrong."""
    return [
        f"the {s.at_bound} bound of {s.id} lies {abs(s.adjustment_sd):.1f} standard deviations from what "
        "was measured: either is wrong"
        for s in streams
        if s.at_bound and s.adjustment_sd is not None and abs(s.adjustment_sd) > BOUND_SIGMAS
    ]


def _negative(network: Network, streams: Sequence[ReconciledStream]) -> list[str]:
    if np.nanmin(network.values) < 0 or np.isfinite(network.lower).any():
        return []
    below = [s.id for s in streams if s.reconciled is not None and s.reconciled < -1e-9]
    if not below:
        return []
    return [f"{', '.join(below[:5])} came out negative: give lower: 0 where flow cannot reverse"]


def _named(error: InputError, network: Network, order: NDArray[np.intp]) -> InputError:
    rows = [network.balances[i] for i in error.context.get("rows", ())]
    names = rows + [network.ids[order[i]] for i in error.context.get("streams", ())]
    where = ", ".join(dict.fromkeys(names[:8])) or None
    limits = [
        f"{side} {value:g} of {network.ids[order[i]]}"
        for i, side, value in error.context.get("bounds", ())
    ]
    why = f"These conflict: {', '.join(limits[:8])}" if limits else error.why
    return type(error)(error.what, where=where, why=why, remedy=error.remedy)
