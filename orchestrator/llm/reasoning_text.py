"""What a run has found so far: as a model reads it, and as the evidence that an answer is held to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from orchestrator.llm.fence import fenced, harmless
from orchestrator.llm.grounding import Evidence, Report, check_quoting
from orchestrator.llm.operation_runner import Observation
from orchestrator.llm.reasoning_run import SEARCH, Run
from orchestrator.llm.reasoning_search import cited, passages_of, passages_text
from orchestrator.llm.result_text import result_text
from orchestrator.plant.samples import Quality, Sample
from orchestrator.plant.tags import Plant


def steps_text(run: Run) -> str:
    """The steps so far; what comes from outside is fenced."""
    lines: list[str] = []
    number = 0
    for step in run.steps:
        document = step.document
        if step.kind == "think" and document.get("thought"):
            lines.append(f"You thought: {document['thought']}")
        elif step.kind == "observe":
            number += 1
            lines.append(_observed(number, run.observations[number - 1]))
        elif step.kind == "send_back":
            lines.append(f"You answered: {document['answer']}\n{document['why']}")
    return "\n".join(lines) or "None yet."


def _observed(number: int, item: Observation) -> str:
    head = f"[{number}] {harmless(item.operation)[:60]}: {item.status}"
    if item.result is None:
        return f"{head}\n{fenced(item.text, 'reason')}"
    if item.operation == SEARCH:
        return f"{head}\n{passages_text(number, item)}"
    return f"{head}\n{result_text(item.result)}"


def held(answer: str, run: Run, plant: Plant) -> Report:
    """What the check of an answer against everything that the run found says."""
    passages = [passage.text for item in run.observations for passage in passages_of(item)]
    said = [run.record.question, *(item.text for item in run.observations)]
    return check_quoting(answer, evidence_of(run, plant), passages, said)


def evidence_of(run: Run, plant: Plant) -> Evidence:
    """All that an answer may rest on."""
    evidence = Evidence()
    evidence.describe(plant.tags)
    evidence.add_samples(samples_of(run.record.document["samples"]), run.record.started_at)
    evidence.add_situation(run.record.document["situation"])
    for number, item in enumerate(run.observations, start=1):
        if item.operation == SEARCH:
            for letter, passage in cited(item):
                evidence.add_passage(f"[{number}{letter}]", f"{passage.citation}\n{passage.text}")
        elif item.result is not None:
            evidence.add_result(item.operation, item.result, item.parameters)
        elif item.text:
            evidence.add_passage(f"reason of {item.operation}", item.text)
    evidence.add_words(run.record.question)
    return evidence


def told(observation: Observation) -> dict[str, Any]:
    """An observation without its result; of a search, where its passages stand."""
    document: dict[str, Any] = {
        "operation": observation.operation,
        "parameters": dict(observation.parameters),
        "status": observation.status,
        "text": observation.text,
        "job_id": observation.job_id,
    }
    if observation.operation == SEARCH:
        document["passages"] = [
            {
                "letter": letter,
                "id": passage.id,
                "document_id": passage.document_id,
                "document": passage.document,
                "citation": passage.citation,
            }
            for letter, passage in cited(observation)
        ]
    return document


def stored(samples: Mapping[str, Sample]) -> dict[str, Any]:
    """Samples as a run keeps them."""
    return {
        name: [sample.value, int(sample.quality), sample.source_time.isoformat()]
        for name, sample in samples.items()
    }


def samples_of(document: Mapping[str, Sequence[Any]]) -> dict[str, Sample]:
    """Samples as a run kept them."""
    return {
        name: Sample(name, value, Quality(quality), at, at)
        for name, (value, quality, text) in document.items()
        if (at := datetime.fromisoformat(text))
    }
