"""``analysis.update``: download or read the configured market data and keep what is new or revised."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.clock import iso
from orchestrator.errors import (
    ConfigurationError,
    DanGError,
    DataError,
    OperationError,
    ParameterError,
    UnavailableError,
)
from orchestrator.modules.analysis.eia import KEY_FIELD, EiaClient
from orchestrator.modules.analysis.mapping import FileMapping, load_mapping, matching
from orchestrator.modules.analysis.market_files import read_file
from orchestrator.modules.analysis.options import (
    WHERE,
    EiaOptions,
    EiaSeries,
    MarketOptions,
    StoredSeries,
)
from orchestrator.modules.analysis.page_cache import PageCache
from orchestrator.modules.analysis.releases import Calendar
from orchestrator.modules.analysis.stored import FOLDER, role_of, same_unit
from orchestrator.modules.analysis.update_models import (
    ReleaseFact,
    RevisionFact,
    SeriesUpdate,
    SourceFailure,
    UpdateInput,
    UpdateResult,
)
from orchestrator.plant.vintages import (
    Counts,
    Observation,
    Revision,
    SeriesSpan,
    Stored,
    VintageStore,
)

if TYPE_CHECKING:
    from orchestrator.modules.base import OperationContext

PAGES = "pages"
MOST_REVISIONS = 50
PRESENT = timedelta(hours=1)
LOST_IN_A_ROW = 2
"""Downloads in a row without an answer after which the others of the server are left for later."""


@dataclass
class _Done:
    """What was stored so far, and what was not."""

    series: list[SeriesUpdate] = field(default_factory=list)
    revisions: list[Revision] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    errors: list[tuple[str, DanGError]] = field(default_factory=list)


def run(parameters: UpdateInput, context: OperationContext) -> UpdateResult:
    """Read each configured source; one that fails keeps none of the others from being stored.

    Raises:
        ConfigurationError: nothing is configured, or an option or the mapping file does not fit.
        ParameterError: ``only`` names what is not configured.
        OperationError: every source failed.
    """
    options = MarketOptions.of(context.settings)
    if context.folder is None:
        raise OperationError(
            "this run has no folder in which market data are kept",
            remedy="run the operation through the service or the command",
        )
    jobs = _jobs(options, parameters)
    store = VintageStore(context.folder / FOLDER)
    work = _Work(store, PageCache(context.folder / PAGES), parameters.full, context)
    done = work.all(options, jobs)
    if done.errors and not done.series:
        raise _all_failed(done)
    return _result(done, options, store.spans())


@dataclass(frozen=True)
class _Jobs:
    """The downloads and files that were asked for."""

    eia: tuple[EiaSeries, ...]
    files: tuple[tuple[FileMapping, Path], ...]


def _jobs(options: MarketOptions, parameters: UpdateInput) -> _Jobs:
    eia = options.eia.series if options.eia is not None else ()
    files: list[tuple[FileMapping, Path]] = []
    if options.mapping is not None:
        mapping = load_mapping(options.mapping)
        files = [(item, path) for item in mapping.files for path in matching(item, options.mapping)]
    if not eia and not files:
        raise ConfigurationError(
            "no source of market data is configured",
            where=WHERE,
            remedy="set eia.series or mapping, see docs/market-data.md",
        )
    if not parameters.only:
        return _Jobs(eia, tuple(files))
    names = {item.kept_as for item in eia} | {path.name for _, path in files}
    unknown = sorted(set(parameters.only) - names)
    if unknown:
        raise ParameterError.of_field(
            "only",
            f"there is no configured series or file {', '.join(unknown)}",
            remedy=f"there are: {', '.join(sorted(names)[:20])}",
        )
    return _Jobs(
        tuple(item for item in eia if item.kept_as in parameters.only),
        tuple((item, path) for item, path in files if path.name in parameters.only),
    )


class _Work:
    """Reads sources one after the other and stores each before the next."""

    def __init__(
        self, store: VintageStore, cache: PageCache, full: bool, context: OperationContext
    ) -> None:
        self._store = store
        self._cache = cache
        self._full = full
        self._context = context
        self._held = store.spans()
        self._done = _Done()

    def all(self, options: MarketOptions, jobs: _Jobs) -> _Done:
        """Every source."""
        total = len(jobs.eia) + len(jobs.files)
        for number, (mapping, path) in enumerate(jobs.files):
            self._context.progress(number / total, path.name)
            self._guarded(path.name, lambda m=mapping, p=path: self._file(m, p))  # type: ignore[misc]
        if options.eia is not None and jobs.eia:
            self._downloads(options.eia, jobs.eia, len(jobs.files), total)
        return self._done

    def _guarded(self, source: str, work: Callable[[], None]) -> DanGError | None:
        try:
            work()
        except DanGError as error:
            self._done.errors.append((source, error))
            return error
        return None

    def _downloads(
        self, options: EiaOptions, wanted: Sequence[EiaSeries], before: int, total: int
    ) -> None:
        share = before / total
        try:
            client = EiaClient(
                options, self._cache, lambda text: self._context.progress(share, text)
            )
        except ConfigurationError as error:
            self._done.errors.append(("EIA", error))
            return
        lost = 0
        with client:
            for number, item in enumerate(wanted):
                share = (before + number) / total
                self._context.progress(share, item.kept_as)
                failed = self._guarded(item.kept_as, lambda i=item: self._download(client, i))  # type: ignore[misc]
                if isinstance(failed, ConfigurationError) and failed.where == KEY_FIELD:
                    break
                lost = lost + 1 if isinstance(failed, UnavailableError) else 0
                rest = wanted[number + 1 :]
                if lost >= LOST_IN_A_ROW and rest:
                    self._done.warnings.append(
                        f"{lost} downloads in a row had no answer; not asked for: "
                        f"{', '.join(other.kept_as for other in rest)}"
                    )
                    break

    def _download(self, client: EiaClient, item: EiaSeries) -> None:
        held = self._held.get(item.kept_as)
        newest = held.last if held is not None and not self._full else None
        answer = client.series(item, newest)
        unit = self._unit(item.kept_as, item, answer.unit)
        values = [replace(value, unit=unit) for value in answer.observations]
        stored = self._keep({item.kept_as: item}, values)
        # Only now: a server that says "not modified" must not hide what was never stored.
        self._cache.remember(answer.known)
        self._done.warnings += [f"{item.kept_as}: {text}" for text in answer.warnings]
        unmodified = answer.unmodified == answer.pages
        self._tell(item.kept_as, "EIA", len(values), stored, unmodified=unmodified)
        self._done.revisions += stored.revised

    def _file(self, mapping: FileMapping, path: Path) -> None:
        data = read_file(path, mapping)
        if data.unmapped:
            shown = ", ".join(data.unmapped[:8]) + (", …" if len(data.unmapped) > 8 else "")
            self._done.warnings.append(f"{path.name}: the mapping does not name {shown}")
        for name, item in data.series.items():
            self._unit(name, item, item.unit)
        stored = self._keep(data.series, data.observations, data.known_at)
        received = Counter(value.series for value in data.observations)
        for name in data.series:
            self._tell(name, path.name, received[name], stored)
        self._done.revisions += stored.revised

    def _unit(self, name: str, described: StoredSeries, given: str | None) -> str | None:
        """The unit that a source gives, held against what is known of the series.

        Raises:
            DataError: they differ.
        """
        role = role_of(name, described, self._context.plant)
        held = self._held.get(name)
        for expected, whose in (
            (role.unit if role is not None else None, "is known for it"),
            (held.unit if held is not None else None, "is stored of it"),
        ):
            if not same_unit(given, expected):
                raise DataError(
                    f"the source gives {name} in {given}, but {expected} {whose}",
                    where=name,
                    why="values of two units in one series would look like a move of the market",
                    remedy="correct unit or scale, or keep the series under another name",
                )
        return given or (role.unit if role is not None else None)

    def _keep(
        self,
        described: Mapping[str, StoredSeries],
        values: Sequence[Observation],
        known_at: datetime | None = None,
    ) -> Stored:
        now = known_at or _learnt(self._context.now)
        return self._store.append([self._dated(v, described[v.series], now) for v in values], now)

    def _dated(self, value: Observation, described: StoredSeries, now: datetime) -> Observation:
        """A value of before the first download counts as known after its usual lag, if one is stated."""
        lag, held = described.publication_lag_days, self._held.get(value.series)
        if lag is None or (held is not None and value.period >= held.first):
            return value
        return replace(value, known_at=min(now, value.period + timedelta(days=lag)))

    def _tell(
        self, name: str, source: str, received: int, stored: Stored, *, unmodified: bool = False
    ) -> None:
        counts = stored.counts.get(name, Counts())
        self._done.series.append(
            SeriesUpdate(
                name=name,
                source=source,
                received=received,
                new=counts.new,
                revised=counts.revised,
                unchanged=counts.unchanged,
                unmodified=unmodified,
                first=None,
                last=None,
                unit=None,
            )
        )


def _learnt(asked_at: datetime) -> datetime:
    """When what comes now counts as known: from the request on, where that is of the present.

    An analysis that was asked for together with the update must know what it brought. In a replay or a
    simulation the request's time is another one, and the wall clock tells.
    """
    now = datetime.now(UTC)
    return asked_at if timedelta(0) <= now - asked_at <= PRESENT else now


def _all_failed(done: _Done) -> DanGError:
    """One error for all; not one to repeat, since each download was repeated already."""
    if len(done.errors) == 1 and not isinstance(done.errors[0][1], UnavailableError):
        return done.errors[0][1]
    told = "; ".join(f"{source}: {error.what}" for source, error in done.errors[:5])
    more = f"; and {len(done.errors) - 5} more" if len(done.errors) > 5 else ""
    return OperationError(
        f"no source of market data could be read ({told}{more})",
        remedy=done.errors[0][1].remedy or "see the errors of the sources",
        context={"failed": [_failure(*item).model_dump() for item in done.errors]},
    )


def _failure(source: str, error: DanGError) -> SourceFailure:
    return SourceFailure(source=source, code=error.code, error=str(error))


def _result(done: _Done, options: MarketOptions, spans: dict[str, SeriesSpan]) -> UpdateResult:
    series = tuple(_with_span(item, spans.get(item.name)) for item in done.series)
    new, revised = sum(item.new for item in series), sum(item.revised for item in series)
    latest = sorted(done.revisions, key=lambda item: item.period, reverse=True)[:MOST_REVISIONS]
    failed = tuple(_failure(source, error) for source, error in done.errors)
    return UpdateResult(
        summary=_summary(series, new, latest, revised, failed),
        warnings=(*done.warnings, *(f"{item.source}: {item.error}" for item in failed)),
        new=new,
        revised=revised,
        series=series,
        revisions=tuple(
            RevisionFact(
                series=item.series, period=iso(item.period), before=item.before, after=item.after
            )
            for item in latest
        ),
        failed=failed,
        next_releases=tuple(_upcoming(options)),
    )


def _with_span(item: SeriesUpdate, span: SeriesSpan | None) -> SeriesUpdate:
    if span is None:
        return item
    return item.model_copy(
        update={"first": iso(span.first), "last": iso(span.last), "unit": span.unit}
    )


def _upcoming(options: MarketOptions) -> Iterator[ReleaseFact]:
    if options.releases is not None:
        for release in Calendar(options.releases).upcoming(datetime.now(UTC)):
            yield ReleaseFact(name=release.name, at=iso(release.at))


def _summary(
    series: Sequence[SeriesUpdate],
    new: int,
    latest: Sequence[Revision],
    revised: int,
    failed: Sequence[SourceFailure],
) -> str:
    text = (
        f"{_count(len(series), 'series', 'series')} read: {_count(new, 'new value', 'new values')}"
    )
    if revised:
        last = latest[0]
        before, after = (
            "no value" if value is None else f"{value:,.6g}" for value in (last.before, last.after)
        )
        text += (
            f", {revised} revised (the latest {last.series} of {last.period:%Y-%m-%d}, "
            f"{before} to {after})"
        )
    else:
        text += ", none revised"
    return f"{text}; {_count(len(failed), 'source', 'sources')} failed." if failed else f"{text}."


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
