"""The EIA Open Data API, version 2 (https://www.eia.gov/opendata/documentation.php).

What the API's own documentation says and this client relies on:

* A data set is asked for at ``{base}/{route}/data/`` with ``frequency``, ``data[0]``, ``facets[…][]``,
  ``start``, ``sort[0][…]``, ``offset`` and ``length``. The key stands in the query and nowhere else.
* An answer is ``{"response": {"total": "…", "dateFormat", "frequency", "data": [{"period", …, "value",
  "units"}]}, "request": {…}, "apiVersion"}``. Since version 2.1.6 numbers come as text; both are read.
* A page has 5000 rows at most; ``total`` counts the rows of all pages. Where rows were left out there is
  a ``warning`` with a ``description``.
* An unknown value of a facet is no error: the answer has no rows.
* Errors are ``{"error": {"code": "API_KEY_INVALID", "message": …}}`` with status 403 for keys, else
  ``{"error": "text", "code": 400}``. Before version 2.1.10 an error could come with status 200.
* A key that asks too often is suspended for seconds to minutes. The documentation tells of no header for
  this, and of no ``ETag``; ``Retry-After``, ``ETag`` and ``Last-Modified`` are used where they are sent.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from types import TracebackType
from typing import Any, Self

from orchestrator.errors import ConfigurationError, DanGError, DataError, UnavailableError
from orchestrator.modules.analysis.fetch import NOT_MODIFIED, Answer, Fetcher
from orchestrator.modules.analysis.options import WHERE, EiaOptions, EiaSeries
from orchestrator.modules.analysis.page_cache import Known, PageCache
from orchestrator.plant.vintages import Observation

KEY_FIELD = f"{WHERE}.eia.api_key"
REGISTER = "https://www.eia.gov/opendata/register.php"
UNITS = {
    "$/BBL": "USD/bbl",
    "$/GAL": "USD/gal",
    "MBBL": "kbbl",
    "MBBL/D": "kbbl/d",
}
"""Units of the API and ours; its M is a thousand. Others are kept as they are."""


@dataclass(frozen=True, slots=True)
class SeriesAnswer:
    """All pages of one series.

    Attributes:
        observations: Values of the pages that changed; ``None`` where the API has no value.
        unit: Their unit; ``None`` where the API does not say.
        pages: Pages asked for.
        unmodified: Pages of which the server said that they did not change.
        warnings: What the API warned of.
        known: Of each page what to remember, once the values are stored.
    """

    observations: tuple[Observation, ...]
    unit: str | None
    pages: int
    unmodified: int
    warnings: tuple[str, ...]
    known: Mapping[str, Known] = field(default_factory=dict)


class EiaClient:
    """Downloads series. Use it as a context manager.

    Args:
        options: Address, key and limits.
        cache: What is remembered of pages.
        told: Called with words for people when something is asked for again.

    Raises:
        ConfigurationError: there is no key.
    """

    def __init__(
        self,
        options: EiaOptions,
        cache: PageCache,
        told: Callable[[str], None] = lambda text: None,  # noqa: ARG005
    ) -> None:
        if options.api_key is None or not options.api_key.get_secret_value().strip():
            raise ConfigurationError(
                "there is no key for the EIA Open Data API",
                where=KEY_FIELD,
                remedy=f"register for one at {REGISTER} and set the environment variable EIA_API_KEY",
            )
        self._options = options
        self._cache = cache
        self._key = options.api_key.get_secret_value().strip()
        self._fetcher = Fetcher(
            secret=self._key,
            timeout_s=options.timeout,
            per_second=options.requests_per_second,
            told=told,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._fetcher.__exit__(kind, error, trace)

    def series(self, wanted: EiaSeries, newest: datetime | None = None) -> SeriesAnswer:
        """Download a series, from ``revision_days`` before the newest period held, or all of it.

        Raises:
            ConfigurationError: the key, route, frequency, facet or column is wrong.
            DataError: an answer is not of the documented form, or holds no row of the series.
            UnavailableError: no answer came in time, or pages are missing.
        """
        deadline = time.monotonic() + self._options.deadline
        url = f"{self._options.base_url.rstrip('/')}/{wanted.route}/data/"
        start = self._start(wanted, newest)
        observations: dict[datetime, Observation] = {}
        known: dict[str, Known] = {}
        warnings: dict[str, None] = {}
        units: dict[str, None] = {}
        offset = unmodified = 0
        while True:
            parameters = self._parameters(wanted, start, offset)
            page = url + "?" + "&".join(f"{name}={value}" for name, value in parameters.items())
            # Without the rows that a page had, an unchanged page would be lost.
            before = self._cache.get(page) if newest is not None else None
            answer = self._fetcher.get(
                url,
                {"api_key": self._key, **parameters},
                _conditional(before),
                deadline=deadline,
            )
            if answer.status == NOT_MODIFIED and before is not None:
                told, unmodified = before, unmodified + 1
            else:
                response, warned = self._response(answer, wanted, url)
                rows = _rows(response, url)
                told = Known(answer.etag, answer.last_modified, _total(response, url), len(rows))
                warnings.update(dict.fromkeys(warned))
                for item, unit in self._values(rows, wanted, url):
                    observations[item.period] = item
                    units.setdefault(unit) if unit else None
            known[page] = told
            offset += told.rows
            if offset >= told.total:
                break
            if not told.rows:
                raise UnavailableError(
                    f"of {told.total} rows of {wanted.series} only {offset} came",
                    where=url,
                    remedy="try again later",
                )
        if not observations and not unmodified and newest is None:
            raise DataError(
                f"there is no row with {wanted.facet} {wanted.series!r}",
                where=url,
                why="the API takes an unknown identifier for one without rows",
                remedy="correct series or facet; https://www.eia.gov/opendata/browser lists them",
            )
        if len(units) > 1:
            raise DataError(
                f"{wanted.series} comes in more than one unit: {', '.join(units)}",
                where=url,
                remedy="narrow the series, so that it has one",
            )
        unit = next(iter(units), None)
        return SeriesAnswer(
            tuple(observations.values()),
            UNITS.get(unit.upper(), unit) if unit else None,
            len(known),
            unmodified,
            tuple(warnings),
            known,
        )

    def _start(self, wanted: EiaSeries, newest: datetime | None) -> str | None:
        """First period to ask for, as text; the API compares periods as texts."""
        if newest is None:
            return None
        day = (newest - timedelta(days=self._options.revision_days)).date()
        if wanted.frequency == "annual":
            return f"{day.year - 1:04d}"
        if wanted.frequency == "quarterly":
            return f"{day.year - 1:04d}-Q4"
        # The first of a month, so that the address stays the same for a month and can be compared.
        return f"{day:%Y-%m}" if wanted.frequency == "monthly" else f"{day:%Y-%m}-01"

    def _parameters(self, wanted: EiaSeries, start: str | None, offset: int) -> dict[str, str]:
        return {
            "frequency": wanted.frequency,
            "data[0]": wanted.column,
            f"facets[{wanted.facet}][]": wanted.series,
            **({"start": start} if start else {}),
            "sort[0][column]": "period",
            "sort[0][direction]": "asc",
            "offset": str(offset),
            "length": str(self._options.page_rows),
        }

    def _response(
        self, answer: Answer, wanted: EiaSeries, url: str
    ) -> tuple[Mapping[str, Any], list[str]]:
        document = answer.document
        if answer.status != 200 or (isinstance(document, Mapping) and "error" in document):
            raise self._refused(answer, wanted, url)
        response = document.get("response") if isinstance(document, Mapping) else None
        if not isinstance(response, Mapping):
            raise DataError(
                "the answer has no field response",
                where=url,
                remedy="is this the address of the API, version 2?",
            )
        return response, list(_warnings(document, response))

    def _refused(self, answer: Answer, wanted: EiaSeries, url: str) -> DanGError:
        code, text = _error(answer.document)
        text = self._fetcher.hidden(text)
        if code.startswith("API_KEY"):
            return ConfigurationError(
                f"the API refuses the key ({code}){': ' + text if text else ''}",
                where=KEY_FIELD,
                remedy=f"set the environment variable EIA_API_KEY to a key of {REGISTER}",
            )
        told = f": {text}" if text else ""
        status = int(code) if code.isdecimal() and answer.status == 200 else answer.status
        if status in (401, 403):
            return UnavailableError(
                f"the server refuses ({status}){told}",
                where=url,
                remedy="a key that asked too often is suspended for some minutes; else a proxy refuses",
            )
        if status in (400, 404, 405):
            return ConfigurationError(
                f"the API refuses what is asked for ({status}){told}",
                where=f"{WHERE}.eia.series {wanted.kept_as}",
                remedy=f"correct route {wanted.route!r}, frequency {wanted.frequency!r}, facet or "
                "column; https://www.eia.gov/opendata/browser lists them",
            )
        return UnavailableError(
            f"the server answers {status}{told}", where=url, remedy="try again later"
        )

    def _values(
        self, rows: list[Any], wanted: EiaSeries, url: str
    ) -> Iterator[tuple[Observation, str | None]]:
        for number, row in enumerate(rows):
            if not isinstance(row, Mapping) or "period" not in row or wanted.column not in row:
                raise DataError(
                    f"row {number} has no period or no {wanted.column}",
                    where=url,
                    remedy=f"correct column {wanted.column!r} of {wanted.kept_as}",
                )
            if str(row.get(wanted.facet, wanted.series)) != wanted.series:
                continue
            period = period_of(str(row["period"]), url)
            value = _number(row[wanted.column], wanted, str(row["period"]), url)
            unit = row.get(f"{wanted.column}-units") or row.get("units")
            yield Observation(wanted.kept_as, period, value), str(unit) if unit else None


def period_of(text: str, where: str) -> datetime:
    """Begin of a period: ``2024-12-31``, ``2024-12``, ``2024-Q4`` or ``2024``.

    Raises:
        DataError: it has none of these forms.
    """
    year, _, rest = text.partition("-")
    try:
        if not rest:
            day = date(int(year), 1, 1)
        elif rest.startswith("Q"):
            day = date(int(year), 3 * int(rest[1:]) - 2, 1)
        elif len(rest) == 2:
            day = date(int(year), int(rest), 1)
        else:
            day = date.fromisoformat(text)
    except ValueError:
        raise DataError(
            f"{text!r} is no period that is known", where=where, remedy="give another frequency"
        ) from None
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _number(value: Any, wanted: EiaSeries, period: str, url: str) -> float | None:
    from math import isfinite

    if value is None or value == "":
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not isfinite(number):
        raise DataError(
            f"{wanted.series} of {period} has the value {str(value)[:40]!r}, which is no number",
            where=url,
            remedy="the API marks values that it withholds; give another series",
        )
    return number


def _rows(response: Mapping[str, Any], url: str) -> list[Any]:
    rows = response.get("data")
    if not isinstance(rows, list):
        raise DataError(
            "the answer has no list response.data", where=url, remedy="is this the API, version 2?"
        )
    return rows


def _total(response: Mapping[str, Any], url: str) -> int:
    try:
        return int(response["total"])
    except (KeyError, TypeError, ValueError):
        raise DataError(
            f"the answer has no number response.total, but {str(response.get('total'))[:40]!r}",
            where=url,
            remedy="is this the API, version 2?",
        ) from None


def _warnings(document: Mapping[str, Any], response: Mapping[str, Any]) -> Iterator[str]:
    """Warnings, which stand beside the rows as one object or as a list of them."""
    for place in (document, response):
        listed = place.get("warnings") or []
        for item in [place, *(listed if isinstance(listed, list) else [listed])]:
            if isinstance(item, Mapping) and item.get("warning"):
                yield f"{item['warning']}: {item.get('description', '')}".rstrip(": ")


def _error(document: Any) -> tuple[str, str]:
    """Code and text of an error in either of its two forms; empty where there is none."""
    if not isinstance(document, Mapping):
        return "", ""
    error = document.get("error")
    if isinstance(error, Mapping):
        return str(error.get("code") or ""), " ".join(str(error.get("message") or "").split())
    return str(document.get("code") or ""), " ".join(str(error or "").split())


def _conditional(known: Known | None) -> dict[str, str]:
    headers = {"Accept": "application/json"}
    if known is not None and known.etag:
        headers["If-None-Match"] = known.etag
    if known is not None and known.last_modified:
        headers["If-Modified-Since"] = known.last_modified
    return headers
