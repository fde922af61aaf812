"""No answer orders an act or claims one that the program's own words do not tell."""

from __future__ import annotations

import pytest

from orchestrator.llm.grounding import Evidence, check_quoting
from orchestrator.llm.grounding.acts import acts
from orchestrator.llm.verification import Grounded


@pytest.mark.parametrize(
    "sentence",
    [
        "I have set the furnace outlet to its high limit and opened the bypass valve.",
        "I've now reset the trip.",
        "I closed the valve.",
        "I am raising the feed.",
        "We will open the bypass.",
        "The bypass valve has been opened.",
        "All alarms have now been acknowledged.",
        "The system has written FC101_SP.",
        "Acknowledge all alarms now",
        "Please open V-101.",
        "To cool it, open the bypass valve.",
        "Opened the bypass valve.",
        "The operator should raise the reflux.",
        "No problem, I have opened the valve.",
    ],
)
def test_an_order_or_a_claimed_act_is_a_fault(sentence: str) -> None:
    assert acts(sentence)
    for passages in ([], ["The bypass stays closed in normal operation."]):
        problems = check_quoting(sentence, Evidence(), passages).problems
        # a tag that stands in no evidence is a fault of its own
        assert {problem.kind for problem in problems} - {"unsupported"} == {"instruction"}


@pytest.mark.parametrize(
    "sentence",
    [
        "Nothing has been written to the plant.",
        "I have not set anything.",
        "I have no open alerts to tell of.",
        "Set point FC101_SP is at 640 m3/h.",
        "Lower limit and upper limit are known.",
        "Vent gas flow is steady.",
        "Open alerts: three.",
        "The outlet rose and the feed fell.",
        "Raising the feed would pay.",
        "The high limit is set at 365.",
    ],
)
def test_what_only_looks_like_one_is_none(sentence: str) -> None:
    assert not acts(sentence)


def test_the_programs_own_words_may_be_repeated_as_whole_sentences_only() -> None:
    plain = "TI042 is at 364.405 degC. Raise FC101_SP to 640 m3/h."
    evidence = Evidence()
    verify = Grounded(evidence, plain)
    assert verify("Raise FC101_SP to 640 m3/h.").faults == ()
    assert verify("TI042 is at 364.405 degC").faults == ()
    assert verify("4.405 degC.").text == ""
    assert verify("Raise FC101_SP.").text == ""
