"""Linear and mixed-integer programs with named columns and rows, solved by HiGHS.

A program is built column by column and row by row; its arrays go to the solver at once. A
:class:`LiveProgram` stays in the solver for changes and re-solves. What the solver answers is checked
against the program as it was built before it is passed on.
"""

from orchestrator.modules.optimization.linear.conflict import (
    Conflicting,
    Relaxation,
    conflicting,
    relaxation,
)
from orchestrator.modules.optimization.linear.live import LiveProgram
from orchestrator.modules.optimization.linear.parts import INFINITY, Column, Row
from orchestrator.modules.optimization.linear.program import LinearProgram
from orchestrator.modules.optimization.linear.solution import LinearSolution, Range

__all__ = [
    "INFINITY",
    "Column",
    "Conflicting",
    "LinearProgram",
    "LinearSolution",
    "LiveProgram",
    "Range",
    "Relaxation",
    "Row",
    "conflicting",
    "relaxation",
]
