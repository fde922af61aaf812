"""Reads the configured sources of market data one after the other, and stores each before the next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.errors import ConfigurationError, DanGError, DataError, UnavailableError
from orchestrator.modules.analysis.eia import KEY_FIELD, EiaClient
from orchestrator.modules.analysis.mapping import FileMapping, MappedSeries
from orchestrator.modules.analysis.market_files import read_file
from orchestrator.modules.analysis.options import WHERE, EiaOptions, EiaSeries, StoredSeries
from orchestrator.modules.analysis.page_cache import PageCache
from orchestrator.modules.analysis.stored import role_of, same_unit
from orchestrator.modules.analysis.update_models import SeriesUpdate
from orchestrator.plant.vintages import Counts, Observation, Revision, Stored, VintageStore

if TYPE_CHECKING:
    from orchestrator.modules.base import OperationContext

PRESENT = timedelta(hours=1)
LOST_IN_A_ROW = 2
"""Downloads in a row without an answer after which the others of the server are left for later."""


@dataclass(frozen=True)
class Wanted:
    """The downloads that were asked for, and the files with the entries that describe them."""

    eia: tuple[EiaSeries, ...]
    files: tuple[tuple[FileMapping, tuple[Path, ...]], ...]


@dataclass
class Done:
    """What was stored so far, and what was not."""

    series: list[SeriesUpdate] = field(default_factory=list)
    revisions: list[Revision] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    errors: list[tuple[str, DanGError]] = field(default_factory=list)


class Sources:
    """Reads sources one after the other and stores each before the next."""

    def __init__(
        self, store: VintageStore, cache: PageCache, full: bool, context: OperationContext
    ) -> None:
        self._store = store
        self._cache = cache
        self._full = full
        self._context = context
        self._held = store.spans()
        self._claimed: dict[str, str] = {}
        self._done = Done()

    def read(self, eia: EiaOptions | None, wanted: Wanted) -> Done:
        """Read every source, files first; one that fails keeps none of the others from being stored."""
        total = len(wanted.eia) + len(wanted.files)
        for number, (mapping, paths) in enumerate(wanted.files):
            self._context.progress(number / total, mapping.path)
            self._guarded(mapping.path, lambda m=mapping, p=paths: self._files(m, p))  # type: ignore[misc]
        if eia is not None and wanted.eia:
            self._downloads(eia, wanted.eia, len(wanted.files), total)
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
        self._claim([item.kept_as], f"{item.route} {item.series}")
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

    def _files(self, mapping: FileMapping, paths: Sequence[Path]) -> None:
        """Files of one entry: as one where they tell the present, each by itself where it is an archive."""
        read = [(path, read_file(path, mapping)) for path in paths]
        for path, data in read:
            if data.unmapped:
                shown = ", ".join(data.unmapped[:8]) + (", …" if len(data.unmapped) > 8 else "")
                self._done.warnings.append(f"{path.name}: the mapping does not name {shown}")
        series = {name: item for _, data in read for name, item in data.series.items()}
        for name, item in series.items():
            self._unit(name, item, item.unit)
        if mapping.known_at == "now":
            self._claim(series, mapping.path)
            values = [value for _, data in read for value in data.observations]
            source = read[0][0].name if len(read) == 1 else mapping.path
            self._store_file(source, series, values, None)
            return
        for path, data in sorted(read, key=lambda item: (item[1].known_at, item[0])):
            self._store_file(path.name, data.series, data.observations, data.known_at)

    def _store_file(
        self,
        source: str,
        series: Mapping[str, MappedSeries],
        values: Sequence[Observation],
        known_at: datetime | None,
    ) -> None:
        stored = self._keep(series, values, known_at)
        received = Counter(value.series for value in values)
        for name in series:
            self._tell(name, source, received[name], stored)

    def _claim(self, names: Iterable[str], source: str) -> None:
        """Two sources of the present for one series would revise each other at every update."""
        for name in names:
            other = self._claimed.setdefault(name, source)
            if other != source:
                raise ConfigurationError(
                    f"{name} comes from {other} and from {source}",
                    where=WHERE,
                    remedy="leave one of the two, or keep one under another name",
                )

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
        dated = [self._dated(value, described[value.series], now) for value in values]
        stored = self._store.append(dated, now, archive=known_at is not None)
        self._done.revisions += stored.revised
        return stored

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
