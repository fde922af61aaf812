"""What an adviser's stated confidence is worth: discounted without labels, measured with many, never falling."""

from __future__ import annotations

import random

import pytest

from orchestrator.core.calibration import Calibration
from orchestrator.state.records import AdviceLabel

STATED = [0.0, 0.3, 0.55, 0.75, 0.85, 0.95, 1.0]


def test_without_labels_the_stated_confidence_is_half_discounted() -> None:
    calibrate = Calibration()
    assert [calibrate(s).confidence for s in (0.0, 0.5, 0.9, 1.0)] == [0.25, 0.5, 0.7, 0.75]
    assert not calibrate(0.9).measured
    assert "no advice has been judged yet" in calibrate(0.9).source


def test_with_many_labels_it_is_what_was_measured() -> None:
    labels = [AdviceLabel(0.95, right=i % 2 == 0) for i in range(400)]
    found = Calibration(labels)(0.95)
    assert found.confidence == pytest.approx(0.5, abs=0.02)
    assert found.measured
    assert "200 of 400" in found.source


def test_it_never_falls_with_the_stated_confidence() -> None:
    draw = random.Random(3)
    for _ in range(50):
        labels = [
            AdviceLabel(draw.random(), draw.random() < 0.6, draw.choice([0.25, 1.0]))
            for _ in range(draw.randint(1, 60))
        ]
        calibrate = Calibration(labels)
        found = [calibrate(stated).confidence for stated in STATED]
        assert all(0 < value < 1 for value in found)
        assert found == sorted(found)


def test_a_worse_bin_above_a_better_one_is_pooled_with_it() -> None:
    labels = [AdviceLabel(0.75, right=True) for _ in range(50)]
    labels += [AdviceLabel(0.95, right=False) for _ in range(50)]
    calibrate = Calibration(labels)
    assert calibrate(0.95).confidence == pytest.approx(calibrate(0.75).confidence, abs=0.02)
