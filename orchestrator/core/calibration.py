"""What an adviser's own confidence is worth, from what came of its earlier advice.

Stated confidences fall into five bins. In each the rate of advice that turned out right is estimated
with a beta prior (beta-binomial model; Gelman et al., Bayesian Data Analysis, 3rd ed., ch. 2 and 5):

    overall = (right + K x discounted) / (labels + K)
    bin     = (right_in_bin + K x overall) / (labels_in_bin + K)

*discounted* lies half way between the stated confidence and 0.5. The bins are then made to rise with the
stated confidence by pooling neighbours that do not (isotonic regression by pool adjacent violators;
Zadrozny and Elkan 2002). With no labels the discounted confidence is all there is.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.state.records import AdviceLabel

EDGES = (0.5, 0.7, 0.8, 0.9)
STRENGTH = 10.0
"""K: labels that weigh as much as what is assumed."""
ENOUGH_LABELS = 20.0
"""Labels from which the measured rate may decide against the adviser."""


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A calibrated confidence, 0 to 1, and where it comes from; ``measured`` with labels enough."""

    confidence: float
    source: str
    measured: bool


class Calibration:
    """The mapping from stated to calibrated confidence."""

    def __init__(self, labels: Iterable[AdviceLabel] = ()) -> None:
        self._right = [0.0] * (len(EDGES) + 1)
        self._all = [0.0] * (len(EDGES) + 1)
        for label in labels:
            number = bisect_right(EDGES, label.stated)
            self._all[number] += label.weight
            self._right[number] += label.weight * label.right

    @property
    def labels(self) -> float:
        """Weight of all labels."""
        return sum(self._all)

    def __call__(self, stated: float) -> Calibrated:
        """The calibrated confidence for a stated one, 0 to 1."""
        discounted = 0.5 + (min(max(stated, 0.0), 1.0) - 0.5) / 2
        if not self.labels:
            source = f"no advice has been judged yet: its own {stated:.2f}, half discounted"
            return Calibrated(round(discounted, 4), source, measured=False)
        overall = (sum(self._right) + STRENGTH * discounted) / (self.labels + STRENGTH)
        rates = _rising(
            [
                (right + STRENGTH * overall) / (count + STRENGTH)
                for right, count in zip(self._right, self._all, strict=True)
            ],
            [count + STRENGTH for count in self._all],
        )
        number = bisect_right(EDGES, stated)
        source = (
            f"{self._right[number]:g} of {self._all[number]:g} pieces of advice with such a confidence "
            f"were right, {sum(self._right):g} of {self.labels:g} in all; its own {stated:.2f} is the prior"
        )
        return Calibrated(round(rates[number], 4), source, self.labels >= ENOUGH_LABELS)


def _rising(rates: list[float], weights: list[float]) -> list[float]:
    """The nearest rates that never fall."""
    blocks: list[tuple[float, float, int]] = []
    for rate, weight in zip(rates, weights, strict=True):
        blocks.append((rate, weight, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (low, light, one), (high, heavy, more) = blocks.pop(), blocks.pop()
            total = light + heavy
            blocks.append(((low * light + high * heavy) / total, total, one + more))
    return [rate for rate, _, count in blocks for _ in range(count)]
