"""Holds an answer to its evidence: each number traces to a fact, and nothing contradicts the situation."""

from __future__ import annotations

from orchestrator.llm.grounding.check import Problem, Report, Traced, check
from orchestrator.llm.grounding.evidence import Evidence, Fact
from orchestrator.llm.grounding.mending import complaint, mended

__all__ = ["Evidence", "Fact", "Problem", "Report", "Traced", "check", "complaint", "mended"]
