"""Bilinear programs: linear ones in which some columns are the product of two others.

Mixing makes them: the quality of a pool times what flows out of it. They are not convex, so that a local
optimum may be far from the best; :func:`solve` gives a point that is checked, and a bound that says how
far from the best it can be.
"""

from orchestrator.modules.optimization.bilinear.program import BilinearProgram
from orchestrator.modules.optimization.bilinear.relaxed import mccormick, with_shares
from orchestrator.modules.optimization.bilinear.solve import BilinearSolution, solve

__all__ = ["BilinearProgram", "BilinearSolution", "mccormick", "solve", "with_shares"]
