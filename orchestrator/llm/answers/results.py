"""The plain answer to what an operation found, or to why it found nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog

from orchestrator.llm.answers import analysis, etl, forecasting, optimization
from orchestrator.llm.answers.draft import Draft, as_sentence
from orchestrator.state.records import OutcomeRecord

log = structlog.get_logger(__name__)

Template = Callable[[Draft, dict[str, Any]], None]
TEMPLATES: dict[str, Template] = {
    "etl.ingest": etl.ingest,
    "etl.validate": etl.validate,
    "etl.clean": etl.clean,
    "etl.reconcile": etl.reconcile,
    "forecasting.forecast": forecasting.forecast,
    "forecasting.backtest": forecasting.backtest,
    "forecasting.explain": forecasting.explain,
    "forecasting.soft_sensor": forecasting.soft_sensor,
    "forecasting.time_to_limit": forecasting.time_to_limit,
    "analysis.update": analysis.update,
    "analysis.market": analysis.market,
    "analysis.stocks": analysis.stocks,
    "analysis.demand": analysis.demand,
    "analysis.prices": analysis.prices,
    "analysis.cracks": analysis.cracks,
    "optimization.plan": optimization.plan,
    "optimization.blend": optimization.blend,
    "optimization.setpoints": optimization.setpoints,
    "optimization.what_if": optimization.what_if,
    "optimization.sensitivity": optimization.sensitivity,
}
MOST_WARNINGS = 5


def answer_of(outcome: OutcomeRecord) -> Draft:
    """What an operation found, in words with evidence; an operation of another package tells its summary."""
    name = f"{outcome.module}.{outcome.operation}"
    draft = Draft("operation", outcome.job_id)
    if outcome.status != "succeeded" or outcome.result is None:
        why = (outcome.error or {}).get("detail") or outcome.status.replace("_", " ")
        draft.say(f"{name} gave no result: {as_sentence(str(why))}")
        draft.cite(name, "status", outcome.status)
        return draft
    result = outcome.result
    draft.say(str(result.get("summary") or f"{name} has ended."))
    draft.cite(name, "result", str(result.get("summary") or ""))
    template = TEMPLATES.get(name)
    if template is not None:
        detail = Draft("operation", outcome.job_id)
        try:
            template(detail, result)
        except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
            # A module of another version may shape its result otherwise: its summary still stands.
            log.warning("a result is not of the known shape", operation=name, error=repr(error))
        else:
            _take(draft, detail)
    draft.notes += [str(text) for text in result.get("warnings") or ()][:MOST_WARNINGS]
    return draft


def _take(draft: Draft, detail: Draft) -> None:
    told = set(draft.sentences)
    draft.sentences += [text for text in detail.sentences if text not in told]
    draft.evidence += [item for item in detail.evidence if item.value is not None]
    seen: set[tuple[str, str]] = set()
    for item in detail.items:
        if (item.kind, item.label) not in seen:
            seen.add((item.kind, item.label))
            draft.items.append(item)
    draft.notes += detail.notes
