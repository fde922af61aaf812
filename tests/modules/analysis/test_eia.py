"""The client of the EIA Open Data API against a real server that speaks its forms and plays its failures."""

from __future__ import annotations

import logging
import pickle
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from eia_server import (
    KEY,
    DataSet,
    EiaServer,
    broken_off,
    cut,
    dripping,
    echoing_error,
    maintenance,
    silent,
    status,
    too_often,
)

from orchestrator.errors import ConfigurationError, DanGError, DataError, UnavailableError
from orchestrator.modules.analysis import fetch
from orchestrator.modules.analysis.eia import EiaClient, SeriesAnswer, period_of
from orchestrator.modules.analysis.options import EiaOptions, EiaSeries
from orchestrator.modules.analysis.page_cache import PageCache

SPOT = "petroleum/pri/spt"
WTI = EiaSeries(route=SPOT, series="RWTC", frequency="daily")


@pytest.fixture(autouse=True)
def short_waits(monkeypatch) -> None:
    monkeypatch.setattr(fetch, "FIRST_WAIT_S", 0.02)


def days(count: int, first: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> dict[str, str]:
    return {f"{first + timedelta(days=n):%Y-%m-%d}": f"{60 + n % 7}.5" for n in range(count)}


def spot(eia: EiaServer, count: int = 3) -> DataSet:
    data = DataSet("daily", "$/BBL", series={"RWTC": days(count), "RBRTE": days(count)})
    eia.data[SPOT] = data
    return data


def ask(
    eia: EiaServer,
    wanted: EiaSeries = WTI,
    newest: datetime | None = None,
    cache: Path | None = None,
    told: list[str] | None = None,
    **options,
) -> SeriesAnswer:
    settings = {
        "base_url": eia.url,
        "api_key": KEY,
        "timeout": 0.5,
        "deadline": 3.0,
        "requests_per_second": 5.0,
        **options,
    }
    said = [] if told is None else told
    with EiaClient(EiaOptions.model_validate(settings), PageCache(cache), said.append) as client:
        return client.series(wanted, newest)


def test_texts_become_numbers_and_periods_days_of_utc(eia: EiaServer) -> None:
    data = spot(eia)
    data.series["RWTC"]["2026-01-05"] = None
    data.series["RWTC"]["2026-01-06"] = 61.25
    answer = ask(eia)
    assert [(item.period.isoformat(), item.value) for item in answer.observations] == [
        ("2026-01-01T00:00:00+00:00", 60.5),
        ("2026-01-02T00:00:00+00:00", 61.5),
        ("2026-01-03T00:00:00+00:00", 62.5),
        ("2026-01-05T00:00:00+00:00", None),
        ("2026-01-06T00:00:00+00:00", 61.25),
    ]
    assert answer.unit == "USD/bbl"
    (asked,) = eia.asked
    assert asked[0] == "/v2/petroleum/pri/spt/data/"
    assert asked[1] == {
        "api_key": KEY,
        "frequency": "daily",
        "data[0]": "value",
        "facets[series][]": "RWTC",
        "sort[0][column]": "period",
        "sort[0][direction]": "asc",
        "offset": "0",
        "length": "5000",
    }


def test_all_pages_are_read(eia: EiaServer) -> None:
    spot(eia, 25)
    answer = ask(eia, page_rows=10)
    assert [item.value for item in answer.observations] == list(map(float, days(25).values()))
    assert [query["offset"] for _, query, _ in eia.asked] == ["0", "10", "20"]


def test_a_page_that_the_server_shortened_is_followed_by_the_rest_and_told_of(
    eia: EiaServer,
) -> None:
    spot(eia, 25)
    eia.page_rows = 8
    answer = ask(eia)
    assert len(answer.observations) == 25
    assert answer.warnings == (
        "parameter out of range: The API can only return 5000 rows in JSON format.",
    )


def test_pages_that_end_too_early_are_no_answer(eia: EiaServer) -> None:
    def empty(request) -> None:
        request.answer(200, {"response": {"total": "25", "data": []}, "apiVersion": "2.1.12"})

    spot(eia, 25)
    eia.failures = [empty]
    with pytest.raises(UnavailableError, match="of 25 rows of RWTC only 0 came"):
        ask(eia)


def test_only_what_may_have_been_revised_is_asked_for_again(eia: EiaServer) -> None:
    spot(eia)
    ask(eia, newest=datetime(2026, 1, 3, tzinfo=UTC), revision_days=40)
    assert eia.asked[0][1]["start"] == "2025-11-01"


@pytest.mark.parametrize(
    ("wrong", "code"), [({"api_key": "wrong"}, "API_KEY_INVALID"), ({"api_key": None}, "no key")]
)
def test_without_a_good_key_the_error_says_where_to_set_it(
    eia: EiaServer, wrong: dict, code: str
) -> None:
    spot(eia)
    with pytest.raises(ConfigurationError, match=code) as error:
        ask(eia, **wrong)
    assert error.value.where == "modules.analysis.options.eia.api_key"
    assert "EIA_API_KEY" in str(error.value)
    assert "wrong" not in str(error.value)
    assert len(eia.asked) <= 1


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (EiaSeries(route="petroleum/no/such", series="X", frequency="daily"), "404.*Not found"),
        (EiaSeries(route=SPOT, series="RWTC", frequency="weekly"), "400.*Invalid frequency"),
    ],
)
def test_what_the_api_does_not_know_is_an_error_of_the_configuration(
    eia: EiaServer, wanted: EiaSeries, told: str
) -> None:
    spot(eia)
    with pytest.raises(ConfigurationError, match=told):
        ask(eia, wanted)
    assert len(eia.asked) == 1


