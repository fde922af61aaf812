"""How many threads the numerical libraries of a process may use."""

from __future__ import annotations

import os

LINEAR_ALGEBRA = (
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "BLIS_NUM_THREADS",
)
ONE_THREAD = dict.fromkeys(
    (*LINEAR_ALGEBRA, "OMP_NUM_THREADS", "NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)
"""Environment of a process that shares the cores with others of its kind."""


def use_one_for_linear_algebra() -> None:
    """Keep it to one thread, unless the environment says otherwise; call it before NumPy is imported.

    The matrices of a plant are small. Threads that share the cores with anything else spin while they
    wait for one another: to learn from a hundred tags took five times as long beside other work.
    """
    for name in LINEAR_ALGEBRA:
        os.environ.setdefault(name, "1")
