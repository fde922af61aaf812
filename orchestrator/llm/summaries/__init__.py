"""Hand-over and daily summaries: what is on record of a shift or a day, each statement with its evidence."""

from __future__ import annotations

from orchestrator.llm.summaries.summary import Summaries, Summary, SummarySection
from orchestrator.llm.summaries.windows import Span, Window, window_of

__all__ = ["Span", "Summaries", "Summary", "SummarySection", "Window", "window_of"]
