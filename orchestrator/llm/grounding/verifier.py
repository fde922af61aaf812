"""The check as the copilot asks for it: over the evidence of a plain answer."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.llm.answers.draft import Evidence as Told
from orchestrator.llm.grounding.check import check
from orchestrator.llm.grounding.evidence import Evidence
from orchestrator.llm.grounding.mending import mended
from orchestrator.llm.wording import Verdict
from orchestrator.plant.tags import Plant


class AnswerVerifier:
    """Implements `orchestrator.llm.wording.Verifier`.

    Args:
        plant: Tags with descriptions, units and limits, so that an answer may name them in words.
    """

    def __init__(self, plant: Plant) -> None:
        self._plant = plant

    def __call__(self, answer: str, evidence: Sequence[Told], plain: str) -> Verdict:
        """See `Verifier`; what the program itself says counts as evidence."""
        known = Evidence()
        known.describe(self._plant.tags)
        for item in evidence:
            source = f"{item.source} {item.ref}"
            if isinstance(item.value, str):
                known.add_told(source, item.value, item.subject)
            elif item.value is not None:
                known.add_fact(item.subject, item.what, item.value, item.unit, source)
        known.add_told("the program's own answer", plain)
        report = check(answer, known)
        if report.sound:
            return Verdict(answer)
        faults = tuple(
            dict.fromkeys(f'"{problem.text}": {problem.why}' for problem in report.problems)
        )
        text = mended(report)
        return Verdict("" if text.startswith("(") else text, faults)
