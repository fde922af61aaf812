"""Reconciliation under nonlinear equations, by successive linearisation.

At each step the equations are linearised and the linear problem solved in full (Knepper and Gorman
1980, AIChE J. 26, 260); the step is shortened until objective plus weighted residual falls.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import ConfigurationError, OperationError, ParameterError, UnknownTagError
from orchestrator.modules.etl import gross_errors, least_squares
from orchestrator.modules.etl.network import (
    GlobalTest,
    GrossError,
    ReconcileInput,
    ReconcileResult,
)
from orchestrator.plant.expressions import Expression

Array = NDArray[np.float64]
MAX_STEPS = 200
CONVERGED = 1e-11
HALVINGS = 30
STEP = 6e-6


def run(parameters: ReconcileInput) -> ReconcileResult:
    """Reconcile the variables under ``constraints``.

    Raises:
        ParameterError: an equation cannot be read, or a value is missing.
        OperationError: no point that meets the equations was found.
    """
    from orchestrator.modules.etl.reconcile import streams_of

    values, sd, start, ids = _variables(parameters)
    known = len(values)
    equations = Equations(parameters.constraints, ids)
    point = np.concatenate([values, start])
    weight = 10.0
    for _ in range(MAX_STEPS):
        residual, jacobian = equations.residual(point), equations.jacobian(point)
        problem = least_squares.Problem(
            measured=jacobian[:, :known],
            unmeasured=jacobian[:, known:],
            constants=jacobian @ point - residual,
            values=values,
            sd=sd,
        )
        solution = least_squares.solve(problem)
        unmeasured = np.where(solution.observable, solution.unmeasured, point[known:])
        step = np.concatenate([solution.measured, unmeasured]) - point
        scale = np.maximum(np.abs(point), 1.0)
        if (
            np.abs(step / scale).max() < CONVERGED**0.75
            and np.abs(residual / equations.size(point)).max() < CONVERGED
        ):
            break
        point = _shortened(equations, point, step, values, sd, weight)
    else:
        raise OperationError(
            f"no solution after {MAX_STEPS} steps",
            where="etl.reconcile",
            why="the equations may contradict the measurements, or the first guess is too far off",
            remedy="give initial_guess_unmeasured nearer to the expected values",
        )
    culprits = gross_errors.search(
        solution,
        [
            gross_errors.Explanation("bias", name, solution.bias_signature[i] / sd[i])
            for i, name in enumerate(ids[:known])
        ],
        parameters.significance,
    )
    objective = float(np.square((point[:known] - values) / sd).sum())
    test = GlobalTest(
        statistic=objective,
        critical=gross_errors.global_critical(solution.dof, parameters.significance),
        dof=solution.dof,
    )
    verdict = "within" if objective <= test.critical else "not within"
    return ReconcileResult(
        summary=(
            f"{len(ids)} variables reconciled under {len(parameters.constraints)} equations: the "
            f"measurements agree {verdict} their accuracy (test {objective:.3g}, limit "
            f"{test.critical:.3g})."
        ),
        objective=objective,
        global_test=test,
        streams=streams_of(ids, np.concatenate([values, np.full(len(start), np.nan)]), solution),
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
    )


class Equations:
    """Equations ``left = right`` over named variables, as residuals and their derivatives.

    Raises:
        ParameterError: an equation cannot be read or names an unknown variable.
    """

    def __init__(self, texts: tuple[str, ...], names: tuple[str, ...]) -> None:
        self._names = names
        self._texts = texts
        self._parsed: list[Expression] = []
        for text in texts:
            left, equals, right = text.replace("^", "**").partition("=")
            try:
                parsed = Expression.parse(f"({left}) - ({right})" if equals else left)
            except ConfigurationError as error:
                raise ParameterError(f"{text!r}: {error.what}", where="constraints") from error
            unknown = sorted(parsed.names - set(names))
            if unknown:
                raise ParameterError(
                    f"{text!r} names unknown variable {unknown[0]!r}",
                    where="constraints",
                    remedy=f"the variables are: {', '.join(names)}",
                )
            self._parsed.append(parsed)

    def residual(self, point: Array) -> Array:
        """Left minus right of each equation, ``(m,)``; NaN where it has no value."""
        given: Mapping[str, float] = dict(zip(self._names, point.tolist(), strict=True))
        try:
            return np.array([float(parsed.evaluate(given)) for parsed in self._parsed])
        except UnknownTagError as error:
            raise ParameterError(error.what, where="constraints") from error

    def jacobian(self, point: Array) -> Array:
        """Derivatives by central differences, ``(m, n)``."""
        columns = []
        for j, value in enumerate(point):
            width = STEP * max(1.0, abs(float(value)))
            above, below = point.copy(), point.copy()
            above[j] += width
            below[j] -= width
            columns.append((self.residual(above) - self.residual(below)) / (2 * width))
        return np.nan_to_num(np.stack(columns, axis=1), nan=0.0)

    def size(self, point: Array) -> Array:
        """How large the terms of each equation are, to judge its residual by."""
        found: Array = np.maximum(np.abs(self.jacobian(point)) @ np.abs(point), 1.0)
        return found


def _shortened(
    equations: Equations, point: Array, step: Array, values: Array, sd: Array, weight: float
) -> Array:
    size = equations.size(point)

    def merit(at: Array) -> float:
        residual = equations.residual(at)
        if not np.isfinite(residual).all():
            return float("inf")
        return float(
            np.square((at[: len(values)] - values) / sd).sum()
            + weight * len(values) * np.abs(residual / size).sum() * 1e3
        )

    start = merit(point)
    share = 1.0
    for _ in range(HALVINGS):
        if merit(point + share * step) < start:
            return point + share * step
        share /= 2
    # near the optimum rounding hides the gain; the full step is the linear problem's answer
    found: Array = point + step
    return found if np.isfinite(equations.residual(found)).all() else point + share * step


def _variables(parameters: ReconcileInput) -> tuple[Array, Array, Array, tuple[str, ...]]:
    variables, measured = parameters.variables, parameters.measured or {}
    if variables is None:
        raise ParameterError("variables are missing", where="variables")
    missing = [name for name in variables.measured if name not in measured]
    if missing:
        raise ParameterError(
            f"{missing[0]!r} is named as measured and has no value", where="measured"
        )
    values = np.array([measured[name] for name in variables.measured])
    if isinstance(parameters.sd, dict):
        lacking = [name for name in variables.measured if name not in parameters.sd]
        if lacking:
            raise ParameterError(f"{lacking[0]!r} has no standard deviation", where="sd")
        sd = np.array([parameters.sd[name] for name in variables.measured])
    elif parameters.sd is not None:
        sd = np.full(len(values), parameters.sd)
    else:
        sd = np.maximum(np.abs(values) * parameters.sd_pct / 100, 1e-12)
    if not (sd > 0).all():
        raise ParameterError("a standard deviation must be above zero", where="sd")
    guess = parameters.initial_guess_unmeasured
    start = np.array([guess.get(name, 1.0) for name in variables.unmeasured])
    return values, sd, start, (*variables.measured, *variables.unmeasured)
