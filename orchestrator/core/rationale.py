"""Says in plain words why a decision is what it is, with the numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orchestrator.core.decision import Action, Refusal
from orchestrator.core.gates import STOPPED, Passed
from orchestrator.core.query_parser import Reading
from orchestrator.core.triggers import Fired


def rationale_of(
    facts: Mapping[str, Any],
    fired: Sequence[Fired],
    passed: Passed,
    actions: Sequence[Action],
    scarce: str | None,
    reading: Reading | None,
    refused: Sequence[Refusal],
    proposed: Mapping[str, str] | None = None,
) -> str:
    """One text: the state of the plant, what called for work, what runs, and what does not and why."""
    if reading is not None:
        told = _of_words(reading, actions, scarce, refused)
    else:
        told = _of_situation(facts, fired, passed, actions, scarce, proposed)
    return " ".join(told)


def _of_situation(
    facts: Mapping[str, Any],
    fired: Sequence[Fired],
    passed: Passed,
    actions: Sequence[Action],
    scarce: str | None,
    proposed: Mapping[str, str] | None,
) -> Iterator[str]:
    mode = facts.get("plant_mode")
    score = facts.get("data_quality", {}).get("score")
    yield (
        f"The plant mode is {mode or 'not known'}, "
        f"the data-quality score {'not known' if score is None else format(score, '.2f')}."
    )
    if not fired and not proposed:
        yield "Nothing runs: no rule holds on what is known."
        return
    for item in fired:
        yield f"{_capital(item.because)}: calls for {_and(item.rule.operations)}."
    if proposed is not None:
        names = sorted(proposed)
        yield f"The adviser proposes {_and(names)}." if names else "The adviser proposes nothing."
    if mode in STOPPED:
        yield f"Nothing runs: the plant is in {mode}."
        return
    for removal in passed.removed:
        yield f"{removal.candidate.operation} is not run: {removal.reason}."
    yield from _runs(actions, scarce)
    if not actions:
        yield "Nothing runs: every operation that was called for is held back."


def _of_words(
    reading: Reading,
    actions: Sequence[Action],
    scarce: str | None,
    refused: Sequence[Refusal],
) -> Iterator[str]:
    if reading.clarify:
        yield f"The words leave more than one reading, so nothing runs: {reading.clarify}"
        return
    if reading.operations:
        yield f"The words ask for {_and(reading.operations)}."
    else:
        yield "The words ask for no operation, so nothing runs."
    for refusal in refused:
        yield f"{refusal.operation} is refused: {refusal.reason}."
    yield from _runs(actions, scarce)
    if reading.answer:
        yield reading.answer


def _runs(actions: Sequence[Action], scarce: str | None) -> Iterator[str]:
    now = [action.name for action in actions if not action.deferred]
    later = [action.name for action in actions if action.deferred]
    if now:
        yield f"{_and(now)} {'runs' if len(now) == 1 else 'run, in this order'}."
    if later:
        yield f"{_and(later)} {'waits' if len(later) == 1 else 'wait'} for resources: {scarce}."


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
