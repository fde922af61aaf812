"""One answer to a turn, from the decision, what its jobs found, and what could not be done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.clock import iso
from orchestrator.core.decision import Decision, Interpretation
from orchestrator.core.query_patterns import ANSWERS
from orchestrator.llm.answers.draft import Draft, Evidence, Listed, as_sentence
from orchestrator.llm.answers.results import answer_of
from orchestrator.state.records import JobRecord, OutcomeRecord, TurnState

MOST_EVIDENCE = 100
OVERSTEPS = (ANSWERS["operator"], ANSWERS["injection"])


@dataclass(frozen=True, slots=True)
class Composed:
    """A plain answer.

    Attributes:
        text: Paragraphs.
        evidence: What it rests on.
        items: What it lists.
        state: How the turn ended.
        worth_wording: Whether there is something found that a model could put better.
    """

    text: str
    evidence: tuple[Evidence, ...]
    items: tuple[Listed, ...]
    state: TurnState
    worth_wording: bool


WHICH_CHANGE = "What is to change, and by how much (for example: diesel price up by 3 USD)?"


def compose(
    decision: Decision,
    jobs: Sequence[JobRecord],
    outcomes: Sequence[OutcomeRecord],
    own: Draft | None = None,
    quotation: Draft | None = None,
) -> Composed:
    """The plain answer.

    Args:
        decision: The decision on the words.
        jobs: Its jobs, in their order.
        outcomes: How those ended that have.
        own: What the system says of itself, where the words ask for that.
        quotation: A passage of a document that answers the words.
    """
    reading = decision.interpretation or Interpretation()
    ended = {outcome.job_id: outcome for outcome in outcomes}
    empty = [job.id for job in jobs if _supposes_nothing(job, reading)]
    drafts = [answer_of(ended[job.id]) for job in jobs if job.id in ended and job.id not in empty]
    said: list[str] = []
    if own is not None:
        drafts.insert(0, own)
    elif reading.answer and reading.answer not in OVERSTEPS and quotation is None:
        said.append(reading.answer)
    if quotation is not None:
        drafts.insert(0, quotation)
    said += [draft.text for draft in drafts]
    waiting = [job for job in jobs if job.id not in ended and job.id not in empty]
    said += [_waiting(job) for job in waiting]
    said += [
        f"{item.operation} was not run: {as_sentence(item.reason)}" for item in decision.refused
    ]
    if reading.answer in OVERSTEPS:
        said.append(str(reading.answer))
    if reading.clarify:
        said.append(reading.clarify)
    elif empty:
        said.append(WHICH_CHANGE)
    if not said:
        said.append(decision.rationale)
    evidence = [*_values(reading), *(item for draft in drafts for item in draft.evidence)]
    listed = {(i.kind, i.label): i for draft in drafts for i in draft.items}
    for value in reading.values:
        if value.tag:
            listed.setdefault(
                ("tag", value.tag), Listed(kind="tag", label=value.tag, ref=value.tag)
            )
    return Composed(
        text="\n".join(said),
        evidence=tuple(evidence[:MOST_EVIDENCE]),
        items=tuple(listed.values()),
        state=(
            "asked"
            if empty
            else _state(decision, reading, jobs, outcomes, quoted=quotation is not None)
        ),
        worth_wording=quotation is not None
        or any(outcome.status == "succeeded" for outcome in outcomes),
    )


def _supposes_nothing(job: JobRecord, reading: Interpretation) -> bool:
    """Whether the words ask what if, and name no change that could be read."""
    return f"{job.module}.{job.operation}" == "optimization.what_if" and not reading.slots.get(
        "changes"
    )


def _values(reading: Interpretation) -> list[Evidence]:
    return [
        Evidence(
            source="historian",
            ref=value.tag,
            subject=value.description or value.tag,
            what=value.statistic,
            value=value.value,
            unit=value.unit,
            time=iso(value.time) if value.time else None,
            quality=value.quality,
        )
        for value in reading.values
        if value.tag and value.value is not None
    ]


def _waiting(job: JobRecord) -> str:
    name = f"{job.module}.{job.operation}"
    if job.deferred:
        return f"{name} waits for free resources and then runs by itself (job {job.id})."
    return f"{name} has not ended yet; its result comes to this conversation (job {job.id})."


def _state(
    decision: Decision,
    reading: Interpretation,
    jobs: Sequence[JobRecord],
    outcomes: Sequence[OutcomeRecord],
    *,
    quoted: bool,
) -> TurnState:
    if reading.clarify:
        return "asked"
    if len(outcomes) < len(jobs):
        return "partial"
    if quoted:
        return "answered"
    if jobs:
        return "answered" if any(o.status == "succeeded" for o in outcomes) else "failed"
    if reading.answer in OVERSTEPS or (decision.refused and not reading.values):
        return "refused"
    return "answered"
