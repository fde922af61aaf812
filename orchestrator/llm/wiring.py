"""Gives an open orchestrator what it needs of the language model, where one is configured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.llm.advisor import ModelAdvisor
from orchestrator.llm.configured import model_of

if TYPE_CHECKING:
    from orchestrator.core.orchestrator import Orchestrator
    from orchestrator.llm.port import LanguageModel


def attach_model(orchestrator: Orchestrator) -> LanguageModel | None:
    """Make the configured model the orchestrator's adviser; it is closed with the orchestrator.

    Returns the model, or ``None`` where none is configured and the policy decides alone.
    """
    model = model_of(orchestrator.settings)
    if model is None:
        return None
    orchestrator.closing.push_async_callback(model.close)
    orchestrator.advice.advisor = ModelAdvisor(
        model,
        orchestrator.settings,
        orchestrator.registry,
        orchestrator.plant,
        orchestrator.clock.now,
        orchestrator.historian.last_values,
    )
    return model
