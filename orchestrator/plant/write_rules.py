"""The rules that each single move must pass: pure functions, used by the safety agent and by the writer.

A rule that is broken is a :class:`Finding` with a stable code. None of them reads text from outside.

| code | broken when |
| --- | --- |
| ``write-disabled`` | ``plant.write_enabled`` is false |
| ``not-on-write-list`` | the tag has no envelope |
| ``stopped`` | the stop is on |
| ``tag-locked`` | an earlier write of the tag has no known end |
| ``facts-old`` | what is known of the plant is older than ``max_age``, or ahead of our clock |
| ``plant-mode`` | the plant is not steady |
| ``data-quality`` | the score is below ``min_data_quality`` |
| ``value-missing``, ``value-bad``, ``value-stale`` | a tag that the move depends on cannot be trusted |
| ``interlock`` | an interlock does not hold, or cannot be seen to hold |
| ``not-a-number``, ``hard-limit``, ``soft-limit`` | the value itself |
| ``no-change`` | the tag is there already |
| ``rate``, ``max-move``, ``cumulative-move``, ``min-interval`` | how far and how fast |
| ``two-person`` | the tag needs two persons |
| ``grant-void``, ``grant-limit``, ``grant-used-up`` | an autonomous grant does not cover it |
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from orchestrator.plant.samples import Quality

if TYPE_CHECKING:
    from orchestrator.plant.envelope import Envelope, Grant
    from orchestrator.plant.write_facts import Facts
    from orchestrator.write_records import Stop
    from orchestrator.write_settings import TagEnvelope, WriteSettings

Weight = Literal["veto", "second_person", "warning"]
RATE_WINDOW_SECONDS = 60.0
_ROUNDING = 1e-9
_SAME_TIME = 1e-6
"""Times are told to the microsecond, s."""
_UNSEEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs"})
"""Unicode categories of signs that show nothing."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that is broken.

    Attributes:
        code: Stable name of the rule.
        text: What is wrong, in words.
        remedy: What would help.
        tag: The tag that it is about.
        value: The value that breaks it, in the tag's unit unless ``text`` says otherwise.
        limit: The limit that is broken, likewise.
        step: Number of the step of a proposal, from 0.
        weight: Whether it forbids, asks for a second person, or only tells.
    """

    code: str
    text: str
    remedy: str = ""
    tag: str | None = None
    value: float | None = None
    limit: float | None = None
    step: int | None = None
    weight: Weight = "veto"

    def document(self) -> dict[str, Any]:
        """The finding as JSON shows it; what is absent is left out."""
        return {
            name: value
            for name in self.__dataclass_fields__
            if (value := getattr(self, name)) is not None
        }


class Aged(NamedTuple):
    """A past move of the tag: its age when the new one is made, s, and its travel in the tag's unit."""

    age: float
    travel: float


def age_seconds(of: datetime, at: datetime) -> float:
    """Seconds from ``of`` to ``at``; what lies ahead counts as now."""
    return max(0.0, (at - of).total_seconds())


