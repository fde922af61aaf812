"""Problems in equations: as given, or a network whose streams carry measured properties."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import ParameterError
from orchestrator.modules import documents
from orchestrator.modules.etl import (
    bounds,
    gross_errors,
    least_squares,
    nonlinear,
    unaccounted,
)
from orchestrator.modules.etl.equations import Equations, names_in
from orchestrator.modules.etl.network import Bound, Reading, ReconcileInput
from orchestrator.modules.etl.reconciled import (
    GlobalTest,
    GrossError,
    ReconciledStream,
    SdSource,
    Solver,
    Tests,
)
from orchestrator.modules.etl.topology import (
    Network,
    as_result,
    assumed_note,
    assumed_sd,
    streams_of,
)

Array = NDArray[np.float64]


@dataclass
class Variable:
    """One variable: its reading, bounds and first guess."""

    name: str
    value: float | None
    sd: float | None = None
    bound: Bound = (None, None)
    guess: float | None = None


@dataclass
class Draft:
    """Variables and equations as they are collected; ``places`` are nodes an equation balances."""

    variables: dict[str, Variable] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    places: dict[int, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Outcome:
    """A solved problem in parts of the result."""

    objective: float
    test: GlobalTest
    streams: tuple[ReconciledStream, ...]
    culprits: tuple[GrossError, ...]
    tests: Tests
    solver: Solver
    notes: tuple[str, ...]


def from_equations(parameters: ReconcileInput, means: Mapping[str, tuple[float, float]]) -> Draft:
    """A problem of variables and constraints; ``means`` are values and sd of columns of the data.

    Raises:
        ParameterError: a value is missing, or a name has no place in the equations.
    """
    given = dict(parameters.measured or {})
    listed = parameters.variables
    draft = Draft(texts=list(parameters.constraints))
    read = [n for n in names_in(parameters.constraints) if n not in parameters.constants]
    if listed is None:
        measured = [n for n in (*given, *means) if n in read or n in given]
        names = list(dict.fromkeys([*measured, *read]))
    else:
        names = [*listed.measured, *listed.unmeasured]
        missing = [n for n in listed.measured if given.get(n) is None and n not in means]
        if missing:
            raise ParameterError(
                f"{missing[0]!r} is named as measured and has no value",
                where="measured",
                remedy="give it in measured, or list it under variables.unmeasured",
            )
    unknown = sorted(set(parameters.bounds) - set(names))
    if unknown:
        raise ParameterError(
            f"bounds are given for {unknown[0]!r}, which is no variable",
            where="bounds",
            remedy=f"the variables are: {', '.join(names[:20])}",
        )
    for name in names:
        is_measured = listed is None or name in listed.measured
        value = given.get(name, means[name][0] if name in means else None) if is_measured else None
        draft.variables[name] = Variable(
            name,
            value,
            _sd(parameters, name, means) if value is not None else None,
            parameters.bounds.get(name, (None, None)),
            parameters.initial_guess_unmeasured.get(name),
        )
    draft.notes += documents.names("measured", given, names, "variable")
    if isinstance(parameters.sd, dict):
        draft.notes += documents.names("sd", parameters.sd, names, "variable")
    guesses = parameters.initial_guess_unmeasured
    draft.notes += documents.names("initial_guess_unmeasured", guesses, names, "variable")
    draft.notes.append(unaccounted.NO_BOUNDARY)
    idle = [n for n in names if n not in read]
    if idle:
        draft.notes.append(f"{', '.join(idle[:5])} stands in no equation")
    return draft


def _sd(
    parameters: ReconcileInput, name: str, means: Mapping[str, tuple[float, float]]
) -> float | None:
    sd = parameters.sd
    if isinstance(sd, dict):
        if name in sd:
            found: float | None = sd[name]
        elif name in means:
            found = means[name][1]
        else:
            raise ParameterError(
                f"{name!r} has no standard deviation",
                where="sd",
                remedy="add it to sd, or leave sd out to assume sd_pct of each value",
            )
    else:
        found = sd if sd is not None else means[name][1] if name in means else None
    if found is not None and found < 0:
        raise ParameterError(
            f"the standard deviation of {name!r} is {found:g}; it must be above zero, or 0 for exact",
            where="sd",
            remedy="correct it",
        )
    return found


def from_network(parameters: ReconcileInput) -> Draft:
    """Flow balances, and balances of flow times property, of a network; with further constraints.

    A node balances each property that all its streams carry, unless it does not conserve it; the
    outlets of a splitter have its inlet's properties instead.
    """
    draft = Draft()
    for stream in parameters.streams:
        _add(draft, parameters, stream.id, stream)
        for prop, reading in stream.properties.items():
            _add(draft, parameters, f"{stream.id}.{prop}", reading)
    nodes: dict[str, tuple[list[str], list[str]]] = {}
    carried = {s.id: s.properties for s in parameters.streams}
    for stream in parameters.streams:
        if stream.source == stream.target:
            continue
        for end, side in ((stream.target, 0), (stream.source, 1)):
            if end is not None and not parameters.outside(end):
                nodes.setdefault(end, ([], []))[side].append(stream.id)
    for node, (inlets, outlets) in nodes.items():
        draft.places[len(draft.texts)] = node
        draft.texts.append(_balance(inlets, outlets))
        for prop in dict.fromkeys(p for s in (*inlets, *outlets) for p in carried[s]):
            without = [s for s in (*inlets, *outlets) if prop not in carried[s]]
            if without:
                draft.notes.append(
                    f"{node} does not balance {prop}: {without[0]} does not carry it"
                )
            elif prop in parameters.not_conserved.get(node, ()):
                continue
            elif node in parameters.splitters and len(inlets) == 1:
                draft.texts += [f"`{s}.{prop}` - `{inlets[0]}.{prop}` = 0" for s in outlets]
            else:
                draft.texts.append(_balance(inlets, outlets, prop))
    if parameters.normalised:
        draft.texts += [
            " + ".join(f"`{s.id}.{p}`" for p in s.properties) + " = 1"
            for s in parameters.streams
            if s.properties
        ]
    draft.texts += parameters.constraints
    guesses = parameters.initial_guess_unmeasured
    draft.notes += documents.names(
        "initial_guess_unmeasured", guesses, draft.variables, "stream or property"
    )
    unknown = sorted(set(parameters.bounds) - set(draft.variables))
    if unknown:
        raise ParameterError(
            f"bounds are given for {unknown[0]!r}, which is no stream or property", where="bounds"
        )
    return draft


def _add(draft: Draft, parameters: ReconcileInput, name: str, reading: Reading) -> None:
    draft.variables[name] = Variable(
        name,
        reading.measured,
        reading.sd,
        parameters.bounds.get(name, (reading.lower, reading.upper)),
        parameters.initial_guess_unmeasured.get(name),
    )


def _balance(inlets: list[str], outlets: list[str], prop: str | None = None) -> str:
    def term(stream: str) -> str:
        return f"`{stream}`*`{stream}.{prop}`" if prop else f"`{stream}`"

    text = " + ".join(map(term, inlets)) or "0"
    return text + "".join(f" - {term(s)}" for s in outlets) + " = 0"


def solve(draft: Draft, parameters: ReconcileInput, seed: int = 0) -> Outcome:
    """Reconcile and test.

    Raises:
        ParameterError: nothing is measured, or an equation cannot be read.
        OperationError: no point that meets the equations was found.
    """
    order = sorted(draft.variables.values(), key=lambda v: v.value is None)
    measured = [v for v in order if v.value is not None]
    if not measured:
        raise ParameterError("no variable is measured", remedy="give measured values for some")
    values = np.array([v.value for v in measured], dtype=np.float64)
    sources: list[SdSource] = []
    sd = np.empty(len(measured))
    for i, variable in enumerate(measured):
        if variable.sd is None:
            sd[i] = assumed_sd(values[i], parameters.sd_pct, 0.0)
            sources.append("assumed_pct")
        else:
            sd[i] = variable.sd
            sources.append("given" if variable.sd > 0 else "exact")
    hidden = order[len(measured) :]
    guessed = np.array([v.guess is not None for v in hidden], dtype=np.bool_)
    problem = nonlinear.Problem(
        equations=Equations(draft.texts, [v.name for v in order], parameters.constants),
        values=values,
        sd=sd,
        guess=np.array([v.guess if v.guess is not None else 1.0 for v in hidden]),
        guessed=guessed,
        lower=np.array([-np.inf if v.bound[0] is None else v.bound[0] for v in order]),
        upper=np.array([np.inf if v.bound[1] is None else v.bound[1] for v in order]),
    )
    answer = nonlinear.solve(problem, seed)
    return _outcome(draft, parameters, problem, answer, [v.name for v in order], sources)


def _outcome(
    draft: Draft,
    parameters: ReconcileInput,
    problem: nonlinear.Problem,
    answer: nonlinear.Answer,
    names: list[str],
    sources: list[SdSource],
) -> Outcome:
    known = problem.known
    residual = problem.equations.residual(answer.point)
    linear = least_squares.Problem(
        measured=answer.jacobian[:, :known],
        unmeasured=answer.jacobian[:, known:],
        constants=answer.jacobian @ answer.point - residual,
        values=problem.values,
        sd=problem.sd,
    )
    free = least_squares.solve(linear)
    bound = answer.bounded.binding.any()
    binding = answer.bounded.binding
    settled = bounds.Bounded(
        np.asarray(answer.point[:known]),
        np.asarray(answer.point[known:]),
        binding,
    )
    network = Network(
        ids=tuple(names),
        balances=tuple(draft.places.get(i, f"equation {i + 1}") for i in range(len(draft.texts))),
        coefficients=answer.jacobian,
        values=np.concatenate([problem.values, np.full(len(names) - known, np.nan)]),
        sd=np.concatenate([problem.sd, np.full(len(names) - known, np.nan)]),
        constants=linear.constants,
        lower=problem.lower,
        upper=problem.upper,
        sources=(*sources, *[None] * (len(names) - known)),
    )
    explanations = _explanations(network, draft, free, known)
    culprits = gross_errors.search(free, explanations, parameters.significance)
    count = gross_errors.distinct(free.bias_signature)
    everything = np.array([e.signature for e in explanations]).reshape(len(explanations), free.dof)
    notes = list(draft.notes)
    assumed = [n for n, s in zip(names, sources, strict=False) if s == "assumed_pct"]
    if assumed:
        notes.append(assumed_note(assumed))
    if not free.dof:
        notes.append("no measurement is checked by another: nothing can be reconciled")
    if bound:
        notes.append(f"held by a bound: {', '.join(names[i] for i in np.flatnonzero(binding))}")
    if answer.optima > 1:
        notes.append(
            f"{answer.optima} optima were found from {answer.starts} starts; the best is given"
        )
    order = {name: i for i, name in enumerate(draft.variables)}
    streams = sorted(streams_of(network, free, settled), key=lambda s: order[s.id])
    return Outcome(
        objective=answer.objective,
        test=GlobalTest(
            statistic=free.objective if bound else answer.objective,
            critical=gross_errors.global_critical(free.dof, parameters.significance),
            dof=free.dof,
        ),
        streams=tuple(streams),
        culprits=tuple(as_result(item) for item in culprits),
        tests=Tests(
            measurement_critical=gross_errors.sidak_critical(count, parameters.significance),
            nodal_critical=0.0,
            likelihood_ratio_critical=gross_errors.sidak_critical(
                gross_errors.distinct(everything), parameters.significance
            ),
        ),
        solver=Solver(
            iterations=answer.iterations,
            starts=answer.starts,
            optima=answer.optima,
            constraint_residual=answer.closure,
            stationarity=answer.stationarity,
        ),
        notes=tuple(notes),
    )


def _explanations(
    network: Network, draft: Draft, free: least_squares.Solution, known: int
) -> list[gross_errors.Explanation]:
    sd = network.sd[:known]
    found = [
        gross_errors.Explanation("bias", name, free.bias_signature[i] / sd[i], float(sd[i]))
        for i, name in enumerate(network.ids[:known])
        if sd[i] > 0
    ]
    for row, node in draft.places.items():
        spread = float(np.linalg.norm(network.coefficients[row, :known] * sd))
        if spread > 0:
            found.append(
                gross_errors.Explanation("leak", node, free.balance_signature[row], spread)
            )
    return found
