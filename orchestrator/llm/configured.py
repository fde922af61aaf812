"""The language model that a configuration asks for."""

from __future__ import annotations

from orchestrator.config import Settings
from orchestrator.llm.deepseek_r1 import DeepSeekR1
from orchestrator.llm.exchange import Endpoint


def model_of(settings: Settings) -> DeepSeekR1 | None:
    """The model, or ``None`` where none is configured; close it when done."""
    chain = settings.llm.chain
    if not chain:
        return None
    repairs = settings.decision_engine.max_retries
    return DeepSeekR1(Endpoint(chain[0], settings.llm), settings.llm, repairs=repairs)
