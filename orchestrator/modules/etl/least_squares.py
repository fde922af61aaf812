"""Weighted least squares under linear balances, with unmeasured streams.

Minimise Σ((x − y)/σ)² subject to ``a x + b u = c``, x measured as y and u not measured. The unmeasured
are projected out with a QR factorisation of b (Crowe, García Campos and Hrymak 1983, AIChE J. 29,
881); what is left is solved through a singular value decomposition in standard deviations, so that
dependent balances do no harm. Notation as in Narasimhan and Jordache, Data Reconciliation and Gross
Error Detection (2000), ch. 3, 4 and 7.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from orchestrator.errors import InputError

Array = NDArray[np.float64]
RELATIVE_ZERO = 1e-9
CONTRADICTION = 1e-6
ROUNDING = 1e-12


class ContradictionError(InputError):
    """The balances cannot hold whatever is measured; ``context["rows"]`` are those involved."""


@dataclass(frozen=True, slots=True)
class Problem:
    """``measured`` coefficients (m, n), ``unmeasured`` (m, p), ``constants`` (m,), values, sd (n,).

    A standard deviation of zero means exactly known.
    """

    measured: Array
    unmeasured: Array
    constants: Array
    values: Array
    sd: Array


@dataclass(frozen=True, slots=True)
class Solution:
    """The optimum and what the tests for gross errors need.

    Attributes:
        measured: Reconciled values, ``(n,)``.
        unmeasured: Estimates, ``(p,)``, NaN where unobservable.
        free: A particular solution with the unobservable at the smallest length, ``(p,)``.
        objective: Sum of squared adjustments in standard deviations.
        adjustments: Reconciled minus measured, in standard deviations, ``(n,)``.
        adjustment_sd: Standard deviation of each adjustment over that of its measurement, 0 to 1.
        estimate_sd: Standard deviation of each entry of ``unmeasured``, ``(p,)``.
        dof: Number of independent checks.
        misfit: The checks, independent and standard normal without gross error, ``(dof,)``.
        bias_signature: What a bias of one standard deviation does to ``misfit``, ``(n, dof)``.
        balance_signature: What a unit loss in a balance does to ``misfit``, ``(m, dof)``.
        observable: Whether each unmeasured stream follows from the others, ``(p,)``.
    """

    measured: Array
    unmeasured: Array
    free: Array
    objective: float
    adjustments: Array
    adjustment_sd: Array
    estimate_sd: Array
    dof: int
    misfit: Array
    bias_signature: Array
    balance_signature: Array
    observable: NDArray[np.bool_]


def solve(problem: Problem) -> Solution:
    """The reconciled values.

    Raises:
        ContradictionError: the balances contradict one another whatever the measurements.
    """
    size = np.abs(np.hstack([problem.measured, problem.unmeasured])).max(axis=1, initial=0.0)
    weight = 1.0 / np.where(size > 0, size, 1.0)
    a = problem.measured * weight[:, None]
    # columns of one size, so that what is small in its unit is not taken for nothing
    column = np.abs(problem.unmeasured * weight[:, None]).max(axis=0, initial=0.0)
    column[column == 0] = 1.0
    b = problem.unmeasured * weight[:, None] / column
    c = problem.constants * weight
    free = left_null(b)
    checks = free.T @ a
    # what only rounding has left of a balance is none
    checks[np.abs(checks) < ROUNDING * np.abs(a).max(initial=0.0)] = 0.0
    scaled = checks * problem.sd
    # rows of one size for the rank: a network may hold flows of very different accuracy
    length = np.linalg.norm(scaled, axis=1)
    reach = np.abs(free).T @ (np.abs(a) @ np.maximum(np.abs(problem.values), problem.sd))
    balance = np.where(length > ROUNDING * np.maximum(reach, 1e-300), length, np.inf)
    left, singular, right = linalg.svd(scaled / balance[:, None], full_matrices=False)
    rank = int((singular > RELATIVE_ZERO * singular.max(initial=0.0)).sum())
    left, singular, right = left[:, :rank], singular[:rank], right[:rank]
    residual = checks @ problem.values - free.T @ c
    weighted = np.where(np.isfinite(balance), residual / balance, 0.0)
    gain = left / np.where(np.isfinite(balance), balance, 1.0)[:, None]
    misfit = (left.T @ weighted) / singular
    adjustments = -(right.T @ misfit)
    measured = problem.values + problem.sd * adjustments
    _check_consistent(problem, checks @ measured - free.T @ c, free, a, c)
    spread = np.sqrt(np.minimum(np.square(right).sum(axis=0), 1.0))
    spread[spread < RELATIVE_ZERO] = 0.0
    particular, observable, inverse = _estimate(b, c - a @ measured)
    unmeasured = np.where(observable, particular / column, np.nan)
    # the estimate is linear in the measured, whose covariance is Σ less that of the adjustments
    gained = inverse @ (a * problem.sd)
    variance = np.square(gained).sum(axis=1) - np.square(gained @ right.T).sum(axis=1)
    estimate_sd = np.sqrt(np.maximum(variance, 0.0)) / column
    return Solution(
        measured=measured,
        unmeasured=unmeasured,
        free=particular / column,
        objective=float(misfit @ misfit),
        adjustments=adjustments,
        adjustment_sd=spread,
        estimate_sd=np.where(observable, estimate_sd, np.nan),
        dof=rank,
        misfit=misfit,
        bias_signature=right.T,
        balance_signature=(free * weight[:, None]) @ (gain / singular),
        observable=observable,
    )


def _check_consistent(problem: Problem, left_over: Array, free: Array, a: Array, c: Array) -> None:
    reference = np.abs(c).max(initial=0.0) + np.abs(a * problem.values).max(initial=0.0)
    if np.abs(left_over).max(initial=0.0) <= CONTRADICTION * max(reference, 1e-300):
        return
    share = np.abs(free @ left_over)
    rows = np.flatnonzero(share > 1e-3 * share.max())
    raise ContradictionError(
        "the balances contradict one another whatever is measured",
        remedy="check the constants, the signs and the values given as exact (sd 0)",
        context={"rows": rows.tolist()},
    )


def left_null(matrix: Array) -> Array:
    """Orthonormal basis of the combinations of rows in which no unmeasured stream appears."""
    rows, columns = matrix.shape
    if columns == 0 or rows == 0:
        return np.eye(rows)
    q, r, _ = linalg.qr(matrix, pivoting=True)
    diagonal = np.abs(np.diag(r))
    rank = int((diagonal > RELATIVE_ZERO * diagonal.max(initial=0.0)).sum())
    basis: Array = q[:, rank:]
    return basis


def _estimate(matrix: Array, rest: Array) -> tuple[Array, NDArray[np.bool_], Array]:
    """Unmeasured values, which of them are determined, and the pseudo-inverse."""
    rows, columns = matrix.shape
    if columns == 0 or rows == 0:
        return np.zeros(columns), np.zeros(columns, dtype=np.bool_), np.zeros((columns, rows))
    left, singular, right = linalg.svd(matrix, full_matrices=False)
    kept = singular > RELATIVE_ZERO * singular.max(initial=0.0)
    right = right[kept]
    inverse = (right.T / singular[kept]) @ left[:, kept].T
    observable: NDArray[np.bool_] = 1.0 - np.square(right).sum(axis=0) < 1e-10
    return inverse @ rest, observable, inverse