def plant_findings(
    tag: str, envelope: Envelope, facts: Facts, *, under_way: bool, now: datetime
) -> Iterator[Finding]:
    """Rules on the state of the plant for a move of ``tag``.

    Args:
        tag: The tag to be moved.
        envelope: The envelope.
        facts: The plant as it is known.
        under_way: Whether earlier steps of the same recommendation have been made.
        now: Present time.
    """
    rules = envelope.settings
    if not facts.write_enabled:
        yield Finding(
            "write-disabled",
            "writing to the plant is switched off",
            "set plant.write_enabled: true after the site has agreed to it",
        )
    if envelope.tag(tag) is None:
        yield Finding(
            "not-on-write-list",
            f"{tag} is not on the write list",
            "name it under plant.write.tags, with its limits",
            tag,
        )
    if facts.stop is not None:
        yield stopped_finding(facts.stop)
    if tag in facts.locked:
        yield Finding(
            "tag-locked",
            f"an earlier write of {tag} has no known end",
            "read the set point at the panel and settle that write",
            tag,
        )
    off, most, side = _off(facts.at, now, rules)
    if off > most:
        yield Finding(
            "facts-old",
            f"what is known of the plant is {off:.0f} s {side}; {most:g} s is the most",
            "see that samples arrive and that the clocks agree",
            value=off,
            limit=most,
        )
    modes = ("steady", *rules.modes_under_way) if under_way else ("steady",)
    if facts.plant_mode not in modes:
        yield Finding(
            "plant-mode",
            f"the plant is {facts.plant_mode or 'in an unknown mode'}, not {' or '.join(dict.fromkeys(modes))}",
            "wait until it is steady",
        )
    score = facts.data_quality
    if score is None or not score >= rules.min_data_quality:
        shown = "not known" if score is None else f"{score:.2f}"
        yield Finding(
            "data-quality",
            f"the data-quality score is {shown}; {rules.min_data_quality:.2f} is needed",
            "mend or exclude the bad tags: dan-g invoke etl validate",
            value=score,
            limit=rules.min_data_quality,
        )
    good: dict[str, float] = {}
    untrusted = {}
    for name in sorted({tag} | envelope.tags_read(tag)):
        finding = _untrusted(name, facts, now, rules)
        if finding is None:
            value = facts.values[name].value
            assert value is not None
            good[name] = value
        else:
            untrusted[name] = finding
    yield from untrusted.values()
    for item in envelope.interlocks:
        if item.guards(tag) and (held := item.holds(good)) is not True:
            blind = sorted(item.tags & untrusted.keys())
            how = f"cannot be seen to hold ({', '.join(blind)})" if blind else "does not hold"
            said = f" – {item.interlock.says}" if item.interlock.says else ""
            yield Finding(
                "interlock",
                f"interlock {item.interlock.name} {how if held is None or blind else 'does not hold'}: "
                f"{item.interlock.when}{said}",
                "bring the plant back inside it first",
                tag,
            )


def stopped_finding(stop: Stop) -> Finding:
    """That the stop is on."""
    why = f": {stop.why}" if stop.why else ""
    text = f"all writing was stopped by {stop.by}{why}"
    return Finding("stopped", text, "a named person releases the stop")


def move_findings(
    own: TagEnvelope,
    tag: str,
    before: float,
    value: float,
    past: Sequence[Aged],
    *,
    start: float,
) -> Iterator[Finding]:
    """Rules on how far and how fast a tag moves.

    Args:
        own: Its envelope.
        tag: Its name.
        before: Its value before the move.
        value: Its value after it.
        past: Its earlier moves, in any order.
        start: Its value before the first move of the same recommendation.
    """
    if not (math.isfinite(value) and math.isfinite(before) and math.isfinite(start)):
        yield Finding(
            "not-a-number", f"{tag} cannot be moved from {before} to {value}", tag=tag, value=value
        )
        return
    travel = abs(value - before)
    low, high = own.hard
    if not low <= value <= high:
        yield Finding(
            "hard-limit",
            f"{value:g} is outside the hard limits of {tag}, {low:g} to {high:g}",
            "choose a value inside",
            tag,
            value,
            low if value < low else high,
        )
    elif not own.usual[0] <= value <= own.usual[1]:
        low, high = own.usual
        yield Finding(
            "soft-limit",
            f"{value:g} is outside the soft limits of {tag}, {low:g} to {high:g}",
            "a second person must approve it",
            tag,
            value,
            low if value < low else high,
            weight="second_person",
        )
    if own.two_person:
        yield Finding(
            "two-person",
            f"each move of {tag} needs two persons",
            "a second person must approve it",
            tag,
            weight="second_person",
        )
    if travel == 0:
        yield Finding("no-change", f"{tag} is at {value:g} already", "nothing to do", tag, value)
    yield from _speed(own, tag, travel, past)
    if abs(value - start) > own.max_move + _slack(own.max_move):
        yield Finding(
            "max-move",
            f"{tag} would be {abs(value - start):g} away from where the recommendation began; "
            f"{own.max_move:g} is the most",
            "move in parts, each a recommendation of its own",
            tag,
            abs(value - start),
            own.max_move,
        )
    seen = math.fsum(m.travel for m in past if m.age < own.cumulative_minutes * 60)
    if seen + travel > own.max_cumulative + _slack(own.max_cumulative):
        yield Finding(
            "cumulative-move",
            f"{tag} would have been moved by {seen + travel:g} within {own.cumulative_minutes:g} "
            f"minutes; {own.max_cumulative:g} is the most",
            "wait until earlier moves are out of the window",
            tag,
            seen + travel,
            own.max_cumulative,
        )


