"""What is known about the plant at one instant. Every field is optional; absent is unknown, not fine."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator
from pydantic_core import to_json

from orchestrator.plant.tags import PlantMode

AlertKind = Literal["anomaly", "limit", "trend", "drift", "frozen", "predicted_limit"]
Severity = Literal["low", "medium", "high", "critical"]


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a time needs a time zone, for example 2026-03-01T06:00:00Z")
    return value.astimezone(UTC)


Share = Annotated[float, Field(ge=0, le=1)]
"""From 0 to 1; a percentage given instead would open a gate that bad data should close."""
UtcTime = Annotated[datetime, AfterValidator(_aware)]


class SituationPart(BaseModel):
    """Base of the situation's parts. Unknown fields are kept for a site's own triggers, and reported."""

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)


class DataQuality(SituationPart):
    """Fitness of the plant data: shares from 0 to 1, counts, and the balance error in %."""

    score: Share | None = None
    missing_share: Share | None = None
    stale_tags: int | None = None
    frozen_tags: int | None = None
    balance_error_pct: float | None = None


class Kpis(SituationPart):
    """Key performance indicators; changes in % against their baseline."""

    margin_usd_per_bbl: float | None = None
    margin_change_pct: float | None = None
    energy_index: float | None = None
    energy_index_change_pct: float | None = None
    yield_deviation_pct: float | None = None
    throughput_pct: float | None = None


class AlertFact(SituationPart):
    """An open alert; one without severity counts as medium."""

    tag: str | None = None
    kind: AlertKind | None = None
    severity: Severity | None = None
    age_minutes: float | None = None


class EquipmentFact(SituationPart):
    """Health of a piece of equipment, 1 as new to 0 failed, and its trend a day."""

    id: str | None = None
    kind: str | None = None
    health: float | None = None
    trend_per_day: float | None = None


class MarketFact(SituationPart):
    """What the market did: changes in %, stocks as a z-score."""

    crude_change_pct: float | None = None
    crack_spread_change_pct: float | None = None
    product_stock_zscore: float | None = None
    new_report: bool | None = None


class ModuleFact(SituationPart):
    """State of one module as the coordinator sees it."""

    enabled: bool | None = None
    in_flight: int | None = None
    last_success_minutes: float | None = None
    success_rate: float | None = None
    p95_seconds: float | None = None
    running: tuple[str, ...] | None = None


class ResourcesFact(SituationPart):
    """Free shares of the machine, 0 to 1, and the length of the queue."""

    cpu_free_share: Share | None = None
    memory_free_share: Share | None = None
    queue_depth: int | None = None


class MaintenanceFact(SituationPart):
    """The maintenance window, if one is known."""

    window_active: bool | None = None
    window_starts_in_minutes: float | None = None


class Situation(SituationPart):
    """Everything the decision engine may look at."""

    timestamp: UtcTime | None = None
    plant_mode: PlantMode | None = None
    data_quality: DataQuality | None = None
    kpis: Kpis | None = None
    alerts: tuple[AlertFact, ...] | None = None
    equipment: tuple[EquipmentFact, ...] | None = None
    market: MarketFact | None = None
    modules: dict[str, ModuleFact | None] | None = None
    resources: ResourcesFact | None = None
    maintenance: MaintenanceFact | None = None

    @field_validator("modules")
    @classmethod
    def _given_modules(
        cls, value: dict[str, ModuleFact | None] | None
    ) -> dict[str, ModuleFact | None] | None:
        if value is None:
            return None
        return {name: fact for name, fact in sorted(value.items()) if fact is not None}

    def unknown_fields(self) -> tuple[tuple[str, ...], ...]:
        """Paths of the fields that this version does not know; list elements under their list."""
        return self._unknown_fields

    @cached_property
    def _unknown_fields(self) -> tuple[tuple[str, ...], ...]:
        found: list[tuple[str, ...]] = [(name,) for name in self.__pydantic_extra__ or ()]
        values = self.__dict__
        for name in _PARTS:
            part = values[name]
            if part is None:
                continue
            if isinstance(part, SituationPart):
                if part.__pydantic_extra__:
                    found.extend((name, extra) for extra in part.__pydantic_extra__)
            elif isinstance(part, tuple):
                for element in part:
                    if element.__pydantic_extra__:
                        found.extend((name, extra) for extra in element.__pydantic_extra__)
            else:
                for module, fact in part.items():
                    if fact is not None and fact.__pydantic_extra__:
                        found.extend((name, module, extra) for extra in fact.__pydantic_extra__)
        return tuple(dict.fromkeys(found))

    def facts(self) -> dict[str, Any]:
        """The known facts only, in one order: no null at any depth, times as ISO 8601.

        They are made once, as a situation never changes: do not change them either.
        """
        return self._facts

    @cached_property
    def _facts(self) -> dict[str, Any]:
        document = self.model_dump(mode="json", exclude_none=True)
        return _without_nulls(document) if self.unknown_fields() else document

    @cached_property
    def facts_json(self) -> bytes:
        """The JSON of the known facts."""
        return to_json(self.facts())

    def digest(self) -> str:
        """SHA-256 over the JSON of the known facts."""
        return hashlib.sha256(self.facts_json).hexdigest()


_PARTS = tuple(name for name in Situation.model_fields if name not in {"timestamp", "plant_mode"})


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        known = [name for name in sorted(value) if value[name] is not None]
        return {name: _without_nulls(value[name]) for name in known}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value if item is not None]
    return value
