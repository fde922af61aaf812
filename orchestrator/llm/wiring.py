"""Gives an open orchestrator what it needs of the language model, where one is configured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.llm.advisor import ModelAdvisor
from orchestrator.llm.agents import CodeSafety, Panel, PanelBudget
from orchestrator.llm.configured import model_of
from orchestrator.llm.operation_runner import GatedRunner
from orchestrator.llm.reasoning import ReasoningLoop, Surroundings
from orchestrator.llm.second_reader import ModelReader

if TYPE_CHECKING:
    from orchestrator.core.orchestrator import Orchestrator
    from orchestrator.llm.knowledge.evidence import PassageSearch
    from orchestrator.llm.port import Attempt, LanguageModel


def attach_model(orchestrator: Orchestrator) -> LanguageModel | None:
    """Make the configured model the orchestrator's adviser and second reader; it is closed with the orchestrator.

    Returns the model, or ``None`` where none is configured: then the policy decides alone, or with the
    stand-ins of the panel where that is configured.
    """
    settings = orchestrator.settings
    model = model_of(
        settings,
        cache=orchestrator.cache,
        use=orchestrator.store.model_use,
        observe=lambda attempt: _announce(orchestrator, attempt),
    )
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
    if model is None:
        return None
    orchestrator.closing.push_async_callback(model.close)
    orchestrator.model_report = model.report
    orchestrator.second_reader = ModelReader(model, orchestrator.registry.operations)
    return model


def reasoning_of(
    orchestrator: Orchestrator,
    model: LanguageModel | None,
    documents: PassageSearch | None = None,
) -> ReasoningLoop:
    """The reasoning loop over an open orchestrator; without a model the parser and templates answer."""
    return ReasoningLoop(
        orchestrator.store.reasoning,
        GatedRunner(orchestrator),
        Surroundings(
            orchestrator.plant, orchestrator.clock.now, orchestrator.historian.last_values
        ),
        model,
        documents,
    )


def _announce(orchestrator: Orchestrator, attempt: Attempt) -> None:
    """Tell those who follow what happens, the metrics among them, of one request."""
    orchestrator.events.publish(
        "model",
        orchestrator.clock.now(),
        {
            "model": attempt.model,
            "status": attempt.outcome,
            "detail": attempt.detail,
            "seconds": round(attempt.seconds, 3),
            "input_tokens": attempt.usage.input_tokens,
            "output_tokens": attempt.usage.output_tokens,
            "usd": attempt.usage.cost,
        },
    )
