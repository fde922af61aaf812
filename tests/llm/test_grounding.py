"""Answers are held to their evidence: what is wrong is caught, what is honest passes."""

from __future__ import annotations

from collections import Counter

import pytest
from judging import judged
from scripted_answers import answers


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_of_200_scripted_answers_98_percent_of_the_wrong_and_2_percent_of_the_honest_are_caught(
    seed: int,
) -> None:
    missed, false = [], []
    wrong = honest = 0
    for world, scripted in answers(seed):
        report = judged(world, scripted.text)
        if scripted.spoiled:
            wrong += 1
            if report.sound:
                missed.append((scripted.spoiled, scripted.template, scripted.text))
        else:
            honest += 1
            if not report.sound:
                false.append((scripted.template, scripted.text, report.problems))
    assert wrong == honest == 100
    assert len(missed) <= 2, missed
    assert len(false) <= 2, false


def test_every_way_to_spoil_an_answer_occurs() -> None:
    kinds = Counter(s.spoiled.partition(":")[2].split()[0] for _, s in answers(1) if s.spoiled)
    assert {"swap", "unit", "times", "other", "invented", "sign", "said"} <= set(kinds)
