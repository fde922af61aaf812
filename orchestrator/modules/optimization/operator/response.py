"""Whether the plant answered as expected: the change that was measured against the one that was foretold.

The change of a tag between two windows is also what it does by itself, so the tolerance is measured:
the spread of such changes in the time before, when nothing of this was done. With several tags one of
them is unusual by chance more often than a single one; each is tested at its share of the error
(Bonferroni: O. J. Dunn, Multiple comparisons among means, JASA 56 (1961) 52-64), so that a plant that
answers as expected is taken for one that does not in at most ``error`` of the cases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal

Finding = Literal["as_expected", "wrong_sign", "wrong_size", "unseen"]


@dataclass(frozen=True, slots=True)
class Measured:
    """What a tag did, in its unit.

    Attributes:
        before: Mean of the window before the moves.
        after: Mean of the window after the settling time.
        spread: Standard deviation of the change between two such windows without moves.
    """

    before: float
    after: float
    spread: float


@dataclass(frozen=True, slots=True)
class TagResponse:
    """One tag's answer; changes and tolerance in its unit."""

    tag: str
    unit: str
    expected: float
    measured: float | None
    tolerance: float | None
    finding: Finding

    @property
    def words(self) -> str:
        """The answer as a sentence."""
        if self.measured is None:
            return f"{self.tag} has no value after the moves"
        return (
            f"{self.tag} changed by {self.measured:+.3g} {self.unit}, expected "
            f"{self.expected:+.3g} ± {self.tolerance:.3g}"
        )


def judge_response(
    expected: Mapping[str, Mapping[str, Any]],
    measured: Mapping[str, Measured],
    *,
    share: float,
    error: float = 0.05,
) -> list[TagResponse]:
    """Compare each expected change with the measured one.

    Args:
        expected: Tag -> ``from``, ``to`` and ``unit``, and optionally ``low`` and ``high``, the
            model's own interval for ``to``, or ``by_moves``, what the single moves change it by, added up
            without signs.
        measured: What the tags did; a tag that is absent was not seen.
        share: Allowed error of the model where it gives no interval, as a share of what the moves change
            the tag by, each on its own: where they act against each other their errors do not.
        error: Chance that a plant that answers as expected is found not to.
    """
    z = NormalDist().inv_cdf(1.0 - error / (2 * max(1, len(expected))))
    found = []
    for tag, item in expected.items():
        change = float(item["to"]) - float(item["from"])
        unit = str(item.get("unit") or "")
        seen = measured.get(tag)
        if seen is None:
            found.append(TagResponse(tag, unit, change, None, None, "unseen"))
            continue
        low, high = item.get("low"), item.get("high")
        if low is not None and high is not None:
            own = max(float(high) - float(item["to"]), float(item["to"]) - float(low), 0.0)
        else:
            own = share * max(abs(change), float(item.get("by_moves") or 0.0))
        room = z * seen.spread + own
        actual = seen.after - seen.before
        finding: Finding = "as_expected"
        if abs(actual - change) > room:
            opposite = change * actual < 0 and abs(actual) > z * seen.spread
            finding = "wrong_sign" if opposite else "wrong_size"
        found.append(TagResponse(tag, unit, change, actual, room, finding))
    return found


def wrong(responses: Sequence[TagResponse]) -> list[TagResponse]:
    """The answers that are wrong in sign or size."""
    return [item for item in responses if item.finding in ("wrong_sign", "wrong_size")]
