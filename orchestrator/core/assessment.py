"""Makes one immutable situation out of samples, alerts, KPIs, modules and resources."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from orchestrator.config import MaintenanceWindow
from orchestrator.core.performance import Performance
from orchestrator.core.situation import (
    AlertFact,
    DataQuality,
    EquipmentFact,
    Kpis,
    MaintenanceFact,
    MarketFact,
    ModuleFact,
    ResourcesFact,
    Situation,
)
from orchestrator.monitoring.life_cycle import Alert
from orchestrator.monitoring.monitor import Monitor
from orchestrator.plant.samples import Quality, SampleBlock
from orchestrator.plant.tags import Plant, PlantMode

if TYPE_CHECKING:
    from orchestrator.modules.analysis.releases import Calendar


class Assessor:
    """Computes the situation; what cannot be computed stays absent.

    The plant mode comes from the operator, else from the mode tag, else from the steady-state test.

    Args:
        plant: The plant file.
        monitor: Data quality, steady-state test and alerts; ``None`` where there are no tags.
        maintenance: Planned windows.
        calendar: Releases of market reports.
        interval: Time between assessments.
    """

    def __init__(
        self,
        plant: Plant,
        monitor: Monitor | None,
        maintenance: Sequence[MaintenanceWindow] = (),
        *,
        calendar: Calendar | None = None,
        interval: timedelta = timedelta(0),
    ) -> None:
        self._plant = plant
        self._monitor = monitor
        self._maintenance = tuple(maintenance)
        self._performance = Performance(plant, calendar, interval)
        self._mode_value: float | None = None
        self._any_samples = False
        self.operator_mode: PlantMode | None = None

    def learn_history(self, block: SampleBlock) -> None:
        """Take in past samples that the monitor has not to judge again."""
        self._performance.update(block)

    def update(self, block: SampleBlock) -> None:
        """Take in new samples (the monitor gets them from its owner)."""
        self._any_samples = self._any_samples or len(block) > 0
        self._performance.update(block)
        tag = self._plant.mode.mode_tag
        if tag is not None and tag in block.tags:
            column = block.tags.index(tag)
            good = block.quality[:, column] == Quality.GOOD
            if good.any():
                self._mode_value = float(block.values[good, column][-1])

    def situation(
        self,
        at: datetime,
        *,
        modules: dict[str, ModuleFact] | None = None,
        resources: ResourcesFact | None = None,
    ) -> Situation:
        """The situation at ``at``."""
        if self._monitor is None or not self._any_samples:
            report = self._performance.new_report(at)
            return Situation(
                timestamp=at,
                plant_mode=self.operator_mode,
                market=None if report is None else MarketFact(new_report=report),
                modules=dict(modules) if modules else None,
                resources=resources,
                maintenance=self._maintenance_at(at),
            )
        return Situation(
            timestamp=at,
            plant_mode=self.plant_mode(),
            data_quality=self._quality(self._monitor, at),
            kpis=Kpis.model_validate(_rounded(self._performance.kpis(at))),
            alerts=tuple(
                _fact(alert, at)
                for alert in self._monitor.alerts.open()
                if alert.kind != "write"  # of our own doing, not of the plant
            ),
            equipment=tuple(
                EquipmentFact.model_validate(_rounded(item))
                for item in self._performance.equipment(at)
            ),
            market=MarketFact.model_validate(_rounded(self._performance.market(at))),
            modules=dict(modules) if modules else None,
            resources=resources,
            maintenance=self._maintenance_at(at),
        )

    @property
    def learned_until(self) -> datetime | None:
        """The newest row that the monitor learned normal operation from; ``None`` where it did not."""
        return self._monitor.learned_until if self._monitor is not None else None

    def plant_mode(self) -> PlantMode | None:
        """The plant mode, or ``None`` where nothing tells it."""
        if self.operator_mode is not None:
            return self.operator_mode
        if self._mode_value is not None:
            named = self._plant.mode.values.get(round(self._mode_value))
            if named is not None:
                return named
        return self._monitor.mode() if self._monitor is not None else None

    def data_quality(self, at: datetime) -> float | None:
        """The data-quality score at ``at``, or ``None`` where no monitor or no sample tells it."""
        if self._monitor is None or not self._any_samples:
            return None
        return self._quality(self._monitor, at).score

    def _quality(self, monitor: Monitor, at: datetime) -> DataQuality:
        report = monitor.quality(at)
        return DataQuality.model_validate(
            _rounded(
                {
                    "score": report.score,
                    "missing_share": report.missing_share,
                    "stale_tags": len(report.stale_tags),
                    "frozen_tags": len(report.frozen_tags),
                    "balance_error_pct": self._performance.balance_error_pct(at),
                }
            )
        )

    def _maintenance_at(self, at: datetime) -> MaintenanceFact | None:
        if not self._maintenance:
            return None
        active = any(window.start <= at < window.end for window in self._maintenance)
        ahead = [window.start - at for window in self._maintenance if window.start >= at]
        return MaintenanceFact(
            window_active=active,
            window_starts_in_minutes=min(ahead).total_seconds() / 60 if ahead else None,
        )


def _fact(alert: Alert, at: datetime) -> AlertFact:
    age = max(0.0, (at - alert.start).total_seconds() / 60)
    return AlertFact(
        tag=alert.tag, kind=alert.kind, severity=alert.severity, age_minutes=round(age, 1)
    )


def _rounded(facts: dict[str, Any]) -> dict[str, Any]:
    """Six significant digits: enough to decide on, and no noise in digests."""
    return {
        name: float(f"{value:.6g}") if isinstance(value, float) else value
        for name, value in facts.items()
    }
