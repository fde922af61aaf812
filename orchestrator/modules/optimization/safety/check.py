"""The safety agent's check of a proposal, and the permits that follow from it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from orchestrator.errors import DanGError, UnsafeError
from orchestrator.modules.optimization.safety.alert_conflicts import alert_conflicts
from orchestrator.modules.optimization.safety.proposal import Proposal, Step, digest_of
from orchestrator.modules.optimization.safety.rehearsal import Rehearsal, Rehearse
from orchestrator.modules.optimization.safety.verdict import Outcome, Verdict
from orchestrator.plant.envelope import Envelope, Grant
from orchestrator.plant.write_check import Permit
from orchestrator.plant.write_facts import Facts
from orchestrator.plant.write_rules import (
    Aged,
    Finding,
    age_seconds,
    grant_findings,
    move_findings,
    narrowed,
    persons,
    plant_findings,
)
from orchestrator.write_settings import TagEnvelope

ADVICE_ONLY = frozenset({"write-disabled", "not-on-write-list", "stopped", "tag-locked"})
"""What forbids a write and not a piece of advice."""


def check(
    proposal: Proposal,
    facts: Facts,
    envelope: Envelope,
    *,
    rehearse: Rehearse | None = None,
    grant: Grant | None = None,
    grant_used: int = 0,
    done: int = 0,
    under_way: bool = False,
    advice: bool = False,
) -> Verdict:
    """Look at a proposal from every side; all reasons are given, not the first alone.

    Args:
        proposal: What is proposed.
        facts: The plant now.
        envelope: What may be written.
        rehearse: Tries the moves on a model; None where there is none.
        grant: The grant that the proposal names, where nobody approved it.
        grant_used: Moves made under it so far.
        done: Steps, from the first, that have been made already.
        under_way: Whether writes of the same recommendation were made before these steps: they are the
            rest of its way, or its way back.
        advice: Whether a person is to make the moves by hand: what only forbids writing is then told,
            and a tag off the write list is held to the limits of the plant file.
    """
    checks: list[str] = []
    digest = digest_of(proposal)
    found = [*_paper(proposal, digest, facts, checks)]
    steps = proposal.steps[done:]
    approved = _approved(proposal, facts)
    granted = None if approved or proposal.grant_id is None else grant
    if _sound(steps):
        found += _plant(steps, facts, envelope, under_way or done > 0, checks)
        found += _moves(proposal, steps, facts, envelope, granted, advice, checks)
        if not approved and proposal.grant_id is not None:
            found += _granted(steps, envelope, grant, grant_used, facts, checks)
        rehearsal, told = _rehearsed(steps, facts, envelope, rehearse, checks)
        found += told
        found += _alerts(
            steps, facts, envelope, rehearsal, bool(approved) or proposal.grant_id is None, checks
        )
    else:
        found.append(
            Finding("no-sound-steps", "the steps are none, not numbers, or not in order of time")
        )
    found = _once(_as_advice(found) if advice else found)
    two = any(item.weight == "second_person" for item in found)
    needed = 0 if granted is not None and not two else 2 if two else 1
    return Verdict(
        _outcome(found, two, len(approved)),
        tuple(found),
        tuple(checks),
        needed,
        approved,
        digest,
        facts.at,
    )


def issue_permit(
    proposal: Proposal, verdict: Verdict, step: int, facts: Facts, envelope: Envelope
) -> Permit:
    """The permit for one step.

    Args:
        proposal: What was checked.
        verdict: On these facts, with ``done=step``.
        step: Number of the step, from 0.
        facts: The plant now.
        envelope: Tells how long a permit is valid.

    Raises:
        UnsafeError: the verdict does not allow it, is of something else, or is too old.
    """
    if verdict.digest != proposal.digest or verdict.digest != digest_of(proposal):
        raise UnsafeError("the verdict is of another content", where=proposal.id)
    valid = timedelta(seconds=envelope.settings.permit_seconds)
    if not timedelta(0) <= facts.at - verdict.at <= valid:
        raise UnsafeError("the verdict is too old", where=proposal.id, remedy="check it again")
    if not verdict.may_be_written:
        lacking = f"{len(verdict.approvers)} of {verdict.approvers_needed} approvals are given"
        raise UnsafeError(
            verdict.text if verdict.outcome != "allowed" else lacking, where=proposal.id
        )
    wanted = proposal.steps[step]
    return Permit(
        id=uuid4().hex,
        recommendation_id=proposal.id,
        digest=verdict.digest,
        step=step,
        tag=wanted.tag,
        before=wanted.before,
        value=wanted.value,
        approvers=verdict.approvers,
        grant_id=proposal.grant_id,
        valid_until=min(facts.at + valid, proposal.expires_at),
    )


def _paper(proposal: Proposal, digest: str, facts: Facts, checks: list[str]) -> Iterator[Finding]:
    """Expiry, content and situation: what was approved must be what is there."""
    checks += ["expiry", "digest", "situation"]
    again = "make a new recommendation"
    if facts.at >= proposal.expires_at:
        yield Finding("expired", "the proposal has expired", again)
    if proposal.made_at > facts.at:
        yield Finding("not-yet-made", "the proposal is of the future", "see that the clocks agree")
    if proposal.digest != digest:
        yield Finding("content-changed", "the content is not what was approved", again)
    if facts.situation_digest is None or facts.situation_digest != proposal.situation_digest:
        yield Finding("situation-changed", "the situation is not that of the proposal", again)
    if any(item.digest != proposal.digest for item in proposal.approvals):
        yield Finding(
            "approval-void",
            "an approval is of another content and does not count",
            "approve it anew",
            weight="warning",
        )


def _plant(
    steps: tuple[Step, ...], facts: Facts, envelope: Envelope, under_way: bool, checks: list[str]
) -> Iterator[Finding]:
    checks += ["write-list", "stop", "locks", "plant-mode", "data-quality", "values", "interlocks"]
    for tag in dict.fromkeys(step.tag for step in steps):
        yield from plant_findings(tag, envelope, facts, under_way=under_way, now=facts.at)


def _moves(
    proposal: Proposal,
    steps: tuple[Step, ...],
    facts: Facts,
    envelope: Envelope,
    grant: Grant | None,
    advice: bool,
    checks: list[str],
) -> Iterator[Finding]:
    """Each step against the envelope, with the moves of the past and of the steps before it."""
    checks += ["present-values", "limits", "rate", "max-move", "cumulative-move", "min-interval"]
    begun = {step.tag: step.before for step in reversed(proposal.steps)}
    offset = len(proposal.steps) - len(steps)
    past: dict[str, list[Aged]] = {}
    held: dict[str, float] = {}
    for number, step in enumerate(steps, start=offset):
        own = envelope.tag(step.tag) or (envelope.by_plant_file(step.tag) if advice else None)
        if own is None:
            continue
        if grant is not None and step.tag in grant.tags:
            own = narrowed(own, grant, step.tag)
        later = (step.at_minutes - steps[0].at_minutes) * 60.0
        if step.tag not in held:
            held[step.tag] = step.before
            past[step.tag] = [
                Aged(age_seconds(move.at, facts.at), move.travel)
                for move in facts.moves
                if move.tag == step.tag
            ]
            yield from _present(step, own, facts, number)
        if step.before != held[step.tag]:
            yield Finding(
                "broken-chain",
                f"step {number} moves {step.tag} from {step.before:g}, where it is not then",
                "make a new recommendation",
                step.tag,
                step.before,
                held[step.tag],
                number,
            )
        earlier = [Aged(move.age + later, move.travel) for move in past[step.tag]]
        for item in move_findings(
            own, step.tag, step.before, step.value, earlier, start=begun[step.tag]
        ):
            yield replace(item, step=number)
        past[step.tag].append(Aged(-later, abs(step.value - step.before)))
        held[step.tag] = step.value


def _present(step: Step, own: TagEnvelope, facts: Facts, number: int) -> Iterator[Finding]:
    now = facts.values.get(step.tag)
    if now is not None and now.value is not None and abs(now.value - step.before) > own.tolerance:
        yield Finding(
            "moved-since",
            f"{step.tag} is at {now.value:g}, not at {step.before:g} as in the proposal",
            "make a new recommendation from the present values",
            step.tag,
            now.value,
            step.before,
            number,
        )


def _granted(
    steps: tuple[Step, ...],
    envelope: Envelope,
    grant: Grant | None,
    used: int,
    facts: Facts,
    checks: list[str],
) -> Iterator[Finding]:
    checks.append("grant")
    for number, step in enumerate(steps):
        own = envelope.tag(step.tag)
        if own is not None:
            at = facts.at + timedelta(minutes=step.at_minutes - steps[0].at_minutes)
            yield from grant_findings(grant, step.tag, step.value, own, used + number, at)


def _rehearsed(
    steps: tuple[Step, ...],
    facts: Facts,
    envelope: Envelope,
    rehearse: Rehearse | None,
    checks: list[str],
) -> tuple[Rehearsal | None, list[Finding]]:
    why = "there is no model to try the moves on"
    if rehearse is not None:
        try:
            rehearsal = rehearse(steps, facts)
        except DanGError as error:
            why = f"the moves cannot be tried beforehand: {error}"
        else:
            checks.append(f"rehearsal on the {rehearsal.method}")
            return rehearsal, [
                Finding(
                    "limit-crossed",
                    f"{item.name} would reach {item.value:.5g}, beyond its {item.side} limit {item.limit:g}, "
                    f"{item.minute:g} min after the begin"
                    + ("" if item.at_end else ", on the way"),
                    "choose other moves or a slower path",
                    item.name,
                    item.value,
                    item.limit,
                )
                for item in rehearsal.crossings
            ]
    weight = "veto" if envelope.settings.without_rehearsal == "refuse" else "warning"
    remedy = "give the plant file economics, or set plant.write.without_rehearsal: warn"
    finding = Finding("not-rehearsed", why, remedy)
    return None, [finding if weight == "veto" else replace(finding, weight="warning")]


def _alerts(
    steps: tuple[Step, ...],
    facts: Facts,
    envelope: Envelope,
    rehearsal: Rehearsal | None,
    answered_for: bool,
    checks: list[str],
) -> Iterator[Finding]:
    if facts.alerts is None:
        yield Finding(
            "alerts-unknown", "it is not known which alerts are active", "run the monitor"
        )
        return
    checks.append("alerts")
    changes: dict[str, float] = {}
    for step in steps:
        changes[step.tag] = changes.get(step.tag, 0.0) + step.value - step.before
    responses = rehearsal.changes if rehearsal is not None else {}
    yield from alert_conflicts(
        changes, facts.alerts, envelope, responses, answered_for=answered_for
    )


def _approved(proposal: Proposal, facts: Facts) -> tuple[str, ...]:
    """Distinct persons who approved this content, by the name they gave first."""
    valid = [
        item.by
        for item in proposal.approvals
        if item.digest == proposal.digest and proposal.made_at <= item.at <= facts.at
    ]
    first: dict[str, str] = {}
    for name in valid:
        for person in persons([name]):
            first.setdefault(person, name)
    return tuple(first.values())


def _sound(steps: tuple[Step, ...]) -> bool:
    """Whether there are steps, of numbers, in order of time."""
    if not steps or not all(
        math.isfinite(n) for s in steps for n in (s.before, s.value, s.at_minutes)
    ):
        return False
    times = [step.at_minutes for step in steps]
    return times[0] >= 0 and times == sorted(times)


def _as_advice(findings: Iterable[Finding]) -> list[Finding]:
    return [
        replace(item, weight="warning") if item.code in ADVICE_ONLY else item for item in findings
    ]


def _once(findings: Iterable[Finding]) -> list[Finding]:
    return list(dict.fromkeys(findings))


def _outcome(findings: Iterable[Finding], two: bool, approvers: int) -> Outcome:
    if any(item.weight == "veto" for item in findings):
        return "vetoed"
    return "second_person" if two and approvers < 2 else "allowed"