def _speed(own: TagEnvelope, tag: str, travel: float, past: Sequence[Aged]) -> Iterator[Finding]:
    recent = math.fsum(m.travel for m in past if m.age < RATE_WINDOW_SECONDS - _SAME_TIME)
    if recent + travel > own.max_rate + _slack(own.max_rate):
        yield Finding(
            "rate",
            f"{tag} would be moved by {recent + travel:g} within a minute; {own.max_rate:g} is the most",
            "move in smaller steps",
            tag,
            recent + travel,
            own.max_rate,
        )
    since = min((m.age for m in past if m.travel > 0), default=math.inf)
    if since < own.min_interval - _SAME_TIME:
        yield Finding(
            "min-interval",
            f"{tag} was moved {since:.0f} s ago; {own.min_interval:g} s must pass",
            "wait",
            tag,
            since,
            own.min_interval,
        )


def grant_findings(
    grant: Grant | None, tag: str, value: float, own: TagEnvelope, used: int, now: datetime
) -> Iterator[Finding]:
    """Rules on a move that an autonomous grant is to cover; limits of the grant beside the envelope's.

    Args:
        grant: The grant; None where there is none of that id.
        tag: The tag.
        value: Its value after the move.
        own: Its envelope.
        used: Moves made under the grant so far.
        now: Present time.
    """
    if grant is None or not grant.valid_at(now) or tag not in grant.tags:
        yield Finding(
            "grant-void",
            f"no autonomous grant covers {tag} now",
            "have a person approve it, or give a grant",
            tag,
        )
        return
    granted = grant.tags[tag]
    low, high = max(granted.low, own.usual[0]), min(granted.high, own.usual[1])
    if own.two_person or not low <= value <= high:
        yield Finding(
            "grant-limit",
            f"{value:g} is outside what grant {grant.id} allows for {tag}, {low:g} to {high:g}",
            "have a person approve it",
            tag,
            value,
            low if value < low else high,
        )
    if used >= grant.max_moves:
        yield Finding(
            "grant-used-up",
            f"grant {grant.id} allowed {grant.max_moves} moves, and they are made",
            "have a person approve it, or give a new grant",
            tag,
            float(used),
            float(grant.max_moves),
        )


def narrowed(own: TagEnvelope, grant: Grant, tag: str) -> TagEnvelope:
    """The envelope of a tag under a grant that covers it: the tighter of both on each side."""
    granted = grant.tags[tag]
    return own.model_copy(
        update={
            "max_rate": min(own.max_rate, granted.max_rate),
            "max_move": min(own.max_move, granted.max_move),
        }
    )


def persons(names: Sequence[str]) -> frozenset[str]:
    """Distinct persons among names as given.

    Neither case, spaces, signs that are not seen nor another coding of the same letters make another one
    (compatibility forms: Unicode Standard Annex 15).
    """
    return frozenset(found for name in names if (found := _person(name)))


def _person(name: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    spaced = " ".join(folded.split())
    seen = "".join(sign for sign in spaced if unicodedata.category(sign) not in _UNSEEN)
    return " ".join(seen.split())


def _off(at: datetime, now: datetime, rules: WriteSettings) -> tuple[float, float, str]:
    """How far a time is from the present, s, how far it may be, and to which side.

    The future is nearer than the past: only what clocks may differ by.
    """
    age = (now - at).total_seconds()
    if age < 0:
        return -age, rules.clock_tolerance, "ahead of the present time"
    return age, rules.max_age, "old"


def _untrusted(name: str, facts: Facts, now: datetime, rules: WriteSettings) -> Finding | None:
    found = facts.values.get(name)
    if found is None or found.value is None or not math.isfinite(found.value):
        return Finding("value-missing", f"{name} has no value", "see that it is delivered", name)
    if found.quality is not Quality.GOOD:
        return Finding(
            "value-bad",
            f"{name} is of {found.quality.name.lower()} quality",
            "have the instrument looked at",
            name,
            found.value,
        )
    off, most, side = _off(found.time, now, rules)
    if off > most:
        return Finding(
            "value-stale",
            f"{name} is {off:.0f} s {side}; {most:g} s is the most",
            "see that samples arrive and that the clocks agree",
            name,
            off,
            most,
        )
    return None


def _slack(limit: float) -> float:
    """What adding up floating-point numbers may cost."""
    return _ROUNDING * abs(limit)