def test_an_unknown_series_has_no_rows_and_is_told_of(eia: EiaServer) -> None:
    spot(eia)
    with pytest.raises(DataError, match="no row with series 'RWTX'"):
        ask(eia, WTI.model_copy(update={"series": "RWTX"}))


def test_a_server_that_does_not_filter_gives_the_series_all_the_same(eia: EiaServer) -> None:
    def unfiltered(request) -> None:
        path, query, _ = eia.asked[-1]
        request.usual(path, {k: v for k, v in query.items() if not k.startswith("facets")})

    data = spot(eia)
    data.series["RBRTE"] = {"2026-01-01": "99"}
    eia.failures = [unfiltered]
    assert [item.value for item in ask(eia).observations] == [60.5, 61.5, 62.5]


@pytest.mark.parametrize(
    "failure",
    [status(503, "<html>busy</html>"), status(500), maintenance, cut, broken_off, silent],
    ids=["503", "500", "HTML", "cut JSON", "broken off", "silent"],
)
def test_what_fails_twice_and_then_is_fine_is_fine(eia: EiaServer, failure) -> None:
    spot(eia)
    eia.failures = [failure, failure]
    told: list[str] = []
    assert len(ask(eia, timeout=0.3, told=told).observations) == 3
    assert len(eia.asked) == 3
    assert [text[-11:] for text in told] == ["(attempt 2)", "(attempt 3)"]


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_honoured(eia: EiaServer, form: str) -> None:
    spot(eia)
    after = "1" if form == "seconds" else format_datetime(datetime.now(UTC) + timedelta(seconds=2))
    eia.failures = [too_often(after)]
    begin = time.monotonic()
    assert len(ask(eia, deadline=5.0).observations) == 3
    # A date is rounded down to whole seconds.
    assert time.monotonic() - begin >= 0.9


def test_a_wait_that_outlasts_the_deadline_is_not_waited_for(eia: EiaServer) -> None:
    spot(eia)
    eia.failures = [too_often("3600")]
    begin = time.monotonic()
    with pytest.raises(UnavailableError, match="asks to wait 3600 s") as error:
        ask(eia)
    assert time.monotonic() - begin < 1.0
    assert error.value.context == {"retry_after_s": 3600.0}


@pytest.mark.parametrize("failure", [silent, dripping], ids=["silent", "dripping"])
def test_nothing_outlasts_the_deadline(eia: EiaServer, failure) -> None:
    spot(eia)
    eia.failures = [failure] * 50
    begin = time.monotonic()
    with pytest.raises(UnavailableError):
        ask(eia, timeout=0.5, deadline=1.0)
    assert time.monotonic() - begin < 2.0


def test_a_port_where_nobody_listens_is_an_error_in_time(eia: EiaServer) -> None:
    url = eia.url
    eia.server_close()
    with pytest.raises(UnavailableError, match="attempts") as error:
        ask(eia, base_url=url, deadline=0.5)
    assert error.value.where == f"{url}/petroleum/pri/spt/data/"


