"""Answers written by hand about one plant, as people and models put things; none comes from a template."""

from __future__ import annotations

import pytest
from judging import judged
from scripted_answers import NOW, World

from orchestrator.llm.grounding import complaint, mended
from orchestrator.plant.samples import Quality, Sample
from orchestrator.plant.tags import Limits, Plant, Tag

VALUES = {"TIC-2010": 368.4, "FI-1001": 642.7, "PI-3005": 1.85, "LI-3010": 48.2, "AI-4100": 356.3}
WORLD = World(
    plant=Plant(
        tags=(
            Tag(
                name="TIC-2010",
                description="Furnace coil outlet temperature",
                unit="degC",
                limits=Limits(low=340.0, high=365.0, high_high=372.0),
            ),
            Tag(
                name="FI-1001",
                description="Crude charge",
                unit="m**3/h",
                normal=(600.0, 700.0),
                controllable=True,
            ),
            Tag(
                name="PI-3005",
                description="Column top pressure",
                unit="bar",
                limits=Limits(high=2.1),
            ),
            Tag(
                name="LI-3010",
                description="Reflux drum level",
                unit="percent",
                limits=Limits(low=20, high=80),
            ),
            Tag(
                name="AI-4100",
                description="Diesel 95 % point",
                unit="degC",
                limits=Limits(high=360.0),
            ),
        )
    ),
    values=VALUES,
    samples={n: Sample(n, v, Quality.GOOD, NOW, NOW) for n, v in VALUES.items()},
    situation={
        "plant_mode": "transient",
        "data_quality": {"score": 0.91, "frozen_tags": 1},
        "kpis": {
            "margin_usd_per_bbl": 7.1,
            "margin_change_pct": -3.2,
            "energy_index_change_pct": 2.5,
        },
        "market": {"crude_change_pct": 1.2, "crack_spread_change_pct": -6.0},
        "equipment": [{"id": "E-101", "kind": "exchanger", "health": 0.62, "trend_per_day": -0.01}],
        "alerts": [
            {"tag": "TIC-2010", "kind": "limit", "severity": "critical", "age_minutes": 12},
            {"tag": "LI-3010", "kind": "frozen", "severity": "low", "age_minutes": 240},
        ],
    },
    results={
        "forecasting.forecast": {
            "summary": "TIC-2010 rises to 371.0 °C within 6 h.",
            "horizon_hours": 6,
            "series": [
                {"tag": "TIC-2010", "unit": "degC", "p10": 369.2, "p50": 371.0, "p90": 372.9}
            ],
        },
        "optimization.setpoints": {
            "summary": "Two moves are worth 1,240 USD/h.",
            "moves": [
                {"tag": "FI-1001", "from": 642.7, "to": 630.0, "unit": "m**3/h"},
                {"tag": "TIC-2010", "from": 368.4, "to": 364.0, "unit": "degC"},
            ],
            "gain_usd_per_hour": 1240.0,
        },
        "analysis.stocks": {"product": "diesel", "stock_mbbl": 112.4, "days_of_supply": 31.2},
    },
    passage="Procedure 7.3: reduce firing when the coil outlet exceeds 370 °C for more than 15 minutes.",
    numbers={},
)

