"""``analysis.update``: what is new or revised is kept, and the analyses read it as it was known."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from eia_server import KEY, DataSet, EiaServer, cut, silent, status

from orchestrator.errors import (
    ConfigurationError,
    DataError,
    InsufficientDataError,
    OperationError,
    ParameterError,
)
from orchestrator.modules.analysis import fetch
from orchestrator.modules.analysis.market import run as market
from orchestrator.modules.analysis.models import MarketInput, PricesInput, StocksInput
from orchestrator.modules.analysis.prices import run as prices
from orchestrator.modules.analysis.stocks import run as stocks
from orchestrator.modules.analysis.stored import store_of
from orchestrator.modules.analysis.update import run
from orchestrator.modules.analysis.update_models import UpdateInput

SPOT, STOCKS = "petroleum/pri/spt", "petroleum/stoc/wstk"
WTI = {"route": SPOT, "series": "RWTC", "frequency": "daily"}
CRUDE = {"route": STOCKS, "series": "WCESTUS1", "frequency": "weekly"}


@pytest.fixture(autouse=True)
def short_waits(monkeypatch) -> None:
    monkeypatch.setattr(fetch, "FIRST_WAIT_S", 0.02)


@pytest.fixture
def weeks(eia: EiaServer) -> dict[str, str | float | None]:
    """Stocks of ten weeks on the server, and prices of thirty days."""
    first = datetime(2026, 1, 2, tzinfo=UTC)
    stock = {f"{first + timedelta(weeks=n):%Y-%m-%d}": str(440_000 + n) for n in range(10)}
    price = {f"{first + timedelta(days=n):%Y-%m-%d}": f"{60 + n}" for n in range(30)}
    eia.data[STOCKS] = DataSet("weekly", "MBBL", series={"WCESTUS1": stock})
    eia.data[SPOT] = DataSet("daily", "$/BBL", series={"RWTC": price})
    return stock


def test_a_revision_between_two_downloads_is_seen_as_one(eia, weeks, market_context) -> None:
    first = run(UpdateInput(), market_context([CRUDE, WTI]))
    assert (first.new, first.revised) == (40, 0)
    assert first.summary == "2 series read: 40 new values, none revised."
    assert {item.name: item.unit for item in first.series} == {
        "WCESTUS1": "kbbl",
        "RWTC": "USD/bbl",
    }
    between = datetime.now(UTC)
    weeks["2026-03-06"] = "445000"
    weeks["2026-03-13"] = "446000"
    second = run(UpdateInput(), market_context([CRUDE, WTI]))
    assert (second.new, second.revised) == (1, 1)
    (revision,) = second.revisions
    assert (revision.series, revision.period) == ("WCESTUS1", "2026-03-06T00:00:00Z")
    assert (revision.before, revision.after) == (440_009, 445_000)
    assert "the latest WCESTUS1 of 2026-03-06, 440,009 to 445,000" in second.summary
    now = stocks(StocksInput(), market_context([CRUDE])).stocks[0]
    assert (now.last, now.time) == (446_000, "2026-03-13T00:00:00Z")
    then = stocks(StocksInput(as_known_at=between), market_context([CRUDE])).stocks[0]
    assert (then.last, then.time) == (440_009, "2026-03-06T00:00:00Z")
    # A run at an earlier time knows what was known then, without being told to.
    earlier = stocks(StocksInput(), market_context([CRUDE], now=between)).stocks[0]
    assert earlier.last == 440_009


def test_an_analysis_asked_for_with_the_update_knows_what_it_brought(weeks, market_context) -> None:
    at = datetime.now(UTC) - timedelta(minutes=10)
    run(UpdateInput(), market_context([CRUDE], now=at))
    assert stocks(StocksInput(), market_context([CRUDE], now=at)).stocks[0].last == 440_009
    before = market_context([CRUDE], now=at - timedelta(seconds=1))
    with pytest.raises(InsufficientDataError):
        stocks(StocksInput(), before)


def test_what_was_not_known_yet_is_not_read(weeks, market_context) -> None:
    run(UpdateInput(), market_context([CRUDE]))
    with pytest.raises(InsufficientDataError):
        stocks(StocksInput(), market_context([CRUDE], now=datetime(2026, 3, 31, tzinfo=UTC)))


def test_a_stated_lag_of_publication_gives_the_past_its_times(weeks, market_context) -> None:
    context = market_context([{**CRUDE, "publication_lag_days": 5}])
    run(UpdateInput(), context)
    at = datetime(2026, 2, 3, tzinfo=UTC)
    then = stocks(StocksInput(), market_context([CRUDE], now=at)).stocks[0]
    assert then.time == "2026-01-23T00:00:00Z"  # that of January 30 came on February 4
    weeks["2026-01-23"] = "1"
    run(UpdateInput(), context)
    assert stocks(StocksInput(), market_context([CRUDE], now=at)).stocks[0].last == 440_003


def test_nothing_is_stored_or_sent_twice(eia, weeks, market_context, tmp_path: Path) -> None:
    eia.etags = True
    context = market_context([CRUDE])
    run(UpdateInput(), context)
    run(UpdateInput(), context)
    third = run(UpdateInput(), context)
    assert third.series[0].unmodified
    assert (third.new, third.revised, third.series[0].received) == (0, 0, 0)
    assert len(list((tmp_path / "modules").rglob("*.parquet"))) == 1


def test_values_that_could_not_be_stored_are_asked_for_again(
    eia, weeks, market_context, tmp_path: Path
) -> None:
    eia.etags = True
    context = market_context([CRUDE])
    run(UpdateInput(), context)
    run(UpdateInput(), context)
    weeks["2026-03-13"] = "446000"
    folder = tmp_path / "modules" / "analysis" / "vintages"
    (folder / "write.lock").unlink()
    (folder / "write.lock").mkdir()  # what makes the store refuse
    with pytest.raises(OperationError):
        run(UpdateInput(), context)
    (folder / "write.lock").rmdir()
    assert run(UpdateInput(), context).new == 1


def test_one_source_that_fails_keeps_none_of_the_others(eia, weeks, market_context) -> None:
    unknown = {"route": SPOT, "series": "NONE", "frequency": "daily"}
    result = run(UpdateInput(), market_context([unknown, CRUDE]))
    assert [item.name for item in result.series] == ["WCESTUS1"]
    (failed,) = result.failed
    assert (failed.source, failed.code) == ("NONE", "data")
    assert "no row with series 'NONE'" in failed.error
    assert result.summary.endswith("1 source failed.")


def test_a_server_that_is_gone_is_not_asked_for_everything(eia, weeks, market_context) -> None:
    eia.failures = [silent] * 100
    series = [CRUDE, WTI, {**WTI, "name": "again"}, {**WTI, "name": "and again"}]
    context = market_context(series, options={"timeout": 0.2, "deadline": 0.4})
    with pytest.raises(OperationError, match="no source of market data") as error:
        run(UpdateInput(), context)
    assert not error.value.retryable  # the downloads were repeated already
    assert [item["source"] for item in error.value.context["failed"]] == ["WCESTUS1", "RWTC"]


def test_a_failure_in_between_is_repeated_and_passes(eia, weeks, market_context) -> None:
    eia.failures = [status(503), cut]
    assert run(UpdateInput(), market_context([CRUDE])).new == 10


def test_a_wrong_key_is_told_once(eia, weeks, market_context) -> None:
    with pytest.raises(ConfigurationError, match="API_KEY_INVALID"):
        run(UpdateInput(), market_context([CRUDE, WTI], options={"api_key": "wrong"}))
    assert len(eia.asked) == 1


def test_without_a_key_files_are_read_all_the_same(
    eia, weeks, market_context, tmp_path: Path
) -> None:
    (tmp_path / "fred.csv").write_text("observation_date,DCOILWTICO\n2026-01-02,57.32\n")
    (tmp_path / "market.yaml").write_text("files: [{path: fred.csv}]")
    context = market_context(
        [CRUDE], options={"api_key": None}, mapping=str(tmp_path / "market.yaml")
    )
    result = run(UpdateInput(), context)
    assert [item.name for item in result.series] == ["DCOILWTICO"]
    assert [item.source for item in result.failed] == ["EIA"]
    assert eia.asked == []


def test_a_unit_that_is_not_the_known_one_is_refused(eia, weeks, market_context) -> None:
    eia.data[SPOT].unit = "$/GAL"
    with pytest.raises(DataError, match="gives RWTC in USD/gal, but USD/bbl is known for it"):
        run(UpdateInput(), market_context([WTI]))
    kept = market_context([{**WTI, "name": "own", "unit": "USD/gal", "product": "crude"}])
    run(UpdateInput(), kept)
    eia.data[SPOT].unit = "$/BBL"
    with pytest.raises(DataError, match="in USD/bbl"):
        run(UpdateInput(), kept)


def test_files_and_what_the_mapping_says_of_them_reach_the_analyses(
    market_context, tmp_path: Path
) -> None:
    first = datetime(2026, 1, 2, tzinfo=UTC)
    rows = [f"{first + timedelta(days=n):%d/%m/%Y},{60 + n},{2 + n / 100}" for n in range(30)]
    (tmp_path / "broker.csv").write_text("\n".join(["day,C1,G1", *rows]))
    (tmp_path / "market.yaml").write_text(
        """
        files:
          - path: broker.csv
            time: day
            date_format: "%d/%m/%Y"
            columns:
              C1: {series: our crude, product: crude, unit: USD/bbl, region: Gulf}
              G1: {series: our gasoline, product: gasoline, unit: USD/gal, label: Gasoline}
        """
    )
    context = market_context(mapping=str(tmp_path / "market.yaml"))
    assert run(UpdateInput(), context).new == 60
    result = market(MarketInput(), context)
    assert {item.label: item.last for item in result.prices} == {
        "our crude (Gulf)": 89.0,
        "Gasoline": pytest.approx(2.29),
    }
    assert result.cracks[0].last == pytest.approx(2.29 * 42 - 89)


def test_places_and_delivery_months_of_the_mapping_reach_margins_and_term_structure(
    market_context, tmp_path: Path
) -> None:
    first = datetime(2026, 1, 2, tzinfo=UTC)
    rows = [
        f"{first + timedelta(days=n):%Y-%m-%d},{60 + n},{61 + n},{62 + n},80,81,90,91"
        for n in range(30)
    ]
    (tmp_path / "a.csv").write_text("\n".join(["day,O,F1,F2,GN,DN,GS,DS", *rows]))
    (tmp_path / "market.yaml").write_text(
        """
        files:
          - path: a.csv
            time: day
            columns:
              O: {product: crude, unit: USD/bbl}
              F1: {product: crude, unit: USD/bbl, contract: 1}
              F2: {product: crude, unit: USD/bbl, contract: 2}
              GN: {product: gasoline, unit: USD/bbl, region: North}
              DN: {product: diesel, unit: USD/bbl, region: North}
              GS: {product: gasoline, unit: USD/bbl, region: South}
              DS: {product: diesel, unit: USD/bbl, region: South}
        """
    )
    context = market_context(mapping=str(tmp_path / "market.yaml"))
    run(UpdateInput(), context)
    result = market(MarketInput(region="South"), context)
    sets = {(item.kind, item.place) for item in result.cracks if item.kind == "3-2-1"}
    assert sets == {("3-2-1", "North"), ("3-2-1", "South")}
    assert result.cracks[0].place == "South"
    assert result.cracks[0].crude == "O"
    (structure,) = result.term_structure
    assert structure.prices == {1: 90.0, 2: 91.0}
    assert structure.shape == "contango"


def test_files_that_overlap_are_one_source_and_revise_nothing(
    market_context, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text("DATE,X\n2026-01-02,1\n2026-01-05,2\n")
    (tmp_path / "b.csv").write_text("DATE,X\n2026-01-05,2.5\n2026-01-06,3\n")
    (tmp_path / "market.yaml").write_text('files: [{path: "*.csv"}]')
    settings = {"mapping": str(tmp_path / "market.yaml")}
    assert run(UpdateInput(), market_context(**settings)).new == 3
    again = run(UpdateInput(), market_context(**settings))
    assert (again.new, again.revised, again.series[0].unchanged) == (0, 0, 3)
    store = store_of(market_context(**settings))
    assert store.read().column("value").to_pylist() == [1, 2.5, 3]


def test_archives_and_downloads_of_one_series_stand_side_by_side(
    eia, weeks, market_context, tmp_path: Path
) -> None:
    (tmp_path / "old.csv").write_text("DATE,WCESTUS1\n2026-01-02,439000\n2026-01-09,439500\n")
    (tmp_path / "market.yaml").write_text(
        "files: [{path: old.csv, known_at: 2026-01-14T15:30:00Z}]"
    )
    settings = {"mapping": str(tmp_path / "market.yaml")}
    for _ in range(2):
        assert run(UpdateInput(), market_context([CRUDE], **settings)).failed == ()
    then = datetime(2026, 1, 15, tzinfo=UTC)
    assert stocks(StocksInput(), market_context(now=then)).stocks[0].last == 439_500
    assert stocks(StocksInput(), market_context()).stocks[0].last == 440_009
    assert len(store_of(market_context()).revisions()) == 2


def test_two_sources_of_the_present_for_one_series_are_refused(
    eia, weeks, market_context, tmp_path: Path
) -> None:
    (tmp_path / "fred.csv").write_text("observation_date,RWTC\n2026-01-02,57.32\n")
    (tmp_path / "market.yaml").write_text("files: [{path: fred.csv}]")
    result = run(UpdateInput(), market_context([WTI], mapping=str(tmp_path / "market.yaml")))
    assert "RWTC comes from fred.csv and from petroleum/pri/spt RWTC" in result.failed[0].error


def test_only_what_is_named_is_read(eia, weeks, market_context) -> None:
    result = run(UpdateInput(only=("RWTC",)), market_context([CRUDE, WTI]))
    assert [item.name for item in result.series] == ["RWTC"]
    with pytest.raises(ParameterError, match="series or file XYZ"):
        run(UpdateInput(only=("XYZ",)), market_context([CRUDE, WTI]))


def test_full_reads_whole_series_again(eia, weeks, market_context) -> None:
    context = market_context([WTI], options={"revision_days": 0})
    run(UpdateInput(), context)
    eia.data[SPOT].series["RWTC"]["2025-06-02"] = "55"
    assert run(UpdateInput(), context).new == 0
    assert run(UpdateInput(full=True), context).new == 1


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, "no source of market data is configured"),
        ({"eia": {"series": [{"route": SPOT, "series": "RWTC"}]}}, "eia.series.0.frequency"),
        ({"eia": {"api_key": 12345}}, "eia.api_key"),
        ({"releases": {"reports": ["no such"]}}, "releases.reports.0"),
    ],
)
def test_options_that_do_not_fit_are_named(market_context, settings: dict, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told) as error:
        run(UpdateInput(), market_context(**settings))
    assert "12345" not in json.dumps(error.value.problem())


def test_the_next_releases_stand_in_the_result(eia, weeks, market_context) -> None:
    context = market_context([CRUDE], releases={"reports": ["eia-wpsr", "eia-steo"]})
    result = run(UpdateInput(), context)
    assert {item.name for item in result.next_releases} == {"eia-wpsr", "eia-steo"}
    assert all(item.at > datetime.now(UTC).isoformat() for item in result.next_releases)
    then = datetime(2025, 3, 3, tzinfo=UTC)
    context = market_context([CRUDE], now=then, releases={"reports": ["eia-wpsr"]})
    (replayed,) = run(UpdateInput(), context).next_releases
    assert replayed.at == "2025-03-05T15:30:00Z"  # the Wednesday after, 10:30 in New York


def test_no_file_of_the_folder_and_no_result_holds_the_key(
    eia, weeks, market_context, tmp_path: Path
) -> None:
    eia.etags = True
    context = market_context([CRUDE, WTI])
    results = [run(UpdateInput(), context).model_dump_json() for _ in range(2)]
    for file in (tmp_path / "modules").rglob("*"):
        assert KEY not in file.name
        if file.is_file():
            assert KEY.encode() not in file.read_bytes()
    assert KEY not in "".join(results)


def test_real_prices_read_as_they_were_known(shared: Path, market_context, tmp_path: Path) -> None:
    path = shared / "data" / "market" / "spot_prices_daily.csv.gz"
    if not path.exists():
        pytest.skip(f"reference data is absent: {path}")
    (tmp_path / "market.yaml").write_text(
        f"files: [{{path: {path}, publication_lag_days: 2}}]", encoding="utf-8"
    )
    settings = {"mapping": str(tmp_path / "market.yaml")}
    result = run(UpdateInput(), market_context(**settings))
    assert len(result.series) == 11
    at = datetime(2020, 4, 22, tzinfo=UTC)
    found = prices(PricesInput(tags=("RWTC",)), market_context(**settings, now=at))
    assert found.prices[0].time == "2020-04-20T00:00:00Z"
    assert found.prices[0].last < 0
    assert store_of(market_context(**settings)).revisions() == []
