"""Answers questions about present and past values from the historian."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from orchestrator.core.decision import Decision, Interpretation, ValueAnswer
from orchestrator.core.query_parser import LONGEST_TEXT
from orchestrator.core.query_patterns import ANSWERS
from orchestrator.core.slots import fold
from orchestrator.core.tag_words import find_meant
from orchestrator.core.understanding.clauses import take_apart
from orchestrator.core.understanding.follow_ups import HISTORY
from orchestrator.core.value_times import Asked, read_time
from orchestrator.monitoring.monitor import Monitor
from orchestrator.plant.samples import Quality, to_datetime
from orchestrator.plant.tags import Plant, Tag

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from orchestrator.plant.historian import Historian

LEAST_AGE, PERIODS_OLD = timedelta(minutes=10), 5
"""The newest sample is no longer the present value after five sampling periods, ten minutes at least."""
LEAST_REACH = timedelta(hours=1)
"""How far back a sample may lie that still holds at an instant; five sampling periods where longer."""
LEAST_SHARE = 0.5
"""Share of the expected samples under which a value over a span is uncertain."""
RATIONALE = "The words ask for a present or past value, which the historian answers; nothing runs."
STATISTIC_WORDS = {
    "mean": "mean",
    "minimum": "lowest value",
    "maximum": "highest value",
    "change": "change from the first to the last sample",
}


@dataclass(frozen=True)
class ValueQuestion:
    """The folded words that ask for a present or past value; ``alone`` when nothing else is asked."""

    text: str
    alone: bool


def value_question(text: str, reading: Any) -> ValueQuestion | None:
    """What of ``text``, which was read as ``reading``, asks for a value; ``None`` where nothing does."""
    words = fold(text[:LONGEST_TEXT])
    clauses = [clause for clause in take_apart(words).wanted if clause.overstep is None]
    if reading.answer == ANSWERS["history"]:
        return ValueQuestion(" and ".join(clause.text for clause in clauses) or words, alone=True)
    if reading.clarify or reading.answer in (ANSWERS["system"], ANSWERS["field"]):
        return None
    asking = [clause.text for clause in clauses if clause.opinion.label == HISTORY]
    return ValueQuestion(asking[0], alone=False) if asking else None


class ValueAnswers:
    """Reads what a question asks for and says it in plain words.

    Args:
        plant: Tags with names, units and sampling periods.
        historian: Where the values are.
        monitor: Says which tags are frozen or stale now; ``None`` where nothing is watched.
    """

    def __init__(self, plant: Plant, historian: Historian, monitor: Monitor | None = None) -> None:
        self._plant = plant
        self._historian = historian
        self._monitor = monitor

    async def complete(self, decision: Decision, text: str, now: datetime) -> Decision:
        """``decision`` with the values that ``text`` asks for; unchanged where it asks for none."""
        reading = decision.interpretation
        question = value_question(text, reading) if reading is not None else None
        if reading is None or question is None:
            return decision
        values = await asyncio.to_thread(self.answer, question.text, now)
        if not question.alone and any(value.tag is None for value in values):
            return decision
        said = " ".join(self.in_words(value) for value in values)
        alone = question.alone and not reading.operations
        answer = said if question.alone else " ".join(filter(None, (said, reading.answer)))
        changed: Interpretation = reading.model_copy(update={"values": values, "answer": answer})
        rationale = RATIONALE if alone else decision.rationale
        return decision.model_copy(update={"interpretation": changed, "rationale": rationale})

    def answer(self, text: str, now: datetime) -> tuple[ValueAnswer, ...]:
        """One answer a tag that ``text`` means, as of ``now``; one without a tag if it means none."""
        asked = read_time(fold(text), now)
        meant = find_meant(asked.rest, self._plant, self._historian.tags())
        if not meant.tags:
            return (
                ValueAnswer(
                    statistic=asked.statistic,
                    start=asked.start,
                    end=asked.end,
                    reason=meant.reason,
                ),
            )
        return tuple(self._of(tag, asked, now) for tag in meant.tags)

    def in_words(self, value: ValueAnswer) -> str:
        """The answer as one or two sentences."""
        if value.tag is None:
            return f"No value: {_sentence(value.reason or 'unknown')}"
        name = f"{value.description} ({value.tag})" if value.description else value.tag
        simulated = "simulated, " if self._plant.simulated else ""
        span = f"from {_time(value.start)} to {_time(value.end)}"
        if value.value is None:
            when = (
                ""
                if value.end is None
                else f" {span}"
                if value.start
                else f" at {_time(value.end)}"
            )
            return f"{name}: no value{when}: {_sentence(value.reason or 'unknown')}"
        number = f"{value.value:.6g} {value.unit}".rstrip()
        if value.start is None:
            text = f"{name}: {number} at {_time(value.time)}"
        else:
            text = f"{name}, {STATISTIC_WORDS[value.statistic]} {span}: {number}"
            if value.time is not None:
                text += f" at {_time(value.time)}"
            text += f" ({value.samples} samples)"
        text += f"; {simulated}quality {value.quality}"
        return f"{text}: {_sentence(value.reason)}" if value.reason else f"{text}."

    def _of(self, tag: Tag, asked: Asked, now: datetime) -> ValueAnswer:
        answer = ValueAnswer(
            tag=tag.name,
            description=tag.description,
            unit=tag.unit,
            statistic=asked.statistic,
            start=asked.start,
            end=asked.end,
        )
        if tag.name not in self._historian.tags():
            return answer.model_copy(update={"reason": "the historian has no sample of it"})
        if asked.statistic == "last":
            found = self._newest(tag, now)
        elif asked.statistic == "at" and asked.end is not None:
            found = self._at(tag, asked.end)
        elif asked.start is not None and asked.end is not None:
            found = self._over(tag, asked, asked.start, asked.end)
        else:
            found = {}
        return answer.model_copy(update=found)

    def _newest(self, tag: Tag, now: datetime) -> dict[str, object]:
        sample = self._historian.last_values([tag.name]).get(tag.name)
        if sample is None:
            return {"reason": "the historian has no sample of it"}
        found: dict[str, object] = {"time": sample.source_time, "value": sample.value}
        age = now - sample.source_time
        if sample.value is None or sample.quality is Quality.BAD:
            why = (
                f"the newest sample, of {_time(sample.source_time)}, is marked bad or is no number"
            )
            return found | {"value": None, "quality": "bad", "reason": why}
        if age > max(LEAST_AGE, PERIODS_OLD * _period(tag)):
            why = f"the newest sample is {_age(age)} old"
        elif (state := self._flagged(tag)) is not None:
            why = state
        elif sample.quality is Quality.UNCERTAIN:
            why = "the source marks it uncertain"
        else:
            return found | {"quality": "good"}
        return found | {"quality": "uncertain", "reason": why}

    def _flagged(self, tag: Tag) -> str | None:
        if self._monitor is None:
            return None
        report = self._monitor.quality()
        if tag.name in report.frozen_tags:
            return "the sensor repeats one value for longer than is normal for it (frozen)"
        if tag.name in report.stale_tags:
            return "no sample came for three sampling periods (stale)"
        return None

    def _at(self, tag: Tag, at: datetime) -> dict[str, object]:
        reach = max(LEAST_REACH, PERIODS_OLD * _period(tag))
        times, values = _good(self._historian.read([tag.name], at - reach, at), tag)
        if not len(values):
            return {
                "samples": 0,
                "reason": f"no good sample in the {_age(reach)} before. {self._held()}",
            }
        time = to_datetime(times[-1])
        found = {"value": float(values[-1]), "time": time, "quality": "good"}
        if at - time > max(LEAST_AGE, PERIODS_OLD * _period(tag)):
            why = f"the sample before that time is {_age(at - time)} older"
            found |= {"quality": "uncertain", "reason": why}
        return found

    def _over(self, tag: Tag, asked: Asked, start: datetime, end: datetime) -> dict[str, object]:
        tally = _Tally()
        for table in self._historian.iter_read([tag.name], start, end):
            tally.take(*_good(table, tag))
        if not tally.samples:
            return {"samples": 0, "reason": f"no good sample in that time. {self._held()}"}
        found: dict[str, object] = {"samples": tally.samples, "quality": "good"}
        if asked.statistic == "mean":
            found["value"] = tally.total / tally.samples
        elif asked.statistic == "change":
            found["value"] = tally.last - tally.first
        else:
            highest = asked.statistic == "maximum"
            value, time = tally.highest if highest else tally.lowest
            found |= {"value": value, "time": time}
        period = _period(tag)
        expected = (end - start) / period if period else 0.0
        if tally.samples < LEAST_SHARE * expected:
            why = (
                f"only {tally.samples} of about {expected:.0f} expected samples are there and good"
            )
            found |= {"quality": "uncertain", "reason": why}
        return found

    def _held(self) -> str:
        span = self._historian.span()
        return (
            f"The historian holds {_time(span[0])} to {_time(span[1])}" if span else "It is empty"
        )


def _period(tag: Tag) -> timedelta:
    return timedelta(seconds=tag.period_seconds or 0.0)


def _good(table: pa.Table, tag: Tag) -> tuple[NDArray[np.datetime64], NDArray[np.float64]]:
    """Times and values of the good samples, in order."""
    values = table.column(tag.name).to_numpy()
    good = values == values
    return table.column("time").to_numpy()[good], values[good]


class _Tally:
    """Statistics of samples that come in order, a part at a time."""

    def __init__(self) -> None:
        self.samples = 0
        self.total = self.first = self.last = 0.0
        self.lowest = self.highest = (0.0, datetime.min.replace(tzinfo=UTC))

    def take(self, times: NDArray[np.datetime64], values: NDArray[np.float64]) -> None:
        if not len(values):
            return
        low, high = int(values.argmin()), int(values.argmax())
        if not self.samples:
            self.first = float(values[0])
        if not self.samples or values[low] < self.lowest[0]:
            self.lowest = float(values[low]), to_datetime(times[low])
        if not self.samples or values[high] > self.highest[0]:
            self.highest = float(values[high]), to_datetime(times[high])
        self.last = float(values[-1])
        self.samples += len(values)
        self.total += float(values.sum())


def _time(at: datetime | None) -> str:
    return "?" if at is None else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _age(age: timedelta) -> str:
    minutes = age.total_seconds() / 60
    for size, name in ((1440, "days"), (60, "hours")):
        if minutes >= 2 * size:
            return f"{minutes / size:.0f} {name}"
    return f"{minutes:.0f} minutes"


def _sentence(text: str) -> str:
    return text.rstrip(".") + "."
