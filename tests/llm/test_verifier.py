"""What a model puts into words is held to the evidence of the plain answer."""

from __future__ import annotations

from reasoning_home import PLANT

from orchestrator.llm.answers.draft import Evidence
from orchestrator.llm.grounding.verifier import AnswerVerifier

TOLD = (
    Evidence(
        source="historian", ref="TI042", subject="TI042", what="last", value=352.4, unit="degC"
    ),
    Evidence(
        source="operation",
        ref="job-1",
        subject="FI101",
        what="forecast",
        value=655.0,
        unit="m**3/h",
    ),
    Evidence(
        source="operation", ref="job-1", subject="FI101", what="note", value="rises by 15 m3/h"
    ),
)
PLAIN = "Furnace outlet temperature (TI042): 352.4 °C. Two alerts are open."
verify = AnswerVerifier(PLANT)


def test_a_faithful_wording_passes_unchanged() -> None:
    answer = (
        "The furnace outlet temperature is 352 °C, 12.6 °C below its high limit. "
        "Crude feed FI101 will be 655 m³/h, 15 m³/h more."
    )
    verdict = verify(answer, TOLD, PLAIN)
    assert verdict.faults == ()
    assert verdict.text == answer


def test_what_was_added_is_taken_out_and_named() -> None:
    verdict = verify("TI042 is at 352.4 °C. FI101 will be 665 m³/h.", TOLD, PLAIN)
    assert verdict.text.startswith("TI042 is at 352.4 °C.")
    assert "665" not in verdict.text
    assert any('"665 m³/h"' in fault for fault in verdict.faults)
    assert verify("FI101 is at 352.4 °C.", TOLD, PLAIN).text == ""
