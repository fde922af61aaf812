"""The calendar of releases against dates that were published."""

from datetime import UTC, date, datetime, timedelta

import pytest
from pydantic import ValidationError

from orchestrator.modules.analysis.releases import NEW_YORK, Calendar, ReleaseOptions
from orchestrator.modules.analysis.us_holidays import federal_holidays


def calendar(*reports: str, **more) -> Calendar:
    return Calendar(ReleaseOptions.model_validate({"reports": reports, **more}))


def local(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=NEW_YORK)


def of_year(report: str, year: int) -> list[str]:
    found = calendar(report).between(local(year, 1, 1), local(year + 1, 1, 1))
    return [item.at.astimezone(NEW_YORK).strftime("%m-%d %H:%M") for item in found]


def test_federal_holidays_are_those_that_were_published() -> None:
    # Office of Personnel Management, pay and leave, federal holidays.
    assert sorted(federal_holidays(2026)) == [
        date(2026, 1, 1),
        date(2026, 1, 19),
        date(2026, 2, 16),
        date(2026, 5, 25),
        date(2026, 6, 19),
        date(2026, 7, 3),
        date(2026, 9, 7),
        date(2026, 10, 12),
        date(2026, 11, 11),
        date(2026, 11, 26),
        date(2026, 12, 25),
    ]
    # New Year's Day of 2022 was a Saturday, Juneteenth of 2022 and Christmas of 2022 Sundays.
    assert date(2021, 12, 31) in federal_holidays(2021)
    assert {date(2022, 6, 20), date(2022, 12, 26)} < federal_holidays(2022)
    assert date(2022, 1, 1) not in federal_holidays(2022)
    assert date(2020, 6, 19) not in federal_holidays(2020)


def test_the_petroleum_report_comes_on_the_published_days_of_2026() -> None:
    days = of_year("eia-wpsr", 2026)
    moved = [text for text in days if not text.endswith("10:30")]
    assert moved == [
        "01-22 12:00",
        "02-19 12:00",
        "05-28 12:00",
        "09-10 12:00",
        "10-15 12:00",
        "11-12 12:00",
    ]
    assert len(days) == 52
    assert "06-17 10:30" in days  # Juneteenth is a Friday


def test_the_petroleum_report_comes_on_the_published_days_of_2019_and_2020() -> None:
    published = {
        2019: ["01-04", "01-24", "02-21", "05-30", "09-05", "10-17", "11-14", "12-27"],
        2020: ["01-03", "01-23", "02-20", "05-28", "09-10", "10-15", "11-12"],
    }
    for year, days in published.items():
        moved = [text for text in of_year("eia-wpsr", year) if not text.endswith("10:30")]
        assert moved == [f"{day} 11:00" for day in days]


def test_the_gas_storage_report_comes_on_the_published_days() -> None:
    moved = [text for text in of_year("eia-gas-storage", 2026) if text[-5:] != "10:30"]
    assert moved == ["11-25 12:00"]
    assert "11-13 10:30" in of_year("eia-gas-storage", 2026)
    late_2025 = of_year("eia-gas-storage", 2025)[-5:]
    assert late_2025 == ["12-04 10:30", "12-11 10:30", "12-18 10:30", "12-29 12:00", "12-31 12:00"]
    assert {"11-14 10:30", "11-26 12:00"} < set(of_year("eia-gas-storage", 2025))


def test_the_outlook_comes_on_the_published_days_of_2016_and_2023() -> None:
    published = {
        2016: [
            "01-12",
            "02-09",
            "03-08",
            "04-12",
            "05-10",
            "06-07",
            "07-12",
            "08-09",
            "09-07",
            "10-13",
            "11-08",
            "12-06",
        ],
        2023: [
            "01-10",
            "02-07",
            "03-07",
            "04-11",
            "05-09",
            "06-06",
            "07-11",
            "08-08",
            "09-12",
            "10-11",
            "11-07",
            "12-12",
        ],
    }
    for year, days in published.items():
        found = [text.partition(" ")[0] for text in of_year("eia-steo", year)]
        assert found == days
    assert set(of_year("eia-steo", 2023)) == {f"{day} 12:00" for day in published[2023]}


def test_a_release_keeps_its_hour_in_new_york_when_clocks_change() -> None:
    found = calendar("eia-wpsr").between(local(2026, 3, 1), local(2026, 3, 15))
    assert [item.at for item in found] == [
        datetime(2026, 3, 4, 15, 30, tzinfo=UTC),
        datetime(2026, 3, 11, 14, 30, tzinfo=UTC),
    ]


def test_between_leaves_out_its_begin_and_takes_in_its_end() -> None:
    at = datetime(2026, 3, 4, 15, 30, tzinfo=UTC)
    report = calendar("eia-wpsr")
    assert [item.at for item in report.between(at - timedelta(seconds=1), at)] == [at]
    assert report.between(at, at + timedelta(hours=1)) == []


def test_a_report_is_new_for_its_time_and_no_longer() -> None:
    at = datetime(2026, 3, 4, 15, 30, tzinfo=UTC)
    report = calendar("eia-wpsr", delay_minutes=20, new_minutes=30)
    minutes = [0, 19, 20, 49, 50]
    assert [bool(report.new_at(at + timedelta(minutes=m))) for m in minutes] == [
        False,
        False,
        True,
        True,
        False,
    ]
    # Assessed every two hours it is seen all the same.
    assert report.new_at(at + timedelta(hours=2), timedelta(hours=2))


def test_own_dates_and_moved_releases_are_taken() -> None:
    own = calendar(
        "eia-wpsr",
        dates=[{"name": "monthly report", "at": "2026-12-10T12:00:00Z"}],
        moved=[
            {"report": "eia-wpsr", "usual": "2026-12-09", "at": "2026-12-11T17:00:00-05:00"},
            {"report": "eia-wpsr", "usual": "2026-12-16", "at": None},
        ],
    )
    found = own.between(local(2026, 12, 6), local(2026, 12, 24))
    assert [(item.name, item.at.astimezone(NEW_YORK).strftime("%d %H:%M")) for item in found] == [
        ("monthly report", "10 07:00"),
        ("eia-wpsr", "11 17:00"),
        ("eia-wpsr", "23 10:30"),
    ]
    following = own.upcoming(local(2026, 12, 6))
    assert [item.name for item in following] == ["monthly report", "eia-wpsr"]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"reports": ["eia-wpsrr"]}, "reports"),
        ({"dates": [{"name": "x", "at": "2026-12-10T12:00:00"}]}, "dates"),
        ({"new_minutes": 0}, "new_minutes"),
    ],
)
def test_options_that_do_not_fit_are_refused(wrong: dict, field: str) -> None:
    with pytest.raises(ValidationError) as error:
        ReleaseOptions.model_validate(wrong)
    assert error.value.errors()[0]["loc"][0] == field
