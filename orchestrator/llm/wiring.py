"""Gives an open orchestrator what it needs of the language model, where one is configured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.llm.advisor import ModelAdvisor
from orchestrator.llm.agents import CodeSafety, Panel, PanelBudget
from orchestrator.llm.configured import model_of
from orchestrator.llm.operation_runner import GatedRunner
from orchestrator.llm.reasoning import ReasoningLoop, Surroundings

if TYPE_CHECKING:
    from orchestrator.core.orchestrator import Orchestrator
    from orchestrator.llm.port import LanguageModel


def attach_model(orchestrator: Orchestrator) -> LanguageModel | None:
    """Give the orchestrator the configured adviser; the model is closed with the orchestrator.

    Returns the model, or ``None`` where none is configured: then the policy decides alone, or with the
    stand-ins of the panel where that is configured.
    """
    settings = orchestrator.settings
    model = model_of(settings)
    if model is not None:
        orchestrator.closing.push_async_callback(model.close)
    if settings.decision_engine.advisor == "panel":
        budget = PanelBudget(seconds=settings.llm.timeout)
        operations = orchestrator.registry.operations
        orchestrator.advice.advisor = Panel(operations, CodeSafety(orchestrator), budget, model)
    elif model is not None:
        orchestrator.advice.advisor = ModelAdvisor(
            model,
            settings,
            orchestrator.registry,
            orchestrator.plant,
            orchestrator.clock.now,
            orchestrator.historian.last_values,
        )
    return model


def reasoning_of(orchestrator: Orchestrator, model: LanguageModel | None) -> ReasoningLoop:
    """The reasoning loop over an open orchestrator; without a model the parser and templates answer."""
    return ReasoningLoop(
        orchestrator.store.reasoning,
        GatedRunner(orchestrator),
        Surroundings(
            orchestrator.plant, orchestrator.clock.now, orchestrator.historian.last_values
        ),
        model,
    )
