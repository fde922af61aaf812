"""Holds an answer to its evidence: each number traces to a fact, and nothing contradicts the situation."""

from __future__ import annotations

from orchestrator.llm.grounding.check import check
from orchestrator.llm.grounding.evidence import Evidence
from orchestrator.llm.grounding.facts import Fact
from orchestrator.llm.grounding.mending import complaint, mended
from orchestrator.llm.grounding.quotations import check_quoting
from orchestrator.llm.grounding.report import Problem, Report, Traced

__all__ = [
    "Evidence",
    "Fact",
    "Problem",
    "Report",
    "Traced",
    "check",
    "check_quoting",
    "complaint",
    "mended",
]
