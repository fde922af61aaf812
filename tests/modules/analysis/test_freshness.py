"""Series that ended: neither deck, default crude nor news are made of them."""

import numpy as np

from orchestrator.modules.analysis.cracks import run as cracks
from orchestrator.modules.analysis.freshness import ended
from orchestrator.modules.analysis.market import run as market
from orchestrator.modules.analysis.models import CracksInput, MarketInput

ROWS = 200
GASOLINE, DIESEL = "EER_EPMRU_PF4_Y35NY_DPG", "EER_EPD2DXL0_PF4_Y35NY_DPG"


def columns():
    """Five prices up to 2024-12-31, of which WTI and the New York gasoline end 60 days before."""
    walk = 70 * np.exp(np.cumsum(np.random.default_rng(3).normal(0, 0.01, ROWS)))
    gone = np.where(np.arange(ROWS) < ROWS - 60, 1.0, np.nan)
    return {
        "time": [str(np.datetime64("2024-12-31") - ROWS + 1 + i) for i in range(ROWS)],
        "RWTC": walk * gone,
        "RBRTE": walk + 4,
        GASOLINE: walk * gone * 1.3 / 42,
        "EER_EPMRU_PF4_RGC_DPG": walk * 1.2 / 42,
        DIESEL: walk * 1.4 / 42,
        "EER_EPD2DXL0_PF4_RGC_DPG": walk * 1.35 / 42,
    }


def test_a_price_that_ended_is_in_no_deck_and_drives_none(context_for):
    result = market(MarketInput(), context_for(columns()))
    assert "RWTC" not in result.price_deck.base.prices
    assert "RBRTE" in result.price_deck.base.prices
    assert result.price_deck.method.startswith(
        "Base is the last price (no drift is claimed). Brent"
    )
    assert "RWTC is not in the price deck: it ended on 2024-11-01" in result.warnings
    assert any("ended before the newest" in w and "2024-11-01" in w for w in result.warnings)
    assert not any("WTI" in item.text for item in result.statements)
    assert not any(item.name == "RWTC" for item in result.recent_moves)
    assert "Brent" in result.summary
    assert "WTI" not in result.summary.split(";")[0]


def test_margins_are_made_of_what_goes_on_and_bear_their_date(context_for):
    data = columns()
    result = cracks(CracksInput(), context_for(data))
    first = next(item for item in result.cracks if item.name == "3-2-1")
    assert (first.crude, first.place, first.time[:10]) == ("RBRTE", "Gulf Coast", "2024-12-31")
    assert result.summary.startswith("3-2-1 Gulf Coast")
    assert "USD/bbl on 2024-12-31" in result.summary
    named = cracks(CracksInput(crude="RWTC"), context_for(data))
    assert named.cracks[0].crude == "RWTC"
    assert "USD/bbl on 2024-11-01" in named.summary
    grades = {"a": {"price": 60.0, "yields": {"gasoline": 1.0}}}
    (worth,) = cracks(CracksInput.model_validate({"grades": grades}), context_for(data)).netbacks
    assert worth.time[:10] == "2024-12-31"


def test_a_crude_valued_by_a_price_that_ended_is_said_to_be_of_that_date(context_for):
    grades = {"a": {"price": "RWTC", "yields": {"gasoline": 1.0}}}
    result = cracks(CracksInput.model_validate({"grades": grades}), context_for(columns()))
    assert result.netbacks[0].time[:10] == "2024-11-01"
    assert "crude a is valued on 2024-11-01: RWTC ended then" in result.warnings


def test_a_change_of_a_spread_is_told_in_its_own_unit(context_for):
    data = columns()
    result = cracks(CracksInput(), context_for(data))
    values = [item.value for item in result.cracks[0].values]
    assert f", {values[-1] - values[-6]:+,.2f} USD/bbl over 5 periods" in result.summary


def test_a_month_is_no_end_for_monthly_values(series_of):
    month = series_of(np.ones(30), 30, period="month", per_year=12.0)
    last = month.times[-1]
    assert not ended(month, last + np.timedelta64(45, "D"))
    assert ended(month, last + np.timedelta64(100, "D"))
