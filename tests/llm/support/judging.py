"""What is known in a scripted world, and the check's judgement of an answer about it."""

from __future__ import annotations

from scripted_answers import NOW, World

from orchestrator.llm.grounding import Evidence, Report, check


def evidence_of(world: World) -> Evidence:
    evidence = Evidence()
    evidence.describe(world.plant.tags)
    evidence.add_samples(world.samples, NOW)
    evidence.add_situation(world.situation)
    for operation, result in world.results.items():
        evidence.add_result(operation, result)
    evidence.add_passage("furnace manual, page 12", world.passage)
    return evidence


def judged(world: World, text: str) -> Report:
    return check(text, evidence_of(world))
