"""How well and how fast requests in words are read: accuracy on files of cases, and latency.

``python -m benchmarks.understanding FILE…`` prints the share of right selections and of right slots by
family for each JSONL file, of single requests (``text``) or of dialogues (``turns``), and the latency
of the reader over them. ``--wrong`` lists what was read wrong. A selection is right when
``expected ⊆ selected ⊆ expected ∪ allowed`` and a question comes back exactly where ``clarify`` says so.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.core.query_parser import QueryRequest, Reading, read_query

OPEN_SLOTS = frozenset({"changes"})
"""Slots that a case need not state: what is said of them differs from one writer to another."""


@dataclass(slots=True)
class Tally:
    """Right and all, by family."""

    right: Counter[str] = field(default_factory=Counter)
    all: Counter[str] = field(default_factory=Counter)

    def add(self, family: str, *, right: bool) -> None:
        """Count one case."""
        self.all[family] += 1
        self.right[family] += right

    def share(self) -> float:
        """Share of right cases; 1 where there are none."""
        return self.right.total() / self.all.total() if self.all else 1.0

    def lines(self) -> Iterator[str]:
        """One line a family, and one over all."""
        for family in sorted(self.all):
            yield f"  {family:<28}{self.right[family]:>5} / {self.all[family]:<5}"
        yield f"  {'all':<28}{self.right.total():>5} / {self.all.total():<5} {self.share():.3f}"


@dataclass(slots=True)
class Score:
    """What the reading of one file came to.

    Attributes:
        selections: Right selections of operations.
        slots: Right slots; cases that state none and expect none count as well.
        overstepped: Cases that expect nothing to run and no question, in which something ran.
        wrong: What was read wrong, a line each.
        seconds: Time of each reading [s].
    """

    selections: Tally = field(default_factory=Tally)
    slots: Tally = field(default_factory=Tally)
    overstepped: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def family_of(case: Mapping[str, Any]) -> str:
    """What kind of case it is: its operation, several wants, a question back, or nothing to run."""
    if case.get("clarify"):
        return "question back"
    if len(case["expected"]) > 1:
        return "several wants"
    if not case["expected"]:
        note = str(case.get("note", "")).replace(";", ",").split(",")[0].strip()
        return f"nothing: {note or 'other'}"
    return str(case["expected"][0])


def is_selected_right(case: Mapping[str, Any], reading: Reading) -> bool:
    """Whether the selection is right, and a question back comes exactly where one is due."""
    expected, selected = set(case["expected"]), set(reading.operations)
    return expected <= selected <= expected | set(case["allowed"]) and (
        reading.clarify is not None
    ) == bool(case.get("clarify", False))


def has_right_slots(case: Mapping[str, Any], reading: Reading) -> bool:
    """Whether the slots are those that the case states."""
    left_open = OPEN_SLOTS | set(case.get("slots_open", ()))
    found = {name: value for name, value in reading.slots.items() if name not in left_open}
    stated = {name: value for name, value in case.get("slots", {}).items() if name not in left_open}
    return found == stated


def score_file(file: Path) -> Score:
    """Read every case of a JSONL file; the turns of a dialogue each in the light of those before."""
    score = Score()
    for line in file.read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        previous: Reading | None = None
        for turn in case.get("turns", [case]):
            started = time.perf_counter()
            reading = read_query(QueryRequest(turn["text"], previous))
            score.seconds.append(time.perf_counter() - started)
            _take(score, case["id"], turn, reading)
            previous = reading if "turns" in case else None
    return score


def _take(score: Score, case_id: str, turn: Mapping[str, Any], reading: Reading) -> None:
    family = family_of(turn)
    selected, slots = is_selected_right(turn, reading), has_right_slots(turn, reading)
    score.selections.add(family, right=selected)
    score.slots.add(family, right=slots)
    if not turn["expected"] and not turn.get("clarify") and reading.operations:
        score.overstepped.append(f"{case_id} {turn['text']!r} ran {', '.join(reading.operations)}")
    if not selected:
        asked = f", asked {reading.clarify!r}" if reading.clarify else ""
        score.wrong.append(
            f"{case_id} {turn['text']!r}: {', '.join(turn['expected']) or 'nothing'} expected, "
            f"{', '.join(reading.operations) or 'nothing'} read ({reading.confidence:.2f}{asked})"
        )
    if not slots:
        score.wrong.append(
            f"{case_id} {turn['text']!r}: slots {turn.get('slots', {})} expected, {reading.slots} read"
        )


def quantile(seconds: list[float], share: float) -> float:
    """The time in milliseconds under which ``share`` of the readings stayed."""
    return 1000 * sorted(seconds)[min(len(seconds) - 1, int(share * len(seconds)))]


def main() -> None:
    """Print the figures of each file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--wrong", action="store_true", help="list what was read wrong")
    chosen = parser.parse_args()
    read_query(QueryRequest("warm up"))
    for file in chosen.files:
        score = score_file(file)
        print(file.name)
        print(" selection\n" + "\n".join(score.selections.lines()))
        slots = score.slots
        print(f" slots {slots.right.total()} / {slots.all.total()} {slots.share():.3f}")
        print(f" ran where nothing may run: {len(score.overstepped)}")
        print("\n".join(f"  {line}" for line in score.overstepped))
        p50, p99 = quantile(score.seconds, 0.5), quantile(score.seconds, 0.99)
        print(f" latency p50 {p50:.2f} ms, p99 {p99:.2f} ms")
        if chosen.wrong:
            print(" wrong\n" + "\n".join(f"  {line}" for line in score.wrong))


if __name__ == "__main__":
    main()
