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


@dataclass(frozen=True, slots=True)
class Problem:
    """``measured`` coefficients (m, n), ``unmeasured`` (m, p), ``constants`` (m,), values, sd (n,)."""

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
        objective: Sum of squared adjustments in standard deviations.
        adjustments: Reconciled minus measured, in standard deviations, ``(n,)``.
        adjustment_sd: Standard deviation of each adjustment over that of its measurement, 0 to 1.
        dof: Number of independent checks.
        misfit: The checks, independent and standard normal without gross error, ``(dof,)``.
        bias_signature: What a bias of one standard deviation does to ``misfit``, ``(n, dof)``.
        balance_signature: What a unit loss in a balance does to ``misfit``, ``(m, dof)``.
        observable: Whether each unmeasured stream follows from the others, ``(p,)``.
    """

    measured: Array
    unmeasured: Array
    objective: float
    adjustments: Array
    adjustment_sd: Array
    dof: int
    misfit: Array
    bias_signature: Array
    balance_signature: Array
    observable: NDArray[np.bool_]


def solve(problem: Problem) -> Solution:
    """The reconciled values.

    Raises:
        InputError: the balances contradict one another whatever the measurements.
    """
    size = np.abs(np.hstack([problem.measured, problem.unmeasured])).max(axis=1, initial=0.0)
    weight = 1.0 / np.where(size > 0, size, 1.0)
    a = problem.measured * weight[:, None]
    b = problem.unmeasured * weight[:, None]
    c = problem.constants * weight
    free = _left_null(b)
    checks = free.T @ a
    scaled = checks * problem.sd
    left, singular, right = linalg.svd(scaled, full_matrices=False)
    rank = int((singular > RELATIVE_ZERO * singular.max(initial=0.0)).sum())
    left, singular, right = left[:, :rank], singular[:rank], right[:rank]
    residual = checks @ problem.values - free.T @ c
    unexplained = residual - left @ (left.T @ residual)
    reference = np.abs(free.T @ c).max(initial=0.0) + np.abs(checks @ problem.values).max(initial=0)
    if np.abs(unexplained).max(initial=0.0) > CONTRADICTION * max(reference, 1e-300):
        raise InputError(
            "the balances contradict one another whatever is measured",
            remedy="check the constants and signs of the balances",
        )
    misfit = (left.T @ residual) / singular
    adjustments = -(right.T @ misfit)
    measured = problem.values + problem.sd * adjustments
    unmeasured, observable = _estimate(b, c - a @ measured)
    spread = np.sqrt(np.minimum(np.square(right).sum(axis=0), 1.0))
    spread[spread < RELATIVE_ZERO] = 0.0
    return Solution(
        measured=measured,
        unmeasured=unmeasured,
        objective=float(misfit @ misfit),
        adjustments=adjustments,
        adjustment_sd=spread,
        dof=rank,
        misfit=misfit,
        bias_signature=right.T,
        balance_signature=(free * weight[:, None]) @ (left / singular),
        observable=observable,
    )


def _left_null(matrix: Array) -> Array:
    """Orthonormal basis of the combinations of rows in which no unmeasured stream appears."""
    rows, columns = matrix.shape
    if columns == 0:
        return np.eye(rows)
    q, r, _ = linalg.qr(matrix, pivoting=True)
    diagonal = np.abs(np.diag(r))
    rank = int((diagonal > RELATIVE_ZERO * diagonal.max(initial=0.0)).sum())
    basis: Array = q[:, rank:]
    return basis


def _estimate(matrix: Array, rest: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Unmeasured values, and which of them are determined."""
    columns = matrix.shape[1]
    if columns == 0:
        return np.empty(0), np.empty(0, dtype=np.bool_)
    values, *_ = linalg.lstsq(matrix, rest)
    null = linalg.null_space(matrix, rcond=RELATIVE_ZERO)
    observable: NDArray[np.bool_] = np.square(null).sum(axis=1) < 1e-12
    return np.where(observable, values, np.nan), observable
