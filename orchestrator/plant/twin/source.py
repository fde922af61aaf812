"""The simulated unit as a source of samples."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.errors import ParameterError
from orchestrator.plant.tags import Plant, load_plant
from orchestrator.plant.twin import PLANT_FILE
from orchestrator.plant.twin.scenario import Scenario, load_scenario

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from orchestrator.plant.samples import SampleBlock
    from orchestrator.plant.twin.rehearsal import Standing
    from orchestrator.plant.twin.simulation import Step

HISTORY_SPAN = timedelta(days=1)
STOCK_HISTORY_WEEKS = 160
"""Weekly stock reports before the warm-up, where there is a price history."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class TwinSource:
    """Samples of a simulated crude unit.

    :meth:`history` hands out normal operation before the paced part, as fast as it can be taken;
    :meth:`blocks` hands out the paced part, with the scenario's faults, and never ends. A history
    that is not taken is passed over.

    Args:
        scenario: A scenario, a file, the name of a shipped one, or ``None`` for the demo.
        seed: Seed of all randomness; the same seed gives the same samples.
        start: When the paced part begins, instead of the scenario's ``start``.

    Raises:
        ConfigurationError: the scenario cannot be read or does not fit the unit.
    """

    simulated = True

    def __init__(
        self,
        scenario: Scenario | Path | None = None,
        seed: int = 0,
        *,
        start: datetime | None = None,
    ) -> None:
        from orchestrator.plant.twin.simulation import Simulation

        self.scenario = scenario if isinstance(scenario, Scenario) else load_scenario(scenario)
        self.plant: Plant = load_plant(PLANT_FILE)
        self.seed = seed
        self.name = f"twin {self.scenario.name}"
        self.start = (start or self.scenario.start).astimezone(UTC)
        self._period = timedelta(seconds=self.scenario.period_seconds)
        self._warm_up_rows = int(timedelta(hours=self.scenario.warm_up_hours) / self._period)
        self._next = self.start - self._warm_up_rows * self._period
        self._simulation = Simulation(self.scenario, self.plant, seed, self._warm_up_rows)
        self._simulation.start = self.start
        self._lock = threading.Lock()
        self._closed = False

    @property
    def active_faults(self) -> tuple[str, ...]:
        """Names of the faults present at the last row handed out."""
        return self._simulation.faults.active((self._next - self._period - self.start) / _MINUTE)

    def faults_at(self, times: NDArray[np.datetime64]) -> list[str]:
        """Names of the faults present at each time, separated by ``; ``."""
        from orchestrator.plant.samples import to_datetime64

        since = (times - to_datetime64(self.start)).astype("timedelta64[us]").astype(float)
        return self._simulation.faults.named(since / 60e6)

    def resume_after(self, time: datetime) -> None:
        """Begin the paced part one period after ``time``, where that is later than its start."""
        self.start = max(self.start, time.astimezone(UTC) + self._period)
        self._next = self.start - self._warm_up_rows * self._period
        self._simulation.start = self.start

    def history(self, max_span: timedelta = HISTORY_SPAN) -> Iterator[SampleBlock]:
        """Stock reports and daily prices, then normal operation up to the start of the paced part."""
        if self._next < self.start:
            yield from self._market_history(max_span)
        while self._next < self.start and not self._closed:
            yield self._block(self._advance(self._rows(max_span, self.start)))

    def blocks(self, max_span: timedelta) -> Iterator[SampleBlock]:
        """The paced part, without end; no block crosses a multiple of ``max_span`` since 1970."""
        for _, measured in self.truth(max_span):
            yield measured

    def truth(
        self, max_span: timedelta, *, warm_up: bool = False
    ) -> Iterator[tuple[SampleBlock, SampleBlock]]:
        """Pairs without end: true values without noise or sensor faults, and samples.

        Args:
            max_span: No block crosses a multiple of it since 1970.
            warm_up: Begin with the normal operation before the paced part, where not yet taken.
        """
        import numpy as np

        from orchestrator.plant.samples import SampleBlock

        while self._next < self.start and not (self._closed or warm_up):
            self._advance(self._rows(HISTORY_SPAN, self.start))
        while not self._closed:
            step = self._advance(self._rows(max_span, None))
            measured = self._block(step)
            good = np.zeros_like(measured.quality)
            yield SampleBlock(measured.tags, measured.times, step.true, good), measured

    def set_point(self, tag: str, value: float) -> None:
        """Send a set point to a value; it moves there from the next step on, at its rate limit.

        Raises:
            ParameterError: the tag is not a set point, or the value is outside its normal range.
        """
        with self._lock:
            self._simulation.handles.send(tag, value)

    def standing(self) -> Standing:
        """The unit as it stands after the last row handed out, to rehearse moves on; from any thread."""
        from orchestrator.plant.twin.rehearsal import Standing

        with self._lock:
            return Standing(self._simulation.held(), self.plant)

    @property
    def set_points(self) -> dict[str, float]:
        """Where each set point has been sent."""
        return dict(self._simulation.handles.targets)

    def close(self) -> None:
        """End the run; iterators stop after their present block."""
        self._closed = True

    def _rows(self, max_span: timedelta, end: datetime | None) -> int:
        """Rows from the next one to the end of its span, or to ``end`` if that is sooner."""
        if max_span <= timedelta(0):
            raise ParameterError(f"max_span must be positive, got {max_span}")
        boundary = _EPOCH + ((self._next - _EPOCH) // max_span + 1) * max_span
        if end is not None:
            boundary = min(boundary, end)
        return max(1, -((self._next - boundary) // self._period))

    def _advance(self, rows: int) -> Step:
        with self._lock:
            step = self._simulation.advance(rows)
            self._next += rows * self._period
            return step

    def _block(self, step: Step) -> SampleBlock:
        import numpy as np

        from orchestrator.plant.samples import SampleBlock, to_datetime64

        rows = len(step.minutes)
        first = to_datetime64(self._next - rows * self._period)
        times = first + np.arange(rows) * np.timedelta64(self._period, "us")
        return SampleBlock(self._simulation.tags, times, step.measured, step.quality)

    def _market_history(self, max_span: timedelta) -> Iterator[SampleBlock]:
        """One row a day of prices and one a report of stocks, from before the warm-up."""
        import numpy as np

        from orchestrator.plant.samples import Quality, SampleBlock, to_datetime64
        from orchestrator.plant.twin.market import (
            OVER_CRUDE,
            REPORT,
            STOCK,
            report_number,
            report_time,
        )

        days = self.scenario.price_history_days
        if not days:
            return
        tags = self._simulation.tags
        midnight = self._next.replace(hour=0, minute=0, second=0, microsecond=0)
        last = report_number(self._next - self._period)
        reports = range(last - STOCK_HISTORY_WEEKS + 1, last + 1)
        rows = [(midnight - timedelta(days=day), None) for day in range(days, 0, -1)]
        times = sorted([*rows, *((report_time(number), number) for number in reports)], key=_first)
        values = np.full((len(times), len(tags)), np.nan)
        priced = [i for i, (_, number) in enumerate(times) if number is None]
        prices = [tags.index(tag) for tag in OVER_CRUDE]
        values[np.ix_(priced, prices)] = self._simulation.daily_prices(days)
        for i, (_, number) in enumerate(times):
            if number is not None:
                values[i, tags.index(REPORT)] = number
                values[i, tags.index(STOCK)] = self._simulation.reported_stock(number)
        quality = np.where(np.isnan(values), np.uint8(Quality.NONE), np.uint8(Quality.GOOD))
        at = np.array([to_datetime64(time) for time, _ in times])
        whole = SampleBlock(tags, at, values, quality.astype(np.uint8))
        spans = (whole.times - np.datetime64(_EPOCH.replace(tzinfo=None), "us")) // np.timedelta64(
            max_span, "us"
        )
        edges = [0, *(np.flatnonzero(np.diff(spans)) + 1).tolist(), len(times)]
        for first, end in itertools.pairwise(edges):
            yield whole.rows(first, end)


def _first(item: tuple[datetime, int | None]) -> datetime:
    return item[0]


_MINUTE = timedelta(minutes=1)
