"""``analysis.update``: download or read the configured market data and keep what is new or revised."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.clock import iso
from orchestrator.errors import (
    ConfigurationError,
    DanGError,
    OperationError,
    ParameterError,
    UnavailableError,
)
from orchestrator.modules.analysis.mapping import FileMapping, load_mapping, matching
from orchestrator.modules.analysis.options import WHERE, MarketOptions
from orchestrator.modules.analysis.page_cache import PageCache
from orchestrator.modules.analysis.releases import Calendar
from orchestrator.modules.analysis.sources import Done, Sources, Wanted
from orchestrator.modules.analysis.stored import FOLDER
from orchestrator.modules.analysis.update_models import (
    ReleaseFact,
    RevisionFact,
    SeriesUpdate,
    SourceFailure,
    UpdateInput,
    UpdateResult,
)
from orchestrator.plant.vintages import Revision, SeriesSpan, VintageStore

if TYPE_CHECKING:
    from orchestrator.modules.base import OperationContext

PAGES = "pages"
MOST_REVISIONS = 50


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
    wanted = _wanted(options, parameters)
    store = VintageStore(context.folder / FOLDER)
    sources = Sources(store, PageCache(context.folder / PAGES), parameters.full, context)
    done = sources.read(options.eia, wanted)
    if done.errors and not done.series:
        raise _all_failed(done)
    return _result(done, options, store.spans(), context.now)


def _wanted(options: MarketOptions, parameters: UpdateInput) -> Wanted:
    eia = options.eia.series if options.eia is not None else ()
    files: list[tuple[FileMapping, tuple[Path, ...]]] = []
    if options.mapping is not None:
        mapping = load_mapping(options.mapping)
        files = [(item, tuple(matching(item, options.mapping))) for item in mapping.files]
    if not eia and not files:
        raise ConfigurationError(
            "no source of market data is configured",
            where=WHERE,
            remedy="set eia.series or mapping, see docs/market-data.md",
        )
    if not parameters.only:
        return Wanted(eia, tuple(files))
    names = {item.kept_as for item in eia} | {path.name for _, paths in files for path in paths}
    unknown = sorted(set(parameters.only) - names)
    if unknown:
        raise ParameterError.of_field(
            "only",
            f"there is no configured series or file {', '.join(unknown)}",
            remedy=f"there are: {', '.join(sorted(names)[:20])}",
        )
    chosen = [(item, tuple(p for p in paths if p.name in parameters.only)) for item, paths in files]
    return Wanted(
        tuple(item for item in eia if item.kept_as in parameters.only),
        tuple((item, paths) for item, paths in chosen if paths),
    )


def _all_failed(done: Done) -> DanGError:
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


def _result(
    done: Done, options: MarketOptions, spans: dict[str, SeriesSpan], now: datetime
) -> UpdateResult:
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
        next_releases=tuple(_upcoming(options, now)),
    )


def _with_span(item: SeriesUpdate, span: SeriesSpan | None) -> SeriesUpdate:
    if span is None:
        return item
    return item.model_copy(
        update={"first": iso(span.first), "last": iso(span.last), "unit": span.unit}
    )


def _upcoming(options: MarketOptions, now: datetime) -> Iterator[ReleaseFact]:
    if options.releases is not None:
        for release in Calendar(options.releases).upcoming(now):
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
