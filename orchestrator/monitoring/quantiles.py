"""Values that a share of a distribution lies above, for limits and critical values.

The library of special functions takes half a second to import, which every command would pay; only what
fits a model needs it.
"""

from __future__ import annotations

from statistics import NormalDist

_NORMAL = NormalDist()


def normal_above(share: float) -> float:
    """The value that a standard normal variable exceeds with probability ``share``."""
    return -_NORMAL.inv_cdf(share)


def chi_square_above(share: float, freedom: float) -> float:
    """The value that χ² with ``freedom`` degrees of freedom exceeds with probability ``share``."""
    from scipy.special import chdtri

    return float(chdtri(freedom, share))


def f_above(share: float, numerator: float, denominator: float) -> float:
    """The value that Fisher's F with these degrees of freedom exceeds with probability ``share``."""
    from scipy.special import fdtri

    return float(fdtri(numerator, denominator, 1 - share))
