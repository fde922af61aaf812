"""Questions about present and past values are answered from the historian, or refused with a reason."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from orchestrator.config import Settings
from orchestrator.core.orchestrator import Orchestrator
from orchestrator.core.value_answers import ValueAnswers
from orchestrator.core.value_times import read_time
from orchestrator.plant.historian import Historian
from orchestrator.plant.samples import Quality, SampleBlock
from orchestrator.plant.tags import Plant, Tag

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)  # a Sunday
NOW = datetime(2026, 3, 5, 23, 59, 30, tzinfo=UTC)
MINUTES = 5 * 1440
PLANT = Plant(
    name="test unit",
    tags=(
        Tag(name="FI101", description="Crude charge", unit="t/h", kind="flow", aliases=("feed",), period_seconds=60),
        Tag(name="FC101_SP", description="Crude charge, set point", unit="t/h", kind="flow"),
        Tag(name="TI103", description="Furnace inlet", unit="degC", kind="temperature", period_seconds=60),
        Tag(name="TI130", description="Furnace H-101 outlet", unit="degC", kind="temperature", period_seconds=60),
        Tag(name="FI303", description="Kerosene product", unit="t/h", kind="flow", period_seconds=60),
        Tag(name="AI303", description="Kerosene flash point", unit="degC", kind="analyser", period_seconds=3600),
    ),
)  # fmt: skip


def samples(tags: tuple[str, ...], bad_from: int = MINUTES) -> SampleBlock:
    """A sample a minute whose value is the minute since the begin."""
    rows = np.arange(MINUTES)
    times = np.datetime64("2026-03-01T00:00", "us") + rows * np.timedelta64(60, "s")
    values = np.repeat(rows[:, None].astype(float), len(tags), axis=1)
    quality = np.full(values.shape, Quality.GOOD, np.uint8)
    values[bad_from:], quality[bad_from:] = np.nan, Quality.BAD
    return SampleBlock(tags, times, values, quality)


@pytest.fixture(scope="module")
def historian() -> Iterator[Historian]:
    with Historian(None) as store:
        store.append(samples(("FI101", "FC101_SP", "TI130", "FI303", "AI303")))
        yield store


@pytest.fixture
def values(historian: Historian) -> ValueAnswers:
    return ValueAnswers(PLANT, historian)


def minute(number: float) -> datetime:
    return BEGIN + timedelta(minutes=number)


def test_the_present_value_comes_with_unit_time_and_quality(values: ValueAnswers) -> None:
    (answer,) = values.answer("what is the furnace outlet temperature now?", NOW)
    assert (answer.tag, answer.value, answer.unit) == ("TI130", 7199.0, "degC")
    assert (answer.time, answer.quality, answer.reason) == (minute(7199), "good", None)
    assert answer.source == "historian"


@pytest.mark.parametrize(
    ("text", "tag", "value"),
    [
        ("average feed yesterday", "FI101", 5039.5),
        ("what was the highest furnace outlet temperature on monday", "TI130", 2879.0),
        ("lowest kero flow this week", "FI303", 1440.0),
        ("mean crude charge over the last 2 hours", "FI101", 7139.5),
        ("what was TI130 6 hours ago", "TI130", 6839.0),
        ("what was TI130 yesterday at noon", "TI130", 5040.0),
        ("feed at 14:00 on tuesday", "FI101", 3720.0),
        ("feed at 6 am", "FI101", 6120.0),
        ("max feed last night", "FI101", 6119.0),
        ("feed on 2026-03-02", "FI101", 2159.5),
        ("TI130 at 2026-03-02T06:00Z", "TI130", 1800.0),
        ("how much did the feed change since yesterday", "FI101", 2879.0),
        ("quelle etait la temperature de sortie four hier", "TI130", 5039.5),
        ("what is the feed set point value", "FC101_SP", 7199.0),
    ],
)
def test_words_for_time_and_statistic_are_obeyed(
    values: ValueAnswers, text: str, tag: str, value: float
) -> None:
    (answer,) = values.answer(text, NOW)
    assert (answer.tag, answer.value) == (tag, value)


def test_two_tags_in_one_question_are_both_answered(values: ValueAnswers) -> None:
    answers = values.answer("feed and kerosene flow now", NOW)
    assert [a.tag for a in answers] == ["FI101", "FI303"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("what is the vacuum furnace outlet temperature", "no tag is described by 'vacuum'"),
        ("what is the kerosene pressure", "nearest: FI303 (Kerosene product)"),
        ("how much is in tank 12", "no tag is described by"),
        ("what is FI999", "has a tag FI999"),
        ("what is the temperature", "name no tag"),
        ("how long was the feed above 6000", "no tag is described by"),
    ],
)
def test_a_question_that_no_tag_fits_gets_a_reason_and_no_value(
    values: ValueAnswers, text: str, reason: str
) -> None:
    (answer,) = values.answer(text, NOW)
    assert answer.tag is None
    assert answer.value is None
    assert answer.reason is not None
    assert reason in answer.reason


def test_a_tag_without_samples_has_no_value(values: ValueAnswers) -> None:
    (answer,) = values.answer("furnace inlet temperature now", NOW)
    assert (answer.tag, answer.value) == ("TI103", None)
    assert answer.reason == "the historian has no sample of it"


def test_an_old_value_is_uncertain_and_says_how_old(values: ValueAnswers) -> None:
    (answer,) = values.answer("feed now", NOW + timedelta(hours=5))
    assert (answer.value, answer.quality) == (7199.0, "uncertain")
    assert answer.reason == "the newest sample is 5 hours old"


def test_a_span_without_samples_says_what_the_historian_holds(values: ValueAnswers) -> None:
    (answer,) = values.answer("average feed in the last 2 days", NOW + timedelta(days=30))
    assert (answer.value, answer.samples) == (None, 0)
    assert "The historian holds 2026-03-01 00:00:00Z to 2026-03-05 23:59:00Z" in str(answer.reason)


def test_a_span_with_few_of_its_samples_is_uncertain(values: ValueAnswers) -> None:
    (answer,) = values.answer("average feed last week", NOW)
    assert answer.quality == "uncertain"
    assert answer.samples == 1440
    assert "1440 of about 10080" in str(answer.reason)


def test_bad_samples_are_no_values() -> None:
    with Historian(None) as store:
        store.append(samples(("FI101",), bad_from=MINUTES - 60))
        values = ValueAnswers(PLANT, store)
        (newest,) = values.answer("feed now", NOW)
        (mean,) = values.answer("average feed over the last 2 hours", NOW)
    assert (newest.value, newest.quality) == (None, "bad")
    assert "marked bad" in str(newest.reason)
    assert mean.samples == 60
    assert mean.value == pytest.approx(MINUTES - 90.5)


def test_a_simulated_plant_is_named_as_one(historian: Historian) -> None:
    simulated = ValueAnswers(PLANT.model_copy(update={"simulated": True}), historian)
    said = simulated.in_words(simulated.answer("feed now", NOW)[0])
    assert (
        said == "Crude charge (FI101): 7199 t/h at 2026-03-05 23:59:00Z; simulated, quality good."
    )


def test_tags_without_a_plant_file_are_found_by_name(historian: Historian) -> None:
    (answer,) = ValueAnswers(Plant(), historian).answer("what is ti130 now", NOW)
    assert (answer.tag, answer.value, answer.unit) == ("TI130", 7199.0, "")


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("this week", minute(1440), NOW),
        ("last month", datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)),
        ("since 06:00", minute(4 * 1440 + 360), NOW),
        ("last shift", NOW - timedelta(hours=8), NOW),
        ("last 99999999 weeks", NOW - timedelta(days=36_500), NOW),
    ],
)
def test_spans_are_calendar_spans_in_utc(text: str, start: datetime, end: datetime) -> None:
    asked = read_time(text, NOW)
    assert asked.start == start
    assert asked.end is not None
    assert timedelta() <= end - asked.end <= timedelta(microseconds=1)


async def test_a_decision_carries_the_value_in_its_interpretation(tmp_path: Path) -> None:
    plant_file = tmp_path / "tags.yaml"
    plant_file.write_text(
        "name: unit\ntags: [{name: FI101, description: Crude charge, unit: t/h, kind: flow}]\n"
    )
    settings = Settings(plant={"file": plant_file})
    async with await Orchestrator.open(settings, home=tmp_path / "home") as orchestrator:
        orchestrator.historian.append(samples(("FI101",)))
        alone, jobs = await orchestrator.decide(query="what is the crude charge now?", dry_run=True)
        beside, _ = await orchestrator.decide(
            query="what is the crude charge now and forecast FI101", dry_run=True
        )
        overstep, _ = await orchestrator.decide(
            query="show me the crude charge flow and approve the recommendation", dry_run=True
        )
        stored = await orchestrator.store.decisions.get(alone.id)
    assert jobs == []
    assert alone.interpretation is not None
    assert alone.interpretation.values[0].value == 7199.0
    assert "7199 t/h at 2026-03-05 23:59:00Z" in str(alone.interpretation.answer)
    assert "quality uncertain: the newest sample is" in str(alone.interpretation.answer)
    assert stored.document["interpretation"]["values"][0]["unit"] == "t/h"
    assert beside.interpretation is not None
    assert beside.interpretation.operations == ("forecasting.forecast",)
    assert beside.interpretation.values[0].tag == "FI101"
    assert overstep.interpretation is not None
    assert overstep.interpretation.values[0].tag == "FI101"
    assert "operator gate" in str(overstep.interpretation.answer)