def test_a_redirect_is_told_and_not_followed(eia: EiaServer) -> None:
    spot(eia)
    eia.failures = [status(301)]
    with pytest.raises(UnavailableError, match="301"):
        ask(eia)
    assert len(eia.asked) == 1


def test_pages_that_did_not_change_are_not_sent_again(eia: EiaServer, tmp_path: Path) -> None:
    data = spot(eia, 25)
    eia.etags = True
    newest = datetime(2026, 1, 25, tzinfo=UTC)
    first = ask(eia, newest=newest, cache=tmp_path, page_rows=10)
    assert first.unmodified == 0
    PageCache(tmp_path).remember(first.known)
    again = ask(eia, newest=newest, cache=tmp_path, page_rows=10)
    assert (again.unmodified, again.pages, again.observations) == (3, 3, ())
    data.series["RWTC"]["2026-01-15"] = "55.5"
    changed = ask(eia, newest=newest, cache=tmp_path, page_rows=10)
    assert changed.unmodified == 2
    assert [item.value for item in changed.observations if item.period.day == 15] == [55.5]


def test_a_series_that_is_not_held_is_asked_for_whatever_the_cache_says(
    eia: EiaServer, tmp_path: Path
) -> None:
    spot(eia)
    eia.etags = True
    PageCache(tmp_path).remember(ask(eia, cache=tmp_path).known)
    assert len(ask(eia, cache=tmp_path).observations) == 3
    assert "If-None-Match" not in eia.asked[-1][2]


def test_the_key_is_in_no_log_no_error_and_no_file(
    eia: EiaServer, tmp_path: Path, caplog, capsys
) -> None:
    spot(eia)
    eia.etags = True
    caplog.set_level(logging.DEBUG)
    eia.failures = [status(503), maintenance]
    told: list[str] = []
    PageCache(tmp_path).remember(ask(eia, cache=tmp_path, told=told).known)
    errors: list[DanGError] = []
    for failure in (echoing_error, too_often("3600"), broken_off, silent):
        eia.failures = [failure] * 20
        with pytest.raises(DanGError) as error:
            ask(eia, deadline=0.4, timeout=0.2, told=told)
        errors.append(error.value)
    assert "(hidden)" in str(errors[0])
    printed = capsys.readouterr()
    texts = [caplog.text, printed.out, printed.err, *told]
    for one in errors:
        texts += [str(one), str(one.problem()), repr(pickle.loads(pickle.dumps(one)).problem())]
    for file in tmp_path.iterdir():
        texts += [file.name, file.read_text()]
    assert "petroleum/pri/spt" in caplog.text  # the client's own log is on
    assert [text for text in texts if KEY in text] == []
    assert "frequency=" not in caplog.text  # no part of the query is logged
    assert KEY not in repr(EiaOptions(api_key=KEY))


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2024-12-31", (2024, 12, 31)),
        ("2024-12", (2024, 12, 1)),
        ("2024-Q4", (2024, 10, 1)),
        ("2024", (2024, 1, 1)),
    ],
)
def test_a_period_begins_with_its_first_day(text: str, day: tuple[int, int, int]) -> None:
    assert period_of(text, "test") == datetime(*day, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2024-13", "2024-Q5", "2024-02-30", "soon"])
def test_a_text_that_is_no_period_is_refused(text: str) -> None:
    with pytest.raises(DataError, match=text):
        period_of(text, "test")


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"data": []}, "no field response"),
        ({"response": {"total": "1"}}, "no list response.data"),
        ({"response": {"total": "many", "data": []}}, "'many'"),
        ({"response": {"total": 1, "data": [{"period": "2026-01-01"}]}}, "no value"),
        (
            {"response": {"total": 1, "data": [{"period": "2026-01-01", "value": "W"}]}},
            "'W', which is no number",
        ),
    ],
)
def test_an_answer_of_another_form_is_told_of(eia: EiaServer, document: dict, told: str) -> None:
    eia.failures = [lambda request: request.answer(200, document)]
    with pytest.raises(DataError, match=told):
        ask(eia)


def test_an_error_that_comes_with_status_200_is_an_error(eia: EiaServer) -> None:
    error = {"error": "Invalid data 'val' provided.", "code": 400}
    eia.failures = [lambda request: request.answer(200, error)]
    with pytest.raises(ConfigurationError, match=r"\(400\): Invalid data"):
        ask(eia)