HONEST = (
    "The furnace coil outlet temperature is 368.4 °C, 3.4 °C above its high limit of 365 °C.",
    "TIC-2010 reads 368 °C, which exceeds the high limit (365 °C).",
    "TIC-2010 is 3.6 °C short of its high-high limit of 372 °C.",
    "The outlet (TIC-2010) is at about 641.5 K.",
    "Top pressure PI-3005 is 1.85 bar (185 kPa), below its limit of 2.1 bar.",
    "Crude charge runs at 642.7 m3/h, within its normal range of 600 to 700 m3/h.",
    "Crude charge is roughly 640 m³/h.",
    "FI-1001 runs at more than 600 m3/h.",
    "The reflux drum level stands at 48.2 percent.",
    "The margin is down 3.2 % at 7.1 USD/bbl.",
    "Margin fell by 3.2 percent, energy index rose by 2.5 percent.",
    "A margin change of −3.2 % calls for action.",
    "The crude price rose 1.2 % while the crack spread fell 6 %.",
    "Crack spreads narrowed by six percent.",
    "Data quality is 0.91, so forecasts may run.",
    "Data quality is at 91 %.",
    "There are two alerts, one critical on TIC-2010 (12 minutes old) and one low on LI-3010 (4 hours old).",
    "1. Reduce TIC-2010 from 368.4 °C to 364 °C.\n2. Reduce FI-1001 by 12.7 m3/h to 630 m3/h.",
    "Lowering the coil outlet by 4.4 °C and the charge by 2.0 % is worth 1,240 USD/h.",
    "The moves bring $1,240 per hour.",
    "In the next 6 hours TIC-2010 will reach 371.0 °C (P10 369.2 °C, P90 372.9 °C).",
    "TIC-2010 is forecast to rise by 2.6 °C to 371.0 °C within six hours.",
    "According to procedure 7.3, firing is reduced when the coil outlet exceeds 370 °C for more than 15 minutes.",
    "Diesel stocks cover 31.2 days of supply.",
    "E-101 has a health of 0.62 and loses 0.01 a day.",
    "The plant is in transient operation, so no optimization runs.",
    "If the plant were steady, set points could be moved.",
    "The diesel 95 % point is 356.3 °C, 3.7 °C below its limit.",
    "On 1 March 2026 at 06:30 UTC nothing else was in alarm.",
    "I would first look at E-101, then at step 2 of the plan.",
    "PI-3005 is within its limits.",
    "One tag is frozen.",
    "The margin is falling.",
    "**TIC-2010** is at **368.4°C** (high limit: 365 °C).",
    "| tag | value | unit |\n|---|---|---|\n| TIC-2010 | 368.4 | °C |\n| FI-1001 | 642.7 | m3/h |",
    "`TIC-2010` = 368.4 °C; `PI-3005` = 1.85 bar.",
    "The setpoint moves would earn about $1.2k/h.",
    "The energy index is up 2.5 percentage points.",
    "Coil outlet: ≈368 °C. Charge: ~643 m³/h.",
    "Over the next six hours the coil outlet rises to 371 °C.",
    "FI-1001 should be cut from 642.7 to 630.0 m³/h, i.e. by about 2 %.",
    "The plant is not steady, so optimization is held back.",
    "The coil outlet temperature is too high: it exceeds the limit by 3.4 °C.",
    "The top pressure (1.85 bar) leaves 0.25 bar to its limit.",
    "The exchanger E-101 is at 62 % health.",
    "There is one critical alert and one low alert.",
    "Both alerts are older than ten minutes.",
    "The limit alert on TIC-2010 is 12 minutes old.",
    "The first alert is critical.",
    "In 2026, and on 2026-03-01 in particular, nothing else happened.",
    "Per ISA-18.2, acknowledge the alarm within your procedure.",
    "P90 of the forecast is 372.9 °C, just above the high-high limit of 372 °C.",
    "The forecast median of 371.0 °C is 1.0 °C below the high-high limit.",
    "Diesel stocks stand at 112.4.",
    "Charge of 642.7 m3/h equals about 97,000 barrels per day.",
    "The charge is 15,425 m3/day.",
    "Data quality is good (0.91).",
    "Nothing exceeds its limit except TIC-2010.",
    "The margin of $7.10 per barrel is 3.2% lower than the baseline.",
    "I recommend 2 moves; see step 3.",
    "TIC-2010 has been above 365 °C.",
)
WRONG = (
    "The furnace coil outlet temperature is 386.4 °C.",
    "TIC-2010 reads 368.4 °F.",
    "TIC-2010 is 3.4 °C below its high limit of 365 °C.",
    "TIC-2010 is 4.3 °C above its high limit of 365 °C.",
    "TIC-2010 is within its limits.",
    "The low limit of TIC-2010 is 365 °C.",
    "Top pressure PI-3005 is 18.5 bar.",
    "Crude charge runs at 48.2 m3/h.",
    "Crude charge runs at 642.7 t/h.",
    "FI-1001 runs at more than 700 m3/h.",
    "The reflux drum level stands at 1.85 percent.",
    "The margin rose by 3.2 %.",
    "Margin rises by -3.2 %.",
    "A margin change of 3.2 % calls for action.",
    "The margin fell by 2.5 %.",
    "The crude price fell 1.2 %.",
    "Crack spreads widened by six percent.",
    "Data quality is 0.19.",
    "There are four alerts.",
    "There are no active alarms.",
    "Reduce TIC-2010 from 368.4 °C to 346 °C.",
    "Reduce FI-1001 by 21.7 m3/h to 630 m3/h.",
    "Raise FI-1001 from 642.7 m3/h to 630 m3/h.",
    "The moves bring $12,400 per hour.",
    "The moves bring 1,240 USD per day.",
    "In the next 6 hours TIC-2010 will reach 377.0 °C.",
    "TIC-2010 is forecast to rise by 6.2 °C.",
    "According to the procedure, firing is reduced when the coil outlet exceeds 390 °C.",
    "Diesel stocks cover 13.2 days of supply.",
    "E-101 has a health of 0.26.",
    "The plant runs steady.",
    "The plant is not in transient operation.",
    "The diesel 95 % point exceeds its limit.",
    "The margin is rising.",
    "TIC-2010 climbs to 371.0 °C within 60 hours.",
    "The heat duty is 45.2 MW.",
    "Efficiency would improve by 12 %.",
    "**TIC-2010** is at **386.4°C**.",
    "| tag | value | unit |\n|---|---|---|\n| TIC-2010 | 642.7 | m3/h |\n| FI-1001 | 368.4 | °C |",
    "`TIC-2010` = 1.85 °C.",
    "The moves would earn about $12k/h.",
    "Over the next sixteen hours the coil outlet rises to 371 °C.",
    "FI-1001 should be cut by about 20 %.",
    "The plant is in steady operation.",
    "It exceeds the limit by 34 °C.",
    "The top pressure (1.85 bar) leaves 0.52 bar to its limit.",
    "The exchanger E-101 is at 26 % health.",
    "There are three critical alerts.",
    "The limit alert on TIC-2010 is 120 minutes old.",
    "P90 of the forecast is 379.2 °C.",
    "The charge is 154,250 m3/day.",
    "Data quality is poor (0.91).",
    "Nothing exceeds its limit.",
    "The margin of $7.10 per barrel is 3.2% higher than the baseline.",
    "All tags are within their limits.",
    "The coil outlet temperature is falling from 368.4 to 371.0 °C.",
    "The crack spread gained 6 %.",
    "E-101 improves by 0.01 a day.",
    "TIC-2010 averages 359.8 °C.",
    "The column top pressure is 1.85 kPa.",
    "Reflux drum level is at 84.2 %.",
    "No limits are violated.",
    "The forecast for TIC-2010 is 355.1 °C in 24 hours.",
    "The unit consumes 12.5 GJ/h of fuel.",
    "Sulphur is at 35 ppm.",
    "About 30 % of the loss is due to fouling.",
)


@pytest.mark.parametrize("text", HONEST)
def test_an_honest_answer_passes(text: str) -> None:
    report = judged(WORLD, text)
    assert report.sound, report.problems


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_answer_is_caught(text: str) -> None:
    assert not judged(WORLD, text).sound


def test_what_has_no_evidence_is_taken_out_and_said() -> None:
    report = judged(WORLD, "TIC-2010 reads 368.4 °C. The heat duty is 45.2 MW. Look at E-101.")
    text = mended(report)
    assert text.startswith("TIC-2010 reads 368.4 °C. Look at E-101.")
    assert text.endswith("(One statement that no evidence supports was taken out.)")
    assert judged(WORLD, text).sound
    assert '"45.2 MW"' in complaint(report)
    assert mended(judged(WORLD, "The heat duty is 45.2 MW.")).startswith("(One statement")


def test_every_number_names_its_source() -> None:
    report = judged(WORLD, "TIC-2010 reads 368.4 °C; the moves are worth 1,240 USD/h.")
    sources = [traced.sources for traced in report.traced]
    assert sources == [("TIC-2010 at 2026-03-01T06:30:00Z",), ("optimization.setpoints",)]
